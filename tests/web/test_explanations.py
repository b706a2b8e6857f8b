"""The part of a reading that explains the prediction, with invented explanations."""

import html
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from django.template.loader import render_to_string

from ecglens.records import Check, Explanation, Located, NotFound, Page, Prediction, Reading, Segment
from ecglens.web.readings import pipeline
from ecglens.web.readings.explanations import present_explanations
from ecglens.web.readings.presentation import Picture

SHARES = {"mi": 0.04, "normal": 0.95, "history_mi": 0.01}
PAGE = Page(np.zeros((10, 10, 3), np.uint8))
GRAY = Picture("Gray", "data:,", 100, 70)


def fake(reading, runtime, *, method, label, checks):
    heat = np.zeros((20, 30), np.float32)
    heat[5, 5], heat[10, 20] = 1.0, -0.5
    page_checks = (
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
        checks=page_checks if checks else (),
        on_model=(Check("insertion", False, "On few pages."),) if method == "occlusion_lead" else (),
    )


def reading(probabilities):
    return Reading(Located(PAGE, NotFound("made up")), Prediction("normal", probabilities, "tiny", "1.0"))


@pytest.fixture
def explanations(monkeypatch):
    monkeypatch.setattr(pipeline, "explain_page", fake)
    return pipeline.explain_prediction(reading(SHARES), pipeline.Options())


def text(markup):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)))


def test_every_label_is_explained_by_every_method_and_the_top_one_is_checked(explanations):
    assert [(one.label, one.method) for one in explanations[:2]] == [
        ("normal", "class_map"),
        ("normal", "occlusion_lead"),
    ]
    assert [one.label for one in explanations[2:]] == ["mi", "mi", "history_mi", "history_mi"]
    assert [one.passed for one in explanations] == [False, True, *[None] * 4]


def test_a_page_without_a_prediction_is_not_explained(monkeypatch):
    monkeypatch.setattr(pipeline, "explain_page", lambda *_, **__: pytest.fail("it was"))

    assert pipeline.explain_prediction(reading(None), pipeline.Options()) == []


def test_shares_segments_and_checks_are_in_words(explanations):
    plain = [one.to_dict() for one in explanations]
    view = SimpleNamespace(steps=[GRAY])
    view.explanations = present_explanations(plain, lambda name: replace(GRAY, title=name))
    markup = render_to_string("readings/explanation.html", {"view": view})

    assert markup.count('<svg class="heat" viewBox="0 0 100 70" role="img"') == len(explanations)
    assert markup.count('<details class="why-reason"') == len(explanations)
    assert "style=" not in markup
    for words in (
        "II +60 %",
        "V1 -30 % against",
        "II rhythm 0 %",
        "Most important: II, 0.5 to 1.0 s (+60 %)",
        "10 % of the heat map is on no lead.",
        "Normal, Class map: failed",
        "Checks on this page: failed (location)",
        "Location: failed It should be <near>.",
        "Checks on this page: passed",
        "This method on this model: failed (insertion)",
        "Only the explanations of the top label are checked.",
    ):
        assert words in text(markup)


def test_an_explanation_whose_picture_is_gone_is_left_out(explanations):
    assert present_explanations([explanations[0].to_dict()], lambda name: None) == ()
