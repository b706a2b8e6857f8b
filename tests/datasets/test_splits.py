from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecglens.datasets import splits
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError


@pytest.fixture
def table() -> Recordings:
    """60 recordings in 40 groups, mi ones stored three times."""
    rows = []
    for number in range(60):
        label = ("mi", "normal", "abnormal")[min(number // 12, 2)]
        for copy in range(3 if label == "mi" else 1):
            rows.append(
                Recording(
                    Path(f"/data/{label}/{number}-{copy}.jpg"),
                    label,
                    f"r{number}",
                    f"g{number % 40}",
                    extra={"batch": "early" if number % 40 < 10 else "late"},
                )
            )
    return Recordings(tuple(rows))


def test_honest_folds_score_each_recording_once_and_keep_groups_whole(table):
    folds = splits.honest(table, seed=0)
    scored = Counter(table[int(i)].recording for fold in folds for i in fold.test)
    assert set(scored.values()) == {1}
    assert len(scored) == 60
    for fold in folds:
        assert not {table[int(i)].group for i in fold.train} & {table[int(i)].group for i in fold.test}
        assert {table[int(i)].label for i in fold.test} == set(table.labels)


def test_honest_folds_depend_on_the_seed_alone(table):
    one, again, other = (splits.honest(table, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.test, b.test) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(one, other, strict=True))


def test_inner_split_never_touches_the_test_side_or_breaks_a_group(table):
    fold = splits.honest(table, seed=0)[0]
    train, validation = splits.inner(table, fold, seed=0)
    assert sorted([*train, *validation]) == sorted(fold.train)
    assert not {table[int(i)].group for i in train} & {table[int(i)].group for i in validation}
    assert 0.05 < len(validation) / len(fold.train) < 0.3


def test_as_published_holds_out_the_asked_share_of_every_label_copies_included(table):
    (fold,) = splits.as_published(table, seed=0, test_fraction=0.25)
    assert len(fold.train) + len(fold.test) == len(table) == 84
    assert Counter(table[int(i)].label for i in fold.test) == {"mi": 9, "normal": 3, "abnormal": 9}
    shared = {table[int(i)].recording for i in fold.train} & {table[int(i)].recording for i in fold.test}
    assert shared, "copies are expected on both sides"
    train, validation = splits.inner(table, fold, seed=0, by_file=True)
    assert len(train) + len(validation) == len(fold.train)


def test_leave_one_out_drops_training_rows_of_the_test_groups(table):
    moved = Recordings(tuple(table.rows[:-1]) + (_with_batch(table[len(table) - 1], "early"),))
    folds = splits.leave_one_out(moved, "batch")
    assert [fold.name for fold in folds] == ["early", "late"]
    splits.check_disjoint(moved, splits.Split("leave-one-out:batch", 0, folds))
    assert len(folds[0].train) + len(folds[0].test) < 60


def test_a_split_in_which_a_recording_or_group_is_on_two_sides_is_refused_unless_as_published(table):
    folds = splits.as_published(table, seed=0)
    with pytest.raises(DatasetError, match="Expected every recording on one side, but .* are on both sides"):
        splits.check_disjoint(table, splits.Split("honest", 0, folds))
    splits.check_disjoint(table, splits.Split("as-published", 0, folds))
    by_recording = splits.Fold(np.array([0]), np.array([i for i, r in enumerate(table) if r.recording == "r40"]))
    with pytest.raises(DatasetError, match="Expected every group on one side, but 1 are on both sides, such as 'g0'"):
        splits.check_disjoint(table, splits.Split("mine", 0, (by_recording,)))


def test_a_stored_split_is_the_same_wherever_the_data_is(table, tmp_path):
    split = splits.Split("honest", 3, splits.honest(table, seed=3))
    split.save(tmp_path / "split.json", table)
    moved = Recordings(tuple(_move(row) for row in reversed(table.rows)))
    back = splits.Split.load(tmp_path / "split.json", moved)
    assert (back.protocol, back.seed) == ("honest", 3)
    for old, new in zip(split.folds, back.folds, strict=True):
        assert [table[int(i)].recording for i in old.test] == [moved[int(i)].recording for i in new.test]


def test_a_stored_split_that_leaks_is_refused_when_it_is_read(table, tmp_path):
    splits.Split("honest", 0, splits.as_published(table, seed=0)).save(tmp_path / "split.json", table)
    with pytest.raises(DatasetError, match="Expected every recording on one side"):
        splits.Split.load(tmp_path / "split.json", table)


def test_a_split_of_another_table_or_no_split_is_refused(table, tmp_path):
    splits.Split("as-published", 0, splits.as_published(table, seed=0)).save(tmp_path / "split.json", table)
    with pytest.raises(DatasetError, match=r"split.json names '.*' and 83 more that are not in the table"):
        splits.Split.load(tmp_path / "split.json", table.subset(range(0)))
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"Expected a split saved by ecglens in bad.json"):
        splits.Split.load(tmp_path / "bad.json", table)


def test_the_given_split_follows_the_column_and_says_what_is_missing():
    rows = [Recording(Path(f"{i}.jpg"), "mi", str(i), str(i), side) for i, side in enumerate(("train", "test", None))]
    (fold,) = splits.from_split_column(Recordings(tuple(rows)))
    assert (fold.train.tolist(), fold.test.tolist()) == ([0], [1])
    with pytest.raises(DatasetError, match="Expected the splits 'train' and 'test' in the table, got none, train"):
        splits.from_split_column(Recordings((rows[0], rows[2])))


def test_a_label_with_one_recording_is_refused_with_counts():
    rows = [Recording(Path(f"{i}.jpg"), "mi" if i else "normal", str(i), str(i)) for i in range(9)]
    with pytest.raises(DatasetError, match="at least 5 groups of recordings labeled 'normal' .* got 1 recordings in 1"):
        splits.honest(Recordings(tuple(rows)), seed=0)
    with pytest.raises(DatasetError, match="at least two files labeled 'normal'"):
        splits.as_published(Recordings(tuple(rows)), seed=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0])
def test_a_fraction_outside_0_and_1_is_refused(table, fraction):
    with pytest.raises(DatasetError, match="Expected a fraction between 0 and 1"):
        splits.as_published(table, seed=0, test_fraction=fraction)


def test_leave_one_out_needs_two_values(table):
    one = Recordings(tuple(_with_batch(row, "only") for row in table))
    with pytest.raises(DatasetError, match=r"at least two values in column 'batch' .* got \['only'\]"):
        splits.leave_one_out(one, "batch")


def _with_batch(row: Recording, batch: str) -> Recording:
    return Recording(row.path, row.label, row.recording, row.group, row.split, row.source, {"batch": batch})


def _move(row: Recording) -> Recording:
    path = Path("/elsewhere") / row.path.relative_to("/data")
    return Recording(path, row.label, row.recording, row.group, row.split, row.source, row.extra)
