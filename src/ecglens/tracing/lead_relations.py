"""Relations of leads: I + III = II (Einthoven 1913), aVR + aVL + aVF = 0 (Goldberger 1942), and a lead's rhythm strip.

A rhythm strip shows at each time what its lead shows in a column, so that each confirms the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecglens.layouts import RHYTHM
from ecglens.limits import threshold
from ecglens.records import EcgRecord

__all__ = [
    "LIMITS",
    "RelationLimits",
    "einthoven_rmse",
    "fill_gaps_by_relations",
    "goldberger_rmse",
    "relation_residuals",
    "strip_agreements",
]


@dataclass(frozen=True)
class RelationLimits:
    """Thresholds of the relations of limb leads."""

    min_shared_s: float = threshold(
        1.0,
        "s",
        "Least time that all three leads of a relation show.",
        low="A relation is judged by less than one beat.",
        high="Torn pages lose the check of their limb leads.",
    )
    max_gap_s: float = threshold(
        0.2,
        "s",
        "Longest gap of a lead that is filled from the other two.",
        low="Short gaps stay in the signals.",
        high="Whole beats are computed instead of read.",
    )
    filled_confidence: float = threshold(
        0.5,
        "1",
        "Confidence of samples that were filled.",
        low="Users who require a confidence of 0.5 lose them.",
        high="Filled samples look as reliable as read ones.",
    )
    max_strip_shift_s: float = threshold(
        0.016,
        "s",
        "Time by which a lead may lie beside its place in the rhythm strip.",
        low="Strips whose columns begin a pixel later do not agree.",
        high="Beats of a regular rhythm agree with their neighbors.",
    )
    max_spread_ratio: float = threshold(
        1.3,
        "1",
        "Ratio of the standard deviations of a whole strip and of the part that its lead confirms.",
        low="Strips with an extrasystole are not confirmed.",
        high="Strips that leave their line beside the confirmed part are.",
    )


LIMITS = RelationLimits()

_RELATIONS = (
    {"I": 1.0, "III": 1.0, "II": -1.0},
    {"aVR": 1.0, "aVL": 1.0, "aVF": 1.0},
    {"-aVR": -1.0, "aVL": 1.0, "aVF": 1.0},
)


def einthoven_rmse(record: EcgRecord) -> float | None:
    """Return the root mean square of I + III - II in mV without its mean; ``None`` where the three never overlap."""
    return next((residual for names, residual, _ in relation_residuals(record) if "II" in names), None)


def goldberger_rmse(record: EcgRecord) -> float | None:
    """Return the same of aVR + aVL + aVF; ``-aVR`` of Cabrera pages counts as aVR with the other sign."""
    return next((residual for names, residual, _ in relation_residuals(record) if "aVL" in names), None)


def relation_residuals(record: EcgRecord) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Yield each relation that can be checked: its leads, its residual, and their largest standard deviation, mV."""
    for weights, rows in _simultaneous_leads(record):
        residual = np.sum([weight * rows[name] for name, weight in weights.items()], axis=0)
        is_valid = ~np.isnan(residual)
        if is_valid.sum() >= LIMITS.min_shared_s * record.fs_hz:
            spread = max(float(row[is_valid].std()) for row in rows.values())
            yield tuple(weights), float(residual[is_valid].std()), spread


def strip_agreements(record: EcgRecord) -> dict[str, float]:
    """Compare each lead of a column with its rhythm strip at the same time.

    Args:
        record: Signals in mV, each on its own clock from ``start_s`` on.

    Returns:
        For each such lead and strip, by name, the power of the lead over that of their difference, in dB: a bound of
        the signal-to-noise ratio of both, as an error of either is in their difference.
    """
    agreements: dict[str, float] = {}
    starts = dict(zip(record.leads, record.start_s or (0.0,) * len(record.leads), strict=True))
    rows = dict(zip(record.leads, record.signals_mv, strict=True))
    reach = round(LIMITS.max_strip_shift_s * record.fs_hz)
    for name, strip in rows.items():
        lead = name.removesuffix(RHYTHM)
        if lead == name or lead not in rows:
            continue
        place = round((starts[lead] - starts[name]) * record.fs_hz)
        pairs = [_overlap(rows[lead], strip, place + shift) for shift in range(-reach, reach + 1)]
        compared = [
            (float((one - other).std()), float(one.std()), float(other.std()))
            for one, other in pairs
            if len(one) >= LIMITS.min_shared_s * record.fs_hz
        ]
        if not compared:
            continue
        residual, spread, strip_spread = min(compared)
        ratio = float(np.nanstd(strip)) / max(strip_spread, 1e-6)
        if 1 / LIMITS.max_spread_ratio <= ratio <= LIMITS.max_spread_ratio:
            agreements[lead] = agreements[name] = float(20 * np.log10(max(spread, 1e-6) / max(residual, 1e-6)))
    return agreements


def _overlap(
    row: NDArray[np.float32], strip: NDArray[np.float32], place: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the samples of a lead and of its strip that both show, with the lead's first at a place in the strip."""
    first, last = max(0, -place), min(len(row), len(strip) - place)
    one, other = row[first:last], strip[max(0, place) : max(0, place) + max(0, last - first)]
    is_known = ~(np.isnan(one) | np.isnan(other))
    return one[is_known], other[is_known]


def fill_gaps_by_relations(record: EcgRecord) -> EcgRecord:
    """Fill short gaps in one lead of a relation from the other two.

    Args:
        record: Signals in mV; leads of a relation must begin at the same time.

    Returns:
        The record with filled gaps, whose confidence is 0.5.
    """
    signals = record.signals_mv.copy()
    confidence = None if record.confidence is None else record.confidence.copy()
    longest = round(LIMITS.max_gap_s * record.fs_hz)
    for weights, rows in _simultaneous_leads(record):
        residual = np.sum([weight * rows[name] for name, weight in weights.items()], axis=0)
        if np.isnan(residual).mean() > 0.5:
            continue
        offset = float(np.nanmedian(residual))
        for name, weight in weights.items():
            others = np.sum([w * rows[other] for other, w in weights.items() if other != name], axis=0)
            valid = np.flatnonzero(~np.isnan(rows[name]))
            is_gap = np.isnan(rows[name]) & ~np.isnan(others)
            is_gap[: valid[0]] = is_gap[valid[-1] :] = False
            for start, stop in _stretches(is_gap):
                if stop - start <= longest:
                    index = record.leads.index(name)
                    signals[index, start:stop] = (offset - others[start:stop]) / weight
                    if confidence is not None:
                        confidence[index, start:stop] = LIMITS.filled_confidence
    return replace(record, signals_mv=signals, confidence=confidence)


def _simultaneous_leads(record: EcgRecord) -> Iterator[tuple[dict[str, float], dict[str, NDArray[np.float32]]]]:
    """Relations whose leads all begin at the same time, with their rows."""
    starts = dict(zip(record.leads, record.start_s or (0.0,) * len(record.leads), strict=True))
    for weights in _RELATIONS:
        if set(weights) <= set(record.leads) and len({starts[name] for name in weights}) == 1:
            yield weights, {name: record.signals_mv[record.leads.index(name)] for name in weights}


def _stretches(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]
