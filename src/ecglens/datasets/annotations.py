"""Records whose waves cardiologists marked lead by lead, to check measurements against.

LUDB (Kalyakulina et al. 2020, doi:10.1109/ACCESS.2020.3029211) has a file of marks for each lead: ``(`` where a wave
begins, ``p``, ``N`` or ``t`` at its peak and ``)`` where it ends.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ecglens.datasets.visible_files import list_visible
from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.wfdb import read_wfdb
from ecglens.records import EcgRecord

__all__ = ["MarkedRecord", "WaveMark", "ludb"]

_WAVES = MappingProxyType({"p": "P", "N": "QRS", "t": "T"})


@dataclass(frozen=True, slots=True)
class WaveMark:
    """A wave as it was marked, in samples from the beginning of the record.

    Attributes:
        wave: ``"P"``, ``"QRS"`` or ``"T"``.
        onset: Where it begins, or ``None`` where that was not marked.
        peak: Its peak.
        end: Where it ends, or ``None`` where that was not marked.
    """

    wave: str
    onset: int | None
    peak: int
    end: int | None


@dataclass(frozen=True, slots=True, eq=False)
class MarkedRecord:
    """A record with its marks.

    Attributes:
        name: Name of the record; in LUDB each is of another person.
        record: Signals in mV.
        marks: Waves of each lead in the order of time.
    """

    name: str
    record: EcgRecord
    marks: Mapping[str, tuple[WaveMark, ...]]


def ludb(root: str | Path) -> tuple[MarkedRecord, ...]:
    """Read the records of LUDB with the marks of every lead.

    Args:
        root: The folder of the data set, or its folder ``data``.

    Raises:
        DatasetError: There is no record with marks below ``root``, or one cannot be read.
        MissingExtraError: wfdb is not installed.
    """
    headers = sorted(list_visible(Path(root), "*.hea"), key=lambda path: (len(path.stem), path.stem))
    records = []
    for header in headers:
        record = read_wfdb(header)
        marks = {lead: _marks(header, lead) for lead in record.leads if _file(header, lead).is_file()}
        if marks:
            records.append(MarkedRecord(header.stem, record, MappingProxyType(marks)))
    if not records:
        raise DatasetError(
            f"Expected WFDB records with a file of marks for each lead, such as 1.hea and 1.ii, below {root}, "
            f"got {len(headers)} records and no marks."
        )
    return tuple(records)


def _file(header: Path, lead: str) -> Path:
    return header.with_suffix(f".{lead.lower()}")


def _marks(header: Path, lead: str) -> tuple[WaveMark, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb makes pandas warn
        wfdb = require("wfdb", extra="signal")
        try:
            annotations = wfdb.rdann(str(header.with_suffix("")), lead.lower())
        except (OSError, ValueError, IndexError) as error:
            raise DatasetError(f"Expected marks of waves in {_file(header, lead).name}, but it is damaged.") from error
    places = [None, *map(int, annotations.sample), None]
    symbols = ["", *annotations.symbol, ""]
    return tuple(
        WaveMark(
            _WAVES[symbol],
            places[index - 1] if symbols[index - 1] == "(" else None,
            int(annotations.sample[index - 1]),
            places[index + 1] if symbols[index + 1] == ")" else None,
        )
        for index, symbol in enumerate(symbols)
        if symbol in _WAVES
    )
