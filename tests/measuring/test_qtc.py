"""QT intervals corrected for the heart rate."""

import pytest
from measured_values import value

from ecglens.measuring.qtc import correct_qt
from ecglens.records import Measured


def milliseconds(number: float, error: float = 0.0) -> Measured:
    return Measured(number, error, "ms")


def test_at_sixty_beats_a_minute_nothing_is_corrected() -> None:
    corrected = correct_qt(milliseconds(400, 10), milliseconds(1000))
    assert set(corrected) == {"qtc_bazett_ms", "qtc_fridericia_ms"}
    for figure in corrected.values():
        assert value(figure) == pytest.approx(400)
        assert figure is not None
        assert figure.error == pytest.approx(10)
        assert (figure.unit, figure.position) == ("ms", "within")


def test_fast_and_slow_rates_are_corrected_by_the_square_and_the_cube_root() -> None:
    fast = correct_qt(milliseconds(320), milliseconds(640))
    assert value(fast["qtc_bazett_ms"]) == pytest.approx(320 / 0.8)
    assert value(fast["qtc_fridericia_ms"]) == pytest.approx(320 / 0.64 ** (1 / 3))
    slow = correct_qt(milliseconds(440), milliseconds(1210))
    assert value(slow["qtc_bazett_ms"]) == pytest.approx(400)
    assert value(slow["qtc_fridericia_ms"]) > 400


def test_the_errors_of_both_intervals_add_up() -> None:
    both = correct_qt(milliseconds(400, 8), milliseconds(1000, 30))["qtc_bazett_ms"]
    assert both is not None
    assert both.error == pytest.approx(400 * ((8 / 400) ** 2 + (0.5 * 30 / 1000) ** 2) ** 0.5)


def test_without_qt_or_rr_there_is_nothing_to_correct() -> None:
    assert correct_qt(None, milliseconds(1000)) == {}
    assert correct_qt(milliseconds(400), None) == {}
