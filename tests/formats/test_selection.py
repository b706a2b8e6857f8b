import pytest

from ecglens.errors import DatasetError
from ecglens.formats.selection import Signal, find_mv_per_unit, select_signals


@pytest.mark.parametrize(
    ("unit", "mv"), [("nV", 1e-6), ("µV", 1e-3), ("μV", 1e-3), ("Microvolts", 1e-3), (" mv ", 1.0), ("V", 1e3)]
)
def test_units_of_voltage_have_many_spellings(unit: str, mv: float) -> None:
    assert find_mv_per_unit(unit) == mv


@pytest.mark.parametrize("unit", ["", "mmHg", "mm", "%", "1", "s"])
def test_other_units_are_no_voltage(unit: str) -> None:
    assert find_mv_per_unit(unit) is None


def test_the_rate_of_most_standard_leads_is_chosen_then_that_of_signals_named_ecg() -> None:
    signals = [Signal(label, label, True, rate) for label, rate in (("ch1", 100.0), ("EKG", 200.0), ("V1", 300.0))]
    assert select_signals(signals, "a").numbers == (2,)
    assert select_signals(signals[:2], "a").numbers == (1,)
    assert select_signals(signals[:1], "a").rate_hz == 100.0


def test_a_file_without_signals_is_refused() -> None:
    with pytest.raises(DatasetError, match="Expected signals in a, got none; export it with its waveforms"):
        select_signals([], "a")
