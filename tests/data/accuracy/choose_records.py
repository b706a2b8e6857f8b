"""Choose the records of this folder out of LUDB and PTB-XL by a fixed rule, and copy them.

    python tests/data/accuracy/choose_records.py LUDB PTBXL

LUDB and PTBXL are the folders with the development data (100 and 200 records). The rule: go through the groups below in
their order, and take for each the records with the lowest numbers that belong to it and were not chosen for an earlier
group. No record was looked at, measured or tried before it was chosen, and none was exchanged afterwards.
Age and sex are left out of the copied headers; signals and marks are copied byte by byte.
"""

import ast
import csv
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ecglens.formats.wfdb import read_wfdb

HERE = Path(__file__).resolve().parent
Row = Mapping[str, str]


def has(column: str, text: str) -> Callable[[Row], bool]:
    """Return a test whether a column of LUDB's table contains a text."""
    return lambda row: text in row[column]


def is_normal(row: Row) -> bool:
    """Return whether LUDB states a sinus rhythm with a normal axis and nothing else."""
    others = [name for name in row if name not in {"ID", "Sex", "Age", "Rhythms", "Electric axis of the heart"}]
    axis_is_normal = row["Electric axis of the heart"].endswith(": normal")
    return row["Rhythms"] == "Sinus rhythm" and axis_is_normal and not any(row[name] for name in others)


LUDB_GROUPS: Mapping[str, tuple[Callable[[Row], bool], int]] = {
    "normal": (is_normal, 1),
    "atrial fibrillation": (has("Rhythms", "fibrillation"), 2),
    "atrial flutter": (has("Rhythms", "flutter"), 2),
    "right bundle branch block": (has("Conduction abnormalities", "Complete right bundle"), 1),
    "left bundle branch block": (has("Conduction abnormalities", "left bundle"), 1),
    "first degree AV block": (has("Conduction abnormalities", "I degree av block"), 1),
    "third degree AV block": (has("Conduction abnormalities", "Iii degree"), 1),
    "pacing": (has("Cardiac pacing", "pacing"), 1),
    "sinus tachycardia": (has("Rhythms", "tachycardia"), 1),
    "sinus bradycardia": (has("Rhythms", "bradycardia"), 1),
    "sinus arrhythmia": (has("Rhythms", "arrhythmia"), 1),
    "ventricular extrasystole": (has("Extrasystolies", "Ventricular"), 1),
}
PTBXL_GROUPS: Mapping[str, tuple[str, int]] = {
    "normal": ("NORM", 1),
    "atrial fibrillation": ("AFIB", 1),
    "pacing": ("PACE", 2),
    "low voltage": ("LVOLT", 2),
    "left ventricular hypertrophy": ("LVH", 1),
}
PDF_RECORD = "9"
"""The record that ``00009_hr.pdf`` was rendered from; taken beside the rule, as the truth of that page."""


def main(ludb: Path, ptbxl: Path) -> None:
    """Copy the chosen records and write which group each was chosen for."""
    lines = ["file,group"]
    for stem, group in choose_ludb(ludb):
        copy_record(ludb / "data" / stem, HERE / "ludb")
        lines.append(f"ludb/{stem},{group}")
    for stem, group in choose_ptbxl(ptbxl):
        copy_record(next(ptbxl.rglob(f"{stem}.hea")).with_suffix(""), HERE / "ptbxl")
        lines.append(f"ptbxl/{stem},{group}")
    (HERE / "records.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def choose_ludb(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield file stem and group of each chosen record, and last the one with the lowest limb-lead voltage."""
    at_hand = {path.stem for path in (folder / "data").glob("*.hea")}
    rows = [{name: value.strip() for name, value in row.items()} for row in read_table(folder / "ludb.csv")]
    rows = sorted((row for row in rows if row["ID"] in at_hand), key=lambda row: int(row["ID"]))
    chosen: set[str] = set()
    for group, (belongs, count) in LUDB_GROUPS.items():
        for row in [row for row in rows if row["ID"] not in chosen and belongs(row)][:count]:
            chosen.add(row["ID"])
            yield row["ID"], group
    # LUDB has no statement of low voltage, so the voltage itself decides.
    others = [row["ID"] for row in rows if row["ID"] not in chosen]
    yield min(others, key=lambda stem: limb_voltage_mv(folder / "data" / stem)), "low voltage"


def limb_voltage_mv(stem: Path) -> float:
    """Return the largest span between the 0.5th and the 99.5th percentile of a limb lead."""
    low, high = np.percentile(read_wfdb(stem).signals_mv[:6], (0.5, 99.5), axis=1)
    return float((high - low).max())


def choose_ptbxl(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield file stem and group of each chosen record."""
    rows = sorted(read_table(folder / "ptbxl_database.csv"), key=lambda row: int(row["ecg_id"]))
    chosen = {PDF_RECORD}
    yield f"{int(PDF_RECORD):05d}_hr", "truth of 00009_hr.pdf"
    for group, (statement, count) in PTBXL_GROUPS.items():
        members = [row for row in rows if statement in ast.literal_eval(row["scp_codes"])]
        for row in [row for row in members if row["ecg_id"] not in chosen][:count]:
            chosen.add(row["ecg_id"])
            yield f"{int(row['ecg_id']):05d}_hr", group


def copy_record(stem: Path, folder: Path) -> None:
    """Copy signals and marks as they are, and the header without age and sex."""
    folder.mkdir(exist_ok=True)
    for path in sorted(stem.parent.glob(f"{stem.name}.*")):
        if path.suffix != ".hea":
            shutil.copyfile(path, folder / path.name)
    header = stem.with_suffix(".hea").read_text(encoding="utf-8").splitlines()
    lines = [line for line in header if not line.startswith(("#<age>", "#<sex>"))]
    (folder / f"{stem.name}.hea").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
