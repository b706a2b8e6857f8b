"""Records whose parts fit each other."""

import numpy as np
import pytest

from ecglens.errors import DatasetError, RecordError
from ecglens.records import EcgRecord


@pytest.mark.parametrize("shape", [(), (5,), (1, 2, 3)])
def test_signals_are_rows_of_leads(shape: tuple[int, ...]) -> None:
    with pytest.raises(RecordError, match=r"Expected signals of the shape \(leads, samples\), got the shape \("):
        EcgRecord(np.zeros(shape, np.float32), 500.0, ("I",))


@pytest.mark.parametrize("fs_hz", [0.0, -500.0, float("nan"), float("inf")])
def test_a_sampling_rate_is_above_zero(fs_hz: float) -> None:
    with pytest.raises(RecordError, match="Expected a sampling rate above 0 Hz, got .*; give that of the recording"):
        EcgRecord(np.zeros((1, 5), np.float32), fs_hz, ("I",))


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ([[0.0] * 5], "Expected signals as a NumPy array, got list"),
        (np.full((1, 5), "0.1"), "Expected signals in mV, got <U3; give numbers"),
    ],
)
def test_signals_are_an_array_of_numbers(signals: object, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        EcgRecord(signals, 500.0, ("I",))  # type: ignore[arg-type]


def test_a_text_is_no_list_of_names() -> None:
    with pytest.raises(RecordError, match="Expected a name for each lead, got the text 'I'"):
        EcgRecord(np.zeros((1, 5), np.float32), 500.0, "I")  # type: ignore[arg-type]


def test_each_row_has_a_name() -> None:
    with pytest.raises(RecordError, match="Expected a name for each of 2 rows of signals, got 1; name each lead"):
        EcgRecord(np.zeros((2, 5), np.float32), 500.0, ("I",))
    assert issubclass(RecordError, ValueError)
    assert issubclass(RecordError, DatasetError)


@pytest.mark.parametrize(("rows", "samples"), [(0, 0), (0, 5), (2, 0)])
def test_a_record_without_a_sample_is_displayed(rows: int, samples: int) -> None:
    record = EcgRecord(np.zeros((rows, samples), np.float32), 500.0, ("I", "II")[:rows])
    assert repr(record) in record._repr_html_()


def test_a_record_is_searched_and_iterated_by_the_names_of_its_leads():
    record = EcgRecord(np.zeros((2, 9), np.float32), 500.0, ("I", "II"))
    assert "II" in record
    assert "V1" not in record
    assert list(record) == ["I", "II"]
