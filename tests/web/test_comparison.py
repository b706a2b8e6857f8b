"""Two readings side by side: differences with error bars, what is new, median beats over each other."""

import json
import re

import numpy as np
import pytest
from django.utils import translation

from ecglens.measurements import Measured, Measurements
from ecglens.web.readings.changes import list_changes, list_news, list_st_changes
from ecglens.web.readings.median_beats import draw_median_beats
from ecglens.web.readings.models import Reading
from ecglens.web.readings.numbers import localize

LEADS = ("I", "II", "V1")


def reading(label="", **figures):
    return Reading(label=label, outcome="answered" if label else "", facts=facts(**figures))


def facts(**figures):
    return {"measurements": Measurements(**figures).to_dict()}


def record(r_mv=1.0, *, names=LEADS):
    """Return signals in which every beat is a triangle of 80 ms, once a second."""
    clock = np.arange(0, 5, 1 / 500)
    beat = r_mv * np.maximum(0, 1 - np.abs((clock + 0.5) % 1 - 0.5) / 0.04)
    rng = np.random.default_rng(0)
    signals = {name: [round(float(v), 4) for v in beat + 0.004 * rng.standard_normal(len(clock))] for name in names}
    content = {"format": "ecglens-record", "format_version": 1, "fs_hz": 500.0, "unit": "mV", "leads": list(names)}
    extra = {"start_s": [0.0] * len(names), "quality": [1.0] * len(names), "comments": [], "warnings": []}
    return json.dumps({**content, **extra, "signals": signals}).encode()


def heights(path):
    """Return the heights of a path in mm."""
    return [float(y) for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", path)]


class TestChanges:
    def test_a_difference_has_the_error_of_both_values(self):
        before = reading(qrs_ms=Measured(90.0, 3.0, "ms"))
        after = reading(qrs_ms=Measured(120.0, 4.0, "ms"))
        [change] = list_changes(before, after)

        assert (change.before, change.after, change.unit) == ("90 ± 3", "120 ± 4", "ms")
        assert change.difference == "+30 ± 5"
        assert change.is_significant
        one, other = change.bars
        assert one.low < one.value < one.high < other.low < other.value < other.high
        assert (one.low, other.high) == (5.0, 95.0)

    def test_a_difference_within_twice_its_error_is_none(self):
        before, after = (reading(qrs_ms=Measured(value, 4.0, "ms")) for value in (90.0, 99.0))

        assert not list_changes(before, after)[0].is_significant

    def test_an_axis_turns_over_180_degrees(self):
        before, after = (reading(axis_deg=Measured(value, 2.0, "deg")) for value in (170.0, -170.0))
        [change] = list_changes(before, after)

        assert change.difference == "+20 ± 3"
        assert change.bars[1].value > change.bars[0].value

    def test_a_value_of_one_page_alone_has_no_difference(self):
        [change] = list_changes(reading(), reading(pr_ms=Measured(160.0, 5.0, "ms")))

        assert (change.before, change.after, change.difference, change.bars) == ("–", "160 ± 5", "", ())

    def test_equal_values_without_error_are_drawn(self):
        before, after = (reading(qrs_ms=Measured(90.0, 0.0, "ms")) for _ in range(2))

        assert not list_changes(before, after)[0].is_significant

    def test_levels_of_st_are_compared_lead_by_lead_in_their_order(self):
        before = reading(st_j_mv={"V1": Measured(0.0, 0.02, "mV"), "I": Measured(0.01, 0.02, "mV"), "II": None})
        after = reading(st_j_mv={"V1": Measured(0.25, 0.02, "mV"), "I": Measured(0.01, 0.02, "mV")})
        changes = list_st_changes(before, after)

        assert [(each.title, each.difference, each.is_significant) for each in changes] == [
            ("I", "+0.00 ± 0.03", False),
            ("V1", "+0.25 ± 0.03", True),
        ]

    def test_numbers_have_a_comma_in_german(self):
        before, after = (reading(st_j_mv={"I": Measured(value, 0.02, "mV")}) for value in (0.0, -0.1))
        with translation.override("de"):
            assert list_st_changes(before, after)[0].difference == "−0,10 ± 0,03"
            assert localize("0.4 in 1.2.3 or 25 mm/s") == "0,4 in 1,2,3 or 25 mm/s"
        assert localize("0.4") == "0.4"


class TestNews:
    SLOW, FAST = (Measured(value, 0.2, "1/min", (60.0, 100.0)) for value in (40.0, 130.0))

    def test_results_and_criteria_that_changed_are_named(self):
        news = list_news(reading("normal", rate_bpm=self.SLOW), reading("mi", rate_bpm=self.FAST))

        assert news.is_new_result
        assert (news.before, news.after) == ("Normal", "Myocardial infarction")
        assert [title.lower() for title in news.begun] == ["tachycardia"]
        assert [title.lower() for title in news.ended] == ["bradycardia"]

    def test_what_one_page_cannot_say_is_no_news(self):
        news = list_news(reading(), reading("normal", rate_bpm=self.FAST))

        assert not news.is_new_result
        assert news.begun == ()
        assert list_news(reading("normal", rate_bpm=self.FAST), reading("normal")).ended == ()


class TestMedianBeats:
    def test_both_beats_have_one_scale_of_10_mm_a_millivolt(self):
        panels = draw_median_beats(record(1.0), record(1.5))

        assert [panel.lead for panel in panels] == list(LEADS)
        for panel in panels:
            assert panel.zero_mm - min(heights(panel.first)) == pytest.approx(10.0, abs=0.6)
            assert panel.zero_mm - min(heights(panel.second)) == pytest.approx(15.0, abs=0.8)
            assert panel.width_mm == pytest.approx(0.85 * 25)
            assert all(0 <= height <= panel.height_mm for height in heights(panel.first) + heights(panel.second))

    def test_a_lead_of_one_reading_is_drawn_alone(self):
        panels = draw_median_beats(record(names=("I", "II", "V1")), record(names=("I", "II", "V6")))

        assert [(panel.lead, bool(panel.first), bool(panel.second)) for panel in panels] == [
            ("I", True, True),
            ("II", True, True),
            ("V1", True, False),
            ("V6", False, True),
        ]

    def test_a_rhythm_strip_takes_the_place_of_its_lead(self):
        panels = draw_median_beats(record(names=("I", "II-rhythm")), None)

        assert [panel.lead for panel in panels] == ["I", "II"]

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"format": "ecglens-record"}', record(0.0), None])
    def test_signals_without_beats_are_not_drawn(self, content):
        assert draw_median_beats(content, None) == ()


@pytest.mark.django_db
def test_the_page_shows_all_of_it(client, user):
    from ecglens.web.readings.store import store_file

    base = {"page": {"number": 1, "count": 1, "width_px": 10, "height_px": 5}, "layout": None, "quality": {}}
    pair = [
        Reading.objects.create(
            owner=user,
            name=f"{value}.jpg",
            state="done",
            facts={**base, **facts(rate_bpm=Measured(value, 0.2, "1/min", (60.0, 100.0)))},
            signals=store_file(record(), ".json"),
        )
        for value in (40.0, 130.0)
    ]
    body = client.get(f"/readings/compare?a={pair[0].pk}&b={pair[1].pk}").content.decode()

    assert body.count('<figure class="beat">') == 3
    assert "<strong>New:</strong> Tachycardia" in body
    assert "+90.0 ± 0.3 /min" in body or "+90 ± 1 /min" in body
    assert body.count("<circle") == 2
