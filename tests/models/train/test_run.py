import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from tiny_runs import LABELS, RECIPE, LineListener, finish_run, run_context, write_recordings

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.splits import Split
from ecglens.errors import DatasetError, TrainingError
from ecglens.models.inputs import LeadCrops
from ecglens.models.train import cache, run
from ecglens.models.train.folder import Plan, list_seeds, load_run, lock_run, start_run
from ecglens.models.train.recipe import Damage, Phase, Selection
from ecglens.models.train.run import check_run, cross_validate, fit_all, load_answers, make_split, page_logits

TWO = Plan(folds=2)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return write_recordings(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def finished_run(recordings: Recordings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish_run(recordings, RECIPE, tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture
def copy_of_run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def no_training(*arguments, **options):
    raise AssertionError("trained again")


def test_every_recording_is_answered_once_by_a_model_that_has_not_seen_it(recordings, finished_run):
    answers = load_answers(recordings, finished_run, seed=0)
    assert answers.rows.tolist() == list(range(8))
    assert answers.logits.shape == (8, 1, 2)
    assert np.bincount(answers.folds).tolist() == [4, 4]


def test_a_run_keeps_what_it_was_made_from(recordings, finished_run):
    assert load_run(recordings, finished_run) == (RECIPE, TWO)
    with (finished_run / "recordings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == [row.label for row in recordings]
    assert len({row["sha256"] for row in rows}) == 8
    started = json.loads((finished_run / "started.jsonl").read_text().splitlines()[0])
    assert started["versions"]["torch"]
    assert Split.load(finished_run / "seed0" / "split.json", recordings).protocol == "honest"
    for part in ("seed0/fold0", "seed0/fold1", "final"):
        with (finished_run / part / "history.csv").open(newline="") as stream:
            assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2"]
        with Image.open(finished_run / part / "curves.png") as curves:
            assert curves.size[0] > 500
        assert (finished_run / part / "last.safetensors").exists()


def test_what_is_finished_is_not_trained_again(recordings, copy_of_run, monkeypatch):
    monkeypatch.setattr(run, "train", no_training)
    monkeypatch.setattr(cache, "read_page", no_training)
    start_run(recordings, RECIPE, copy_of_run, TWO)
    cross_validate(recordings, RECIPE, copy_of_run, TWO, seeds=[0], context=run_context(copy_of_run))
    fit_all(recordings, RECIPE, copy_of_run, seed=0, context=run_context(copy_of_run))


def test_a_run_that_was_stopped_trains_only_what_is_missing_and_comes_to_the_same_answers(recordings, copy_of_run):
    before = load_answers(recordings, copy_of_run, seed=0).logits
    modified_ns = (copy_of_run / "seed0" / "fold0" / "answers.npz").stat().st_mtime_ns
    shutil.rmtree(copy_of_run / "seed0" / "fold1")
    heard = LineListener()
    cross_validate(recordings, RECIPE, copy_of_run, TWO, seeds=[0], context=run_context(copy_of_run, heard))
    assert len(heard.lines) == 1
    assert heard.lines[0].startswith("seed 0, fold 2 of 2: ")
    assert (copy_of_run / "seed0" / "fold0" / "answers.npz").stat().st_mtime_ns == modified_ns
    np.testing.assert_array_equal(load_answers(recordings, copy_of_run, seed=0).logits, before)


def test_a_fold_that_was_trained_but_not_answered_is_only_answered(recordings, copy_of_run, monkeypatch):
    before = load_answers(recordings, copy_of_run, seed=0).logits
    (copy_of_run / "seed0" / "fold1" / "answers.npz").unlink()
    monkeypatch.setattr(run, "train", no_training)
    cross_validate(recordings, RECIPE, copy_of_run, TWO, seeds=[0], context=run_context(copy_of_run))
    np.testing.assert_array_equal(load_answers(recordings, copy_of_run, seed=0).logits, before)


def test_another_recipe_table_or_protocol_is_refused_in_the_folder_of_a_run(recordings, copy_of_run):
    with pytest.raises(
        TrainingError, match=r"contains a run with another recipe \(.* was .* and is now .*\); choose another"
    ):
        start_run(recordings, RECIPE.model_copy(update={"title": "Other"}), copy_of_run, TWO)
    with pytest.raises(
        TrainingError, match=r"contains a run with another plan \(folds was 2 and is now 3\); choose another"
    ):
        start_run(recordings, RECIPE, copy_of_run, Plan(folds=3))
    with pytest.raises(TrainingError, match="contains a run on other recordings; choose another folder"):
        start_run(recordings.subset(range(7)), RECIPE, copy_of_run, TWO)
    with pytest.raises(TrainingError, match="was trained on other recordings"):
        load_run(recordings.subset(range(7)), copy_of_run)
    with pytest.raises(TrainingError, match="Expected a run folder of ecglens train, but '.*nothing' cannot be read"):
        load_run(recordings, copy_of_run / "nothing")


def test_a_run_is_taken_up_only_where_it_was_asked_for(recordings, copy_of_run):
    with pytest.raises(TrainingError, match="already contains a run; add --resume to continue it"):
        start_run(recordings, RECIPE, copy_of_run, TWO, resume=False)


def test_an_unfinished_run_is_not_scored(recordings, copy_of_run):
    with pytest.raises(TrainingError, match="has no finished folds of seed 1"):
        load_answers(recordings, copy_of_run, seed=1)
    (copy_of_run / "seed0" / "fold1" / "answers.npz").unlink()
    with pytest.raises(TrainingError, match="Fold 2 of 2 of seed 0 in .* is not finished; continue it with --resume"):
        load_answers(recordings, copy_of_run, seed=0)


def test_answers_of_other_pages_are_not_scored(recordings, copy_of_run):
    shutil.copy(copy_of_run / "seed0" / "fold0" / "answers.npz", copy_of_run / "seed0" / "fold1" / "answers.npz")
    with pytest.raises(TrainingError, match="do not belong to the pages of the fold; remove the file"):
        load_answers(recordings, copy_of_run, seed=0)


def test_pages_that_cannot_be_used_stop_a_run_and_are_counted(recordings, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (900, 700), "white").save(blank)
    rows = tuple(Recording(blank, label, f"{label}{n}", f"{label}{n}") for label in LABELS for n in range(2))
    sentence = r"The leads of 'blank.png' were not found. .* 3 more of 4 pages cannot be used either. Remove such pages"
    with pytest.raises(TrainingError, match=sentence):
        fit_all(Recordings(rows), RECIPE, tmp_path / "run", seed=0, context=run_context(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_labels_of_recipe_and_table_must_be_the_same(recordings):
    other = tuple(Recording(row.path, "other", row.recording, row.group) for row in recordings.rows[:2])
    with pytest.raises(TrainingError, match="The recordings have the label 'other', which is missing in the recipe"):
        check_run(Recordings(other), RECIPE, TWO, [0])
    more = RECIPE.model_copy(update={"labels": ("mi", "normal", "pacing")})
    with pytest.raises(TrainingError, match="The recipe has the label 'pacing', but no recording has"):
        check_run(recordings, more, TWO, [0])


def test_a_training_side_without_one_of_the_labels_is_refused(recordings, tmp_path):
    rows = tuple(
        Recording(row.path, row.label, row.recording, row.group, split="train" if row.label == "mi" else "test")
        for row in recordings
    )
    plan = Plan("given")
    with pytest.raises(TrainingError, match="The training side of seed 0, fold 1 of 1 has no recording labeled 'norm"):
        cross_validate(
            Recordings(rows), RECIPE, tmp_path / "run", plan, seeds=[0], context=run_context(tmp_path / "run")
        )


def test_protocols_by_name_and_by_file(recordings, tmp_path):
    published = make_split(recordings, RECIPE, Plan("as-published"), seed=1)
    assert (published.protocol, len(published.folds), len(published.folds[0].test)) == ("as-published", 1, 2)
    published.save(tmp_path / "split.json", recordings)
    loaded = make_split(recordings, RECIPE, Plan(str(tmp_path / "split.json")), seed=9)
    assert loaded.folds[0].test.tolist() == published.folds[0].test.tolist()
    with pytest.raises(TrainingError, match="Expected the protocol honest, as-published, .* got 'random'"):
        make_split(recordings, RECIPE, Plan("random"), seed=0)
    with pytest.raises(DatasetError, match="Expected a column 'batch'"):
        make_split(recordings, RECIPE, Plan("leave-one-out:batch"), seed=0)


def test_files_split_as_published_train_and_answer_copies_too(recordings, tmp_path):
    plan = Plan("as-published")
    start_run(recordings, RECIPE, tmp_path / "run", plan)
    heard = LineListener()
    choosing = RECIPE.model_copy(update={"selection": Selection(fraction=0.3, keep="best")})
    cross_validate(
        recordings, choosing, tmp_path / "run", plan, seeds=[0], context=run_context(tmp_path / "run", heard)
    )
    assert len(load_answers(recordings, tmp_path / "run", seed=0).rows) == 2
    assert (tmp_path / "run" / "seed0" / "fold0" / "best.safetensors").exists()
    assert heard.epochs == [1, 2]


def test_every_lead_is_a_row_that_is_trained_on_and_predicted(recordings, tmp_path):
    crops = LeadCrops(width=32, height=32, channels=1, steps=("gray",), leads=("I", "II", "V1"))
    out = finish_run(recordings, RECIPE.model_copy(update={"input": crops}), tmp_path / "run", fit=False)
    logits = load_answers(recordings, out, seed=0).logits
    assert logits.shape == (8, 3, 2)
    np.testing.assert_allclose(page_logits(logits, crops), logits.mean(axis=1))
    votes = page_logits(logits, msgspec.structs.replace(crops, aggregate="majority"))
    np.testing.assert_array_equal(votes.argmax(1), (logits.argmax(2) == 1).sum(1) > 1)


def test_damaged_copies_are_trained_on_and_never_predicted(recordings, tmp_path):
    rough = RECIPE.model_copy(update={"damage": Damage(copies=2, kinds=("uneven-light", "noise"), strength=0.2)})
    rows = np.arange(4)
    prepared = run.prepare_rows(recordings, rough, rows, run_context(tmp_path / "run"))
    assert len(prepared.samples(rows)) == 4
    learn = prepared.samples(rows, damaged=True)
    assert len(learn) == 12
    assert learn.targets[:4].tolist() == prepared.targets[:4].tolist()
    assert np.bincount(learn.targets).tolist() == [6, 6]
    assert len({learn.stored[0][row].tobytes() for row in learn.rows}) == 12


def test_a_given_split_with_a_recording_on_both_sides_is_refused(recordings):
    rows = tuple(
        Recording(row.path, row.label, row.recording, row.group, split="train" if number < 8 else "test")
        for number, row in enumerate(recordings)
    )
    with pytest.raises(DatasetError, match="Expected every recording on one side, but 1 are on both sides"):
        check_run(Recordings(rows), RECIPE, Plan("given"), [0])


def test_copies_that_the_table_does_not_know_are_refused_on_both_sides(recordings, tmp_path):
    rows = tuple(Recording(row.path, row.label, f"r{number}", f"g{number}") for number, row in enumerate(recordings))
    sides = tuple(replace(row, split="train" if number < 8 else "test") for number, row in enumerate(rows))
    with pytest.raises(TrainingError, match="1 have copies on the other side, such as 'copy.png'; run ecglens audit"):
        cross_validate(
            Recordings(sides), RECIPE, tmp_path / "run", Plan("given"), seeds=[0], context=run_context(tmp_path / "run")
        )


def test_pages_that_changed_since_a_run_began_are_not_mixed_in(tmp_path):
    recordings = write_recordings(tmp_path / "data")
    start_run(recordings, RECIPE, tmp_path / "run", TWO)
    shutil.copy(recordings[1].path, recordings[2].path)
    with pytest.raises(TrainingError, match="Pages have changed since the run in .* began; choose another folder"):
        start_run(recordings, RECIPE, tmp_path / "run", TWO)


def test_what_cannot_be_trained_is_found_before_any_work(recordings):
    choosing = RECIPE.model_copy(update={"selection": Selection(fraction=0.3, keep="best")})
    few = recordings.subset(range(4))
    with pytest.raises(TrainingError, match="The training side of fold 0 cannot be split again to select an epoch"):
        check_run(few, choosing, TWO, [0])
    plain = {"model": "cnn_224", "options": {}}
    frozen = RECIPE.model_copy(update={**plain, "phases": (Phase(epochs=1, trunk=0),)})
    with pytest.raises(TrainingError, match="A phase freezes the trunk, but this model has none"):
        check_run(recordings, frozen, TWO, [0])


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with (
        lock_run(tmp_path / "run"),
        pytest.raises(TrainingError, match="Another process trains in '.*run'; wait for it"),
        lock_run(tmp_path / "run"),
    ):
        pass
    with lock_run(tmp_path / "run"):
        assert (tmp_path / "run" / "lock").exists()


def test_the_seeds_of_a_run_are_those_of_its_folders(finished_run, tmp_path):
    assert list_seeds(finished_run) == [0]
    with pytest.raises(TrainingError, match="with folds of a seed"):
        list_seeds(tmp_path)
