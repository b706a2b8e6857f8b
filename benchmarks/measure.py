"""Compare measurements with cardiologists' marks (LUDB) and with NeuroKit2, and rates of PTB-XL with NeuroKit2.

python benchmarks/measure.py [--write] [--data ../shared/data] [--without-neurokit]

Each record is measured four times: from its signals; from its signals cut as on a 3x4 page, 2.5 s a lead with strip II;
and rendered at 200 dpi and digitized by ``digitize_page``, in the layouts 3x4+1 and 12x1 (10 s of every lead).

The reference of a record comes from the marks of its twelve leads. For each beat that at least six leads mark, a span
is from the third earliest onset to the third latest end over the leads; the reference is the median over beats. Three
leads must agree, so that no single mark decides; the twelve marks of a beat scatter by 8 ms (onset) and 9 ms (end), so
that the first and last of them overstate a span, and a single lead understates it. The table also compares with the
extremes and with the median lead. Records are numbered in the order of their names; constants of the program were set
on the odd ones (first, third, ...), and none of the even ones was looked at for that.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from scoring import count_beats, f1_score, marked_peaks_s, reference_spans_ms

from ecglens.datasets.annotations import MarkedRecord, WaveMark, ludb
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import plan
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord, Measurements
from ecglens.render import render_page

NAMES = {"qrs": "QRS", "qt": "QT", "pr": "PR", "p": "P"}
BARS = {"qrs": (5.0, 15.0), "qt": (10.0, 25.0)}
PAGES = ("3x4+1", "12x1")
"""2.5 s of each lead with 10 s of lead II, and 10 s of every lead, which include all marks."""

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Case:
    """One record: its marks, its measurements, and whether its number is odd."""

    marked: MarkedRecord
    measured: Measurements
    odd: bool


def compare(pairs: Iterable[tuple[MarkedRecord, EcgRecord]], **options: float) -> list[Case]:
    """Measure a record for each marked one; the order decides which are odd."""
    return [Case(marked, measure(record, **options), number % 2 == 0) for number, (marked, record) in enumerate(pairs)]


def page_shaped(record: EcgRecord) -> EcgRecord:
    """Cut the leads as on a 3x4 page, 2.5 s each, with the whole rhythm strip II."""
    rows = plan("3x4+1").rows
    quarter = round(2.5 * record.fs_hz)
    strip = record.signals_mv[record.leads.index("II")]
    signals = np.full((13, len(strip)), np.nan, np.float32)
    starts = [next(column for row in rows for column, name in enumerate(row) if name == lead) for lead in record.leads]
    for row, lead, start in zip(signals, record.signals_mv, starts, strict=False):
        row[:quarter] = lead[start * quarter : (start + 1) * quarter]
    signals[-1] = strip
    return replace(
        record,
        signals_mv=signals,
        leads=(*record.leads, "II-rhythm"),
        start_s=(*(2.5 * start for start in starts), 0.0),
    )


def of_page(record: EcgRecord, layout: str) -> EcgRecord:
    """Render the record at 200 dpi and digitize the page; all samples are NaN if the page was refused."""
    page = render_page(record, layout=layout).page
    try:
        digitized = digitize_page(page).record
    except EcgReadError:
        digitized = None
    return replace(record, signals_mv=np.full_like(record.signals_mv, np.nan)) if digitized is None else digitized


def peaks_table(columns: Mapping[str, list[Case]]) -> list[str]:
    """Format F1 of R peaks within 150 and 50 ms, between the first and last marked beat, as LUDB marks no others."""
    lines = [
        "| | beats | F1, 150 ms | missed | extra | F1, 50 ms | F1 odd / even, 150 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, cases in columns.items():
        wide, narrow = counts(cases, 0.15), counts(cases, 0.05)
        halves = [f1_score(counts([case for case in cases if case.odd == odd], 0.15)) for odd in (True, False)]
        lines.append(
            f"| {title} | {wide[0] + wide[1]} | {f1_score(wide):.4f} | {wide[1]} | {wide[2]} | {f1_score(narrow):.4f} "
            f"| {halves[0]:.4f} / {halves[1]:.4f} |"
        )
    return lines


def counts(cases: list[Case], tolerance_s: float) -> tuple[int, int, int]:
    """Count the beats that were detected, missed and extra."""
    of_each = [
        count_beats(marked_peaks_s(case.marked.marks, case.marked.record.fs_hz), case.measured.r_peaks_s, tolerance_s)
        for case in cases
    ]
    hits, missed, extra = np.sum(of_each, axis=0).tolist()
    return hits, missed, extra


def spans_table(columns: Mapping[str, list[Case]]) -> list[str]:
    """Format the differences of spans from the reference, and how often two error bars cover them."""
    lines = [
        "| | figure | measured / marked | mean error, ms | SD, ms | within 2 error bars | odd: mean, SD | "
        "even: mean, SD | mean against extremes / median lead | measured, not marked |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for title, cases in columns.items():
        for name, printed in NAMES.items():
            off, bars = differences(cases, name)
            valid = ~np.isnan(off)
            marked = sum(not np.isnan(reference_spans_ms(c.marked.marks, c.marked.record.fs_hz)[name]) for c in cases)
            odd = np.array([case.odd for case in cases])
            halves = " | ".join(f"{np.nanmean(off[half]):+.1f}, {np.nanstd(off[half]):.1f}" for half in (odd, ~odd))
            others = " / ".join(f"{np.nanmean(differences(cases, name, rank)[0]):+.1f}" for rank in (1, None))
            extra = sum(
                getattr(case.measured, f"{name}_ms") is not None
                and np.isnan(reference_spans_ms(case.marked.marks, case.marked.record.fs_hz)[name])
                for case in cases
            )
            covered = (np.abs(off[valid]) <= 2 * bars[valid]).mean()
            lines.append(
                f"| {title} | {printed} | {valid.sum()} / {marked} | {off[valid].mean():+.1f} | {off[valid].std():.1f} "
                f"| {100 * covered:.0f} % | {halves} | {others} | {extra} |"
            )
    return lines


def differences(cases: list[Case], name: str, rank: int | None = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return measured minus marked spans in ms, NaN where one is missing, and the error bars."""
    off, bars = [], []
    for case in cases:
        figure = getattr(case.measured, f"{name}_ms")
        marked = reference_spans_ms(case.marked.marks, case.marked.record.fs_hz, rank)[name]
        off.append(np.nan if figure is None else figure.value - marked)
        bars.append(np.nan if figure is None else figure.error)
    return np.array(off), np.array(bars)


