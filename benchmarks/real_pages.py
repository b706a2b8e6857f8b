"""Score real pages of many recorders against the figures that are printed on them.

    python benchmarks/real_pages.py INDEX FOLDER [--sheet FOLDER] [--only TEXT] [--write]

INDEX is a CSV like ``../shared/data/foreign_pages/index.csv`` with one row for each page of a file: ``file``, ``page``,
``kind``, ``layout``, ``rhythm``, the printed figures (``printed_rate``, ``printed_pr``, ``printed_qrs``,
``printed_qt``, ``speed_mm_s``), and ``expect``, which begins with "answer" or "refuse". FOLDER holds the files.

A row is **correct** if the layout and its rhythm strips, or the refusal, are as expected, at least 80 % of the leads
have a quality of 0.5 or more, and rate (3/min), QRS (15 ms), PR and QT (20 ms) agree with what is printed. It is
**wrong silently** if the layout, the paper speed or the rate is wrong, or a refusal was expected, while at least 80 %
of the leads have a quality of 0.5 or more and no warning says "check". Other answers are **partly** correct.

``--sheet`` writes an overlay of each row and a contact sheet; look at all of them. ``--write`` writes real_pages.md.
"""

import argparse
import csv
import os
import shlex
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np

from ecglens.digitizing import digitize, measure_tracing
from ecglens.errors import EcgReadError
from ecglens.records import Measurements, Tracing
from ecglens.tracing.overlay import draw_overlay

HERE = Path(__file__).resolve().parent
VERDICTS = ("correct", "partly", "wrong silently", "refused rightly", "refused wrongly")
TOLERANCES = {"rate": 3.0, "pr": 20.0, "qrs": 15.0, "qt": 20.0}
"""Largest differences from the printed figures, in 1/min and ms."""
MEASURED = {"rate": "rate_bpm", "pr": "pr_ms", "qrs": "qrs_ms", "qt": "qt_ms"}
MIN_GOOD = 0.8
"""Least share of leads with a quality of 0.5 or more."""
CELL_PX = (640, 460)
"""Width and height of a cell of the contact sheet."""


@dataclass
class Score:
    """Result of scoring one row of the index.

    Attributes:
        row: Row of the index.
        verdict: One of ``VERDICTS``.
        layout: Name of the layout that was found, with its rhythm strips; empty where the page was refused.
        good: Number of leads with a quality of 0.5 or more, and number of leads.
        figures: Measured rate, PR, QRS and QT.
        cpu_s: CPU seconds for reading, digitizing and measuring.
        reason: Reason of a refusal, or what is not as expected.
        overlay: Overlay or page as a picture for the contact sheet.
    """

    row: dict[str, str]
    verdict: str = ""
    layout: str = ""
    good: tuple[int, int] = (0, 0)
    figures: dict[str, float | None] = field(default_factory=dict)
    cpu_s: float = 0.0
    reason: str = ""
    overlay: np.ndarray | None = None


