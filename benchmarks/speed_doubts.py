"""Count how often durations put the right paper speed in doubt, and how often a wrong one.

python benchmarks/speed_doubts.py [--write] [--data ../shared/data]

Each record of 10 s is measured as it is; as on a page at 50 mm/s that is read at 25 mm/s, where its first 5 s take
10 s; and as on a page at 12.5 mm/s that is read at 25 mm/s, where its 10 s take 5 s. `measuring.speed.doubt_speed`
should give a sentence for the second and third and none for the first; `is_speed_plausible` should hold for the first
alone. A record without a sentence may still bring the warning that nothing on its page confirms the paper speed.

The records are the 200 of PTB-XL that cover its statements, so that rare diseases are frequent among them, the 100 of
LUDB, and 1,544 further records of PTB-XL at 250 Hz in eight leads, where they are at hand. The limits were set
on all of them: the counts of false alarms are no estimate for other hospitals.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ecglens.formats.wfdb import read_wfdb
from ecglens.measuring.measure import measure
from ecglens.measuring.speed import doubt_speed, is_speed_plausible
from ecglens.records import EcgRecord

HERE = Path(__file__).resolve().parent
SPEED_MM_S = 25.0
COLUMNS = {"PTB-XL, 200 records": "ptbxl/records500", "LUDB": "ludb/data"}
MORE = "PTB-XL, 1,544 records"


def records(data: Path, title: str) -> Iterator[EcgRecord]:
    """Yield the records of a collection; none where it is not at hand."""
    if title in COLUMNS:
        yield from (read_wfdb(header.with_suffix("")) for header in sorted((data / COLUMNS[title]).rglob("*.hea")))
        return
    path = data / "ptbxl_signals" / "mv_250hz.npz"
    if path.is_file():
        with np.load(path) as arrays:
            leads, signals_uv = tuple(map(str, arrays["leads"])), arrays["uv"]
        for record_uv in signals_uv:
            yield EcgRecord((record_uv.T / 1000).astype(np.float32), 250.0, leads)


def at_speeds(record: EcgRecord) -> tuple[EcgRecord, EcgRecord, EcgRecord]:
    """Return the record as read at 25 mm/s from pages at 25, 50 and 12.5 mm/s of the same length of paper."""
    half = record.signals_mv.shape[1] // 2
    stretched = replace(record, signals_mv=record.signals_mv[:, :half], fs_hz=record.fs_hz / 2)
    return record, stretched, replace(record, fs_hz=record.fs_hz * 2)


def counts(data: Path, title: str) -> tuple[int, np.ndarray]:
    """Return the number of records, and for each speed those with a sentence and those that are plausible."""
    sums, number = np.zeros((3, 2), int), 0
    for record in records(data, title):
        number += 1
        measured = [measure(view) for view in at_speeds(record)]
        sums += [(doubt_speed(each, SPEED_MM_S) is not None, is_speed_plausible(each)) for each in measured]
    return number, sums


def table(data: Path) -> list[str]:
    """Format the counts of every collection."""
    lines = [
        "| | records | doubted at 25 mm/s (false alarms) | doubted at 50 mm/s | doubted at 12.5 mm/s "
        "| plausible at 25, 50, 12.5 mm/s |",
        "|---|---|---|---|---|---|",
    ]
    for title in (*COLUMNS, MORE):
        number, sums = counts(data, title)
        if number:
            doubted = " | ".join(f"{count} ({100 * count / number:.1f} %)" for count in sums[:, 0])
            plausible = ", ".join(f"{100 * count / number:.1f} %" for count in sums[:, 1])
            lines.append(f"| {title} | {number} | {doubted} | {plausible} |")
    return lines


def main() -> None:
    """Print the table, and store it if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="Also write the table to benchmarks/speed_doubts.md.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    chosen = parser.parse_args()
    lines = ["# Paper speeds in doubt", "", "`python benchmarks/speed_doubts.py --write`", ""]
    lines += [__doc__.split("\n\n", 2)[2].strip(), "", *table(chosen.data)]
    text = "\n".join(lines) + "\n"
    print(text)
    if chosen.write:
        (HERE / "speed_doubts.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
