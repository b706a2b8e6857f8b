"""Checks of the leads of a digital ECG: what a person sees at a glance, such as a flat, clipped or noisy lead."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import check_type
from ecglens.layouts import RHYTHM
from ecglens.limits import threshold
from ecglens.records import GOOD_QUALITY, EcgRecord
from ecglens.tracing.lead_relations import relation_residuals

__all__ = ["LIMITS", "RecordLimits", "check_leads"]


@dataclass(frozen=True)
class RecordLimits:
    """Thresholds of the checks of digital leads."""

    min_span_mv: float = threshold(
        0.03,
        "mV",
        "Span below which a lead is a flat line.",
        low="Flat lines with noise are measured.",
        high="Leads of very low voltage count as flat.",
    )
    noise_lag_s: float = threshold(
        0.008,
        "s",
        "Time over which an ECG hardly changes, and noise and mains hum do.",
        low="Noise of a narrow band passes.",
        high="Narrow complexes count as noise.",
    )
    min_noise_correlation: float = threshold(
        0.2,
        "1",
        "Least correlation of a lead with itself over that time; in 300 records of PTB-XL and LUDB 0.25 or more.",
        low="Noise is measured.",
        high="Leads with tremor count as noise.",
    )
    max_difference: float = threshold(
        0.01,
        "1",
        "Root mean square of the difference of two leads, as a part of theirs, up to which they are the same.",
        low="Copies that were filtered differ.",
        high="Neighboring leads of one shape count as copies.",
    )
    clipped_s: float = threshold(
        0.01,
        "s",
        "Least time at the largest or smallest value that a clipped complex has.",
        low="Peaks of files with coarse steps count as clipped.",
        high="Clipped tips of narrow complexes are not noticed.",
    )
    clipped_step_mv: float = threshold(
        0.02,
        "mV",
        "Least change within two samples before it, as a clipped complex is cut in its steep part.",
        low="The baseline of drawn signals counts as clipped.",
        high="Clipped T waves are not noticed.",
    )
    min_clipped: int = threshold(
        3,
        "times",
        "Number of clipped complexes from which a lead fails.",
        low="A spike fails a lead.",
        high="A short recording is not noticed.",
    )
    max_residual: float = threshold(
        1.0,
        "1",
        "Residual of I + III - II or aVR + aVL + aVF, as a part of the largest standard deviation, above which the "
        "three leads fail; up to 0.89 in LUDB, whose leads were filtered apart.",
        low="Leads that were filtered apart fail.",
        high="Exchanged leads are measured.",
    )
    warned_residual: float = threshold(
        0.25,
        "1",
        "The same above which they are said not to add up, as on a page.",
        low="Leads that were filtered apart are named.",
        high="Exchanged leads of similar shape are not noticed.",
    )
    min_residual_mv: float = threshold(
        0.08,
        "mV",
        "Residual up to which leads of low voltage always add up.",
        low="Leads of low voltage are said not to add up.",
        high="Exchanged leads of low voltage are not noticed.",
    )
    failed_quality: float = threshold(
        0.3,
        "1",
        "Quality of a lead that failed a check; that of others is 1.",
        low="No difference: below 0.5 a lead is left out of the measurements.",
        high="Above 0.5 a failure would have no effect.",
    )


LIMITS = RecordLimits()


def check_leads(record: EcgRecord) -> EcgRecord:
    """Check the leads of a digital ECG, unless it has qualities already, as one of a page has.

    Args:
        record: Signals in mV.

    Returns:
        The record with the quality of each lead, 1 or below 0.5, and a warning for each failure.

    Raises:
        ArgumentError: It is no record.
    """
    check_type(record, EcgRecord, "a record, such as one from ecglens.read_record")
    if record.quality or not record.leads:
        return record
    failures: set[str] = set()
    contradictions: set[str] = set()
    warnings = []
    for names, warning, is_failure in _list_faults(record):
        warnings.append(warning)
        (failures if len(names) == 1 else contradictions).update(names if is_failure else ())
    # Of leads that contradict each other, some are right: where no others are left, they are measured.
    failures |= contradictions if set(record.leads) - failures - contradictions else set()
    quality = tuple(LIMITS.failed_quality if lead in failures else 1.0 for lead in record.leads)
    if failures and max(quality) < GOOD_QUALITY:
        warnings.append("No lead passed its checks.")
    return replace(record, quality=quality, warnings=(*record.warnings, *warnings))


def _list_faults(record: EcgRecord) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield the leads of each fault, a sentence, and whether they fail."""
    rows = {lead: row[np.isfinite(row)] for lead, row in zip(record.leads, record.signals_mv, strict=True)}
    failed = set()
    for lead, row in rows.items():
        sentence = _describe_lead(lead, row, record.fs_hz)
        if sentence:
            failed.add(lead)
            yield (lead,), sentence, True
    for one, other in combinations((lead for lead in rows if lead not in failed), 2):
        if RHYTHM not in one + other and _are_same(rows[one], rows[other]):
            yield (one, other), f"Leads {one} and {other} have the same signal, so that one of them is missing.", True
    for names, residual, size in relation_residuals(record):
        is_good = not failed & set(names)
        if is_good and residual > max(LIMITS.warned_residual * size, LIMITS.min_residual_mv):
            sentence = f"Leads {', '.join(names)} do not add up: the residual is {residual:.2f} mV."
            yield names, sentence, residual > LIMITS.max_residual * size


def _describe_lead(lead: str, row: NDArray[np.float32], fs_hz: float) -> str:
    """Return what is wrong with a lead alone, or nothing."""
    if not row.size:
        return f"Lead {lead} has no samples."
    if np.ptp(row) < LIMITS.min_span_mv:
        return f"Lead {lead} is a flat line."
    if _is_noise(row, fs_hz):
        return f"Lead {lead} shows noise instead of an ECG."
    if _count_clipped(row, fs_hz) >= LIMITS.min_clipped:
        return f"Lead {lead} is clipped: its complexes end at {row.min():.2f} or {row.max():.2f} mV."
    return ""


def _is_noise(row: NDArray[np.float32], fs_hz: float) -> bool:
    lag = max(1, round(LIMITS.noise_lag_s * fs_hz))
    if len(row) <= 2 * lag:
        return False
    centered = row.astype(np.float64) - row.mean()
    one, other = centered[:-lag], centered[lag:]
    return float(one @ other) < LIMITS.min_noise_correlation * float(np.sqrt((one @ one) * (other @ other)))


def _are_same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    if len(one) != len(other):
        return False
    return float((one - other).std()) < LIMITS.max_difference * float(one.std())


def _count_clipped(row: NDArray[np.float32], fs_hz: float) -> int:
    """Count the complexes that end in a plateau at the largest or smallest value."""
    least = max(3, round(LIMITS.clipped_s * fs_hz))
    count = 0
    for extreme in (row.min(), row.max()):
        edges = np.flatnonzero(np.diff(np.r_[False, row == extreme, False].astype(np.int8)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            is_steep = start >= 2 and abs(float(row[start - 2]) - float(extreme)) > LIMITS.clipped_step_mv
            count += stop - start >= least and is_steep
    return count
