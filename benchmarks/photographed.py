"""Measure how well pages are read that were photographed at an angle, curled, folded, creased or rotated.

    python benchmarks/photographed.py [--data ../shared/data] [--pages 30] [--write]

Public pages, one for each recording sampled with seed 0, are damaged by ``ecglens.render.damage_page`` or rotated, and
read by the shipped model: the table has the shares answered with the true label, with another one, and refused. The
model was trained on these pages, so that only the difference from undamaged ones is meaningful. Rendered pages of LUDB
are digitized and compared with their truth as in ``digitize.py``. Real photographs without truth are last.
"""

import argparse
import csv
import os
from collections.abc import Iterable
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scoring import digitize_or_none, score_lead

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import RHYTHM
from ecglens.pages.read import read_page
from ecglens.reading import examine_page, load_runtime
from ecglens.records import Page
from ecglens.render import damage, damage_page, render_page

HERE = Path(__file__).resolve().parent
KINDS = ("perspective", "curl", "fold", "crease")
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
ANGLES = (5, 10, 20, 30, 90, 180, 270)
LAYOUTS = ("3x4+1", "6x2")


def main() -> None:
    """Damage and read pages, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--pages", type=int, default=30, help="Number of public pages.")
    parser.add_argument("--write", action="store_true", help="Also write photographed.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    text = "\n\n".join(
        [check_labels(options.data, options.pages), check_signals(options.data), check_photographs(options.data)]
    )
    print(text)
    if options.write:
        report = f"# Photographed pages\n\n`python benchmarks/photographed.py --write` printed:\n\n{text}\n"
        (HERE / "photographed.md").write_text(report, encoding="utf-8")


def check_labels(data: Path, pages: int) -> str:
    """Format the shares of damaged and rotated public pages that are right, wrong and refused."""
    with (data / "mendeley" / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    chosen = np.random.default_rng(0).permutation(len(rows))[:pages].tolist()
    read = {row: (read_page(data / "mendeley" / rows[row]["page"]), rows[row]["label"]) for row in chosen}
    lines = [f"## {pages} public pages read by the shipped model: right, wrong, refused", ""]
    lines += [
        f"| damage | {' | '.join(f'{strength:g}' for strength in STRENGTHS)} |",
        "|---|" + "---|" * len(STRENGTHS),
    ]
    for kind in KINDS:
        cells = [
            shares((damage_page(page, kind, strength, row, dpi=100.0), label) for row, (page, label) in read.items())
            for strength in STRENGTHS
        ]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += ["", "The same pages rotated counterclockwise on white, by degrees:", ""]
    lines += [f"| {' | '.join(str(angle) for angle in ANGLES)} |", "|---" * len(ANGLES) + "|"]
    cells = [shares((turn(page, angle), label) for page, label in read.values()) for angle in ANGLES]
    return "\n".join([*lines, f"| {' | '.join(cells)} |"])


def shares(pages: Iterable[tuple[Page, str]]) -> str:
    """Format the shares of pages that the shipped model answers with their label, with another one, and refuses."""
    runtime, count, right, refused = load_runtime(), 0, 0, 0
    for page, label in pages:
        probabilities = examine_page(page, runtime).prediction.probabilities
        count += 1
        refused += probabilities is None
        right += probabilities is not None and max(probabilities, key=lambda name: probabilities[name]) == label
    return f"{right / count:.2f}, {(count - right - refused) / count:.2f}, {refused / count:.2f}"


def turn(page: Page, angle: int) -> Page:
    """Rotate the whole page counterclockwise, on white."""
    if angle % 90 == 0:
        return Page(np.ascontiguousarray(np.rot90(page.pixels, angle // 90)))
    turn = cv2.getRotationMatrix2D(((page.width - 1) / 2, (page.height - 1) / 2), angle, 1.0)
    across, along = abs(turn[0, 1]), abs(turn[0, 0])
    width, height = (round(page.width * a + page.height * b) for a, b in ((along, across), (across, along)))
    turn[:, 2] += ((width - page.width) / 2, (height - page.height) / 2)
    white = (255, 255, 255)
    pixels = cv2.warpAffine(page.pixels, turn, (width, height), flags=cv2.INTER_CUBIC, borderValue=white)
    return Page(np.asarray(pixels, dtype=np.uint8))


def check_signals(data: Path) -> str:
    """Format the median SNR of rendered pages, and the leads missed."""
    records = [read_wfdb(path) for path in sorted((data / "ludb").rglob("*.hea"))[7::31]]
    lines = [f"## {len(records)} LUDB records rendered as {' and '.join(LAYOUTS)}: median SNR in dB, leads missed", ""]
    lines += [
        f"| damage | {' | '.join(f'{strength:g}' for strength in STRENGTHS)} |",
        "|---|" + "---|" * len(STRENGTHS),
    ]
    for kind in KINDS[:2]:
        cells = []
        for strength in STRENGTHS:
            snr_db, missed, count = [], 0, 0
            for number, record in enumerate(records):
                for layout in LAYOUTS:
                    page = damage(render_page(record, layout=layout), kind=kind, strength=strength, seed=number)
                    tracing = digitize_or_none(page.page)
                    leads = (
                        {}
                        if tracing is None or tracing.record is None
                        else dict(zip(tracing.record.leads, tracing.record.signals_mv, strict=True))
                    )
                    for segment in page.truth.leads:
                        name = f"{segment.lead}{RHYTHM}" if segment.rhythm else segment.lead
                        count += 1
                        if name in leads:
                            snr_db.append(score_lead(segment.signal_mv, leads[name])[0])
                        else:
                            missed += 1
            cells.append(f"{np.median(snr_db):.1f}, {missed} of {count}")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def check_photographs(data: Path) -> str:
    """Format the layouts and qualities of real pages."""
    lines = ["## Real pages", "", "| page | kind | layout | median quality |", "|---|---|---|---|"]
    with (data / "real_pages" / "index.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            try:
                tracing = digitize_page(read_page(data / "real_pages" / row["page"]))
            except EcgReadError:
                lines.append(f"| {row['page']} | {row['layout']} | refused | - |")
                continue
            quality = "-" if tracing.record is None else f"{np.median(tracing.record.quality):.2f}"
            lines.append(f"| {row['page']} | {row['layout']} | {tracing.layout.name} | {quality} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
