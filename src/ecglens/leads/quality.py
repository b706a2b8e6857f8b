"""How far a traced lead can be trusted: what was hidden, what a neighbour shares, what leads owe each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.relations import relation_rests
from ecglens.records import EcgRecord

__all__ = ["LeadFacts", "lead_quality", "lead_warnings"]

_FLAT_MV = 0.03
_DOUBTFUL = 0.5
_REST_TOLERATED = 0.25
"""Root mean square of what should be nothing, of the tallest of the three leads' standard deviations."""


@dataclass(frozen=True, slots=True, eq=False)
class LeadFacts:
    """What is known of how a lead was read.

    Attributes:
        sure: ``(samples,)`` in [0, 1], 0 where the trace is hidden.
        shared: Share of it whose ink a neighbouring line also claims.
    """

    sure: NDArray[np.float64]
    shared: float

    @classmethod
    def exact(cls, rows: NDArray[np.float64]) -> "LeadFacts":
        """Of a lead that was read from vectors."""
        return cls(np.where(np.isnan(rows), 0.0, 1.0), 0.0)


def lead_quality(record: EcgRecord, facts: list[LeadFacts]) -> tuple[float, ...]:
    """A figure in [0, 1] for each lead; below 0.5 it failed a check.

    Args:
        record: Signals in mV.
        facts: Of each lead, in the record's order.
    """
    factors = _relation_factors(record)
    found = []
    for name, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        known = row[: len(fact.sure)]
        known = known[~np.isnan(known)]
        if known.size < 0.5 * len(fact.sure) or np.ptp(known) < _FLAT_MV:
            found.append(0.0 if known.size < 2 else 0.3 * known.size / len(fact.sure))
            continue
        quality = float(fact.sure.mean()) * (1 - min(0.8, 4 * fact.shared)) * _smoothness(known)
        found.append(quality * factors.get(name, 1.0))
    return tuple(round(float(np.clip(quality, 0, 1)), 3) for quality in found)


def lead_warnings(record: EcgRecord, facts: list[LeadFacts]) -> tuple[str, ...]:
    """One sentence for each lead or relation that a user must not trust."""
    said = []
    for name, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        known = row[: len(fact.sure)]
        known = known[~np.isnan(known)]
        if known.size < 0.5 * max(1, len(fact.sure)):
            said.append(
                f"Lead {name} could not be followed over {1 - known.size / max(1, len(fact.sure)):.0%} of its length."
            )
        elif np.ptp(known) < _FLAT_MV:
            said.append(f"Lead {name} is a flat line.")
    for names, rest, size in relation_rests(record):
        if rest > _REST_TOLERATED * size:
            said.append(f"Leads {', '.join(names)} do not add up: {rest:.2f} mV are left over.")
    return tuple(said)


def _relation_factors(record: EcgRecord) -> dict[str, float]:
    """By how much the leads of a relation that does not hold are trusted less."""
    factors: dict[str, float] = {}
    for names, rest, size in relation_rests(record):
        share = rest / max(size, 1e-6)
        factor = 1.0 if share <= 0.1 else max(0.2, 1 - 2 * (share - 0.1))
        for name in names:
            factors[name] = min(factors.get(name, 1.0), factor)
    return factors


def _smoothness(known: NDArray[np.float32]) -> float:
    """Near 1 for a line that a pen drew, less for one that jumps from sample to sample."""
    size = float(np.percentile(known, 97.5) - np.percentile(known, 2.5)) + 1e-6
    jitter = float(np.median(np.abs(np.diff(known, n=2)))) / size
    return 1 / (1 + 20 * jitter)
