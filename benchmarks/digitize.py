"""Measure how well pages are digitized: rendered ones against truth, real ones against what is printed on them.

    python benchmarks/digitize.py [--data ../shared/data] [--write]

SNR is 10 log10(sum of squares of the truth / of the error) for each lead, means removed, no time alignment; gaps of the
tracing are first filled by straight lines. "Aligned" is the best of shifts up to 60 ms. ``--write`` stores the tables
in ``digitize.md``.
"""

import argparse
import csv
import os
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import cv2
import numpy as np
from scoring import LeadScore, digitize_or_none, score_lead, score_page

from ecglens.digitizing import digitize_page
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import LAYOUTS, RHYTHM
from ecglens.measuring.measure import measure
from ecglens.pages.read import read_page
from ecglens.records import EcgRecord, Page
from ecglens.render import GRIDS, render_page

HERE = Path(__file__).resolve().parent
DPI = (150.0, 200.0, 250.0, 300.0)


def main() -> None:
    """Measure and print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="folder of the data")
    parser.add_argument("--write", action="store_true", help="also write digitize.md")
    names = ["speed", "clean", "layouts", "miner", "kit", "mendeley"]
    parser.add_argument("--only", nargs="*", default=names, help="tables to measure")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sections = {"clean": clean, "layouts": layouts, "miner": miner, "kit": kit, "mendeley": mendeley, "speed": speed}
    tables = [sections[name](options.data) for name in options.only]
    print("\n\n".join(tables))
    if options.write:
        stored = HERE / "digitize.md"
        # Tables are known by their headings; those that were not measured now remain as they were.
        by_title = {title_of(table): table for table in stored.read_text(encoding="utf-8").split("\n\n## ")[1:]}
        by_title |= {title_of(table): table.removeprefix("## ") for table in tables}
        command = "python benchmarks/digitize.py --write"
        text = "\n\n".join(f"## {table.rstrip()}" for table in by_title.values())
        stored.write_text(f"# Digitizing\n\n`{command}` printed:\n\n{text}\n", encoding="utf-8")


def title_of(table: str) -> str:
    """Return the heading of a table."""
    return table.removeprefix("## ").splitlines()[0]


def clean(data: Path) -> str:
    """Digitize rendered pages, 3x4 with a rhythm strip, 200 dpi, of every available record of PTB-XL."""
    errors, missed = [], 0
    for path in sorted((data / "ptbxl").rglob("*.hea")):
        rendered = render_page(read_wfdb(path), layout="3x4+1")
        scores, lost = score_page(rendered.truth, record_of(rendered.page))
        errors += scores
        missed += lost
    return table("Rendered clean pages, 3x4+1, 200 dpi, 200 PTB-XL records", errors, missed, "25 dB, 0.998, 0.010 mV")


def layouts(data: Path) -> str:
    """Digitize every layout on every grid, at four resolutions, each page of another record."""
    records = sorted((data / "ptbxl").rglob("*.hea"))
    errors, missed, number = [], 0, 0
    by_layout: dict[str, list[float]] = {}
    for layout in LAYOUTS:
        for grid in GRIDS:
            number += 1
            record = read_wfdb(records[number * 7 % len(records)])
            rendered = render_page(record, layout=layout, grid=grid, dpi=DPI[number % len(DPI)])
            scores, lost = score_page(rendered.truth, record_of(rendered.page))
            errors += scores
            missed += lost
            by_layout.setdefault(layout, []).extend(score[0] for score in scores)
    whole = table(
        f"{len(LAYOUTS)} layouts x {len(GRIDS)} grids, 150 to 300 dpi", errors, missed, "22 dB, 99 % of leads"
    )
    rows = [f"| {name} | {len(values)} | {np.median(values):.1f} |" for name, values in by_layout.items() if values]
    return whole + "\n\n| layout | leads found | median SNR dB |\n|---|---|---|\n" + "\n".join(rows)


def miner(data: Path) -> str:
    """Digitize pages that ECGMiner rendered from LUDB."""
    errors, missed = score_foreign_pages(data, "miner/ludb")
    return table("24 LUDB pages rendered by ECGMiner", errors, missed, "22 dB, 0.997, 0.009 mV")


def kit(data: Path) -> str:
    """Digitize pages that ecg-image-kit rendered from PTB-XL: dark grids in two colors, handwriting, wrinkles."""
    errors, missed = score_foreign_pages(data, "kit/")
    return table("5 PTB-XL pages rendered by ecg-image-kit", errors, missed, "none")


def score_foreign_pages(data: Path, prefix: str) -> tuple[list[LeadScore], int]:
    """Score each lead of the pages whose names have a prefix, against the record that they were rendered from."""
    errors, missed = [], 0
    for row in rows_of(data / "rendered_pages" / "index.csv"):
        if not row["page"].startswith(prefix):
            continue
        truth = read_wfdb(data / "rendered_pages" / row["truth"])
        tracing = digitize_or_none(read_page(data / "rendered_pages" / row["page"]))
        if tracing is None or tracing.record is None:
            missed += 13
            continue
        record = tracing.record
        names = [lead.lower() for lead in truth.leads]
        for lead, signal, start in zip(record.leads, record.signals_mv, record.start_s, strict=True):
            whole = truth.signals_mv[names.index(lead.removesuffix(RHYTHM).lower())]
            first = round(start * truth.fs_hz)
            length = int(np.flatnonzero(~np.isnan(signal)).max()) + 1
            errors.append(score_lead(whole[first : first + length], signal[: len(whole) - first]))
    return errors, missed


def mendeley(data: Path) -> str:
    """Digitize the pages of the public set: compare rates with the printed ones, check Einthoven's law on originals."""
    folder = data / "mendeley"
    near = near_basic = cut = rounded = done = rated = 0
    residuals_mv, apart = [], []
    manifest = rows_of(folder / "manifest.csv")
    for row in manifest:
        tracing = digitize_or_none(read_page(folder / row["page"]))
        if tracing is None or tracing.record is None:
            continue
        done += 1
        measured = measure(tracing.record)
        rate, basic = measured.rate_bpm, measured.basic_rate_bpm
        if rate is not None and basic is not None and row["printed_rate_bpm"]:
            rated += 1
            printed_bpm = int(row["printed_rate_bpm"])
            near += abs(rate.value - printed_bpm) <= 2
            either = min(abs(rate.value - printed_bpm), abs(basic.value - printed_bpm)) <= 2
            near_basic += either
            cut += int(rate.value) == printed_bpm
            rounded += round(rate.value) == printed_bpm
            if not either:
                apart.append(f"{row['recording']} {printed_bpm} / {rate.value:.0f} / {basic.value:.0f}")
    for row in manifest:
        if row["original_full_size"]:
            tracing = digitize_or_none(read_page(folder / row["original_full_size"]))
            if tracing is not None and tracing.einthoven_mv is not None:
                residuals_mv.append(tracing.einthoven_mv)
    printed = sum(bool(row["printed_rate_bpm"]) for row in manifest)
    return (
        "## Public pages (Mendeley)\n\n| figure | measured | bar |\n|---|---|---|\n"
        f"| pages digitized, of {len(manifest)} | {done / len(manifest):.1%} | 99 % |\n"
        f"| rate within 2/min of the printed one, of {printed} | {near / printed:.1%} ({rated} rated) | 98 % |\n"
        f"| the same of the rate or the basic rate | {near_basic / printed:.1%} | - |\n"
        f"| printed rate is the measured one rounded down, rounded | {cut}, {rounded} pages | - |\n"
        f"| median of I + III - II on {len(residuals_mv)} originals | {np.median(residuals_mv):.4f} mV | 0.017 mV |\n\n"
        f"Different from both (printed / rate / basic rate): {', '.join(apart)}."
    )


