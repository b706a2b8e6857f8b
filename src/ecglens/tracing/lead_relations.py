"""What limb leads owe each other: I + III = II (Einthoven 1913) and aVR + aVL + aVF = 0 (Goldberger 1942)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecglens.records import EcgRecord

__all__ = ["einthoven_rmse", "goldberger_rmse", "mended", "relation_rests"]

_RELATIONS = (
    {"I": 1.0, "III": 1.0, "II": -1.0},
    {"aVR": 1.0, "aVL": 1.0, "aVF": 1.0},
    {"-aVR": -1.0, "aVL": 1.0, "aVF": 1.0},
)
_LEAST_S = 1.0
_GAP_MOST_S = 0.2
_MENDED_SURE = 0.5


def einthoven_rmse(record: EcgRecord) -> float | None:
    """Root mean square of I + III - II in mV, its mean removed; ``None`` where the three never stand side by side."""
    return next((rest for names, rest, _ in relation_rests(record) if "II" in names), None)


def goldberger_rmse(record: EcgRecord) -> float | None:
    """The same of aVR + aVL + aVF; ``-aVR`` of Cabrera pages counts as aVR turned over."""
    return next((rest for names, rest, _ in relation_rests(record) if "aVL" in names), None)


def relation_rests(record: EcgRecord) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Each relation that can be checked: its leads, the root mean square left over, and their largest spread."""
    for weights, rows in _side_by_side(record):
        rest = np.sum([weight * rows[name] for name, weight in weights.items()], axis=0)
        known = ~np.isnan(rest)
        if known.sum() >= _LEAST_S * record.fs_hz:
            spread = max(float(row[known].std()) for row in rows.values())
            yield tuple(weights), float(rest[known].std()), spread


def mended(record: EcgRecord) -> EcgRecord:
    """Short gaps in one lead of a relation filled from the other two, with a confidence of a half.

    Args:
        record: Signals in mV; leads of a relation must begin at the same time.
    """
    signals = record.signals_mv.copy()
    confidence = None if record.confidence is None else record.confidence.copy()
    longest = round(_GAP_MOST_S * record.fs_hz)
    for weights, rows in _side_by_side(record):
        rest = np.sum([weight * rows[name] for name, weight in weights.items()], axis=0)
        if np.isnan(rest).mean() > 0.5:
            continue
        offset = float(np.nanmedian(rest))
        for name, weight in weights.items():
            others = np.sum([w * rows[other] for other, w in weights.items() if other != name], axis=0)
            there = np.flatnonzero(~np.isnan(rows[name]))
            gaps = np.isnan(rows[name]) & ~np.isnan(others)
            gaps[: there[0]] = gaps[there[-1] :] = False
            for start, stop in _stretches(gaps):
                if stop - start <= longest:
                    index = record.leads.index(name)
                    signals[index, start:stop] = (offset - others[start:stop]) / weight
                    if confidence is not None:
                        confidence[index, start:stop] = _MENDED_SURE
    return replace(record, signals_mv=signals, confidence=confidence)


def _side_by_side(record: EcgRecord) -> Iterator[tuple[dict[str, float], dict[str, NDArray[np.float32]]]]:
    """Relations whose leads all begin at the same time, with their rows."""
    starts = dict(zip(record.leads, record.start_s or (0.0,) * len(record.leads), strict=True))
    for weights in _RELATIONS:
        if set(weights) <= set(record.leads) and len({starts[name] for name in weights}) == 1:
            yield weights, {name: record.signals_mv[record.leads.index(name)] for name in weights}


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    bounds = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]
