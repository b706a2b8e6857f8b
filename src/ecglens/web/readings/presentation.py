"""A reading as a page shows it: facts in words, pictures by their addresses."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ecglens.criteria.presentation import VisibleStatement, list_statements, list_unknown
from ecglens.labels import format_probability
from ecglens.measurements import Measurements
from ecglens.measuring.presentation import (
    Figure,
    StLead,
    describe_print,
    list_figures,
    list_missing,
    list_st_leads,
    show_figure,
)
from ecglens.outcomes import find_outcome
from ecglens.web.readings.conditions import Condition, find_condition
from ecglens.web.readings.explanations import ExplanationView, present_explanations
from ecglens.web.readings.facts import find_statements, read_measurements, read_print
from ecglens.web.readings.notes import Note, rank_notes
from ecglens.web.readings.numbers import localize
from ecglens.web.readings.pictures import STEPS, name_lead_crops
from ecglens.web.readings.reasons import translate_reason
from ecglens.web.readings.titles import lead_position, lead_title, translate_label, translate_outcome
from ecglens.web.readings.viewer import describe_signals

__all__ = [
    "STRIP_FIGURES",
    "Bar",
    "LeadQuality",
    "LeadRow",
    "Picture",
    "PredictionView",
    "ReadingView",
    "Scale",
    "StripItem",
    "present_reading",
]

_GOOD_QUALITY = 0.5
"""Quality below which a lead failed its own checks, see ``EcgRecord.quality``."""
_MOST_LEADS = 4
"""Number of leads that the strip names."""

WORDS = {True: gettext_noop("yes"), False: gettext_noop("no"), None: gettext_noop("yes or no")}
"""Words for whether a label of several holds."""

_STEP_TITLES = {
    "gray": "Gray",
    "without-grid": "Without grid and shadow",
    "smoothed": "Smoothed",
    "black-and-white": "Black and white",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and its address, a ``data:`` address if it is not stored."""

    title: str
    address: str
    width: int
    height: int
    is_wide: bool = False


Pictures = Callable[[str], Picture | None]
"""Function that returns a picture by its name, without its title."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One label with its calibrated probability.

    Attributes:
        title: Title of the label.
        probability: Its calibrated probability.
        is_top: Whether it is the prediction.
        says: Whether it holds, in a word, for a model of several labels.
    """

    title: str
    probability: float
    is_top: bool
    says: str = ""

    @property
    def percent(self) -> float:
        """Length of the bar in percent."""
        return 100 * self.probability

    @property
    def text(self) -> str:
        """The probability, formatted."""
        return localize(format_probability(self.probability))


@dataclass(frozen=True, slots=True)
class LeadRow:
    """Probabilities of one lead, formatted, of a model that predicts for each lead."""

    lead: str
    probabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PredictionView:
    """Prediction of one model.

    Attributes:
        outcome: A value of :class:`ecglens.outcomes.Outcome`.
        label: Title of the label; ``None`` if the model abstains.
        heading: The label, those of several that hold, or the title of the outcome.
        reason: Why there is no label, in a sentence or a few.
        reason_lang: Language of the reason; empty if it is the reader's.
        is_of_signals: Whether it is of a model of signals, several labels of which may hold.
        bars: Labels with their probabilities.
        labels: Titles of the labels, for the table of leads.
        leads: Rows of the table of leads.
        model: Name of the model.
        version: Version of the model.
    """

    outcome: str
    label: str | None
    heading: str
    reason: str
    reason_lang: str
    is_of_signals: bool
    bars: tuple[Bar, ...]
    labels: tuple[str, ...]
    leads: tuple[LeadRow, ...]
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """Quality of the signal of one lead."""

    lead: str
    percent: int
    is_good: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """Scale for the calipers: pixels of the page in a millimeter, and what a millimeter stands for."""

    across_px_per_mm: float
    down_px_per_mm: float
    width_px: int
    height_px: int
    speed_mm_s: float
    gain_mm_mv: float


