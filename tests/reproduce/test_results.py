import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.evaluation.predictions import Predictions
from ecglens.reproduce.results import Result, has_no_groups, load_result, result_path, save_result


def test_a_saved_result_is_loaded_and_a_missing_one_is_none(tmp_path):
    path = result_path(tmp_path, "tiny", "honest", 0)
    assert load_result(path) is None
    rows = ("a", "b")
    predictions = Predictions(rows, rows, ("mi", "normal"), np.array([0, 1]), np.eye(2), np.array([0, 1]))
    save_result(path, Result(predictions, {"seed": 0}))
    result = load_result(path)
    assert result is not None
    assert (result.predictions.recordings, result.note) == (rows, {"seed": 0})


def test_a_broken_note_is_refused(tmp_path):
    path = result_path(tmp_path, "tiny", "honest", 0)
    path.parent.mkdir(parents=True)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(DatasetError, match="cannot be read; remove it and compute the row again"):
        load_result(path)


def test_a_table_has_no_groups_if_each_file_is_one():
    assert has_no_groups(4, 4)
    assert not has_no_groups(4, 3)
