"""Quality of a traced lead: what was hidden, what is shared with a neighbor, and whether leads add up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.limits import threshold
from ecglens.pages.sliding import dilate_mask
from ecglens.records import GOOD_QUALITY, Agreement, EcgRecord, Page
from ecglens.tracing.lead_relations import relation_residuals, strip_agreements

__all__ = [
    "LIMITS",
    "OVERLAP",
    "LeadFacts",
    "PageFacts",
    "QualityLimits",
    "find_effective_bend",
    "good_share",
    "known_share",
    "lead_predictors",
    "lead_quality",
    "lead_warnings",
]

_BENCHMARK = "`python benchmarks/quality.py`: benchmarks/quality.md"
_AGREEMENT = "`python benchmarks/quality.py --agreement`: benchmarks/quality_agreement.md"


@dataclass(frozen=True)
class QualityLimits:
    """Thresholds of the checks that a traced lead must pass."""

    min_span_mv: float = threshold(
        0.03,
        "mV",
        "Span below which a lead is a flat line.",
        low="Flat lines with noise get a quality.",
        high="Leads of very low voltage count as flat.",
    )
    min_known: float = threshold(
        0.5,
        "1",
        "Least share of its length over which a lead must be known.",
        low="Leads that are mostly hidden get a quality.",
        high="Leads with a fold across them fail.",
        evidence=_BENCHMARK,
    )
    max_shared: float = threshold(
        0.5,
        "1",
        "Share of its ink that a neighbor may claim before a lead may be missing.",
        low="Leads whose complexes touch are called missing.",
        high="A line that is followed twice is not noticed.",
        evidence=_BENCHMARK,
    )
    max_residual: float = threshold(
        0.25,
        "1",
        "Largest root mean square of I + III - II and aVR + aVL + aVF, as a part of the largest standard deviation of "
        "the three leads.",
        low="Leads whose columns are shifted by a pixel are said not to add up.",
        high="Exchanged leads are not noticed.",
        evidence=_BENCHMARK,
    )
    min_residual_mv: float = threshold(
        0.08,
        "mV",
        "Residual up to which leads of low voltage always add up.",
        low="Leads of low voltage are said not to add up.",
        high="Exchanged leads of low voltage are not noticed.",
    )
    unknown_residual: float = threshold(
        0.2,
        "1",
        "Residual that is assumed where no relation can be checked.",
        low="Pages without limb leads get too much trust.",
        high="Pages without limb leads get too little trust.",
        evidence=_BENCHMARK,
    )
    shared_sample: float = threshold(
        0.25,
        "1",
        "Share of a sample's ink that a neighbor must claim for the sample to count as tangled.",
        low="Samples beside crossings count as tangled.",
        high="Crossings are not noticed.",
        evidence=_BENCHMARK,
    )
    tangled_s: float = threshold(
        0.004,
        "s",
        "Time around tangled ink that is affected.",
        low="Samples beside crossings look reliable.",
        high="Complexes near crossings count as tangled.",
        evidence=_BENCHMARK,
    )
    torn_s: float = threshold(
        0.016,
        "s",
        "Time beside a hidden part that is affected.",
        low="Samples beside gaps look reliable.",
        high="Complexes near gaps count as torn.",
        evidence=_BENCHMARK,
    )
    max_tangled: float = threshold(
        0.3,
        "1",
        "Share of its power in a neighbor's ink with which a lead fails.",
        low="Leads whose tips touch a neighbor fail.",
        high="Leads that took over a neighbor's complexes pass.",
        evidence=f"{_BENCHMARK}; chosen with all its records in sight",
    )
    tangled_quality: float = threshold(
        0.4,
        "1",
        "Largest quality of a lead that failed in this way.",
        low="Figures of slightly tangled leads lose their rank.",
        high="Above 0.5 the failure would have no effect.",
        evidence=f"{_BENCHMARK}; chosen with all its records in sight",
    )
    max_edge: float = threshold(
        2.0,
        "1",
        "Number of pixels between black and paper for each black one above which more of them say nothing: the noise "
        "of a JPEG has any number.",
        low="Blurred scans look like sharp ones.",
        high="Good JPEG pictures get no quality.",
        evidence=_BENCHMARK,
    )
    max_soft_mm: float = threshold(
        0.35,
        "mm",
        "The same for that number times the radius of the pen.",
        low="Blurred scans look like sharp ones.",
        high="Good JPEG pictures get no quality.",
        evidence=_BENCHMARK,
    )
    min_good_share: float = threshold(
        0.8,
        "1",
        "Share of good leads below which traces by the classes of the pixels may replace those of the ink.",
        low="Wrong pages with few doubtful leads are not read again.",
        high="Exact traces are compared with coarser ones, which takes half a second.",
    )
    min_on_stroke: float = threshold(
        0.85,
        "1",
        "Share of a center line on strokes that the network sees from which the lead is confirmed.",
        low="Lines along the grid are confirmed.",
        high="Traces of small pictures, of which the network is unsure, are not confirmed.",
        evidence=_AGREEMENT,
    )
    min_on_stroke_passed: float = threshold(
        0.6,
        "1",
        "Share of a center line on such strokes below which a lead fails.",
        low="Lines along the grid get a quality.",
        high="Faint traces, which the network overlooks, fail.",
        evidence=_AGREEMENT,
    )
    max_stray: float = threshold(
        0.1,
        "1",
        "Share of the strokes beside all traces up to which a lead is confirmed.",
        low="Leads with a stain beside them are not confirmed.",
        high="Leads whose tips were cut are confirmed.",
        evidence=_AGREEMENT,
    )
    max_bend_mm: float = threshold(
        4.0,
        "mm",
        "Bend of the paper up to which leads are confirmed: a trace on bent paper may lie on its ink and be wrong.",
        low="Dewarped photographs are not confirmed.",
        high="Badly curled photographs are confirmed.",
        evidence=_AGREEMENT,
    )
    bend_per_residual: float = threshold(
        40.0,
        "1",
        "Bend of a page that was never flattened that is as bad as a residual of 1 mm of one that was flattened by its "
        "grid.",
        low="Pages whose grid was mistaken look good.",
        high="Photographs that are flat again look bad.",
        evidence="`python benchmarks/photographed.py`: benchmarks/photographed.md",
    )
    max_unsettled: float = threshold(
        0.15,
        "1",
        "Share of a lead on paper that was not flattened well from which it fails.",
        low="Leads at the edge of a photograph fail.",
        high="Leads that are bent get a quality.",
        evidence="photographs of `shared/data`, looked at one by one",
    )
    max_tangled_confirmed: float = threshold(
        0.1,
        "1",
        "Share of its power in a neighbor's ink up to which a lead is confirmed: both lie on ink after a wrong turn.",
        low="Leads whose tips touch a neighbor are not confirmed.",
        high="Leads that took over a neighbor's complexes are confirmed.",
        evidence=_AGREEMENT,
    )
    confirmed_quality: float = threshold(
        0.6,
        "1",
        "Least quality of a confirmed lead.",
        low="Below 0.5 the confirmation has no effect.",
        high="Confirmed leads look as sure as those of clean pages.",
        evidence=_AGREEMENT,
    )
    half_db: float = threshold(
        10.0,
        "dB",
        "Expected signal-to-noise ratio at which the quality is 0.5.",
        low="Bad traces are measured.",
        high="Usable traces are left out.",
        evidence=_BENCHMARK,
    )
    db_step: float = threshold(
        4.0,
        "dB",
        "Width of the step of the quality around that ratio.",
        low="Qualities are nearly 0 or 1.",
        high="Qualities are nearly all 0.5.",
        evidence=_BENCHMARK,
    )


LIMITS = QualityLimits()

OVERLAP = "Complexes overlap those of neighboring lines"
"""Beginning of the warning that names leads whose ink cannot be distinguished from that of their neighbors."""

_WEIGHTS = {
    "constant": 10.57,
    "residual": -4.15,
    "bend": -2.75,
    "shared": -39.22,
    "torn": -12.55,
    "jitter": -3.22,
    "coarse": -36.06,
    "edge": 2.59,
    "soft": -17.80,
}
"""Expected signal-to-noise ratio in dB as a sum over predictors, fitted by ``benchmarks/quality.py --fit``, which also
prints how well it holds on other records."""


_CLASSIFIED_WEIGHTS = {
    "constant": 14.0,
    "residual": -3.0,
    "bend": -4.66,
    "shared": 0.0,
    "torn": -11.0,
    "faint": -8.0,
    "coarse": -10.0,
    "tangled": -8.0,
    "jitter": -0.8,
}
"""The same for traces that were followed by the classes of pixels: between a fit to rendered pages
(``benchmarks/quality.py --classified --fit``), which calls traces bad that lie on the ink of real pages, and those
overlays, which were looked at one by one. ``benchmarks/quality_classified.md`` says how well they rank rendered
pages."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Facts of a page's ink that say how well its traces can be read.

    Attributes:
        pen_mm: Radius of the pen.
        edge: Number of pixels between black and paper for each black one; 0 for a page that was thresholded.
        bend_mm: How far the paper was bent, from :func:`find_effective_bend`.
        px_per_mm: Resolution at which the ink was followed.
        is_classified: Whether the ink is the share of each pixel that traces cover, by the network.
        has_grid: Whether the scale is that of the page's grid.
    """

    pen_mm: float
    edge: float
    bend_mm: float
    px_per_mm: float
    is_classified: bool
    has_grid: bool


def find_effective_bend(page: Page) -> float:
    """Return the bend of a page in mm; of one that was flattened, the bend that is as bad as what is left of it."""
    if page.residual_mm is None:
        return page.bend_mm
    return LIMITS.bend_per_residual * page.residual_mm


@dataclass(frozen=True, slots=True, eq=False)
class LeadFacts:
    """Facts of how a lead was read.

    Attributes:
        confidence: ``(samples,)`` in [0, 1], 0 where the trace is hidden.
        shared: Share of the lead whose ink a neighboring line also claims.
        tangled: Share of its power (squares about the median) at or beside such ink.
        torn: Share of its power beside hidden parts.
        faint: Share of its ink that is missing along its center line, where the pixels were classified.
        unsettled: Share of the lead on paper that was not flattened well.
    """

    confidence: NDArray[np.float64]
    shared: float
    tangled: float
    torn: float
    faint: float = 0.0
    unsettled: float = 0.0

    @classmethod
    def from_vectors(cls, rows: NDArray[np.float64]) -> "LeadFacts":
        """Return the facts of a lead that was read from vectors."""
        return cls(np.where(np.isnan(rows), 0.0, 1.0), 0.0, 0.0, 0.0)

    @classmethod
    def join(cls, facts: "list[LeadFacts]") -> "LeadFacts":
        """Return the facts of a lead whose lines follow each other in time."""
        lengths = np.array([len(fact.confidence) for fact in facts], dtype=np.float64)
        shared, tangled, torn, faint, unsettled = (
            float(np.average([getattr(fact, name) for fact in facts], weights=lengths))
            for name in ("shared", "tangled", "torn", "faint", "unsettled")
        )
        return cls(np.concatenate([fact.confidence for fact in facts]), shared, tangled, torn, faint, unsettled)

    @classmethod
    def from_ink(
        cls,
        rows: NDArray[np.float64],
        confidence: NDArray[np.float64],
        shared: NDArray[np.float64],
        fs_hz: float,
        *,
        faint: float,
    ) -> "LeadFacts":
        """Return the facts of a lead that was read from ink.

        Args:
            rows: ``(samples,)``, NaN where hidden.
            confidence: ``(samples,)`` in [0, 1].
            shared: ``(samples,)`` in [0, 1], how much of each sample's ink a neighbor claims.
            fs_hz: Sampling rate.
            faint: Share of the ink that is missing along the center line.
        """
        is_hidden = np.isnan(rows)
        power = np.zeros(len(rows)) if is_hidden.all() else np.nan_to_num((rows - np.nanmedian(rows)) ** 2)
        tangled, torn = (
            float(power[dilate_mask(mask, max(1, round(reach_s * fs_hz)))].sum() / (power.sum() + 1e-9))
            for mask, reach_s in ((shared > LIMITS.shared_sample, LIMITS.tangled_s), (is_hidden, LIMITS.torn_s))
        )
        return cls(confidence, float(shared.mean()), tangled, torn, faint)


def lead_quality(
    record: EcgRecord, facts: list[LeadFacts], page: PageFacts, agreements: Sequence[Agreement] = ()
) -> tuple[float, ...]:
    """Estimate the quality of each lead.

    Args:
        record: Signals in mV.
        facts: Facts of each lead, in the record's order.
        page: Facts of the whole page.
        agreements: Agreement of each lead with the strokes that a network sees, where it was asked.

    Returns:
        A number in [0, 1] for each lead; below 0.5 it failed a check, or less than 10 dB are expected of it. A lead and
        its rhythm strip that agree confirm each other.
    """
    qualities = []
    opinions: Sequence[Agreement | None] = agreements or [None] * len(facts)
    all_predictors = lead_predictors(record, facts, page)
    agreements_db = strip_agreements(record)
    for lead, row, fact, predictors, opinion in zip(
        record.leads, record.signals_mv, facts, all_predictors, opinions, strict=True
    ):
        share = known_share(row, fact)
        if predictors is None:
            qualities.append(0.3 * share)
            continue
        weights, max_tangled = (
            (_CLASSIFIED_WEIGHTS, LIMITS.max_tangled_confirmed)
            if page.is_classified
            else (_WEIGHTS, LIMITS.max_tangled)
        )
        expected_db = sum(weights[name] * value for name, value in predictors.items())
        quality = share * _from_db(expected_db)
        quality = min(quality, LIMITS.tangled_quality) if fact.tangled > max_tangled else quality
        if opinion is not None and _is_confirmed(opinion, fact, page):
            quality = max(quality, LIMITS.confirmed_quality)
        if opinion is not None and opinion.on_stroke < LIMITS.min_on_stroke_passed:
            quality = min(quality, LIMITS.tangled_quality)
        if fact.unsettled > LIMITS.max_unsettled:
            quality = min(quality, LIMITS.tangled_quality)
        if lead in agreements_db:
            quality = max(quality, share * min(LIMITS.confirmed_quality, _from_db(agreements_db[lead])))
        qualities.append(quality)
    return tuple(round(quality, 3) for quality in qualities)


def _from_db(snr_db: float) -> float:
    """Return the quality of a lead of a signal-to-noise ratio."""
    return 1 / (1 + float(np.exp((LIMITS.half_db - snr_db) / LIMITS.db_step)))


def good_share(quality: Sequence[float]) -> float:
    """Return the share of the leads that passed their checks."""
    return sum(value >= GOOD_QUALITY for value in quality) / max(1, len(quality))


def _is_confirmed(agreement: Agreement, fact: LeadFacts, page: PageFacts) -> bool:
    """Return whether the network sees the same trace; without a grid it may still have the wrong scale."""
    return (
        page.has_grid
        and agreement.on_stroke >= LIMITS.min_on_stroke
        and agreement.stray <= LIMITS.max_stray
        and fact.tangled <= LIMITS.max_tangled_confirmed
        and page.bend_mm <= LIMITS.max_bend_mm
    )


def lead_predictors(record: EcgRecord, facts: list[LeadFacts], page: PageFacts) -> list[dict[str, float] | None]:
    """Compute the predictors of each lead's quality, by the names of the weights.

    Args:
        record: As for :func:`lead_quality`.
        facts: As for :func:`lead_quality`.
        page: As for :func:`lead_quality`.

    Returns:
        ``None`` for a lead that is flat or was lost.
    """
    residuals = [(names, residual / max(size, 1e-6)) for names, residual, size in relation_residuals(record)]
    typical = float(np.mean([value for _, value in residuals])) if residuals else LIMITS.unknown_residual
    predictors: list[dict[str, float] | None] = []
    for lead, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        valid = row[: len(fact.confidence)]
        valid = valid[~np.isnan(valid)]
        if known_share(row, fact) < LIMITS.min_known or np.ptp(valid) < LIMITS.min_span_mv:
            predictors.append(None)
            continue
        own = max((value for names, value in residuals if lead in names), default=typical)
        span = float(np.percentile(valid, 97.5) - np.percentile(valid, 2.5)) + 1e-6
        predictors.append(
            {
                "constant": 1.0,
                "residual": float(np.log(own + 0.02)),
                "bend": float(np.log1p(page.bend_mm)),
                "shared": float(np.sqrt(fact.shared)),
                "torn": float(np.sqrt(fact.torn)),
                "jitter": float(np.log(np.percentile(np.abs(np.diff(valid, n=2)), 95) / span + 1e-4)),
                **_ink_predictors(fact, page),
            }
        )
    return predictors


def _ink_predictors(fact: LeadFacts, page: PageFacts) -> dict[str, float]:
    if page.is_classified:
        return {"faint": fact.faint, "coarse": 1 / page.px_per_mm, "tangled": fact.tangled}
    edge = min(page.edge, LIMITS.max_edge)
    return {
        "coarse": 1 / page.px_per_mm,
        "edge": float(np.log(edge + 0.01)),
        "soft": min(page.edge * page.pen_mm, LIMITS.max_soft_mm),
    }


def known_share(row: NDArray[np.float32], fact: LeadFacts) -> float:
    """Return the share of a lead's length over which it is known."""
    return float((~np.isnan(row[: len(fact.confidence)])).sum()) / max(1, len(fact.confidence))


