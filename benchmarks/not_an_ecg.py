"""Count the images without an ECG that are refused, and the real ECG pages whose leads are located.

    python benchmarks/not_an_ecg.py [PAGES] [--write]

PAGES is a folder of ECG pages; images come from ``tests/support/not_ecgs.py`` with seed 0.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from ecglens.pages import read_page
from ecglens.reading import examine_page, load_runtime
from ecglens.records import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from not_ecgs import generate_not_ecgs


def main() -> None:
    """Count refusals by kind and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT.parent / "shared" / "data" / "mendeley" / "pages"
    parser.add_argument("pages", type=Path, nargs="?", default=default, help="Folder of ECG pages.")
    parser.add_argument("--write", action="store_true", help="Also write not_an_ecg.md.")
    arguments = parser.parse_args()
    images, with_leads = Counter[str](), Counter[str]()
    runtime = load_runtime()
    for kind, pixels in generate_not_ecgs(np.random.default_rng(0), 500):
        images[kind] += 1
        with_leads[kind] += bool(examine_page(Page(pixels), runtime).layout)
    files = sorted(arguments.pages.glob("*.jpg"))
    images["real ECG pages"] = len(files)
    with_leads["real ECG pages"] = sum(bool(examine_page(read_page(path), runtime).layout) for path in files)
    rows = [f"| {kind} | {images[kind]} | {images[kind] - with_leads[kind]} | {with_leads[kind]} |" for kind in images]
    table = "\n".join(
        [
            "`python benchmarks/not_an_ecg.py --write`",
            "",
            "| images | n | refused | leads found |",
            "|---|---|---|---|",
            *rows,
        ]
    )
    print(table)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
