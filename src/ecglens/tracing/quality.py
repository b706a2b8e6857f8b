"""How far a traced lead can be trusted: what was hidden, what a neighbour shares, what leads owe each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ecglens.records import EcgRecord
from ecglens.tracing.lead_relations import relation_rests

__all__ = ["LeadFacts", "PageFacts", "known_share", "lead_quality", "lead_signs", "lead_warnings"]

_FLAT_MV = 0.03
_KNOWN_NEEDED = 0.5
_OWN_NEEDED = 0.5
_REST_TOLERATED = 0.25
"""Root mean square of what should be nothing, of the tallest of the three leads' standard deviations."""
_UNKNOWN_REST = 0.2
_REST_ALWAYS_MV = 0.08
_SHARED_SAMPLE = 0.25
"""Share of a sample's ink that a neighbour must claim for the sample to count as tangled."""
_TANGLED_S, _TORN_S = 0.004, 0.016
"""How far tangled ink, and hidden trace, reach into the samples beside them."""
_TANGLED_MOST, _TANGLED_QUALITY = 0.3, 0.4
"""Share of its swing in a neighbour's ink with which a lead fails, and the quality that it has then at most. Both were
chosen with all records of ``benchmarks/quality.py`` in sight, the fitted ones and the others."""
_HALF_DB = 10.0
_DB_STEP = 4.0
_WEIGHTS = {
    "constant": 8.55,
    "rest": -3.98,
    "bend": -4.66,
    "shared": -39.70,
    "torn": -10.35,
    "edge": 2.59,
    "soft": -27.31,
    "jitter": -2.88,
}
"""Expected SNR in dB as a sum over what can be seen, printed by ``benchmarks/quality.py --fit``, which says how well it
holds on other records; quality is 0.5 where 10 dB are expected."""


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
        tangled: Share of its swing, in squares about the median, at or next to such ink.
        torn: Share of its swing beside where it is hidden.
    """

    sure: NDArray[np.float64]
    shared: float
    tangled: float
    torn: float

    @classmethod
    def exact(cls, rows: NDArray[np.float64]) -> "LeadFacts":
        """Of a lead that was read from vectors."""
        return cls(np.where(np.isnan(rows), 0.0, 1.0), 0.0, 0.0, 0.0)

    @classmethod
    def followed(
        cls, rows: NDArray[np.float64], sure: NDArray[np.float64], shared: NDArray[np.float64], fs_hz: float
    ) -> "LeadFacts":
        """Of a lead that was read from ink.

        Args:
            rows: ``(samples,)``, NaN where hidden.
            sure: ``(samples,)`` in [0, 1].
            shared: ``(samples,)`` in [0, 1], how much of each sample's ink a neighbour claims.
            fs_hz: Sampling rate.
        """
        hidden = np.isnan(rows)
        swing = np.zeros(len(rows)) if hidden.all() else np.nan_to_num((rows - np.nanmedian(rows)) ** 2)
        tangled, torn = (
            float(swing[binary_dilation(there, iterations=max(1, round(reach_s * fs_hz)))].sum() / (swing.sum() + 1e-9))
            for there, reach_s in ((shared > _SHARED_SAMPLE, _TANGLED_S), (hidden, _TORN_S))
        )
        return cls(sure, float(shared.mean()), tangled, torn)


def lead_quality(record: EcgRecord, facts: list[LeadFacts], page: PageFacts) -> tuple[float, ...]:
    """A figure in [0, 1] for each lead; below 0.5 it failed a check, or less than 10 dB are expected of it.

    Args:
        record: Signals in mV.
        facts: Of each lead, in the record's order.
        page: Of the whole page.
    """
    found = []
    for row, fact, seen in zip(record.signals_mv, facts, lead_signs(record, facts, page), strict=True):
        share = known_share(row, fact)
        if seen is None:
            found.append(0.3 * share)
            continue
        expected = sum(_WEIGHTS[key] * value for key, value in seen.items())
        known = share / (1 + float(np.exp((_HALF_DB - expected) / _DB_STEP)))
        found.append(min(known, _TANGLED_QUALITY) if fact.tangled > _TANGLED_MOST else known)
    return tuple(round(quality, 3) for quality in found)


def lead_signs(record: EcgRecord, facts: list[LeadFacts], page: PageFacts) -> list[dict[str, float] | None]:
    """What can be seen of each lead, by the names of the weights; ``None`` for a lead that is flat or was lost.

    Args:
        record: As for :func:`lead_quality`.
        facts: As for :func:`lead_quality`.
        page: As for :func:`lead_quality`.
    """
    rests = [(names, rest / max(size, 1e-6)) for names, rest, size in relation_rests(record)]
    usual = float(np.mean([rest for _, rest in rests])) if rests else _UNKNOWN_REST
    found: list[dict[str, float] | None] = []
    for lead, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        known = row[: len(fact.sure)]
        known = known[~np.isnan(known)]
        if known_share(row, fact) < _KNOWN_NEEDED or np.ptp(known) < _FLAT_MV:
            found.append(None)
            continue
        own = max((rest for names, rest in rests if lead in names), default=usual)
        size = float(np.percentile(known, 97.5) - np.percentile(known, 2.5)) + 1e-6
        found.append(
            {
                "constant": 1.0,
                "rest": float(np.log(own + 0.02)),
                "bend": float(np.log1p(page.bend_mm)),
                "shared": float(np.sqrt(fact.shared)),
                "torn": float(np.sqrt(fact.torn)),
                "edge": float(np.log(page.edge + 0.01)),
                "soft": page.edge * page.pen_mm,
                "jitter": float(np.log(np.percentile(np.abs(np.diff(known, n=2)), 95) / size + 1e-4)),
            }
        )
    return found


def known_share(row: NDArray[np.float32], fact: LeadFacts) -> float:
    """Share of a lead's length over which it was seen."""
    return float((~np.isnan(row[: len(fact.sure)])).sum()) / max(1, len(fact.sure))


def lead_warnings(record: EcgRecord, facts: list[LeadFacts]) -> tuple[str, ...]:
    """One sentence for each lead or relation that a user must not trust, and one for all leads of poor quality.

    Args:
        record: Signals in mV with the quality of each lead.
        facts: Of each lead, in the record's order.
    """
    said = []
    for name, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        share = known_share(row, fact)
        if share < _KNOWN_NEEDED:
            said.append(f"Lead {name} could not be followed over {1 - share:.0%} of its length.")
        elif np.ptp(row[~np.isnan(row)]) < _FLAT_MV:
            said.append(f"Lead {name} is a flat line.")
        elif fact.shared > _OWN_NEEDED:
            said.append(f"Lead {name} has no ink of its own over {fact.shared:.0%} of its length: it may be missing.")
    for names, rest, size in relation_rests(record):
        if rest > max(_REST_TOLERATED * size, _REST_ALWAYS_MV):
            said.append(f"Leads {', '.join(names)} do not add up: {rest:.2f} mV are left over.")
    tangled = [name for name, fact in zip(record.leads, facts, strict=True) if fact.tangled > _TANGLED_MOST]
    if tangled:
        said.append(f"Complexes run into those of neighbouring lines: {', '.join(tangled)}.")
    poor = [name for name, quality in zip(record.leads, record.quality, strict=True) if quality < 0.5]
    if poor:
        said.append(f"May be read wrongly, with a quality below 0.5: {', '.join(poor)}; look at the overlay.")
    return tuple(said)
