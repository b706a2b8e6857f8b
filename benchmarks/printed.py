"""Count how often the print around the traces is read, is read right, and contradicts the page.

    python benchmarks/printed.py [--data ../shared/data] [--pages 393] [--rendered 40] [--write]

Public pages: the rate is compared with the one in ``manifest.csv``, other facts with what every page of this recorder
prints (25 mm/s, 10 mm/mV, 2.5 s a column, 0.67 to 25 Hz). Rendered pages have a random style, header, footer, speed and
gain, with and without pulses; each is compared with what was rendered. ``--pages`` samples the public ones (seed 3).
"""

import argparse
import csv
import os
import shlex
import sys
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.wfdb import read_wfdb
from ecglens.leads.layout import find_layout
from ecglens.measuring.measure import measure
from ecglens.pages.geometry.dewarping import flatten
from ecglens.pages.read import read_page
from ecglens.printed.facts import find_contradictions, read_facts
from ecglens.records import Layout, PrintedFacts
from ecglens.render import STYLES, render_page

HERE = Path(__file__).resolve().parent
RECORDER = {
    "speed_mm_s": 25.0,
    "gain_mm_mv": 10.0,
    "column_s": 2.5,
    "high_pass_hz": 0.67,
    "low_pass_hz": 25.0,
}
FILTERS = {"scale": (0.05, 150.0), "report": (0.67, 25.0)}


def main() -> None:
    """Read pages, compare and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--pages", type=int, default=393, help="Number of public pages.")
    parser.add_argument("--rendered", type=int, default=40, help="Number of rendered pages.")
    parser.add_argument("--write", action="store_true", help="Also write printed.md.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")  # rapidocr's own dependencies warn
    text = (
        check_public(options.data / "mendeley", options.pages)
        + "\n\n"
        + check_rendered(options.data / "ptbxl", options.rendered)
    )
    print(text)
    if options.write:
        command = shlex.join(["python", "benchmarks/printed.py", *sys.argv[1:]])
        (HERE / "printed.md").write_text(f"# Print around the traces\n\n`{command}` printed:\n\n{text}\n", "utf-8")


def check_public(folder: Path, count: int) -> str:
    """Count the facts that are read from pages of the public set."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if count < len(rows):
        rows = [rows[index] for index in sorted(np.random.default_rng(3).permutation(len(rows))[:count])]
    read: Counter[str] = Counter()
    right: Counter[str] = Counter()
    seconds, off, contradictory = [], [], []
    for row in rows:
        page = flatten(read_page(folder / row["page"]))
        layout = find_layout(page, doubtful=True)
        if not isinstance(layout, Layout):
            continue
        began = time.perf_counter()
        facts = read_facts(page, layout)
        seconds.append(time.perf_counter() - began)
        printed = float(row["printed_rate_bpm"])
        count_facts(facts, {**RECORDER, "rate_bpm": printed}, read, right)
        tracing = digitize_page(page)
        measured = None if tracing.record is None else measure(tracing.record)
        if measured is not None and measured.rate_bpm is not None and measured.basic_rate_bpm is not None:
            off.append(min(abs(rate.value - printed - 0.5) for rate in (measured.rate_bpm, measured.basic_rate_bpm)))
        scale = {"speed_mm_s": tracing.speed_mm_s, "gain_mm_mv": tracing.gain_mm_mv}
        if sentences := find_contradictions(facts, layout, **scale, measurements=measured):  # type: ignore[arg-type]
            contradictory.append(f"{row['recording']} ({' '.join(sentences).split(':')[0]})")
    tail = ", ".join(f"{np.percentile(off, share):.1f} ({share} %)" for share in (50, 90, 95, 97, 98, 99))
    return "\n".join(
        [
            f"## {len(rows)} public pages (Mendeley)",
            "",
            *fact_table(read, right, len(rows)),
            "",
            f"Median {np.median(seconds):.1f} s a page, with other work on the machine.",
            f"Distance of the printed rate (half a unit added, as it is rounded down) to the nearer of rate and basic "
            f"rate: {tail}.",
            "",
            f"{len(contradictory)} pages contradict themselves{': ' if contradictory else ''}"
            f"{'; '.join(contradictory)}.",
        ]
    )


def check_rendered(folder: Path, count: int) -> str:
    """Count the facts that are read from rendered pages whose print, scale and pulses are random."""
    rng = np.random.default_rng(3)
    paths = sorted(folder.rglob("*.hea"))
    read: Counter[str] = Counter()
    right: Counter[str] = Counter()
    used = refused = false = 0
    styles = [name for name in STYLES if name != "bare"]
    for _ in range(count):
        record = read_wfdb(paths[int(rng.integers(len(paths)))])
        rate = measure(record).rate_bpm
        look = {
            "style": str(rng.choice(styles)),
            "speed_mm_s": float(rng.choice((25, 50))),
            "gain_mm_mv": float(rng.choice((5, 10))),
            "pulse": ("left", None)[int(rng.integers(2))],
            "header": str(rng.choice(("cart", "line"))),
            "footer": str(rng.choice(tuple(FILTERS))),
            "rate_bpm": None if rate is None else int(rate.value),
        }
        page = render_page(record, rng=rng, **look)
        truth = {name: look[name] for name in ("rate_bpm", "speed_mm_s", "gain_mm_mv")}
        truth |= dict(zip(("high_pass_hz", "low_pass_hz"), FILTERS[str(look["footer"])], strict=True))
        truth["column_s"] = 2.5 * 25.0 / float(str(look["speed_mm_s"]))
        try:
            tracing = digitize_page(page.page, printed=True)
        except EcgReadError:
            refused += 1
            continue
        if tracing.printed is not None:
            count_facts(tracing.printed, truth, read, right)
        used += (tracing.speed_mm_s, tracing.gain_mm_mv) == (look["speed_mm_s"], look["gain_mm_mv"])
        false += any("The page prints" in text for text in tracing.warnings)
    return "\n".join(
        [
            f"## {count} rendered pages, 25 or 50 mm/s, 5 or 10 mm/mV, half of them without pulses",
            "",
            *fact_table(read, right, count),
            "",
            f"{refused} refused. Of {count - refused} traced, speed and gain were both right on {used}; "
            f"{false} were reported to contradict themselves, and none does.",
        ]
    )


def count_facts(facts: PrintedFacts, truth: Mapping[str, object], read: Counter[str], right: Counter[str]) -> None:
    """Count the facts that were read, and those of them that are true."""
    for name, value in truth.items():
        printed = getattr(facts, name)
        read[name] += printed is not None
        right[name] += printed is not None and printed == value


def fact_table(read: Counter[str], right: Counter[str], count: int) -> list[str]:
    """Format a row for each fact."""
    lines = ["| fact | read | right | wrong |", "|---|---|---|---|"]
    for name in read:
        lines.append(f"| {name} | {read[name]} of {count} | {right[name]} | {read[name] - right[name]} |")
    return lines


if __name__ == "__main__":
    main()