@dataclass(frozen=True, slots=True)
class StripItem:
    """A fact of the strip at the top of a reading.

    Attributes:
        title: Title of the fact.
        value: The fact, or a dash.
        unit: Its unit.
        state: ``"plain"``, or ``"attention"`` where it lies outside its reference range or is poor.
    """

    title: str
    value: str
    unit: str = ""
    state: str = "plain"


@dataclass(frozen=True, slots=True)
class ReadingView:
    """Everything that the template renders.

    Attributes:
        name: Name of the file.
        predictions: Prediction of each requested model; empty if the page failed.
        condition: Explanation of the label, for orientation.
        is_pending: Whether measurements and explanations follow.
        stage: Stage of the work that failed, for people.
        failure_reason: Why it failed.
        page: The stored page, or the uploaded one if nothing is stored; ``None`` if it may not be stored.
        redacted: Whether the page was redacted.
        steps: Pictures of the preprocessing.
        leads: Pictures of the leads.
        traced: Digitized traces over the page.
        scale: Scale for the calipers.
        quality: Quality of each lead.
        is_measured: Whether there are measurements.
        figures: Measurements over all leads.
        st: ST levels of each lead.
        missing: Measurements that could not be made, in words.
        facts: Facts about the page, as titles and texts.
        notes: Contradictions and defects, ranked.
        statements: Criteria that are met or borderline.
        unknown_criteria: Criteria that cannot be evaluated, in words.
        explanations: Explanations of the prediction.
        strip: The result and the most important figures.
        signals: Signals for the viewer, a result of ``describe_signals``; ``None`` where there are none.
    """

    name: str
    predictions: tuple[PredictionView, ...]
    condition: Condition | None
    is_pending: bool
    stage: str
    failure_reason: str
    page: Picture | None
    redacted: bool
    steps: tuple[Picture, ...]
    leads: tuple[Picture, ...]
    traced: Picture | None
    scale: Scale | None
    quality: tuple[LeadQuality, ...]
    is_measured: bool
    figures: tuple[Figure, ...]
    st: tuple[StLead, ...]
    missing: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    statements: tuple[VisibleStatement, ...]
    unknown_criteria: str
    explanations: tuple[ExplanationView, ...]
    strip: tuple[StripItem, ...]
    signals: Mapping[str, Any] | None

    @property
    def signals_json(self) -> str:
        """The signals as JSON, for an attribute: a block of JSON would be an inline script to a strict policy."""
        return json.dumps(self.signals)

    @property
    def first(self) -> PredictionView | None:
        """Prediction of the first model."""
        return self.predictions[0] if self.predictions else None


def present_reading(
    name: str,
    facts: Mapping[str, Any],
    predictions: Sequence[Mapping[str, Any]],
    explanations: Sequence[Mapping[str, Any]],
    pictures: Pictures,
    *,
    signals: bytes | None = None,
    is_pending: bool = False,
    stage: str = "",
    failure_reason: str = "",
    redacted: bool = False,
) -> ReadingView:
    """Prepare a reading for the template.

    Args:
        name: Name of the uploaded file.
        facts: Result of ``ecglens.web.readings.facts``.
        predictions: ``Prediction.to_dict`` of each model, the first one's first.
        explanations: ``Explanation.to_dict`` of each, without heat map.
        pictures: Function that returns a picture by its name.
        signals: The record, as ``ecglens.formats.json`` writes it.
        is_pending: Whether further results follow.
        stage: Stage of the work that failed.
        failure_reason: Why it failed.
        redacted: Whether the page was redacted.
    """
    measurements = read_measurements(facts)
    statements = find_statements(facts)
    label = predictions[0]["label"] if predictions else None
    presented = tuple(_present_prediction(prediction) for prediction in predictions)
    quality = _list_quality(facts["quality"]) if facts else ()
    return ReadingView(
        name=name,
        predictions=presented,
        condition=find_condition(label) if label else None,
        is_pending=is_pending,
        stage={"reading": _("Reading the page"), "measuring": _("Measuring")}.get(stage, ""),
        failure_reason=failure_reason,
        page=pictures("page"),
        redacted=redacted,
        steps=tuple(
            _with_title(picture, _(_STEP_TITLES[step])) for step in STEPS if (picture := pictures(step)) is not None
        ),
        leads=_list_lead_pictures(facts, pictures),
        traced=pictures("traced"),
        scale=_find_scale(facts),
        quality=quality,
        is_measured=measurements is not None,
        figures=() if measurements is None else tuple(map(_localize, list_figures(measurements, translate=_))),
        st=() if measurements is None else tuple(map(_localize_levels, list_st_leads(measurements, translate=_))),
        missing="" if measurements is None else ", ".join(list_missing(measurements, translate=_)),
        facts=tuple((title, localize(fact)) for title, fact in _list_facts(facts)) if facts else (),
        notes=rank_notes(facts.get("warnings", ())),
        statements=tuple(
            replace(each, figures=tuple(map(localize, each.figures)))
            for each in list_statements(statements, translate=_)
        ),
        unknown_criteria=", ".join(list_unknown(statements, translate=_)),
        explanations=present_explanations(explanations, pictures),
        strip=_list_strip(presented, measurements, quality),
        signals=None if signals is None else describe_signals(signals, measurements),
    )


