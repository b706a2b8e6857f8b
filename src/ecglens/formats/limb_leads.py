"""The limb leads that follow from two others: recorders that store eight leads leave the other four to the reader."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

__all__ = ["derive_limb_leads"]

_Signal = NDArray[np.float32]
_PAIRS: Mapping[tuple[str, str], Callable[[_Signal, _Signal], tuple[_Signal, _Signal]]] = MappingProxyType(
    {
        ("I", "II"): lambda one, two: (one, two),
        ("II", "III"): lambda two, three: (two - three, two),
        ("I", "III"): lambda one, three: (one, one + three),
    }
)
"""Leads I and II from two of Einthoven's leads."""


def derive_limb_leads(record: EcgRecord) -> EcgRecord:
    """Return a record with all six limb leads, where two of I, II and III are there and were recorded at once.

    Leads that the record has do not change; the twelve standard leads come first, in their usual order. A record
    without two such leads, with repeated names or with qualities, is returned unchanged.

    >>> two = EcgRecord(np.array([[1.0], [3.0]], np.float32), 500.0, ("I", "II"))
    >>> derive_limb_leads(two).leads
    ('I', 'II', 'III', 'aVR', 'aVL', 'aVF')
    """
    rows = dict(zip(record.leads, record.signals_mv, strict=True))
    pair = next((pair for pair in _PAIRS if set(pair) <= rows.keys()), None)
    is_graded = bool(record.quality) or record.confidence is not None
    if pair is None or len(rows) < len(record.leads) or any(record.start_s) or is_graded:
        return record
    one, two = _PAIRS[pair](rows[pair[0]], rows[pair[1]])
    derived = {
        "I": one,
        "II": two,
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }
    missing = [lead for lead in derived if lead not in rows]
    rows |= {lead: derived[lead] for lead in missing}
    leads = sorted(rows, key=lambda lead: STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS))
    notes = [f"{', '.join(missing)} computed from {' and '.join(pair)}"] if missing else []
    signals = np.stack([rows[lead] for lead in leads]).astype(np.float32)
    return replace(record, signals_mv=signals, leads=tuple(leads), start_s=(), comments=(*record.comments, *notes))
