"""PTB-XL as signals with its five diagnostic superclasses, for models of signals.

Two forms are read: the official one (``ptbxl_database.csv``, ``scp_statements.csv`` and WFDB folders; Wagner et al.
2020, doi:10.1038/s41597-020-0495-6), and ``.npz`` arrays of records without WFDB files: ``mv_250hz.npz`` in microvolts
and ``z_100hz.npz``, whose leads were band-passed and scaled to unit variance so that their amplitudes are lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.sources import parse_scp_codes, ptbxl_label, read_required_table
from ecglens.errors import DatasetError
from ecglens.formats.wfdb import read_wfdb
from ecglens.labels import SUPERCLASSES
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

__all__ = ["PtbxlRecord", "read_ptbxl", "read_ptbxl_arrays", "read_ptbxl_column"]

_SEXES = {"0": "male", "1": "female"}
_FROM_I_AND_II = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""Coefficients of I and II (Einthoven 1913, Goldberger 1942)."""


@dataclass(frozen=True, slots=True, eq=False)
class PtbxlRecord:
    """A record of PTB-XL and what is known of it.

    Attributes:
        ecg_id: Number of the record.
        record: Its signals, all twelve leads.
        is_in_mv: Whether the amplitudes are known; otherwise each lead has unit variance.
        superclasses: Which of ``SUPERCLASSES`` its statements belong to; several, or none where it has no diagnosis.
        four_label: Label by the rule of :func:`ecglens.datasets.sources.ptbxl_label`, or ``None``.
        group: The patient, or the record itself where the patient is not known.
        sex: ``male`` or ``female``, or ``None`` where it is not known.
        age: In years, or ``None``; PTB-XL writes 300 for everyone above 89.
    """

    ecg_id: int
    record: EcgRecord
    is_in_mv: bool
    superclasses: frozenset[str]
    four_label: str | None = None
    group: str = ""
    sex: str | None = None
    age: float | None = None


def read_ptbxl(root: str | Path) -> Iterator[PtbxlRecord]:
    """Read the records of PTB-XL in its official form, one after the other, as the whole set does not fit in memory.

    All diagnostic statements count, whatever their likelihood, as in Strodthoff et al. (doi:10.1109/JBHI.2020.3022989).
    Rows whose signals are missing are left out, so that a part of the set can be read too.

    Args:
        root: The folder with ``ptbxl_database.csv``, ``scp_statements.csv`` and ``records500``.

    Raises:
        DatasetError: A file or column is missing, or a record cannot be read.
        MissingExtraError: wfdb is not installed.
    """
    root = Path(root)
    classes = _read_classes(root)
    for row in read_required_table(root / "ptbxl_database.csv", ("ecg_id", "patient_id", "scp_codes", "filename_hr")):
        header = root / f"{row['filename_hr']}.hea"
        if header.is_file():
            bare = PtbxlRecord(int(row["ecg_id"]), read_wfdb(header), is_in_mv=True, superclasses=frozenset())
            yield _with_row(bare, row, classes)


def read_ptbxl_arrays(folder: str | Path, statements: str | Path) -> Iterator[PtbxlRecord]:
    """Read records of PTB-XL that are stored as arrays, those whose superclasses are known.

    Args:
        folder: With ``mv_250hz.npz``, ``z_100hz.npz``, ``superclasses.csv``, and ``statements.csv`` for some records.
        statements: The folder with PTB-XL's ``scp_statements.csv``.

    Raises:
        DatasetError: A file or column is missing.
    """
    folder = Path(folder)
    superclasses = {
        int(row["ecg_id"]): frozenset(name for name in SUPERCLASSES if float(row[name]) > 0)
        for row in read_required_table(folder / "superclasses.csv", ("ecg_id", *SUPERCLASSES))
        if all(row[name] for name in SUPERCLASSES)
    }
    rows = {int(row["ecg_id"]): row for row in read_required_table(folder / "statements.csv", ("ecg_id", "scp_codes"))}
    classes = _read_classes(Path(statements))
    for ecg_id, record, is_in_mv in (*_read_microvolts(folder), *_read_unit_variance(folder)):
        if ecg_id in superclasses:
            bare = PtbxlRecord(ecg_id, record, is_in_mv, superclasses[ecg_id], group=f"record {ecg_id}")
            row = rows.get(ecg_id)
            yield bare if row is None else replace(_with_row(bare, row, classes), superclasses=bare.superclasses)


