"""How well pages are digitized: rendered ones against truth, another program's, real ones against their own print.

    python benchmarks/digitize.py [--data ../shared/data] [--write]

SNR is 10 log10(sum of squares of the truth / of the error) for each lead, means removed, no time alignment; gaps of the
tracing are filled by straight lines before. "Aligned" is the best of shifts up to 60 ms. ``--write`` keeps the table in
``digitize.md``.
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
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", nargs="*", default=["speed", "clean", "layouts", "miner", "kit", "mendeley"])
    given = parser.parse_args()
    cv2.setNumThreads(1)
    sections = {"clean": clean, "layouts": layouts, "miner": miner, "kit": kit, "mendeley": mendeley, "speed": speed}
    tables = [sections[name](given.data) for name in given.only]
    print("\n\n".join(tables))
    if given.write:
        kept = HERE / "digitize.md"
        # A table stands under its heading; those that were not printed now stay as they were.
        told = {title_of(table): table for table in kept.read_text(encoding="utf-8").split("\n\n## ")[1:]}
        told |= {title_of(table): table.removeprefix("## ") for table in tables}
        command = "python benchmarks/digitize.py --write"
        text = "\n\n".join(f"## {table.rstrip()}" for table in told.values())
        kept.write_text(f"# Digitizing\n\n`{command}` printed:\n\n{text}\n", encoding="utf-8")


def title_of(table: str) -> str:
    """Heading of a table."""
    return table.removeprefix("## ").splitlines()[0]


def clean(data: Path) -> str:
    """Rendered pages, 3x4 with a rhythm strip, 200 dpi, every record of PTB-XL at hand."""
    errors, missed = [], 0
    for path in sorted((data / "ptbxl").rglob("*.hea")):
        rendered = render_page(read_wfdb(path), layout="3x4+1")
        found, lost = score_page(rendered.truth, record_of(rendered.page))
        errors += found
        missed += lost
    return table("Rendered clean pages, 3x4+1, 200 dpi, 200 PTB-XL records", errors, missed, "25 dB, 0.998, 0.010 mV")


def layouts(data: Path) -> str:
    """Every layout on every grid, at four resolutions, each page of another record."""
    records = sorted((data / "ptbxl").rglob("*.hea"))
    errors, missed, number = [], 0, 0
    by_layout: dict[str, list[float]] = {}
    for layout in LAYOUTS:
        for grid in GRIDS:
            number += 1
            record = read_wfdb(records[number * 7 % len(records)])
            rendered = render_page(record, layout=layout, grid=grid, dpi=DPI[number % len(DPI)])
            found, lost = score_page(rendered.truth, record_of(rendered.page))
            errors += found
            missed += lost
            by_layout.setdefault(layout, []).extend(error[0] for error in found)
    whole = table(
        f"{len(LAYOUTS)} layouts x {len(GRIDS)} grids, 150 to 300 dpi", errors, missed, "22 dB, 99 % of leads"
    )
    rows = [f"| {name} | {len(values)} | {np.median(values):.1f} |" for name, values in by_layout.items() if values]
    return whole + "\n\n| layout | leads found | median SNR dB |\n|---|---|---|\n" + "\n".join(rows)


def miner(data: Path) -> str:
    """Pages that ECGMiner's renderer drew from LUDB."""
    errors, missed = drawn_by_others(data, "miner/ludb")
    return table("24 LUDB pages drawn by ECGMiner", errors, missed, "22 dB, 0.997, 0.009 mV")


def kit(data: Path) -> str:
    """Pages that ecg-image-kit drew from PTB-XL: dark grids in two colours, handwriting, wrinkles."""
    errors, missed = drawn_by_others(data, "kit/")
    return table("5 PTB-XL pages drawn by ecg-image-kit", errors, missed, "none")


def drawn_by_others(data: Path, begins: str) -> tuple[list[LeadScore], int]:
    """Errors of each lead of the pages whose name begins so, against the record that they were drawn from."""
    errors, missed = [], 0
    for row in rows_of(data / "rendered_pages" / "index.csv"):
        if not row["page"].startswith(begins):
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
    """The public set's pages: rate against the printed one, Einthoven's relation on the originals."""
    folder = data / "mendeley"
    near = near_basic = cut = rounded = done = rated = 0
    rests, apart = [], []
    manifest = rows_of(folder / "manifest.csv")
    for row in manifest:
        tracing = digitize_or_none(read_page(folder / row["page"]))
        if tracing is None or tracing.record is None:
            continue
        done += 1
        found = measure(tracing.record)
        rate, basic = found.rate_bpm, found.basic_rate_bpm
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
                rests.append(tracing.einthoven_mv)
    printed = sum(bool(row["printed_rate_bpm"]) for row in manifest)
    return (
        "## Public pages (Mendeley)\n\n| what | measured | bar |\n|---|---|---|\n"
        f"| pages done, of {len(manifest)} | {done / len(manifest):.1%} | 99 % |\n"
        f"| rate within 2/min of the printed one, of {printed} | {near / printed:.1%} ({rated} rated) | 98 % |\n"
        f"| the same of the rate or the basic rate | {near_basic / printed:.1%} | - |\n"
        f"| printed rate is the measured one rounded down, rounded | {cut}, {rounded} pages | - |\n"
        f"| median of I + III - II on {len(rests)} originals | {np.median(rests):.4f} mV | 0.017 mV |\n\n"
        f"Apart from both (printed / rate / basic rate): {', '.join(apart)}."
    )


def speed(data: Path) -> str:
    """Seconds for one page of 2213 x 1572 px on one core, file to signals; the best of five rounds."""
    page = read_page(sorted((data / "mendeley" / "originals").glob("*.jpg"))[0])
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        digitize_page(page)
        seconds.append(time.perf_counter() - began)
    return (
        "## Time\n\n| what | measured | bar |\n|---|---|---|\n"
        f"| page of {page.width} x {page.height} px, decoded, one core | {min(seconds):.2f} s | 0.4 s |\n"
        f"| peak memory of this process | {peak_mb():.0f} MB | 500 MB |"
    )


def record_of(page: Page) -> EcgRecord | None:
    """The signals of a page, or ``None`` where it was refused or nothing tells its scale."""
    tracing = digitize_or_none(page)
    return None if tracing is None else tracing.record


def table(title: str, errors: list[LeadScore], missed: int, bar: str) -> str:
    """Medians and the weakest twentieth."""
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
    """Rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def peak_mb() -> float:
    """Largest memory that this process has held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
