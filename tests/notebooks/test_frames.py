import numpy as np
import pytest

from ecglens.measurements import FIGURES, Measured, Measurements
from ecglens.records import EcgRecord

pytest.importorskip("pandas")


def test_a_record_is_a_frame_by_time():
    record = EcgRecord(np.float32([[1, 2], [3, np.nan]]), 2.0, ("I", "II"), start_s=(0.0, 0.5))
    frame = record.to_dataframe()
    assert list(frame.columns) == ["I", "II"]
    assert frame.index.name == "time_s"
    assert frame.index.tolist() == [0.0, 0.5]
    assert frame["I"].tolist() == [1.0, 2.0]
    assert np.isnan(frame["II"][0.0])
    assert frame["II"][0.5] == 3.0


def test_measurements_are_a_frame_with_a_row_for_each_figure():
    measured = Measured(120.0, 5.0, "ms", (70.0, 110.0))
    frame = Measurements(qrs_ms=measured, st_j_mv={"V2": Measured(0.1, 0.01, "mV")}).to_frame()
    assert list(frame.index) == [*FIGURES, "st_j_mv[V2]"]
    assert frame.loc["qrs_ms"].tolist() == [120.0, 5.0, "ms", 70.0, 110.0, "above"]
    assert frame["value"].isna().sum() == len(FIGURES) - 1
