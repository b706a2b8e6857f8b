"""A reading as what a page shows: facts in words, pictures by their addresses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from ecglens.measuring.presentation import Figure, StLead, describe_print, list_figures, list_missing, list_st_leads
from ecglens.web.readings.conditions import Condition, condition
from ecglens.web.readings.facts import measured, printed_of
from ecglens.web.readings.percent import percent_text
from ecglens.web.readings.pictures import STEPS
from ecglens.web.readings.reasons import Reason, reasons
from ecglens.web.readings.titles import lead_name, lead_place, title_of

__all__ = ["Bar", "LeadRow", "Picture", "Quality", "Said", "Scale", "Shown", "show"]

_GOOD_QUALITY = 0.5
"""As ``EcgRecord.quality`` says: a lead below it failed its own checks."""

_STEP_TITLES = {
    "gray": "Gray",
    "without-grid": "Without grid and shadow",
    "smoothed": "Smoothed",
    "black-and-white": "Black and white",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and where it is, a ``data:`` address where it is not kept."""

    title: str
    address: str
    width: int
    height: int
    wide: bool = False


Pictures = Callable[[str], Picture | None]
"""A picture by its name, without its title."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One label with its calibrated probability."""

    title: str
    percent: float
    chosen: bool

    @property
    def text(self) -> str:
        """The percentage as it is shown."""
        return percent_text(self.percent / 100)


