"""Alarm rules: two limits and two times."""

import pytest

from ecglens.errors import StreamError
from ecglens.streams.alarms import FIGURES, Alarms, load_alarms, parse_alarms

FAST = """
[[alarm]]
name = "fast"
title = "Fast"
figure = "rate_bpm"
above = 120
clear = 110
after_s = 5
clear_after_s = 10
"""


def run(rates: list[float]) -> list[tuple[str, float, float]]:
    """Return state, begin and time of each alarm of rates that come once a second."""
    alarms = Alarms(parse_alarms(FAST))
    events = [event for second, rate in enumerate(rates) for event in alarms.update(second, {"rate_bpm": rate})]
    return [(event.state, event.start_s, event.end_s) for event in events]


def test_an_alarm_begins_after_its_time_and_ends_after_its_time_on_the_other_side() -> None:
    assert run([100] * 10 + [130] * 20 + [100] * 20) == [("begins", 10, 15), ("ends", 10, 40)]


def test_a_short_excursion_rings_nothing() -> None:
    assert run([100] * 5 + [130] * 4 + [100] * 20) == []


def test_a_rate_that_swings_around_the_limit_rings_once() -> None:
    assert run([130] * 6 + [115, 125] * 30) == [("begins", 0, 5)]


def test_without_a_figure_an_alarm_stays_as_it_is() -> None:
    alarms = Alarms(parse_alarms(FAST))
    for second in range(6):
        alarms.update(second, {"rate_bpm": 130})
    assert alarms.active == ("fast",)
    assert alarms.update(100, {}) == []
    assert alarms.active == ("fast",)


def test_a_figure_that_may_be_larger_begins_an_alarm_and_ends_none() -> None:
    alarms = Alarms(parse_alarms(FAST))
    for second in range(6):
        alarms.update(second, {"rate_bpm": 130}, {"rate_bpm"})
    assert alarms.active == ("fast",)
    for second in range(6, 40):
        assert alarms.update(second, {"rate_bpm": 60}, {"rate_bpm"}) == []
    assert alarms.active == ("fast",)


def test_the_rules_of_the_package_watch_figures_that_there_are() -> None:
    rules = load_alarms()
    assert {rule.figure for rule in rules} <= FIGURES
    assert {"asystole", "rate_very_high", "no_signal", "fibrillation"} <= {rule.name for rule in rules}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('figure = "rate_bpm"', 'figure = "x"'), "Expected one of the figures"),
        (("above = 120", "above = 120\nbelow = 30"), "either 'above' or 'below'"),
        (("above = 120\n", ""), "either 'above' or 'below'"),
        (("clear = 110", "clear = 130"), "'clear' that is not beyond 120 in the alarm fast"),
        (("clear = 110\n", ""), "Expected 'clear' in the alarm fast, got none; add it."),
        (("after_s = 5", "after_s = -5"), "Expected 0 s or more as 'after_s' of the alarm fast, got -5"),
        (("after_s = 5", 'after_s = "x"'), "a finite number as 'after_s' of the alarm fast, got 'x'"),
        (("after_s = 5", "after_s = true"), "a finite number as 'after_s' of the alarm fast, got True"),
        (("after_s = 5", 'priority = "urgent"'), "a priority of high, medium, low in the alarm fast, got 'urgent'"),
        (("after_s = 5", "afterwards = 5"), "in the alarm fast, got 'afterwards'"),
        (('title = "Fast"\n', ""), "Expected 'title' in the alarm fast, got none; add it."),
        (('title = "Fast"', 'title = "\\u001b[31m"'), r"printable characters as 'title' of the alarm fast"),
        (('name = "fast"', "name = 3"), "as 'name' of alarm number 1, got 3"),
        (("[[alarm]]", "[alarm]"), r"as TOML tables \[\[alarm\]\], got another kind of table"),
        (("[[alarm]]", "[[alarms]]"), r"as TOML tables \[\[alarm\]\], got 'alarms'"),
        (("[[alarm]]", "alarm"), "Expected alarms as TOML, got something else"),
        ((FAST, ""), r"as TOML tables \[\[alarm\]\], got none"),
        (("above = 120", "above = nan"), "a finite number as 'above' of the alarm fast, got nan"),
        (("clear = 110", "clear = -inf"), "a finite number as 'clear' of the alarm fast, got -inf"),
    ],
)
def test_a_wrong_rule_gives_one_sentence(change: tuple[str, str], sentence: str) -> None:
    with pytest.raises(StreamError, match=sentence):
        parse_alarms(FAST.replace(*change))


def test_two_alarms_of_one_name_are_refused() -> None:
    with pytest.raises(StreamError, match="different name for each alarm"):
        parse_alarms(FAST + FAST)
