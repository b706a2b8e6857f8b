"""Why an answer came out as it did, as what a page shows: layers over the page, shares of the leads, checks."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecglens.explanations import WORDS, passed_all
from ecglens.labels import TITLES
from ecglens.layouts import RHYTHM, STANDARD_LEADS
from ecglens.models.explain import METHODS
from ecglens.models.explain.remembered import Remembered
from ecglens.reader import explain_page, load_runtime
from ecglens.records import Check, Explanation, Reading

__all__ = ["Part", "Reason", "Tested", "explained"]

_OFFERED = ("class_map", "occlusion_lead")
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
        key: For addresses within the page.
        label: For people.
        probability: In percent.
        method: For people.
        done: What the method did.
        layer: The heat as a ``data:`` address of a PNG over the whole page.
        parts: Shares of the leads.
        elsewhere: The rest, in percent.
        segments: The stretches that matter most, in words.
        word: How it did in all checks: passed, failed or not checked.
        failed: Names of the checks that it failed.
        checks: Each of them.
        model_word: How the method did on this model over many pages.
        model_failed: Names of the checks that it failed there.
        on_model: Each of those.
    """

    key: str
    label: str
    probability: float
    method: str
    done: str
    layer: str
    parts: tuple[Part, ...]
    elsewhere: float
    segments: tuple[str, ...]
    word: str
    failed: str
    checks: tuple[Tested, ...]
    model_word: str
    model_failed: str
    on_model: tuple[Tested, ...]


def explained(reading: Reading) -> tuple[Reason, ...]:
    """Explanations of every label of a page, the likeliest first, whose explanations alone are checked.

    Args:
        reading: Of the model that the settings name.

    Returns:
        None where the model did not answer for the page.
    """
    probabilities = reading.prediction.probabilities
    if probabilities is None:
        return ()
    ranked = sorted(probabilities, key=lambda label: -probabilities[label])
    runtime = Remembered(load_runtime())
    offered = [method for method in _OFFERED if method != "class_map" or runtime.card.feature_maps]
    return tuple(
        _reason(explain_page(reading, runtime, method=method, label=label, checks=label == ranked[0]))
        for label in ranked
        for method in offered
    )


def _reason(found: Explanation) -> Reason:
    largest = max(map(abs, found.shares.values()), default=0.0) or 1.0
    return Reason(
        key=f"{found.label}-{found.method}",
        label=TITLES.get(found.label, found.label),
        probability=100 * found.probability,
        method=METHODS[found.method].title,
        done=found.done,
        layer=_png(found.layer()),
        parts=tuple(
            Part(_name(lead), _percent(share), 100 * abs(share) / largest, share < 0)
            for lead, share in sorted(found.shares.items(), key=lambda item: _place(item[0]))
        ),
        elsewhere=100 * found.elsewhere,
        segments=tuple(
            f"{_name(one.lead)}, {one.start_s:.1f} to {one.end_s:.1f} s ({_percent(one.share)} %)"
            for one in found.segments[:_MOST_SEGMENTS]
        ),
        word=WORDS[found.passed],
        failed=_failed(found.checks),
        checks=_tested(found.checks),
        model_word=WORDS[passed_all(found.on_model)],
        model_failed=_failed(found.on_model),
        on_model=_tested(found.on_model),
    )


def _failed(checks: Sequence[Check]) -> str:
    return ", ".join(check.name for check in checks if check.passed is False)


def _tested(checks: Sequence[Check]) -> tuple[Tested, ...]:
    return tuple(Tested(check.name.capitalize(), WORDS[check.passed], check.text) for check in checks)


def _name(lead: str) -> str:
    return lead.replace(RHYTHM, " rhythm")


def _percent(share: float) -> str:
    whole = round(100 * share)
    return f"{whole:+d}" if whole else "0"


def _place(lead: str) -> int:
    """In the usual order, rhythm strips last."""
    return STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS)


def _png(layer: NDArray[np.uint8]) -> str:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA))
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
