import pytest

from ecglens.errors import TrainingError
from ecglens.reproduce.works import ROWS, WORKS, find_rows


def test_rows_are_found_by_their_names_and_by_those_of_their_works():
    assert [row.name for row in find_rows(["conduction"])] == ["cnn", "mobilenet", "mobilenet-lstm", "densenet"]
    assert [row.name for row in find_rows(["vgg16", "cnn"])] == ["cnn", "vgg16"]
    assert find_rows([]) == list(ROWS.values())
    assert {row.work for row in ROWS.values()} == set(WORKS)


def test_unknown_rows_are_refused():
    with pytest.raises(TrainingError, match="Expected works out of custom-cnn, .* got 'resnet'"):
        find_rows(["resnet"])


def test_accuracies_of_crops_are_reported_as_such():
    assert ROWS["cnn-lead"].reported_text == "93.40 % of crops"
    assert (ROWS["cnn"].reported_text, ROWS["majority"].reported_text) == ("87.63 %", "-")
