from dataclasses import replace

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.evaluation.predictions import Predictions, list_cautions, read_predictions, write_predictions


def some(count=4) -> Predictions:
    rng = np.random.default_rng(0)
    return Predictions(
        recordings=tuple(f"r{n}" for n in range(count)),
        groups=tuple(f"g{n // 2}" for n in range(count)),
        labels=("normal", "mi"),
        targets=np.arange(count) % 2,
        probabilities=rng.dirichlet([1, 1], count),
        folds=np.arange(count) % 3,
        extra={"batch": tuple("ab"[n % 2] for n in range(count))},
    )


@pytest.mark.parametrize("name", ["answers.csv", "below/answers.parquet"])
def test_answers_come_back_as_they_were_written(tmp_path, name):
    written = some()
    write_predictions(written, tmp_path / name)
    read = read_predictions(tmp_path / name)
    assert (read.recordings, read.groups, read.labels) == (written.recordings, written.groups, written.labels)
    assert dict(read.extra) == dict(written.extra)
    np.testing.assert_array_equal(read.targets, written.targets)
    np.testing.assert_array_equal(read.folds, written.folds)
    np.testing.assert_allclose(read.probabilities, written.probabilities, rtol=1e-12)


def test_only_the_label_and_the_probabilities_must_be_there(tmp_path):
    (tmp_path / "a.csv").write_text("label,p_normal,p_mi\nmi,0.2,0.8\nnormal,1,0\n")
    read = read_predictions(tmp_path / "a.csv")
    assert read.recordings == read.groups == ("1", "2")
    assert read.folds.tolist() == [0, 0]


def test_what_is_blank_is_filled_row_by_row(tmp_path):
    (tmp_path / "a.csv").write_text("recording,group,label,p_a,p_b\nx,g,a,1,0\ny,,b,0,1\n,,b,0,1\n")
    read = read_predictions(tmp_path / "a.csv")
    assert read.recordings == ("x", "y", "3")
    assert read.groups == ("g", "y", "3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,2\n", "Expected the columns 'label' and 'p_NAME' .* got x, y"),
        ("", "got none"),
        ("label,p_normal,p_mi\n", "Expected at least one answer in a.csv, but it has a header only"),
        ("label,p_normal,p_mi\nafib,0.5,0.5\n", "has the label 'afib', but no column 'p_afib'"),
        ("label,p_normal,p_mi\nmi,0.5,half\n", "Expected numbers in the column 'p_mi' of a.csv, but row 1 has 'half'"),
        ("label,p_normal,p_mi\nmi,0.5,0.4\n", "sum to 1 in each row of a.csv, but row 1 has 0.5, 0.4"),
        (
            "label,p_normal,p_mi\nmi,-0.5,1.5\n",
            "at least 0 that sum to 1 in each row of a.csv, but row 1 has -0.5, 1.5",
        ),
        ("label,p_normal,p_mi,label\nmi,0.5,0.5,normal\n", "each column once in a.csv, but 'label' is there twice"),
        ("label,p_normal,p_mi\nmi,nan,1\n", "sum to 1 in each row of a.csv"),
        ("label,p_normal,p_mi\nmi,-1,2\n", "probabilities of at least 0"),
        (
            "label,p_normal,p_mi,fold\nmi,0.5,0.5,a\n",
            "Expected numbers in the column 'fold' of a.csv, but row 1 has 'a'",
        ),
        ("label,p_normal,p_mi,fold\nmi,0.5,0.5,1\nmi,0.5,0.5,\n", "column 'fold' of a.csv, but row 2 has ''"),
        (
            "label,p_normal,p_mi,fold\nmi,0.5,0.5,1.5\n",
            "whole numbers in the column 'fold' of a.csv, but row 1 has '1.5'",
        ),
        ("label,p_normal,p_mi\nmi,0.5\n", "Expected 3 values in row 1 of a.csv"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_sentence(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet"])
def test_a_file_that_is_not_there_is_refused(tmp_path, name):
    with pytest.raises(DatasetError, match="Expected a table of answers at .*gone"):
        read_predictions(tmp_path / name)


def test_a_subset_keeps_everything_of_its_pages():
    part = some().subset(np.array([3, 0]))
    assert part.recordings == ("r3", "r0")
    assert part.extra["batch"] == ("b", "a")
    assert part.group_codes.tolist() == [1, 0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_may_come_from_any_spreadsheet(tmp_path, separator, encoding):
    decimal = "." if separator == "," else ","
    rows = [["recording", "label", "p_normal", "p_mi"], ["ä", "mi", f"0{decimal}33", f"0{decimal}68"], ["", "", "", ""]]
    (tmp_path / "a.csv").write_text("\r\n".join(map(separator.join, rows)), encoding=encoding)
    read = read_predictions(tmp_path / "a.csv", named=True)
    assert read.recordings == ("ä",)
    assert read.probabilities[0].tolist() == pytest.approx([0.33 / 1.01, 0.68 / 1.01])


def test_letters_that_are_not_utf_8_are_named_as_such(tmp_path):
    (tmp_path / "a.csv").write_text("recording,label,p_a,p_b\nä,a,1,0\n", encoding="latin-1")
    with pytest.raises(DatasetError, match="its letters are not UTF-8; save it as CSV UTF-8"):
        read_predictions(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["label,p_a,p_b\na,1,0\n", "recording,label,p_a,p_b\nx,a,1,0\n,a,1,0\n"])
def test_rows_that_are_to_be_paired_must_name_their_recording(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert len(read_predictions(tmp_path / "a.csv")) >= 1
    with pytest.raises(DatasetError, match="'recording' with a name in every row of a.csv: without it pages of two"):
        read_predictions(tmp_path / "a.csv", named=True)


def test_unusual_rows_and_groups_are_reported():
    table = replace(
        some(), recordings=("r0", "r1", "r2", "r3"), groups=("g0", "g1", "g2", "g2"), folds=np.array([0, 1, 2, 2])
    )
    assert list_cautions(table) == ()
    assert list_cautions(replace(table, groups=table.recordings)) == (
        "Each page is a group of its own: where a person has several, the intervals are too narrow.",
    )
    twice = replace(table, recordings=("r0", "r0", "r2", "r2"))
    assert list_cautions(twice) == (
        "The recording 'r0' (and 1 more) is in several rows, and each of them counts.",
        "The recording 'r0' (and 1 more) has more than one true label.",
    )
    (caution,) = list_cautions(replace(table, folds=np.array([0, 1, 2, 3])))
    assert caution.startswith("The group 'g2' has pages in more than one fold: if the folds")
    (caution,) = list_cautions(replace(table, targets=np.zeros(4, np.intp)))
    assert caution.startswith("No page is truly mi: recall, AUROC")
    files = replace(twice, targets=np.array([0, 0, 1, 1]), extra={"file": ("a", "b", "c", "d")})
    assert list_cautions(files) == ()