@dataclass(frozen=True, slots=True)
class LeadRow:
    """What a model that looks at each lead says of one, in percent by label."""

    lead: str
    percents: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What one model says."""

    answer: str | None
    heading: str
    reason: str
    bars: tuple[Bar, ...]
    labels: tuple[str, ...]
    leads: tuple[LeadRow, ...]
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How well the signal of one lead was read."""

    lead: str
    percent: int
    good: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """What calipers need: how many pixels of the page a millimetre has, and what a millimetre is."""

    across_px_per_mm: float
    down_px_per_mm: float
    width_px: int
    height_px: int
    speed_mm_s: float
    gain_mm_mv: float


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that the template draws.

    Attributes:
        name: Of the file.
        said: Of each model that was asked; empty where the page failed.
        condition: What the label is, for orientation.
        pending: Whether measurements and explanations are still to come.
        stage: Of the work that failed, for people.
        trouble: Why it failed.
        page: As it is kept, or as it came where nothing is kept; ``None`` where it may not be kept.
        redacted: Whether it was painted over.
        steps: Pictures of the preprocessing.
        leads: Pictures of the leads.
        traced: What was read, drawn on the page.
        scale: For calipers.
        quality: Of each lead.
        measured: Whether anything was.
        figures: What was measured over all leads.
        st: ST of each lead.
        missing: What was not measured, in words.
        facts: What was found on the page.
        warnings: What does not fit.
        reasons: Explanations.
        mix: How a model that looks at each lead puts them together.
    """

    name: str
    said: tuple[Said, ...]
    condition: Condition | None
    pending: bool
    stage: str
    trouble: str
    page: Picture | None
    redacted: bool
    steps: tuple[Picture, ...]
    leads: tuple[Picture, ...]
    traced: Picture | None
    scale: Scale | None
    quality: tuple[Quality, ...]
    measured: bool
    figures: tuple[Figure, ...]
    st: tuple[StLead, ...]
    missing: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def first(self) -> Said | None:
        """What the first model says."""
        return self.said[0] if self.said else None


def show(
    name: str,
    facts: Mapping[str, Any],
    predictions: Sequence[Mapping[str, Any]],
    explanations: Sequence[Mapping[str, Any]],
    pictures: Pictures,
    *,
    pending: bool = False,
    stage: str = "",
    trouble: str = "",
    redacted: bool = False,
) -> Shown:
    """Prepare a reading for the template.

    Args:
        name: File name as it was uploaded.
        facts: From ``ecglens.web.readings.facts``.
        predictions: ``Prediction.to_dict`` of each model, the first one's first.
        explanations: ``Explanation.to_dict`` of each, without heat.
        pictures: Where they are.
        pending: Whether more is to come.
        stage: Of the work that failed.
        trouble: Why it failed.
        redacted: Whether the page was painted over.
    """
    found = measured(facts)
    label = predictions[0]["label"] if predictions else None
    return Shown(
        name=name,
        said=tuple(_said(prediction) for prediction in predictions),
        condition=condition(label) if label else None,
        pending=pending,
        stage={"reading": _("Reading the page"), "measuring": _("Measuring")}.get(stage, ""),
        trouble=trouble,
        page=pictures("page"),
        redacted=redacted,
        steps=tuple(
            _titled(found_step, _(_STEP_TITLES[step])) for step in STEPS if (found_step := pictures(step)) is not None
        ),
        leads=_leads(facts, pictures),
        traced=pictures("traced"),
        scale=_scale(facts),
        quality=_quality(facts["quality"]) if facts else (),
        measured=found is not None,
        figures=() if found is None else list_figures(found, translate=_),
        st=() if found is None else list_st_leads(found, translate=_),
        missing="" if found is None else ", ".join(list_missing(found, translate=_)),
        facts=_facts(facts) if facts else (),
        warnings=tuple(facts.get("warnings", ())),
        reasons=reasons(explanations, pictures),
    )


def _titled(picture: Picture, title: str, *, wide: bool = False) -> Picture:
    return Picture(title, picture.address, picture.width, picture.height, wide)


def _said(prediction: Mapping[str, Any]) -> Said:
    label, probabilities = prediction["label"], prediction["probabilities"] or {}
    abstention, by_lead = prediction["abstention"], prediction["lead_probabilities"] or {}
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    labels = [each for each, _share in ranked] or sorted({each for found in by_lead.values() for each in found})
    unfamiliar = abstention is not None and abstention["kind"] == "unfamiliar"
    return Said(
        answer=title_of(label) if label else None,
        heading=title_of(label) if label else _("No label") if unfamiliar else _("Cannot tell"),
        reason=abstention["reason"] if abstention else "",
        bars=tuple(Bar(title_of(each), 100 * share, each == label) for each, share in ranked),
        labels=tuple(title_of(each) for each in labels),
        leads=tuple(
            LeadRow(lead_name(lead), tuple(100 * shares.get(each, 0.0) for each in labels))
            for lead, shares in sorted(by_lead.items(), key=lambda item: lead_place(item[0]))
        ),
        model=prediction["model"]["name"],
        version=prediction["model"]["version"],
    )


def _leads(facts: Mapping[str, Any], pictures: Pictures) -> tuple[Picture, ...]:
    found = []
    for box in (facts.get("layout") or {}).get("leads", ()):
        rhythm = bool(box["rhythm"])
        picture = pictures(f"{'strip' if rhythm else 'lead'}:{box['lead']}")
        if picture is not None:
            title = _("%(lead)s (rhythm strip)") % {"lead": box["lead"]} if rhythm else box["lead"]
            found.append(_titled(picture, title, wide=rhythm))
    return tuple(found)


def _scale(facts: Mapping[str, Any]) -> Scale | None:
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


def _quality(found: Mapping[str, float]) -> tuple[Quality, ...]:
    ranked = sorted(found, key=lead_place)
    return tuple(Quality(lead_name(lead), round(100 * found[lead]), found[lead] >= _GOOD_QUALITY) for lead in ranked)


def _facts(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    page, layout = facts["page"], facts["layout"]
    size = f"{page['width_px']} × {page['height_px']} px"
    pairs = [(_("Page"), _("%(number)s of %(count)s, %(size)s") % {**page, "size": size})]
    if layout is None:
        return (*pairs, (_("Layout"), _("Not recognized")), *_printed(facts))
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
        *_gain(facts.get("scale")),
        *_printed(facts),
        (_("Rotation"), f"{layout['rotation_deg']:.1f}°"),
    )


def _gain(scale: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    if scale is None or scale["gain_mm_mv"] is None:
        return ()
    known = {"pulse": _("from the pulse"), "printed": _("as printed"), "default": _("the default")}
    source = known.get(scale["gain_source"] or "", _("as given"))
    return ((_("Gain"), f"{scale['gain_mm_mv']:g} mm/mV, {source}"),)


def _printed(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    printed = printed_of(facts)
    return () if printed is None else ((_("Printed"), describe_print(printed, translate=_)),)
