"""Compare the rules with the two networks, for pixel classes and for lead names, on the same pages.

    python benchmarks/vision.py [--data ../shared/data] [--pages 40] [--write]

Rendered pages have random styles, grids and damage, and are saved as JPEG (seed 5). The networks were not trained on
their records. The rules follow the darkness of the ink and compare names with templates. SNR is computed as
in ``digitize.py``. Real pages are the rows to answer of ``foreign_pages/index.csv`` that are not photographs.
"""

import argparse
import csv
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scoring import score_page

from ecglens.formats.wfdb import read_wfdb
from ecglens.leads.layout import find_layout
from ecglens.leads.layout_from_names import find_words
from ecglens.leads.normalized import normalize_page
from ecglens.pages.read import read_page
from ecglens.records import Layout, NotFound, Page
from ecglens.render import RenderedPage, damage, random_style, render_page
from ecglens.tracing.trace import trace_page
from ecglens.vision.pixel_classes import classify_page

HERE = Path(__file__).resolve().parent
LAYOUTS = ("3x4+1", "3x4", "3x4+3", "6x2", "12x1", "6x1-limb", "6x1-precordial")
DAMAGES = ("none", "none", "blur", "noise", "shadow", "fading", "stains", "handwriting", "rotation")
WAYS: dict[str, Callable[[Page], Page]] = {"rules": lambda page: page, "networks": classify_page}


def main() -> None:
    """Compare and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--pages", type=int, default=40, help="Number of rendered pages.")
    parser.add_argument("--write", action="store_true", help="Also write vision.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    text = "\n".join([*compare_rendered(options.data, options.pages), "", *compare_real(options.data)])
    print(text)
    if options.write:
        (HERE / "vision.md").write_text(
            f"# Rules and networks\n\n`python benchmarks/vision.py --write` printed:\n\n{text}\n", "utf-8"
        )


def compare_rendered(data: Path, count: int) -> list[str]:
    """Compare on rendered pages."""
    lines = [
        f"## {count} rendered pages",
        "",
        "| way | layout found | right | median SNR, dB | leads above 10 dB | names right | wrong | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    paths = sorted((data / "ludb").rglob("*.hea"))
    for way, prepare in WAYS.items():
        rng = np.random.default_rng(5)
        located = correct = named = misnamed = 0
        snr: list[float] = []
        began = time.process_time()
        spent = 0.0
        for _ in range(count):
            rendered = draw(paths[int(rng.integers(len(paths)))], rng)
            began = time.process_time()
            page = prepare(rendered.page)
            layout = find_layout(page, doubtful=True)
            record = trace_page(page, layout).record if isinstance(layout, Layout) else None
            spent += time.process_time() - began
            located += isinstance(layout, Layout)
            correct += isinstance(layout, Layout) and layout.name == rendered.truth.layout
            scores, missed = score_page(rendered.truth, record)
            snr += [score.snr_db for score in scores] + [-99.0] * missed
            good, bad = count_names(page, rendered)
            named, misnamed = named + good, misnamed + bad
        values = np.array(snr)
        lines.append(
            f"| {way} | {located} | {correct} | {np.median(values):.1f} | {np.mean(values > 10):.0%} "
            f"| {named} | {misnamed} | {spent / count:.2f} |"
        )
    return lines


def draw(path: Path, rng: np.random.Generator) -> RenderedPage:
    """Render a page in a random style, with damage, and save it as JPEG."""
    layout = str(rng.choice(LAYOUTS))
    style = random_style(rng, dpi=float(rng.uniform(100, 190)))
    rendered = render_page(read_wfdb(path), layout=layout, style=style, rng=rng)
    kind = str(rng.choice(DAMAGES))
    if kind != "none":
        rendered = damage(rendered, kind, float(rng.uniform(0.05, 0.5)), int(rng.integers(10**6)))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 97))]
    data = cv2.imencode(".jpg", rendered.page.pixels[..., ::-1], quality)[1]
    pixels = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])
    return replace(rendered, page=replace(rendered.page, pixels=pixels))


def count_names(page: Page, rendered: RenderedPage) -> tuple[int, int]:
    """Count the lead names that were read at their places, and those that were read as another name there."""
    normalized = normalize_page(page)
    if isinstance(normalized, NotFound):
        return 0, 0
    zoom = page.height / rendered.page.height
    right = wrong = 0
    words = find_words(page, normalized)
    for text in rendered.truth.texts:
        if text.role != "lead":
            continue
        box = rendered.truth.box_on_page(text.box)
        middle = ((box.left + box.right) / 2 * zoom, (box.top + box.bottom) / 2 * zoom)
        for word in words:
            inside = normalized.column(word.left) <= middle[0] <= normalized.column(word.right) and normalized.row(
                word.top
            ) <= middle[1] <= normalized.row(word.bottom)
            right += inside and word.name == text.text
            wrong += inside and word.name != text.text
    return right, wrong


def compare_real(data: Path) -> list[str]:
    """Compare on real pages: count the layouts that are found, and those that are correct."""
    folder = data / "foreign_pages"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] != "photo" and row["expect"].startswith("answer")]
    lines = [f"## {len(rows)} real pages", "", "| way | layout found | layout right | CPU s |", "|---|---|---|---|"]
    for way, prepare in WAYS.items():
        located = correct = 0
        spent = 0.0
        for row in rows:
            page = read_page(folder / "pages" / row["file"], page=int(row["page"] or 1))
            began = time.process_time()
            layout = find_layout(prepare(page), doubtful=True)
            spent += time.process_time() - began
            located += isinstance(layout, Layout)
            correct += isinstance(layout, Layout) and layout.name == row["layout"]
        lines.append(f"| {way} | {located} | {correct} | {spent / len(rows):.2f} |")
    return lines


if __name__ == "__main__":
    main()
