"""The demo pages that ship with the project, drawn by ``ecglens render`` from a record of tests/data.

python docs/make_demo_pages.py FOLDER
"""

import sys
from pathlib import Path

from ecglens.datasets.drawing import draw_file

RECORD = Path(__file__).resolve().parent.parent / "tests" / "data" / "ptbxl_00001.csv"


def main() -> None:
    """Draw a clean page, a photo and a fax."""
    out = Path(sys.argv[1])
    draw_file(RECORD, out / "clean.png", style="dotted-report", dpi=150)
    photo = ("perspective:0.3", "uneven-light:0.4", "noise:0.15")
    draw_file(RECORD, out / "photo.jpg", damages=photo, style="dotted-report", dpi=200)
    draw_file(RECORD, out / "fax.png", damages=("fax:0.4",), style="red-cart", dpi=150)


if __name__ == "__main__":
    main()
