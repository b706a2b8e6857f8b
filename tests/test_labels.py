"""Labels of the shipped data, and probabilities for people."""

import numpy as np

from ecglens.labels import LABELS, TITLES, format_probability


def test_every_label_has_its_own_title_and_the_table_cannot_be_changed() -> None:
    assert tuple(TITLES) == LABELS
    assert len(set(TITLES.values())) == len(LABELS)
    assert not hasattr(TITLES, "__setitem__")


def test_no_probability_is_shown_as_certain_or_impossible() -> None:
    texts = [format_probability(value) for value in np.linspace(0, 1, 20_001)]
    assert "0.0 %" not in texts
    assert "100.0 %" not in texts
    assert (texts[0], texts[-1]) == ("< 0.1 %", "> 99.9 %")
    assert [format_probability(value) for value in (0.0006, 0.5, 0.9994)] == ["0.1 %", "50.0 %", "99.9 %"]


def test_a_missing_probability_is_an_empty_text() -> None:
    assert format_probability(None) == ""
