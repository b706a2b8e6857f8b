"""The time of a search: bounded, and not shorter on a slower machine."""

import numpy as np
import pytest

from ecglens.leads import search_time
from ecglens.leads.search_time import SearchTime, end_searches_after, measure_slowness
from ecglens.records import Page

VIEWS = [Page(np.zeros((64, 64, 3), np.uint8))] * 4


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock of the thread by one that is set by the test."""
    now = {"s": 100.0}
    monkeypatch.setattr(search_time.time, "thread_time", lambda: now["s"])
    return now


@pytest.mark.parametrize(("slowness", "end_s"), [(0.5, 3.0), (1.25, 3.75), (9.0, 4.5)])
def test_a_search_ends_later_on_a_slower_machine_within_bounds(slowness, end_s, clock, monkeypatch):
    monkeypatch.setattr(search_time, "measure_slowness", lambda: slowness)
    search = SearchTime()
    clock["s"] += end_s - 0.01
    assert not search.is_over
    clock["s"] += 0.02
    assert search.is_over


def test_views_are_tried_until_the_time_is_over(clock, monkeypatch):
    monkeypatch.setattr(search_time, "measure_slowness", lambda: 1.0)
    tried = 0
    for _ in SearchTime().limit(VIEWS):
        tried += 1
        clock["s"] += 1.6
    assert tried == 2


def test_a_later_search_has_what_an_earlier_one_left(clock, monkeypatch):
    monkeypatch.setattr(search_time, "measure_slowness", lambda: 1.0)
    first = SearchTime()
    clock["s"] += 2.0
    second = SearchTime(first.spent_s)
    clock["s"] += 0.9
    assert not second.is_over
    clock["s"] += 0.2
    assert second.is_over


def test_a_search_for_someone_who_waits_ends_by_the_wall_clock(monkeypatch):
    now = {"s": 50.0}
    monkeypatch.setattr(search_time.time, "monotonic", lambda: now["s"])
    with end_searches_after(5.0):
        search = SearchTime()
        now["s"] += 4.9
        assert not search.is_over
        now["s"] += 0.2
        assert search.is_over
    assert not search.is_over


def test_the_machine_is_measured_only_where_a_search_is_long(clock, monkeypatch):
    monkeypatch.setattr(search_time, "measure_slowness", None)
    assert len(list(SearchTime().limit(VIEWS))) == 4


def test_the_slowness_of_a_machine_is_a_number():
    assert 0.05 < measure_slowness() < 500
