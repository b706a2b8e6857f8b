import json
from pathlib import Path

import pytest
from tiny_runs import write_recordings
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.errors import DatasetError, TrainingError

TINY = """
model = "compact_cnn"
title = "Tiny"
labels = ["mi", "normal"]
[input]
kind = "trace_canvas"
width = 96
height = 64
[optimization]
epochs = 1
batch_size = 4
precision = "float32"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder).to_csv(folder / "recordings.csv")
    (folder / "tiny.toml").write_text(TINY)
    return folder


@pytest.fixture
def run(data, tmp_path):
    def call(command, *options, recipe="tiny.toml"):
        paths = ["--data", data / "recordings.csv", "--out", tmp_path / "out", "--cache", data / "cache"]
        words = [command, data / recipe, *paths, "--device", "cpu", *options]
        return CliRunner().invoke(app, [str(word) for word in words])

    return call


def test_a_training_reports_what_it_finished_and_where_it_is(run, tmp_path):
    answer = run("train", "--seeds", "0", "--folds", "2", "--tensorboard")
    assert answer.exit_code == 0, answer.output
    assert "seed 0, fold 2 of 2: " in answer.output
    assert "fitted on all 8 recordings" in answer.output
    assert f"The run is complete in {tmp_path / 'out'}." in answer.output
    assert list((tmp_path / "out" / "final" / "events").iterdir())
    assert not (tmp_path / "out" / "final" / "checkpoint.safetensors").exists()


def test_a_search_writes_a_recipe_that_trains(run, tmp_path):
    answer = run("search", "--trials", "1", "--repeats", "1", "--metric", "accuracy")
    assert answer.exit_code == 0, answer.output
    assert "Best of 1 trials: accuracy " in answer.output
    assert "[optimization]" in (tmp_path / "out" / "best.toml").read_text()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (("--protocol", "random"), TrainingError, "Expected the protocol honest, as-published"),
        (("--folds", "7"), DatasetError, "Expected at least 7 groups of recordings labeled 'mi' for 7 folds"),
        (
            ("--set", "optimization.epochs=0"),
            TrainingError,
            "optimization.epochs: expected a number of at least 1, got 0",
        ),
        (("--set", "model=resnet5000"), TrainingError, "got 'resnet5000'"),
        (("--set", "options={weights='gone.safetensors'}", "--set", "model=resnet50"), TrainingError, "gone.safetens"),
        (("--device", "cuda:9"), TrainingError, "Expected a device such as auto, cpu, cuda or cuda:1, but 'cuda:9'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence_before_any_work(run, tmp_path, options, error, message):
    answer = run("train", "--folds", "2", *options)
    assert isinstance(answer.exception, error)
    assert message in str(answer.exception)
    assert not list(tmp_path.glob("out/seed*"))


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("train", ("--set", "model=resnet5000"), "got 'resnet5000'"),
        ("train", ("--set", "labels=['mi','mi']"), "got 'mi' twice"),
        ("train", ("--set", "model=cnn_224", "--set", "phases=[{epochs=1,trunk=0}]"), "A phase freezes the trunk"),
        ("search", ("--set", "model=resnet5000"), "got 'resnet5000'"),
    ],
)
def test_a_bad_recipe_is_refused_before_the_data_is_read(run, monkeypatch, tmp_path, command, options, message):
    monkeypatch.setattr(f"ecglens.cli.{command}.load_training", lambda *_, **__: pytest.fail("read the data"))
    answer = run(command, *options)
    assert isinstance(answer.exception, TrainingError)
    assert message in str(answer.exception)


def test_a_page_that_is_gone_is_named(run, data, tmp_path):
    table = data / "gone.csv"
    table.write_text("path,label\ngone.png,mi\nmi0.png,mi\nnormal1.png,normal\nnormal3.png,normal\n")
    answer = run("train", "--folds", "2", "--data", table)
    assert isinstance(answer.exception, TrainingError)
    assert "gone.png', but it cannot be read: No such file or directory" in str(answer.exception)
    assert not (tmp_path / "out").exists()


def test_every_start_is_stored_with_its_command(run, tmp_path):
    run("train", "--seeds", "0", "--folds", "2", "--no-fit")
    assert run("train", "--seeds", "0", "--folds", "2").exit_code == 1
    run("train", "--seeds", "0", "--folds", "2", "--no-fit", "--resume")
    starts = [json.loads(line) for line in (tmp_path / "out" / "started.jsonl").read_text().splitlines()]
    assert len(starts) == 2
    assert all(start["command"].startswith("ecglens ") for start in starts)


def test_a_run_is_evaluated_and_two_reports_are_compared(run, data, tmp_path):
    assert run("train", "--seeds", "0", "--folds", "2", "--no-fit").exit_code == 0
    options = ["--data", data / "recordings.csv", "--draws", "20"]
    for name in ("one", "two"):
        words = ["evaluate", tmp_path / "out", "--out", tmp_path / name, "--name", name, *options]
        answer = CliRunner().invoke(app, [str(word) for word in words])
        assert answer.exit_code == 0, answer.output
        assert "9 files, 8 recordings, 8 groups" in answer.stdout
        assert "majority label" in answer.stdout
    tables = [str(tmp_path / name / "predictions.csv") for name in ("one", "two")]
    compared = CliRunner().invoke(app, ["compare", *tables, "--draws", "20", "--json"])
    assert json.loads(compared.stdout)["models"] == ["one", "two"]
    assert json.loads(compared.stdout)["right_on_the_same_pages"]["p"] == 1.0
    refused = CliRunner().invoke(app, ["compare", *tables, "--out", str(tmp_path / "plot.pdf")])
    assert refused.exit_code == 2
    assert "ends with .png or .html" in refused.stderr
    again = CliRunner().invoke(app, ["evaluate", tables[0], "--draws", "20", "--json"])
    assert json.loads(again.stdout)["recordings"] == 8
    unused = CliRunner().invoke(app, ["evaluate", tables[0], "--damage", "3"])
    assert unused.exit_code == 2
    assert "has no effect with a table of predictions" in unused.stderr


def test_a_run_without_its_table_is_not_evaluated(tmp_path):
    answer = CliRunner().invoke(app, ["evaluate", str(tmp_path)])
    assert isinstance(answer.exception, DatasetError)
    assert "Expected --data with the table that the run" in str(answer.exception)
