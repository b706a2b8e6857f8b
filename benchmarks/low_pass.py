"""Measure how much a recorder's low pass changes the durations, before and after the correction.

    python benchmarks/low_pass.py [--data ../shared/data] [--every 3] [--write]

Records of LUDB are filtered by a Butterworth low pass of second order, as recorders filter what they print, and
measured again, without and with the frequency of the filter.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from scipy.signal import butter, sosfilt

from ecglens.datasets.annotations import ludb
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord, Measurements

HERE = Path(__file__).resolve().parent
FREQUENCIES_HZ = (20.0, 25.0, 35.0, 40.0, 70.0, 150.0)
DURATIONS = ("pr", "qrs", "qt")


def main() -> None:
    """Filter, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--every", type=int, default=3, help="Take every n-th record.")
    parser.add_argument("--write", action="store_true", help="Also write low_pass.md.")
    options = parser.parse_args()
    records = [marked.record for marked in ludb(options.data / "ludb")][:: options.every]
    original = [durations_ms(measure(record)) for record in records]
    lines = [
        f"Mean (SD) change in ms over {len(records)} records.",
        "",
        "| low pass | PR | QRS | QT | PR corrected | QRS corrected | QT corrected |",
        "|---|---|---|---|---|---|---|",
    ]
    for frequency in FREQUENCIES_HZ:
        filtered = [smooth(record, frequency) for record in records]
        cells = []
        for low_pass_hz in (None, frequency):
            measured = [durations_ms(measure(record, low_pass_hz=low_pass_hz)) for record in filtered]
            change = np.array(measured) - np.array(original)
            cells += [f"{np.nanmean(column):+.1f} ({np.nanstd(column):.1f})" for column in change.T]
        lines.append(f"| {frequency:g} Hz | {' | '.join(cells)} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        (HERE / "low_pass.md").write_text(
            f"# What a low pass does to durations\n\n`python benchmarks/low_pass.py --write` printed:\n\n{text}\n",
            "utf-8",
        )


def smooth(record: EcgRecord, frequency_hz: float) -> EcgRecord:
    """Return a record after a low pass of second order."""
    sections = butter(2, frequency_hz, fs=record.fs_hz, output="sos")
    first = record.signals_mv[:, :1]
    smoothed = sosfilt(sections, record.signals_mv - first, axis=1) + first
    return replace(record, signals_mv=smoothed.astype(np.float32))


def durations_ms(measurements: Measurements) -> list[float]:
    """Return PR, QRS and QT, NaN where one was not measured."""
    figures = [getattr(measurements, f"{name}_ms") for name in DURATIONS]
    return [np.nan if figure is None else figure.value for figure in figures]


if __name__ == "__main__":
    main()
