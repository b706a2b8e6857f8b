"""Why an answer came out as it did, as what a page shows: layers over the page, shares of the leads, checks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ecglens.models.explain import METHODS
from ecglens.web.readings.titles import lead_name, lead_place, title_of
from ecglens.web.readings.words import went

__all__ = ["Part", "Reason", "Tested", "reasons"]

_MOST_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """The share of a lead; widths are in percent of the larger side of its bar."""

    lead: str
    percent: str
    width: float
    against: bool


@dataclass(frozen=True, slots=True)
class Tested:
    """A check of an explanation."""

    name: str
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One explanation: a label by a method.

    Attributes:
        label: For people.
        method: For people.
        done: What the method did.
        layer: Address of the heat, a PNG over the whole page.
        parts: Shares of the leads.
        elsewhere: The rest, in percent.
        segments: The stretches that matter most, in words.
        passed: How it did in all checks; ``None`` where it was not checked.
        word: The same in a word.
        failed: Names of the checks that it failed.
        checks: Each of them.
        model_passed: How the method did on this model over many pages.
        model_word: The same in a word.
        model_failed: Names of the checks that it failed there.
        on_model: Each of those.
    """

    label: str
    method: str
    done: str
    layer: str
    parts: tuple[Part, ...]
    elsewhere: float
    segments: tuple[str, ...]
    passed: bool | None
    word: str
    failed: str
    checks: tuple[Tested, ...]
    model_passed: bool | None
    model_word: str
    model_failed: str
    on_model: tuple[Tested, ...]


def reasons(explanations: Sequence[Mapping[str, Any]], pictures: Callable[[str], Any]) -> tuple[Reason, ...]:
    """Explanations for the template.

    Args:
        explanations: As ``Explanation.to_dict`` has them.
        pictures: The heat of the n-th is called ``heat:n``.
    """
    found = []
    for place, told in enumerate(explanations):
        layer = pictures(f"heat:{place}")
        if layer is not None:
            found.append(_reason(told, layer.address))
    return tuple(found)


def _reason(told: Mapping[str, Any], layer: str) -> Reason:
    shares = told["shares"]
    largest = max(map(abs, shares.values()), default=0.0) or 1.0
    passed, on_model = told["passed"], _passed(told["on_model"])
    return Reason(
        label=title_of(told["label"]),
        method=_(METHODS[told["method"]].title),
        done=told["done"],
        layer=layer,
        parts=tuple(
            Part(lead_name(lead), _percent(share), 100 * abs(share) / largest, share < 0)
            for lead, share in sorted(shares.items(), key=lambda item: lead_place(item[0]))
        ),
        elsewhere=100 * told["elsewhere"],
        segments=tuple(
            _("%(lead)s, %(start)s to %(end)s s (%(share)s %%)")
            % {
                "lead": lead_name(one["lead"]),
                "start": f"{one['start_s']:.1f}",
                "end": f"{one['end_s']:.1f}",
                "share": _percent(one["share"]),
            }
            for one in told["segments"][:_MOST_SEGMENTS]
        ),
        passed=passed,
        word=went(passed),
        failed=_failed(told["checks"]),
        checks=_tested(told["checks"]),
        model_passed=on_model,
        model_word=went(on_model),
        model_failed=_failed(told["on_model"]),
        on_model=_tested(told["on_model"]),
    )


def _passed(checks: Sequence[Mapping[str, Any]]) -> bool | None:
    made = [check["passed"] for check in checks if check["passed"] is not None]
    return all(made) if made else None


def _failed(checks: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(_(check["name"]) for check in checks if check["passed"] is False)


def _tested(checks: Sequence[Mapping[str, Any]]) -> tuple[Tested, ...]:
    return tuple(Tested(capfirst(_(check["name"])), went(check["passed"]), check["text"]) for check in checks)


def _percent(share: float) -> str:
    whole = round(100 * share)
    return f"{whole:+d}" if whole else "0"
