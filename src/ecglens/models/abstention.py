"""Abstention: when a model gives no label for a page, and why.

Without a threshold of its own (``abstain_below`` on its card) a model always names a label for the pages that it can
read. ``models.export`` fits that threshold on out-of-fold answers.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.labels import find_title, format_probability
from ecglens.measuring.analysis import shows_beats
from ecglens.models.inputs import InputRecipe, LeadBeats, compute_known_share, find_mismatch, needs_record
from ecglens.records import Abstention, EcgRecord, Layout, Prediction

__all__ = [
    "implausible_signals",
    "incomplete_signals",
    "list_missing_leads",
    "no_layout",
    "uncertain_answer",
    "unfamiliar_layout",
    "withdraw_contradicted",
]


_MIN_KNOWN_SHARE = 0.5
"""Share of known samples below which a signal model would answer on what it cannot see."""

_SPAN_PERCENTILES = (0.1, 99.9)
_SPAN_MV = (0.25, 6.5)
"""Least and largest median over the leads of their spans: 0.58 to 5.1 mV in 1,544 records of PTB-XL."""

_IMPLIED: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {"normal": {"NORM": True, "MI": False}, "mi": {"MI": True}, "history_mi": {"MI": True}}
)
"""Superclasses that hold, or do not, where a label does; an abnormal heartbeat implies none of them."""


def no_layout(reason: str) -> Abstention:
    """Abstain because the leads of the page were not found.

    Args:
        reason: Sentence that says what was missing.
    """
    return Abstention("no_layout", f"This was not recognized as an ECG page that can be read. {reason}")


def unfamiliar_layout(layout: Layout, recipe: InputRecipe, record: EcgRecord | None) -> Abstention | None:
    """Abstain from a page whose layout, print or missing signals the model cannot read.

    Args:
        layout: Positions of the leads.
        recipe: What the model reads.
        record: Signals of the page, or ``None`` where they could not be read.

    Returns:
        The abstention, or ``None`` where the model can read the page.
    """
    reason = find_mismatch(layout, recipe)
    if reason is None and record is None and needs_record(recipe):
        reason = "The model reads signals, and the signals of this page could not be read."
    return None if reason is None else Abstention("unfamiliar", reason)


def incomplete_signals(arrays: Mapping[str, NDArray[np.float32]], recipe: InputRecipe) -> Abstention | None:
    """Abstain from signals of which too many samples are missing.

    Args:
        arrays: Arrays that the model would read, by input of its graph.
        recipe: What the model reads.
    """
    if "signal" not in arrays:
        return None
    if isinstance(recipe, LeadBeats):
        leads = len(recipe.leads)
        valid = arrays["signal"][0, leads : 2 * leads] > 0
        present, fewest = int(valid.any(axis=1).sum()), leads - recipe.missing_leads
        if present < fewest:
            reason = f"The model reads {fewest} or more of {leads} leads, and this recording has {present} of them."
            return Abstention("unfamiliar", reason)
        share, least = float(valid.mean()), _MIN_KNOWN_SHARE * (1 - recipe.missing_leads / leads)
    else:
        share, least = compute_known_share(arrays["signal"][0]), _MIN_KNOWN_SHARE
    if share >= least:
        return None
    return Abstention(
        "unfamiliar", f"The model reads signals, and less than {least:.0%} of those that it needs were read."
    )


def implausible_signals(record: EcgRecord, *, is_scale_known: bool = True) -> Abstention | None:
    """Abstain from signals that are no ECG in mV: a model names a label for noise too.

    Args:
        record: Signals that the model would read.
        is_scale_known: Whether they are in mV.
    """
    valid = [row[np.isfinite(row)] for row in record.signals_mv]
    spans = [float(np.ptp(np.percentile(row, _SPAN_PERCENTILES))) for row in valid if row.size]
    span, (low, high) = float(np.median(spans)) if spans else 0.0, _SPAN_MV
    if is_scale_known and not low <= span <= high:
        return Abstention(
            "unfamiliar",
            f"The model reads ECGs in mV, whose leads span {low:g} to {high:g} mV, and these span {span:.3g} mV; check "
            "their unit.",
        )
    if not shows_beats(record):
        return Abstention("unfamiliar", "No beats of one shape stand out from the signals, so the model has no answer.")
    return None


def list_missing_leads(array: NDArray[np.float32], recipe: LeadBeats) -> tuple[str, ...]:
    """List the leads of a recipe of which an array has nothing.

    Args:
        array: ``(2 * leads + 3, samples)``, as ``models.inputs.make_beat_array`` makes it.
        recipe: What the model reads.
    """
    masks = array[len(recipe.leads) : 2 * len(recipe.leads)]
    return tuple(lead for lead, mask in zip(recipe.leads, masks, strict=True) if not mask.any())


def uncertain_answer(confidence: float, threshold: float) -> Abstention | None:
    """Abstain from a prediction whose probability is below the model's threshold.

    Args:
        confidence: Probability of the top label.
        threshold: Least probability with which the model gives a label.
    """
    if confidence >= threshold:
        return None
    return Abstention(
        "uncertain",
        f"No label is probable enough: the top label has {format_probability(confidence)}, and this model gives a "
        f"label from {format_probability(threshold)} on.",
    )


def withdraw_contradicted(prediction: Prediction, beside: Prediction) -> Prediction:
    """Return the prediction of a page model, without its label where a signal model contradicts it.

    Args:
        prediction: Of a model with one label.
        beside: Of a model of several labels, with sets of answers.

    Returns:
        The prediction. It has no label where a set excludes a superclass that the label implies, or has one that the
        label excludes.
    """
    if prediction.label is None or beside.holds is None:
        return prediction
    implied = _IMPLIED.get(prediction.label, {})
    against = [name for name, holds in implied.items() if beside.holds.get(name) is (not holds)]
    if not against:
        return prediction
    says = " and ".join(f"{'no ' if implied[name] else ''}{find_title(name)}" for name in against)
    reason = (
        f"The page model {prediction.model} says {find_title(prediction.label)}, and the signal model {beside.model} "
        f"says {says}; look at the page."
    )
    return replace(prediction, label=None, abstention=Abstention("uncertain", reason))