def _localize(figure: Figure) -> Figure:
    """Return a figure with the decimal sign of the active language."""
    texts = {name: localize(getattr(figure, name)) for name in ("value", "error", "reference")}
    return replace(figure, **texts)


def _localize_levels(lead: StLead) -> StLead:
    at_j, after_j = (None if each is None else _localize(each) for each in (lead.at_j, lead.after_j))
    return replace(lead, at_j=at_j, after_j=after_j)


STRIP_FIGURES = (
    ("rate_bpm", gettext_noop("Rate")),
    ("pr_ms", "PR"),
    ("qrs_ms", "QRS"),
    ("qtc_fridericia_ms", "QTc"),
    ("axis_deg", gettext_noop("Axis")),
)
"""Measurements of the strip, with short titles."""


def _list_strip(
    predictions: Sequence[PredictionView], measurements: Measurements | None, quality: Sequence[LeadQuality]
) -> tuple[StripItem, ...]:
    items = [
        StripItem(_("Result"), each.heading, state="plain" if each.label else "attention") for each in predictions[:1]
    ]
    if measurements is None:
        return tuple(items)
    for name, title in STRIP_FIGURES:
        figure = show_figure(measurements, name, translate=_)
        if figure is None:
            items.append(StripItem(_(title), "–"))
        else:
            unit = "/min" if figure.unit == "1/min" else figure.unit
            items.append(
                StripItem(_(title), localize(figure.value), unit, _state(figure.position in {"below", "above"}))
            )
    outside = [lead.lead for lead in list_st_leads(measurements) if lead.is_outside]
    leads = ", ".join(outside[:_MOST_LEADS]) + (" …" if len(outside) > _MOST_LEADS else "")
    items.append(StripItem("ST", leads or _("within limits"), state=_state(bool(outside))))
    good = sum(lead.is_good for lead in quality)
    text = _("%(good)s of %(count)s leads good") % {"good": good, "count": len(quality)}
    items.append(StripItem(_("Quality"), text, state=_state(good < len(quality))))
    return tuple(items)


def _state(needs_attention: bool) -> str:
    return "attention" if needs_attention else "plain"


def _with_title(picture: Picture, title: str, *, is_wide: bool = False) -> Picture:
    return Picture(title, picture.address, picture.width, picture.height, is_wide)


def _present_prediction(prediction: Mapping[str, Any]) -> PredictionView:
    label, probabilities = prediction["label"], prediction["probabilities"] or {}
    abstention, by_lead = prediction["abstention"], prediction["lead_probabilities"] or {}
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    labels = [each for each, _share in ranked] or sorted({each for shares in by_lead.values() for each in shares})
    outcome = find_outcome(label, abstention["kind"] if abstention else None)
    reason, reason_lang = translate_reason(abstention["reason"]) if abstention else ("", "")
    holds = prediction.get("holds")
    return PredictionView(
        outcome=outcome.value,
        label=translate_label(label) if label else None,
        heading=_name_labels(label, holds) if label else translate_outcome(outcome),
        reason=reason,
        reason_lang=reason_lang,
        is_of_signals=holds is not None,
        bars=tuple(
            Bar(translate_label(each), probability, each == label, "" if holds is None else _(WORDS[holds[each]]))
            for each, probability in ranked
        ),
        labels=tuple(translate_label(each) for each in labels),
        leads=tuple(
            LeadRow(lead_title(lead), tuple(localize(format_probability(shares.get(each, 0.0))) for each in labels))
            for lead, shares in sorted(by_lead.items(), key=lambda item: lead_position(item[0]))
        ),
        model=prediction["model"]["name"],
        version=prediction["model"]["version"],
    )


