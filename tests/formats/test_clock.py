import pytest

from ecglens.errors import DatasetError
from ecglens.formats.clock import is_clock_name, read_rate


@pytest.mark.parametrize("name", ["t", "Time", "time_ms", "TIMESTAMP", "Zeit", "elapsed time", "seconds"])
def test_columns_of_times_have_many_names(name: str) -> None:
    assert is_clock_name(name)


@pytest.mark.parametrize("name", ["T wave", "V1", "II", "timeout", ""])
def test_other_columns_have_no_times(name: str) -> None:
    assert not is_clock_name(name)


def test_a_unit_that_is_none_of_time_and_a_text_are_refused() -> None:
    with pytest.raises(DatasetError, match="Expected a unit of s, ms, us or ns of the times in a, got 'mV'"):
        read_rate(["0", "1"], "time", "mV", "a")
    with pytest.raises(DatasetError, match="Expected times as numbers, as hh:mm:ss or as ISO 8601 in a"):
        read_rate(["0", "later"], "time", "", "a")


def test_a_few_rounded_times_do_not_make_a_rate() -> None:
    with pytest.raises(DatasetError, match="Expected even steps of time in a"):
        read_rate([f"{number / 360:.3f}" for number in range(20)], "time_s", "", "a")
