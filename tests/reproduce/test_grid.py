import json
from pathlib import Path

import pytest
from tiny_runs import LABELS, RECIPE, LineListener, run_context, write_recordings

from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError, TrainingError
from ecglens.evaluation.predictions import read_predictions
from ecglens.models.train.recipe import format_recipe
from ecglens.reproduce import ROWS, find_rows, grid, jobs_of, load_result, reproduce, speed, table, write_tables
from ecglens.reproduce.results import result_path
from ecglens.reproduce.works import Row

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
TINY = Row("tiny", "custom-cnn", "Tiny CNN", "tiny", 0.9, "90.00 %")
MAJORITY = ROWS["majority"]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    return write_recordings(tmp_path_factory.mktemp("data") / "pages", pages=12)


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    for name in ("tiny", "compact_cnn"):
        (folder / f"{name}.toml").write_text(format_recipe(RECIPE), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def skip_timing(monkeypatch):
    """Skip the timing: writing a graph for it takes longer than the rest of a tiny job."""
    monkeypatch.setattr(grid, "save_speed", lambda folder, recipe, recordings: None)


def jobs(recipes: Path, rows=(TINY,), protocols=("as-published", "honest"), **options):
    return jobs_of(rows, protocols=protocols, seeds=[0], recipes=recipes, weights={}, **options)


def make(requested, recordings, tmp_path) -> list[str]:
    heard = LineListener()
    options = {"runs": tmp_path / "runs", "results": tmp_path / "results", "command": "ecglens reproduce tiny"}
    reproduce(requested, recordings, place=run_context(tmp_path / "run", heard), **options)
    return heard.lines


def test_results_are_computed_once_and_are_in_the_table(recordings, recipes, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROWS", {row.name: row for row in (TINY, MAJORITY)})
    monkeypatch.setattr(grid, "save_speed", speed.save_speed)
    make(jobs(recipes, (TINY, MAJORITY)), recordings, tmp_path)
    monkeypatch.setattr(grid, "cross_validate", None)
    lines = make(jobs(recipes, (TINY, MAJORITY)), recordings, tmp_path)
    assert [line.endswith("done before") for line in lines] == [True] * 4
    honest = load_result(result_path(tmp_path / "results", "tiny", "honest", 0))
    assert len(honest.predictions) == len(set(honest.predictions.recordings)) == 12
    assert honest.note["recordings"] == 12
    assert honest.note["command"] == "ecglens reproduce tiny"
    text = write_tables(tmp_path / "results", tmp_path / "docs" / "RESULTS.md")
    (line,) = [line for line in text.splitlines() if line.startswith("| Tiny CNN | Custom CNN")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    right = (honest.predictions.probabilities.argmax(1) == honest.predictions.targets).mean()
    assert cells[2] == "90.00 %"
    assert cells[4].startswith(f"{right:.3f} (")
    assert (cells[5], cells[6]) == ("not run", "-")
    assert cells[7] == f"{json.loads((tmp_path / 'results/tiny/speed.json').read_text())['parameters']:,}"
    assert (tmp_path / "docs" / "images" / "results.png").stat().st_size > 5000
    assert "- `ecglens reproduce tiny`" in text
    assert str(tmp_path) not in text


def test_a_changed_recipe_is_trained_again_and_a_stopped_job_resumes(recordings, recipes, tmp_path, monkeypatch):
    (first,) = jobs(recipes, protocols=("as-published",))
    make([first], recordings, tmp_path)
    before = result_path(tmp_path / "results", "tiny", "as-published", 0).read_bytes()
    (recipes / "tiny.toml").write_text(format_recipe(RECIPE.model_copy(update={"test_fraction": 0.4})))
    lines = make(jobs(recipes, protocols=("as-published",)), recordings, tmp_path)
    assert any("has changed since; computed again" in line for line in lines)
    assert result_path(tmp_path / "results", "tiny", "as-published", 0).read_bytes() != before
    monkeypatch.setattr("ecglens.models.train.run.train", None)  # the first recipe's run is still there
    make([first], recordings, tmp_path)
    assert result_path(tmp_path / "results", "tiny", "as-published", 0).read_bytes() == before


def test_copies_of_training_pages_are_marked(recordings, recipes, tmp_path):
    for seed in range(20):
        (job,) = jobs_of([TINY], protocols=["as-published"], seeds=[seed], recipes=recipes, weights={})
        split = grid.make_split(recordings, job.recipe, grid.Plan("as-published"), seed=seed)
        tested = [recordings[int(row)] for row in split.folds[0].test]
        if any(row.recording == "mi0" for row in tested) and sum(row.recording == "mi0" for row in tested) == 1:
            break
    make([job], recordings, tmp_path)
    predictions = read_predictions(result_path(tmp_path / "results", "tiny", "as-published", seed))
    assert dict(zip(predictions.recordings, predictions.extra["copy in training"], strict=True)) == {
        row.recording: "yes" if row.recording == "mi0" else "no" for row in tested
    }


def test_quick_says_what_it_leaves_out(recordings, recipes, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROWS", {"tiny": TINY})
    make(jobs(recipes, quick=True), recordings, tmp_path)
    honest = load_result(result_path(tmp_path / "results", "tiny", "honest", 0))
    assert 0 < len(honest.predictions) < 12
    assert honest.note["recipe"]["optimization"]["epochs"] == 1
    text = write_tables(tmp_path / "results", tmp_path / "QUICK.md", quick=True)
    assert "**Quick**: a sixth of the epochs, and of the honest folds and of the batches the first alone" in text
    assert not (tmp_path / "images").exists()


def test_without_imagenet_weights_a_row_is_trained_from_scratch_or_is_left_out(monkeypatch):
    def out_of_reach(model, options):
        raise TrainingError("Cannot be fetched.")

    monkeypatch.setattr(grid, "check_weights", out_of_reach)
    heard = LineListener()
    rows = find_rows(["mobilenet", "efficientnet-lite0"])
    planned = jobs_of(rows, protocols=["honest"], seeds=[0], recipes=RECIPES, weights={}, listener=heard)
    assert [(job.row.name, job.pretrained, job.recipe.phases) for job in planned] == [("mobilenet", False, ())]
    assert heard.lines[0] == "mobilenet is trained from scratch. Cannot be fetched."
    assert heard.lines[-1] == "efficientnet-lite0 is left out: it learns nothing without ImageNet weights."


def test_with_imagenet_weights_the_backbone_is_frozen_as_described(monkeypatch):
    monkeypatch.setattr(grid, "check_weights", lambda model, options: None)
    (job,) = jobs_of(find_rows(["mobilenet"]), protocols=["honest"], seeds=[0], recipes=RECIPES, weights={})
    assert (job.pretrained, job.recipe.options["weights"]) == (True, "imagenet")
    assert [(phase.epochs, phase.trunk) for phase in job.recipe.phases] == [(20, 0)]


def test_vgg16_is_plain_with_imagenet_weights_and_normalized_without(monkeypatch):
    def model_of_row():
        (job,) = jobs_of(find_rows(["vgg16"]), protocols=["honest"], seeds=[0], recipes=RECIPES, weights={})
        return job.recipe.model

    checked = []
    monkeypatch.setattr(grid, "check_weights", lambda model, options: checked.append(model))
    assert (model_of_row(), checked) == ("vgg16", ["vgg16"])

    def out_of_reach(model, options):
        raise TrainingError("Cannot be fetched.")

    monkeypatch.setattr(grid, "check_weights", out_of_reach)
    assert model_of_row() == "timm:vgg16_bn"


def test_every_row_has_its_recipe_and_the_works_read_whole_pages_as_published(monkeypatch):
    monkeypatch.setattr(grid, "check_weights", lambda model, options: None)
    planned = jobs_of(find_rows([]), protocols=list(grid.PROTOCOLS), seeds=[0, 1], recipes=RECIPES, weights={})
    assert {job.row.name for job in planned} == set(ROWS)
    assert [job.seed for job in planned] == sorted(job.seed for job in planned)
    area = {(job.row.name, job.protocol): getattr(job.recipe.input, "area", None) for job in planned}
    assert area["vgg16", "as-published"] == "page"
    assert area["vgg16", "honest"] == area["vgg16", "batch"] == "traces"
    assert area["footer", "as-published"] == "footer"


def test_references_learn_on_the_training_side(recordings, recipes, tmp_path):
    make(jobs(recipes, (MAJORITY,), protocols=("honest",)), recordings, tmp_path)
    predictions = load_result(result_path(tmp_path / "results", "majority", "honest", 0)).predictions
    assert predictions.labels == LABELS
    assert set(predictions.probabilities.ravel().tolist()) == {0.0, 1.0}
    with pytest.raises(DatasetError, match="Expected the printed rate of every page .* leave the row printed-rate out"):
        make(jobs(recipes, (ROWS["printed-rate"],), protocols=("honest",)), recordings, tmp_path)


def test_unknown_protocols_are_refused(recipes):
    with pytest.raises(TrainingError, match="Expected protocols out of as-published, honest, batch, got 'loo'"):
        jobs(recipes, protocols=("loo",))
