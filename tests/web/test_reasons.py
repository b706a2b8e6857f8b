"""The part of the answer that tells why, with made-up explanations."""

import html
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from django.template.loader import render_to_string

from ecglens.records import Check, Explanation, Located, NotFound, Page, Prediction, Reading, Segment
from ecglens.web.readings import work
from ecglens.web.readings.reasons import reasons
from ecglens.web.readings.shown import Picture

SHARES = {"mi": 0.04, "normal": 0.95, "history_mi": 0.01}
PAGE = Page(np.zeros((10, 10, 3), np.uint8))
GRAY = Picture("Gray", "data:,", 100, 70)


def fake(reading, runtime, *, method, label, checks):
    heat = np.zeros((20, 30), np.float32)
    heat[5, 5], heat[10, 20] = 1.0, -0.5
    made = (Check("deletion", True, "It is less."), Check("location", method != "class_map", "It should be <near>."))
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


def reading(probabilities):
    return Reading(Located(PAGE, NotFound("made up")), Prediction("normal", probabilities, "tiny", "1.0"))


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(work, "explain_page", fake)
    return work.make_explanations(reading(SHARES), work.Options())


def text(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def test_every_label_is_explained_by_every_method_and_the_likeliest_is_checked(found):
    assert [(one.label, one.method) for one in found[:2]] == [("normal", "class_map"), ("normal", "occlusion_lead")]
    assert [one.label for one in found[2:]] == ["mi", "mi", "history_mi", "history_mi"]
    assert [one.passed for one in found] == [False, True, *[None] * 4]


def test_a_page_without_an_answer_is_not_explained(monkeypatch):
    monkeypatch.setattr(work, "explain_page", lambda *_, **__: pytest.fail("it was"))

    assert work.make_explanations(reading(None), work.Options()) == []


def test_shares_stretches_and_checks_stand_in_words(found):
    told = [one.to_dict() for one in found]
    shown = SimpleNamespace(steps=[GRAY])
    made = reasons(told, lambda name: replace(GRAY, title=name))
    markup = render_to_string("readings/explanation.html", {"reasons": made, "shown": shown})

    assert markup.count('<svg class="heat" viewBox="0 0 100 70" role="img"') == len(found)
    assert markup.count('<details class="why-reason"') == len(found)
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


def test_an_explanation_whose_picture_is_gone_is_left_out(found):
    assert reasons([found[0].to_dict()], lambda name: None) == ()
