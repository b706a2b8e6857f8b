"""How far a traced lead can be trusted: what was hidden, what a neighbour shares, what leads owe each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.leads.relations import relation_rests
from ecglens.records import EcgRecord

__all__ = ["LeadFacts", "PageFacts", "lead_quality", "lead_warnings"]

_FLAT_MV = 0.03
_KNOWN_NEEDED = 0.5
_REST_TOLERATED = 0.25
"""Root mean square of what should be nothing, of the tallest of the three leads' standard deviations."""
_UNKNOWN_REST = 0.2
_REST_ALWAYS_MV = 0.08
_HALF_DB = 10.0
_DB_STEP = 4.0
_WEIGHTS = {
    "constant": 16.02,
    "rest": -3.92,
    "bend": -4.91,
    "shared": -55.88,
    "pen": -86.1,
    "edge": 2.9,
    "jitter": -3.38,
}
"""Expected SNR in dB as a sum over what can be seen, fitted on damaged pages whose truth is known
(``benchmarks/quality.py`` says how well it holds on others); quality is 0.5 where 10 dB are expected."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page's ink says of how well it can be read.

    Attributes:
        pen_mm: Radius of the pen.
        edge: Share of the ink that is neither black nor paper; a page without it was thresholded.
        bend_mm: How far the paper was bent.
    """

    pen_mm: float
    edge: float
    bend_mm: float


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


def lead_quality(record: EcgRecord, facts: list[LeadFacts], page: PageFacts) -> tuple[float, ...]:
    """A figure in [0, 1] for each lead; below 0.5 it failed a check, or less than 10 dB are expected of it.

    Args:
        record: Signals in mV.
        facts: Of each lead, in the record's order.
        page: Of the whole page.
    """
    rests = [rest / max(size, 1e-6) for _, rest, size in relation_rests(record)]
    worst = max(rests, default=_UNKNOWN_REST)
    found = []
    for row, fact in zip(record.signals_mv, facts, strict=True):
        known = row[: len(fact.sure)]
        known = known[~np.isnan(known)]
        share = known.size / max(1, len(fact.sure))
        if share < _KNOWN_NEEDED or np.ptp(known) < _FLAT_MV:
            found.append(0.3 * share)
            continue
        size = float(np.percentile(known, 97.5) - np.percentile(known, 2.5)) + 1e-6
        seen = {
            "constant": 1.0,
            "rest": float(np.log(worst + 0.02)),
            "bend": float(np.log1p(page.bend_mm)),
            "shared": float(np.sqrt(fact.shared)),
            "pen": page.pen_mm,
            "edge": float(np.log(page.edge + 0.01)),
            "jitter": float(np.log(np.percentile(np.abs(np.diff(known, n=2)), 95) / size + 1e-4)),
        }
        expected = sum(_WEIGHTS[key] * value for key, value in seen.items())
        found.append(share / (1 + float(np.exp((_HALF_DB - expected) / _DB_STEP))))
    return tuple(round(quality, 3) for quality in found)


def lead_warnings(record: EcgRecord, facts: list[LeadFacts]) -> tuple[str, ...]:
    """One sentence for each lead or relation that a user must not trust."""
    said = []
    for name, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        known = row[: len(fact.sure)]
        known = known[~np.isnan(known)]
        if known.size < _KNOWN_NEEDED * max(1, len(fact.sure)):
            said.append(
                f"Lead {name} could not be followed over {1 - known.size / max(1, len(fact.sure)):.0%} of its length."
            )
        elif np.ptp(known) < _FLAT_MV:
            said.append(f"Lead {name} is a flat line.")
    for names, rest, size in relation_rests(record):
        if rest > max(_REST_TOLERATED * size, _REST_ALWAYS_MV):
            said.append(f"Leads {', '.join(names)} do not add up: {rest:.2f} mV are left over.")
    return tuple(said)