def lead_warnings(record: EcgRecord, facts: list[LeadFacts]) -> tuple[str, ...]:
    """List what a user must not trust: one sentence for each such lead or relation, and one for all of low quality.

    Args:
        record: Signals in mV with the quality of each lead.
        facts: Facts of each lead, in the record's order.
    """
    warnings = []
    for name, row, fact in zip(record.leads, record.signals_mv, facts, strict=True):
        share = known_share(row, fact)
        if share < LIMITS.min_known:
            warnings.append(f"Lead {name} could not be followed over {1 - share:.0%} of its length.")
        elif np.ptp(row[~np.isnan(row)]) < LIMITS.min_span_mv:
            warnings.append(f"Lead {name} is a flat line.")
        elif fact.shared > LIMITS.max_shared:
            warnings.append(
                f"Lead {name} shares its ink with a neighbor over {fact.shared:.0%} of its length: it may be missing."
            )
    for names, residual, size in relation_residuals(record):
        if residual > max(LIMITS.max_residual * size, LIMITS.min_residual_mv):
            warnings.append(f"Leads {', '.join(names)} do not add up: the residual is {residual:.2f} mV.")
    tangled = [name for name, fact in zip(record.leads, facts, strict=True) if fact.tangled > LIMITS.max_tangled]
    if tangled:
        warnings.append(f"{OVERLAP}: {', '.join(tangled)}.")
    poor = [name for name, quality in zip(record.leads, record.quality, strict=True) if quality < GOOD_QUALITY]
    if poor:
        warnings.append(f"May be wrong, with a quality below 0.5: {', '.join(poor)}; look at the overlay.")
    return tuple(warnings)
