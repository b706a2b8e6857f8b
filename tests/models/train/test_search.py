from dataclasses import replace

import pytest
from tiny_runs import RECIPE, LineListener, run_context, write_recordings

from ecglens.datasets.recordings import Recordings
from ecglens.errors import TrainingError
from ecglens.models.train import search as searching
from ecglens.models.train.recipe import Selection, load_recipe
from ecglens.models.train.search import Range, load_space, search

SPACE = {"optimization.learning_rate": Range(low=1e-4, high=1e-2, log=True), "optimization.batch_size": [2, 4]}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def unlearnt(monkeypatch):
    """Trials are valued by their numbers alone."""

    def value(prepared, recipe, part, metric, context, *, seed):
        return abs(recipe.optimization.learning_rate - 2e-3) + recipe.optimization.batch_size

    monkeypatch.setattr(searching, "_value", value)


def test_a_search_writes_the_best_recipe_and_values_it_on_pages_it_was_not_trained_on(recordings, tmp_path):
    heard = LineListener()
    result = search(
        recordings,
        RECIPE,
        tmp_path / "study",
        context=run_context(tmp_path / "study", heard),
        space=SPACE,
        trials=2,
        repeats=1,
    )
    assert result.trials == len(heard.lines) == 2
    assert set(result.changes) == set(SPACE)
    best = load_recipe(tmp_path / "study" / "best.toml")
    assert best.optimization.learning_rate == result.changes["optimization.learning_rate"]
    assert best.model_copy(update={"optimization": RECIPE.optimization}) == RECIPE


def test_a_search_that_was_stopped_is_resumed(recordings, tmp_path, unlearnt):
    options = {"context": run_context(tmp_path / "study"), "space": SPACE}
    search(recordings, RECIPE, tmp_path / "study", trials=3, **options)
    heard = LineListener()
    result = search(
        recordings, RECIPE, tmp_path / "study", trials=5, space=SPACE, context=run_context(tmp_path / "study", heard)
    )
    assert result.trials == 5
    assert [line.partition(":")[0] for line in heard.lines] == ["trial 4", "trial 5"]


def test_a_search_that_goes_on_draws_other_points(recordings, tmp_path, unlearnt):
    lines = []
    for trials in (2, 3, 4):
        heard = LineListener()
        search(
            recordings, RECIPE, tmp_path / "s", trials=trials, space=SPACE, context=run_context(tmp_path / "s", heard)
        )
        lines += [line.partition(" with ")[2] for line in heard.lines]
    assert len(set(lines)) == 4


def test_a_search_checks_its_fold_and_its_space_first(recordings, tmp_path, monkeypatch):
    two = searching.splits.honest(recordings, seed=0, folds=2)
    monkeypatch.setattr(searching.splits, "honest", lambda table, seed: two)
    options = {"context": run_context(tmp_path / "s"), "trials": 1}
    with pytest.raises(TrainingError, match="Expected a fold from 0 to 1, got 9"):
        search(recordings, RECIPE, tmp_path, space=SPACE, fold=(0, 9), **options)
    with pytest.raises(TrainingError, match="optimization.speed: expected one of optimizer"):
        search(recordings, RECIPE, tmp_path, space={"optimization.speed": [1]}, **options)
    with pytest.raises(ValueError, match="low must be less than high"):
        Range(low=2.0, high=1.0)


def test_a_search_ends_near_the_best_value(recordings, tmp_path, unlearnt):
    result = search(
        recordings, RECIPE, tmp_path / "study", context=run_context(tmp_path / "study"), space=SPACE, trials=25
    )
    assert result.changes["optimization.batch_size"] == 2
    assert result.changes["optimization.learning_rate"] == pytest.approx(2e-3, abs=8e-4)


def test_one_fold_s_unseen_pages_are_never_seen(recordings, tmp_path, monkeypatch):
    used_rows = []

    def value(prepared, recipe, part, metric, context, *, seed):
        used_rows.extend([*part.train, *part.test])
        return 1.0

    monkeypatch.setattr(searching, "_value", value)
    monkeypatch.setattr(searching.splits, "honest", lambda table, seed: searching.splits.leave_one_out(table, "source"))
    table = Recordings(tuple(replace(row, source=str(n // 4)) for n, row in enumerate(recordings.rows[:8])))
    search(table, RECIPE, tmp_path, context=run_context(tmp_path / "study"), space=SPACE, trials=1, fold=(0, 1))
    assert sorted(set(used_rows)) == [0, 1, 2, 3]


def test_another_study_is_refused_in_the_folder(recordings, tmp_path, unlearnt):
    options = {"context": run_context(tmp_path / "study"), "trials": 1}
    search(recordings, RECIPE, tmp_path / "study", space=SPACE, **options)
    with pytest.raises(TrainingError, match="contains a study of another recipe, table, search space or metric"):
        search(recordings, RECIPE, tmp_path / "study", space=SPACE, metric="accuracy", **options)


def test_trials_that_fail_are_passed_over_until_none_is_left(recordings, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise TrainingError("The loss is no longer a number.")

    monkeypatch.setattr(searching, "_value", fail)
    heard = LineListener()
    with pytest.raises(TrainingError, match="None of the trials in .* finished; narrow the search space"):
        search(recordings, RECIPE, tmp_path / "s", context=run_context(tmp_path / "s", heard), space=SPACE, trials=2)
    assert heard.lines[0] == "trial 1 failed: The loss is no longer a number."


def test_what_is_trained_on_is_not_searched(recordings, tmp_path):
    with pytest.raises(TrainingError, match="Expected settings of the training to search, but 'input.width' changes"):
        search(recordings, RECIPE, tmp_path, context=run_context(tmp_path), space={"input.width": [64]})


def test_a_space_is_a_file_of_keys_with_ranges_or_values(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text("[optimization]\nbatch_size = [8, 16]\nlearning_rate = {low = 1e-4, high = 1e-2, log = true}\n")
    assert load_space(path) == {
        "optimization.batch_size": [8, 16],
        "optimization.learning_rate": Range(low=1e-4, high=1e-2, log=True),
    }
    path.write_text("optimization.batch_size = 8\n")
    with pytest.raises(TrainingError, match="Expected lines such as .* in 'space.toml', but: expected a "):
        load_space(path)
    with pytest.raises(TrainingError, match="Expected a file with a search space, but '.*none.toml' cannot be read"):
        load_space(tmp_path / "none.toml")


def test_the_metric_of_the_last_or_the_best_epoch_counts(monkeypatch, recordings, tmp_path):
    rows = [{"validation_loss": value} for value in (0.7, 0.3, 0.5)]
    monkeypatch.setattr(searching, "train", lambda *arguments, **options: rows)
    prepared = searching.prepare_rows(recordings, RECIPE, recordings.canonical_indices(), run_context(tmp_path / "s"))
    part = searching._inner(
        recordings, RECIPE, searching.Fold(recordings.canonical_indices(), recordings.canonical_indices()[:0]), seed=0
    )
    best = RECIPE.model_copy(update={"selection": Selection(fraction=0.2, keep="best")})
    values = [
        searching._value(prepared, recipe, part, "loss", run_context(tmp_path / "s"), seed=0)
        for recipe in (RECIPE, best)
    ]
    assert values == [0.5, 0.3]