def main() -> None:
    """Score the rows, print the table and write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, help="CSV with a row for each page.")
    parser.add_argument("folder", type=Path, help="Folder of the files.")
    parser.add_argument("--sheet", type=Path, help="Folder for the overlays and the contact sheets.")
    parser.add_argument("--only", default="", help="Score only rows whose file or kind contains this text.")
    parser.add_argument("--write", action="store_true", help="Also write real_pages.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    with options.index.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if options.only in row["file"] or options.only == row["kind"]]
    scores = []
    for row in rows:
        scores.append(score_row(row, options.folder, with_overlay=options.sheet is not None))
        print(format_row(scores[-1]), flush=True)
    summary = summarize(scores)
    print("\n" + summary)
    if options.sheet is not None:
        write_sheets(scores, options.sheet)
    if options.write:
        command = shlex.join(["python", "benchmarks/real_pages.py", *sys.argv[1:]])
        table = "\n".join([*HEADER, *map(format_row, scores)])
        (HERE / "real_pages.md").write_text(
            f"# Real pages of many recorders\n\n`{command}` printed:\n\n{table}\n\n{summary}\n", "utf-8"
        )


def score_row(row: dict[str, str], folder: Path, *, with_overlay: bool) -> Score:
    """Digitize and measure one row, and compare the result with the index."""
    score = Score(row)
    page = int(row["page"] or 1)
    began = time.process_time()
    try:
        tracing = digitize(folder / row["file"], page=page)
        measurements = measure_tracing(tracing)
    except EcgReadError as error:
        score.cpu_s = time.process_time() - began
        score.reason = error.detail or str(error)
        score.verdict = "refused rightly" if row["expect"].startswith("refuse") else "refused wrongly"
        return score
    score.cpu_s = time.process_time() - began
    judge(score, tracing, measurements)
    if with_overlay:
        score.overlay = draw_overlay(tracing)
    return score


def judge(score: Score, tracing: Tracing, measurements: Measurements | None) -> None:
    """Fill in the score of a page that was digitized."""
    row = score.row
    strips = [lead.lead for lead in tracing.layout.leads if lead.rhythm]
    score.layout = " ".join([tracing.layout.name, *strips])
    quality = tracing.record.quality if tracing.record is not None else ()
    score.good = (sum(value >= 0.5 for value in quality), len(quality))
    for name, attribute in MEASURED.items():
        value = getattr(measurements, attribute, None)
        score.figures[name] = None if value is None else float(value.value)
    wrong = find_differences(score, tracing, sorted(strips) == sorted(row["rhythm"].split()))
    is_good = score.good[1] > 0 and score.good[0] >= MIN_GOOD * score.good[1]
    problems = wrong if is_good else [*wrong, "quality"]
    score.reason = "; ".join(problems)
    is_warned = any("check" in text.lower() for text in tracing.warnings)
    serious = [text for text in wrong if text.split()[0] in ("layout", "speed", "rate", "answered")]
    if serious and is_good and not is_warned:
        score.verdict = "wrong silently"
    else:
        score.verdict = "partly" if problems else "correct"


def find_differences(score: Score, tracing: Tracing, has_strips: bool) -> list[str]:
    """List what differs from the index, one phrase for each."""
    row, wrong = score.row, []
    if row["expect"].startswith("refuse"):
        wrong.append("answered although a refusal was expected")
    if tracing.layout.name != row["layout"] or (row["rhythm"] and not has_strips):
        wrong.append(f"layout {row['layout']} {row['rhythm']}".strip())
    if row["speed_mm_s"] and float(row["speed_mm_s"]) != tracing.speed_mm_s:
        wrong.append(f"speed {row['speed_mm_s']}")
    for name, tolerance in TOLERANCES.items():
        printed, measured = row[f"printed_{name}"], score.figures[name]
        if printed and (measured is None or abs(measured - float(printed)) > tolerance):
            wrong.append(f"{name} {printed}")
    return wrong


HEADER = (
    "| page | kind | expected | read | good leads | rate | PR | QRS | QT | CPU s | verdict | differences or reason |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def format_row(score: Score) -> str:
    """Format a row of the table; a printed figure follows the measured one after a slash."""
    row = score.row
    cells = [
        row["file"] + (f" p. {row['page']}" if row["page"] else ""),
        row["kind"],
        f"{row['layout']} {row['rhythm']}".strip(),
        score.layout or "refused",
        f"{score.good[0]}/{score.good[1]}" if score.layout else "",
        *(format_figure(score.figures.get(name), row[f"printed_{name}"]) for name in TOLERANCES),
        f"{score.cpu_s:.1f}",
        score.verdict,
        score.reason.replace("|", "/").replace("\n", " "),
    ]
    return f"| {' | '.join(cells)} |"


def format_figure(measured: float | None, printed: str) -> str:
    """Format a measured and a printed figure."""
    text = "" if measured is None else f"{measured:.0f}"
    return f"{text or '-'}/{printed}" if printed else text


def summarize(scores: list[Score]) -> str:
    """Count the verdicts by kind, and summarize CPU time and the differences of the intervals."""
    groups = {
        "to answer, not photos": [s for s in scores if s.row["kind"] != "photo" and not is_refusal(s)],
        "to answer, photos": [s for s in scores if s.row["kind"] == "photo" and not is_refusal(s)],
        "to refuse": [s for s in scores if is_refusal(s)],
    }
    lines = [f"| rows | n | {' | '.join(VERDICTS)} |", "|---|---|" + "---|" * len(VERDICTS)]
    for name, group in groups.items():
        counts = [str(sum(score.verdict == verdict for score in group)) for verdict in VERDICTS]
        lines.append(f"| {name} | {len(group)} | {' | '.join(counts)} |")
    for name, some in (("all", scores), ("not photos", [s for s in scores if s.row["kind"] != "photo"])):
        if some:
            seconds = [score.cpu_s for score in some]
            lines += ["", f"CPU seconds a page, {name}: median {np.median(seconds):.2f}, most {max(seconds):.2f}."]
    for name in ("pr", "qrs", "qt"):
        off = [
            value - float(score.row[f"printed_{name}"])
            for score in scores
            if score.row[f"printed_{name}"] and (value := score.figures.get(name)) is not None
        ]
        if off:
            mean, spread = np.mean(off), np.std(off)
            lines += [
                "",
                f"{name.upper()} less the print: mean {mean:+.1f} ms, SD {spread:.1f} ms, n {len(off)}.",
            ]
    return "\n".join(lines)


def is_refusal(score: Score) -> bool:
    """Return whether the row is to be refused."""
    return score.row["expect"].startswith("refuse")


def write_sheets(scores: list[Score], folder: Path) -> None:
    """Write the overlays, and contact sheets of 12 cells."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = []
    for score in scores:
        name = Path(score.row["file"]).stem + (f"_{score.row['page']}" if score.row["page"] else "")
        width, height = CELL_PX
        cell = np.full((height, width, 3), 255, np.uint8)
        if score.overlay is not None:
            cv2.imwrite(str(folder / f"{name}.png"), score.overlay[..., ::-1])
            zoom = min(width / score.overlay.shape[1], (height - 40) / score.overlay.shape[0])
            size = (int(score.overlay.shape[1] * zoom), int(score.overlay.shape[0] * zoom))
            cell[40 : 40 + size[1], : size[0]] = cv2.resize(score.overlay, size, interpolation=cv2.INTER_AREA)
        for line, text in enumerate((f"{name}: {score.verdict}, {score.layout}", score.reason[:95])):
            cv2.putText(cell, text, (4, 14 + 16 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    for first in range(0, len(cells), 12):
        part = cells[first : first + 12]
        part += [np.full_like(part[0], 255)] * (-len(part) % 3)
        sheet = np.vstack([np.hstack(part[row : row + 3]) for row in range(0, len(part), 3)])
        cv2.imwrite(str(folder / f"sheet_{first // 12 + 1}.png"), sheet[..., ::-1])


if __name__ == "__main__":
    main()