def _name_labels(label: str, holds: Mapping[str, bool | None] | None) -> str:
    """Return the title of a label, or of all that hold by a model of several labels."""
    names = [name for name, is_true in (holds or {}).items() if is_true] or [label]
    return ", ".join(map(translate_label, sorted(names, key=lambda name: name != label)))


def _list_lead_pictures(facts: Mapping[str, Any], pictures: Pictures) -> tuple[Picture, ...]:
    lead_pictures = []
    boxes = (facts.get("layout") or {}).get("leads", ())
    for name, box in zip(name_lead_crops((box["lead"], box["rhythm"]) for box in boxes), boxes, strict=True):
        rhythm, picture = bool(box["rhythm"]), pictures(name)
        if picture is not None:
            title = _("%(lead)s (rhythm strip)") % {"lead": box["lead"]} if rhythm else box["lead"]
            lead_pictures.append(_with_title(picture, title, is_wide=rhythm))
    return tuple(lead_pictures)


def _find_scale(facts: Mapping[str, Any]) -> Scale | None:
    layout, scale = facts.get("layout"), facts.get("scale") or {}
    if layout is None or layout["px_per_mm"]["source"] == "none" or not scale.get("gain_mm_mv"):
        return None
    page = facts["page"]
    return Scale(
        layout["px_per_mm"]["horizontal"],
        layout["px_per_mm"]["vertical"],
        page["width_px"],
        page["height_px"],
        scale["speed_mm_s"],
        scale["gain_mm_mv"],
    )


def _list_quality(quality: Mapping[str, float]) -> tuple[LeadQuality, ...]:
    return tuple(
        LeadQuality(lead_title(lead), round(100 * quality[lead]), quality[lead] >= _GOOD_QUALITY)
        for lead in sorted(quality, key=lead_position)
    )


def _list_facts(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    page, layout = facts["page"], facts["layout"]
    size = f"{page['width_px']} × {page['height_px']} px"
    pairs = [(_("Page"), _("%(number)s of %(count)s, %(size)s") % {**page, "size": size})]
    if layout is None:
        return (*pairs, (_("Layout"), _("Not recognized")), *_list_print(facts))
    px_per_mm = layout["px_per_mm"]
    rhythm = ", ".join(box["lead"] for box in layout["leads"] if box["rhythm"])
    pulse = _("not found") if layout["pulse_mm"] is None else f"{layout['pulse_mm']:.1f} mm"
    source = {"grid": _("from the grid"), "pulse": _("from the pulse")}.get(px_per_mm["source"], _("a guess"))
    return (
        *pairs,
        (_("Layout"), layout["name"]),
        (_("Rhythm lead"), rhythm or _("none")),
        (_("Scale"), f"{px_per_mm['horizontal']:.2f} × {px_per_mm['vertical']:.2f} px/mm, {source}"),
        (_("Calibration pulse"), pulse),
        *_list_gain(facts.get("scale")),
        *_list_print(facts),
        (_("Rotation"), f"{layout['rotation_deg']:.1f}°"),
    )


def _list_gain(scale: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    if scale is None or scale["gain_mm_mv"] is None:
        return ()
    sources = {"pulse": _("from the pulse"), "printed": _("as printed"), "default": _("the default")}
    source = sources.get(scale["gain_source"] or "", _("as given"))
    return ((_("Gain"), f"{scale['gain_mm_mv']:g} mm/mV, {source}"),)


def _list_print(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    printed = read_print(facts)
    return () if printed is None else ((_("Printed"), describe_print(printed, translate=_)),)
