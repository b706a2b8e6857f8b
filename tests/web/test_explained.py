"""The part of the answer that tells why, with made-up explanations."""

import html
import re
from types import SimpleNamespace

import numpy as np
import pytest
from django.template.loader import render_to_string

from ecglens.records import Check, Explanation, NotFound, Page, Prediction, Reading, Segment
from ecglens.web.readings import explained as explaining

SHARES = {"mi": 0.04, "normal": 0.95, "history_mi": 0.01}
PAGE = Page(np.zeros((10, 10, 3), np.uint8))
GRAY = SimpleNamespace(address="data:,", width=100, height=70)


@pytest.fixture
def asked(monkeypatch):
    """Explanations without a model; returns what was asked for."""
    calls = []

    def fake(reading, runtime, *, method, label, checks):
        calls.append((label, method, checks))
        heat = np.zeros((20, 30), np.float32)
        heat[5, 5], heat[10, 20] = 1.0, -0.5
        made = (
            Check("deletion", True, "It is less."),
            Check("location", method != "class_map", "It should be <near>."),
        )
        return Explanation(
            method=method,
            label=label,
            probability=SHARES[label],
            model="tiny",
            model_version="1.0",
            heat=heat,
            page_size_px=(786, 1107),
            shares={"II": 0.6, "V1": -0.3, "II-rhythm": 0.0},
            elsewhere=0.1,
            segments=(Segment("II", 0.5, 1.0, 0.6),),
            done="What was done.",
            checks=made if checks else (),
            on_model=(Check("insertion", False, "On few pages."),) if method == "occlusion_lead" else (),
        )

    monkeypatch.setattr(explaining, "explain_page", fake)
    return calls


def reading(probabilities):
    return Reading(PAGE, NotFound("made up"), Prediction("normal", probabilities, "tiny", "1.0"))


def text(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def test_every_label_is_explained_by_every_method_and_the_likeliest_is_checked(asked):
    found = explaining.explained(reading(SHARES))

    assert asked[:2] == [("normal", "class_map", True), ("normal", "occlusion_lead", True)]
    assert [label for label, _, _ in asked[2:]] == ["mi", "mi", "history_mi", "history_mi"]
    assert not any(checks for label, _, checks in asked if label != "normal")
    assert [one.word for one in found] == ["failed", "passed", *["not checked"] * 4]


def test_a_page_without_an_answer_is_not_explained(asked):
    assert explaining.explained(reading(None)) == ()
    assert asked == []


def test_shares_stretches_and_checks_stand_in_words(asked):
    reasons = explaining.explained(reading(SHARES))
    markup = render_to_string("readings/explanation.html", {"reasons": reasons, "shown": SimpleNamespace(gray=GRAY)})

    assert markup.count('<svg class="heat" viewBox="0 0 100 70" role="img"') == len(asked)
    assert markup.count('<details class="why-reason"') == len(asked)
    assert "style=" not in markup
    for words in (
        "II +60 %",
        "V1 -30 % against",
        "II rhythm 0 %",
        "Most: II, 0.5 to 1.0 s (+60 %)",
        "10 % of the heat lies on no lead.",
        "Normal, Class map: failed",
        "Checks on this page: failed (location)",
        "Location: failed It should be <near>.",
        "Checks on this page: passed",
        "This method on this model: failed (insertion)",
        "Only the explanations of the likeliest label are checked.",
    ):
        assert words in text(markup)
