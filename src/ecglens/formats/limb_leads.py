"""The limb leads that follow from two others: recorders that store eight leads leave the other four to the reader.

Only a record with all six chest leads is a 12-lead ECG of which the rest was left out. One of I and II, or of I, II and
V5, is a recording of these leads, as of a monitor: nothing is added to it, so that it is written as it was read.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

__all__ = ["derive_limb_leads"]

_CHEST_LEADS = frozenset(STANDARD_LEADS[6:])

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
    """Return a record with all six limb leads, where it has two of I, II and III and all chest leads, of one time.

    Leads that the record has do not change; the twelve standard leads come first, in their usual order. A record
    without such leads, with repeated names or with qualities, is returned unchanged.

    >>> eight = EcgRecord(np.ones((8, 1), np.float32), 500.0, ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    >>> derive_limb_leads(eight).leads[:6]
    ('I', 'II', 'III', 'aVR', 'aVL', 'aVF')
    """
    rows = dict(zip(record.leads, record.signals_mv, strict=True))
    pair = next((pair for pair in _PAIRS if set(pair) <= rows.keys()), None)
    is_graded = bool(record.quality) or record.confidence is not None
    is_whole = rows.keys() >= _CHEST_LEADS and len(rows) == len(record.leads) and not any(record.start_s)
    if pair is None or not is_whole or is_graded:
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