def speed(data: Path) -> str:
    """Measure the seconds for one page of 2213 x 1572 px on one core, best of five rounds."""
    page = read_page(sorted((data / "mendeley" / "originals").glob("*.jpg"))[0])
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        digitize_page(page)
        seconds.append(time.perf_counter() - began)
    return (
        "## Time\n\n| figure | measured | bar |\n|---|---|---|\n"
        f"| page of {page.width} x {page.height} px, decoded, one core | {min(seconds):.2f} s | 0.4 s |\n"
        f"| peak memory of this process | {peak_mb():.0f} MB | 500 MB |"
    )


def record_of(page: Page) -> EcgRecord | None:
    """Return the signals of a page, or ``None`` if it was refused or its scale is unknown."""
    tracing = digitize_or_none(page)
    return None if tracing is None else tracing.record


def table(title: str, errors: list[LeadScore], missed: int, bar: str) -> str:
    """Format a table of medians and of the weakest twentieth."""
    values = np.array(errors)
    lines = [f"## {title}", "", f"Bar: {bar}. Leads missed: {missed} of {missed + len(errors)}.", ""]
    lines += ["| figure | median | weakest 5 % | weakest |", "|---|---|---|---|"]
    for name, column, worse, form in (
        ("SNR dB", 0, 5, ".1f"),
        ("SNR dB, aligned", 3, 5, ".1f"),
        ("Pearson r", 1, 5, ".4f"),
        ("RMSE mV", 2, 95, ".4f"),
    ):
        weakest = values[:, column].max() if worse == 95 else values[:, column].min()
        cells = (np.median(values[:, column]), np.percentile(values[:, column], worse), weakest)
        lines.append(f"| {name} | " + " | ".join(format(cell, form) for cell in cells) + " |")
    return "\n".join(lines)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def peak_mb() -> float:
    """Return the peak memory of this process, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