def neurokit_marks(record: EcgRecord) -> dict[str, tuple[WaveMark, ...]]:
    """Mark each lead with NeuroKit2's discrete wavelet delineator, in the form of the cardiologists' marks."""
    import neurokit2

    marks = {}
    for lead, row in zip(record.leads, record.signals_mv, strict=True):
        waves: list[WaveMark] = []
        try:
            clean = neurokit2.ecg_clean(row.astype(float), sampling_rate=int(record.fs_hz))
            _, peaks = neurokit2.ecg_peaks(clean, sampling_rate=int(record.fs_hz))
            _, at = neurokit2.ecg_delineate(clean, peaks["ECG_R_Peaks"], int(record.fs_hz), method="dwt")
        except (ValueError, IndexError, ZeroDivisionError, TypeError):
            marks[lead] = ()
            continue
        at["ECG_R_Peaks"] = peaks["ECG_R_Peaks"]
        for wave, letter in (("P", "P"), ("QRS", "R"), ("T", "T")):
            ons, ends = at[f"ECG_{letter}_Onsets"], at[f"ECG_{letter}_Offsets"]
            for on, peak, end in zip(ons, at[f"ECG_{letter}_Peaks"], ends, strict=True):
                if not np.isnan(peak):
                    edges = (None if np.isnan(edge) else int(edge) for edge in (on, end))
                    begin, finish = edges
                    waves.append(WaveMark(wave, begin, int(peak), finish))
        marks[lead] = tuple(waves)
    return marks


