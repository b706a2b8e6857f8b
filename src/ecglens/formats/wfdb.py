"""WFDB records (PhysioNet): header and signal files to and from ``EcgRecord``."""

import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ecglens.errors import DatasetError
from ecglens.extras import require
from ecglens.formats.checks import check_record
from ecglens.formats.coded import microvolts, remarks
from ecglens.layouts import canonical_lead
from ecglens.records import EcgRecord

__all__ = ["read_wfdb", "write_wfdb"]

_TO_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "v": 1e3}
_MAX_SAMPLES = 30_000_000
"""Samples of all signals together, of which wfdb takes some 20 bytes each: twelve leads at 500 Hz for 80 minutes."""
_MAX_SIGNALS = 1000
_NO_SEGMENT = "~"


def read_wfdb(path: str | Path) -> EcgRecord:
    """Read a WFDB record.

    Args:
        path: The header, with or without ``.hea``.

    Returns:
        Signals in mV; samples that are marked invalid are NaN.

    Raises:
        DatasetError: The record cannot be read, or a signal is not a voltage.
        MissingExtraError: wfdb is not installed.
    """
    wfdb = _wfdb()
    stem = Path(path).with_suffix("") if Path(path).suffix == ".hea" else Path(path)
    if not stem.with_name(f"{stem.name}.hea").is_file():
        raise DatasetError(f"Expected a WFDB header {stem.name}.hea in {stem.parent}, but none is there.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wfdb warns of its own use of numpy and pandas
            _check_header(wfdb, stem)
            record = wfdb.rdrecord(str(stem))
    except DatasetError:
        raise
    # wfdb answers damage with whatever exception it leads to, soundfile among them.
    except Exception as error:
        raise DatasetError(f"Expected a WFDB record at {stem.name}, but it cannot be read: {error}.") from error
    if record.p_signal is None or not record.n_sig:
        raise DatasetError(f"Expected signals in the WFDB record {stem.name}, but it has none.")
    strange = [unit for unit in record.units if unit.lower() not in _TO_MV]
    if strange:
        raise DatasetError(f"Expected voltages in the WFDB record {stem.name}, got the unit '{strange[0]}'.")
    scale = np.array([_TO_MV[unit.lower()] for unit in record.units])
    signals = np.ascontiguousarray((record.p_signal * scale).T, dtype=np.float32)
    leads = tuple(map(canonical_lead, record.sig_name))
    return check_record(EcgRecord(signals, float(record.fs), leads, comments=tuple(record.comments)), stem.name)


def write_wfdb(record: EcgRecord, path: str | Path) -> None:
    """Write a record as WFDB, format 16, one microvolt a step; unknown samples are marked invalid.

    Column 0 is the start of the recording; comments, quality and warnings are comment lines.

    Args:
        record: Signals in mV.
        path: The header, with or without ``.hea``; its folder is made where it is missing.

    Raises:
        DatasetError: The name is not of letters, digits, ``-`` and ``_``, a sample is beyond 32.7 mV, or WFDB cannot
            store the record for another reason.
        MissingExtraError: wfdb is not installed.
    """
    wfdb = _wfdb()
    path = Path(path).with_suffix("") if Path(path).suffix == ".hea" else Path(path)
    if not re.fullmatch(r"[\w-]+", path.name, flags=re.ASCII):
        raise DatasetError(f"Expected letters, digits, - and _ in the name of a WFDB record, got '{path.name}'.")
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = record.with_distinct_leads().on_one_clock()
    digital = microvolts(placed.signals_mv).T
    count = len(record.leads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as above
            wfdb.wrsamp(
                path.name,
                fs=record.fs_hz,
                units=["mV"] * count,
                sig_name=list(placed.leads),
                d_signal=np.ascontiguousarray(digital),
                fmt=["16"] * count,
                adc_gain=[1000.0] * count,
                baseline=[0] * count,
                comments=list(remarks(record)),
                write_dir=str(path.parent),
            )
    except (ValueError, TypeError, IndexError) as error:
        raise DatasetError(
            f"Expected a record that WFDB can store as {path.name}, but wfdb refuses it: {error}"
        ) from error


def _check_header(wfdb: ModuleType, stem: Path) -> None:
    """Refuse a header that states more samples than a recording has, or segments without end.

    Raises:
        DatasetError: It does.
    """
    header = wfdb.rdheader(str(stem))
    if not hasattr(header, "seg_name"):
        _check_signals(header, stem.name)
        return
    _check_length(header.n_sig, header.sig_len, stem.name)
    for name in set(header.seg_name) - {_NO_SEGMENT}:
        segment = wfdb.rdheader(str(stem.with_name(name)))
        if hasattr(segment, "seg_name"):
            raise DatasetError(f"Expected segments without segments in the WFDB record {stem.name}, got {name}.")
        _check_signals(segment, stem.name)


def _check_signals(header: Any, name: str) -> None:
    """Refuse signals of more samples than a recording has."""
    _check_length(max(header.n_sig or 0, sum(header.samps_per_frame or ())), header.sig_len, name)


def _check_length(signals: int, samples: int | None, name: str) -> None:
    """Refuse more samples than a recording has; a header may leave their number to the file."""
    if signals > _MAX_SIGNALS or signals * (samples or 0) > _MAX_SAMPLES:
        raise DatasetError(
            f"Expected a WFDB record of at most {_MAX_SIGNALS} signals and {_MAX_SAMPLES:,} samples at {name}, got "
            f"{signals:,} signals of {samples or 0:,}; cut it into parts."
        )


def _wfdb() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing wfdb makes pandas warn
        return require("wfdb", extra="signal")