def read_ptbxl_column(folders: Sequence[str | Path], column: str) -> dict[int, str]:
    """Read a column of PTB-XL's tables, such as ``device``, for the records that have a value there.

    Args:
        folders: Folders with ``ptbxl_database.csv`` or ``statements.csv``.
        column: Name of the column.

    Returns:
        The value of each record by its number.

    Raises:
        DatasetError: A table cannot be read or lacks the column, or there is no table.
    """
    paths = [Path(folder) / name for folder in folders for name in ("ptbxl_database.csv", "statements.csv")]
    tables = [read_required_table(path, ("ecg_id", column)) for path in paths if path.is_file()]
    if not tables:
        raise DatasetError(
            f"Expected ptbxl_database.csv or statements.csv in {', '.join(map(str, folders))}, but there is neither."
        )
    return {int(float(row["ecg_id"])): row[column].strip() for table in tables for row in table if row[column].strip()}


def _with_row(bare: PtbxlRecord, row: Mapping[str, str], classes: Mapping[str, str]) -> PtbxlRecord:
    """Return a record with what its row of PTB-XL's table says."""
    codes = parse_scp_codes(row)
    stages = (row.get("infarction_stadium1", ""), row.get("infarction_stadium2", ""))
    named = {code: share for code, share in codes.items() if share >= 50 or share == 0}
    patient = row.get("patient_id", "")
    return replace(
        bare,
        superclasses=frozenset(classes[code] for code in codes if classes.get(code)),
        four_label=ptbxl_label(named, {code: classes.get(code, "") for code in named}, stages),
        group=f"patient {float(patient):.0f}" if patient else f"record {bare.ecg_id}",
        sex=_SEXES.get(row.get("sex", "")),
        age=float(row["age"]) if row.get("age") else None,
    )


def _read_classes(root: Path) -> dict[str, str]:
    """Return the diagnostic superclass of each statement, empty for statements of form and rhythm."""
    rows = read_required_table(root / "scp_statements.csv", ("", "diagnostic", "diagnostic_class"))
    return {row[""]: row["diagnostic_class"] if row["diagnostic"] else "" for row in rows}


def _read_microvolts(folder: Path) -> Iterator[tuple[int, EcgRecord, bool]]:
    with _open_arrays(folder / "mv_250hz.npz") as arrays:
        numbers, stored, leads = arrays["ecg_id"], arrays["uv"], tuple(map(str, arrays["leads"]))
    for number, microvolts in zip(numbers, stored, strict=True):
        own = dict(zip(leads, microvolts.T.astype(np.float32) / 1000, strict=True))
        signals = [own[lead] if lead in own else _derive(own, lead) for lead in STANDARD_LEADS]
        yield int(number), EcgRecord(np.stack(signals), 250.0, STANDARD_LEADS), True


def _read_unit_variance(folder: Path) -> Iterator[tuple[int, EcgRecord, bool]]:
    with _open_arrays(folder / "z_100hz.npz") as arrays:
        numbers, stored, leads = arrays["ecg_id"], arrays["z"], tuple(map(str, arrays["leads"]))
    for number, scaled in zip(numbers, stored, strict=True):
        yield int(number), EcgRecord(scaled.T.astype(np.float32), 100.0, leads), False


def _derive(own: Mapping[str, NDArray[np.float32]], lead: str) -> NDArray[np.float32]:
    of_i, of_ii = _FROM_I_AND_II[lead]
    return np.asarray(of_i * own["I"] + of_ii * own["II"], dtype=np.float32)


def _open_arrays(path: Path) -> Any:
    if not path.is_file():
        raise DatasetError(f"Expected the arrays {path.name} in {path.parent}, but the file is not there.")
    arrays: np.lib.npyio.NpzFile[Any] = np.load(path)
    return arrays