def neurokit_table(marked: tuple[MarkedRecord, ...]) -> list[str]:
    """Format the errors of NeuroKit2, its marks combined like the cardiologists' and by the median lead."""
    start = time.perf_counter()
    theirs = [neurokit_marks(item.record) for item in marked]
    seconds = (time.perf_counter() - start) / len(marked)
    lines = [f"NeuroKit2 takes {1000 * seconds:.0f} ms a record (12 leads).\n"]
    lines += [
        "| NeuroKit2 (dwt) | measured / marked | mean error, SD, ms | of the median lead, ms | measured, not marked |"
    ]
    lines += ["|---|---|---|---|---|"]
    for name, printed in NAMES.items():
        off = {}
        for rank in (3, None):
            ours = np.array([reference_spans_ms(item.marks, item.record.fs_hz, rank)[name] for item in marked])
            other = np.array(
                [
                    reference_spans_ms(marks, item.record.fs_hz, rank)[name]
                    for marks, item in zip(theirs, marked, strict=True)
                ]
            )
            off[rank] = other - ours
        both = [f"{np.nanmean(off[rank]):+.1f}, {np.nanstd(off[rank]):.1f}" for rank in (3, None)]
        measured = (~np.isnan(off[None])).sum()
        extra = (np.isnan(ours) & ~np.isnan(other)).sum()
        lines.append(f"| {printed} | {measured} / {(~np.isnan(ours)).sum()} | {both[0]} | {both[1]} | {extra} |")
    return lines


def rates(root: Path, *, with_neurokit: bool) -> list[str]:
    """Compare the rate of each PTB-XL record with NeuroKit2's in the median lead; list differences above 3 bpm."""
    measured = {header.stem: (record := read_wfdb(header), measure(record)) for header in sorted(root.rglob("*.hea"))}
    rate_bpm = {name: m.rate_bpm.value for name, (_, m) in measured.items() if m.rate_bpm is not None}
    lines = [f"Rate measured in {len(rate_bpm)} of {len(measured)} records."]
    if with_neurokit:
        other = {name: neurokit_rate(measured[name][0]) for name in rate_bpm}
        apart = [name for name in rate_bpm if not abs(rate_bpm[name] - other[name]) <= 3]
        named = ", ".join(f"{name} ({rate_bpm[name]:.0f} / {other[name]:.0f})" for name in apart)
        lines.append(f"Within 3 bpm of NeuroKit2: {len(rate_bpm) - len(apart)}. Others (ours / theirs): {named}.")
    return lines


def neurokit_rate(record: EcgRecord) -> float:
    """Return the median over the leads of NeuroKit2's mean rate in 1/min."""
    import neurokit2

    rates_bpm = []
    for row in record.signals_mv.astype(float):
        clean = neurokit2.ecg_clean(row, sampling_rate=int(record.fs_hz))
        try:
            peaks = neurokit2.ecg_peaks(clean, sampling_rate=int(record.fs_hz))[1]["ECG_R_Peaks"]
        except (ValueError, IndexError):
            continue
        if len(peaks) > 1:
            rates_bpm.append(60 * record.fs_hz / float(np.diff(peaks).mean()))
    return float(np.median(rates_bpm)) if rates_bpm else np.nan


def speed(record: EcgRecord) -> float:
    """Return the median CPU time of 30 runs, ms."""
    times_s = []
    for _ in range(30):
        start = time.process_time()
        measure(record)
        times_s.append(time.process_time() - start)
    return 1000 * float(np.median(times_s))


def main() -> None:
    """Print the tables, and store them if requested."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="Also write the tables to benchmarks/measure.md.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--without-neurokit", action="store_true", help="Leave out NeuroKit2.")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # NeuroKit2 and pandas warn about each other
    marked = ludb(chosen.data / "ludb")
    shapes: dict[str, Callable[[EcgRecord], EcgRecord]] = {
        "signals": lambda record: record,
        "page-shaped": page_shaped,
        **{f"page {layout}": partial(of_page, layout=layout) for layout in PAGES},
    }
    columns = {title: compare((item, shape(item.record)) for item in marked) for title, shape in shapes.items()}
    bars = "; ".join(f"{NAMES[name]} mean within {mean:g} ms, SD <= {sd:g} ms" for name, (mean, sd) in BARS.items())
    out = ["# Measurements compared with the marks of LUDB", "", "`python benchmarks/measure.py --write`", ""]
    out += [__doc__.split("\n\n", 2)[2].strip(), "", f"Bars: F1 of R peaks >= 0.995 within 150 ms; {bars}.", ""]
    out += [*peaks_table(columns), "", *spans_table(columns), ""]
    out += [f"One record of 12 leads, 10 s, 500 Hz: {speed(marked[0].record):.0f} ms on one core (bar 60 ms).", ""]
    if not chosen.without_neurokit:
        out += [*neurokit_table(marked), ""]
    out += ["## Rates of PTB-XL", "", *rates(chosen.data / "ptbxl", with_neurokit=not chosen.without_neurokit)]
    text = "\n".join(out) + "\n"
    print(text)
    if chosen.write:
        (HERE / "measure.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
