"""Make the pictures of ``docs/explanations.md``, one a method, and copy the benchmarks' tables into it.

Run from the repository: ``python docs/make_explanations.py``. Needs the extra ``explain``. ``--tables`` leaves the
pictures as they are.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "tests" / "data" / "MI_26.jpg"
PAGES = ROOT / "docs" / "explanations.md"
PICTURES = ROOT / "docs" / "images"
BENCHMARKS = ("explain", "explain_leads")
WIDTH_PX, MARGIN_PX, QUALITY = 960, 12, 82
BEGIN, END = "<!-- tables of benchmarks/{0}.md -->\n", "<!-- end of {0} -->\n"


def main() -> None:
    """Render the pictures, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="Copy the tables alone.")
    if not parser.parse_args().tables:
        render_pictures()
    PAGES.write_text(with_tables(PAGES.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(text: str) -> str:
    """Return the page with the tables of the benchmarks, their headings one level lower."""
    for name in BENCHMARKS:
        begin, end = BEGIN.format(name), END.format(name)
        before, following = text.split(begin)
        _, after = following.split(end)
        whole = (ROOT / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
        tables = whole.split("\n", 1)[1].strip().replace("\n## ", "\n### ")
        text = f"{before}{begin}\n{tables}\n\n{end}{after}"
    return text


def render_pictures() -> None:
    """Render one page, explained by every method and cropped to its traces."""
    from ecglens.explaining import explain_page
    from ecglens.models.explain import METHODS
    from ecglens.models.train.modules import load_module
    from ecglens.pages.read import read_page
    from ecglens.reading import examine_page, load_runtime
    from ecglens.records import Layout

    runtime = load_runtime("compact_cnn")
    reading = examine_page(read_page(PAGE), runtime)
    assert isinstance(reading.layout, Layout)
    box = reading.layout.trace_area
    rows = slice(max(0, int(box.top) - MARGIN_PX), int(box.bottom) + MARGIN_PX)
    columns = slice(max(0, int(box.left) - MARGIN_PX), int(box.right) + MARGIN_PX)
    for method in METHODS:
        explanation = explain_page(reading, runtime, method=method, module=load_module(runtime.card), checks=False)
        overlay = np.ascontiguousarray(explanation.plot(reading.page.pixels)[rows, columns, ::-1])
        height = round(WIDTH_PX * overlay.shape[0] / overlay.shape[1])
        small = cv2.resize(overlay, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        (PICTURES / f"explain-{method}.jpg").write_bytes(jpeg.tobytes())


if __name__ == "__main__":
    main()
