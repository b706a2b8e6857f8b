"""Explanations as a page shows them: layers over the page, shares of the leads, checks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ecglens.models.explain import METHODS
from ecglens.web.readings.titles import lead_position, lead_title, translate_label
from ecglens.web.readings.translations import translate_check_result

__all__ = ["CheckView", "ExplanationView", "LeadShare", "present_explanations"]

_MAX_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class LeadShare:
    """The share of a lead; widths are in percent of the longest bar."""

    lead: str
    percent: str
    width: float
    is_against: bool


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check of an explanation."""

    name: str
    result: str
    text: str


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """One explanation: a label by a method.

    Attributes:
        label: Label for people.
        method: Method for people.
        description: What the method did.
        layer: Address of the heat map, a PNG over the whole page.
        shares: Shares of the leads.
        elsewhere: Share that is on no lead, in percent.
        segments: The most important segments, in words.
        passed: Whether it passed all checks on this page; ``None`` if it was not checked.
        result: The same in a word.
        failed: Names of the checks that it failed.
        checks: Each check.
        model_passed: Whether the method passed its checks on this model over many pages.
        model_result: The same in a word.
        model_failed: Names of the checks that it failed there.
        model_checks: Each of those checks.
    """

    label: str
    method: str
    description: str
    layer: str
    shares: tuple[LeadShare, ...]
    elsewhere: float
    segments: tuple[str, ...]
    passed: bool | None
    result: str
    failed: str
    checks: tuple[CheckView, ...]
    model_passed: bool | None
    model_result: str
    model_failed: str
    model_checks: tuple[CheckView, ...]


def present_explanations(
    explanations: Sequence[Mapping[str, Any]], pictures: Callable[[str], Any]
) -> tuple[ExplanationView, ...]:
    """Return explanations for the template.

    Args:
        explanations: ``Explanation.to_dict`` of each.
        pictures: Function that returns a picture by its name; the heat map of the n-th explanation is ``heat:n``.
    """
    views = []
    for number, explanation in enumerate(explanations):
        layer = pictures(f"heat:{number}")
        if layer is not None:
            views.append(_present(explanation, layer.address))
    return tuple(views)


def _present(explanation: Mapping[str, Any], layer: str) -> ExplanationView:
    shares = explanation["shares"]
    largest = max(map(abs, shares.values()), default=0.0) or 1.0
    passed, model_passed = explanation["passed"], _passed_all(explanation["on_model"])
    return ExplanationView(
        label=translate_label(explanation["label"]),
        method=_(METHODS[explanation["method"]].title),
        description=explanation["done"],
        layer=layer,
        shares=tuple(
            LeadShare(lead_title(lead), _percent(share), 100 * abs(share) / largest, share < 0)
            for lead, share in sorted(shares.items(), key=lambda item: lead_position(item[0]))
        ),
        elsewhere=100 * explanation["elsewhere"],
        segments=tuple(_describe_segment(segment) for segment in explanation["segments"][:_MAX_SEGMENTS]),
        passed=passed,
        result=translate_check_result(passed),
        failed=_list_failed(explanation["checks"]),
        checks=_present_checks(explanation["checks"]),
        model_passed=model_passed,
        model_result=translate_check_result(model_passed),
        model_failed=_list_failed(explanation["on_model"]),
        model_checks=_present_checks(explanation["on_model"]),
    )


def _describe_segment(segment: Mapping[str, Any]) -> str:
    return _("%(lead)s, %(start)s to %(end)s s (%(share)s %%)") % {
        "lead": lead_title(segment["lead"]),
        "start": f"{segment['start_s']:.1f}",
        "end": f"{segment['end_s']:.1f}",
        "share": _percent(segment["share"]),
    }


def _passed_all(checks: Sequence[Mapping[str, Any]]) -> bool | None:
    results = [check["passed"] for check in checks if check["passed"] is not None]
    return all(results) if results else None


def _list_failed(checks: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(_(check["name"]) for check in checks if check["passed"] is False)


def _present_checks(checks: Sequence[Mapping[str, Any]]) -> tuple[CheckView, ...]:
    return tuple(
        CheckView(capfirst(_(check["name"])), translate_check_result(check["passed"]), check["text"])
        for check in checks
    )


def _percent(share: float) -> str:
    whole = round(100 * share)
    return f"{whole:+d}" if whole else "0"
