"""``ecglens batch`` and ``ecglens report`` as a user runs them."""

import json

import pytest
from simulated_results import labeled_row, write_result
from typer.testing import CliRunner

from ecglens import batch
from ecglens.cli.app import app
from ecglens.errors import BatchError


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def reading(monkeypatch, tmp_path):
    """Replace the run by one that reads nothing, and return the arguments of its call."""
    arguments = {}

    def fake(source, out, *, listener, **options):
        arguments.update(source=source, **options)
        report = listener or (lambda progress: None)
        report(batch.Progress("listing", 0))
        for done in (0, 1, 2):
            report(batch.Progress("reading", 3, done, done, 1, 2.0, 65.0))
        report(batch.Progress("finished", 3, 3, 3, 1, 2.0, 0.0))
        if source == "stop":
            raise KeyboardInterrupt
        return batch.Result(tmp_path / "elsewhere", 3, 3, 1, 1, 5, ("._a.jpg", "a.txt", "b.txt"))

    monkeypatch.setattr(batch, "run", fake, raising=False)
    return arguments


def test_progress_is_json_lines_without_a_terminal_and_the_end_is_reported(reading, tmp_path):
    result = run("batch", "scans", "--out", tmp_path / "out", "--what", "signals, label", "--workers", 3)
    assert result.exit_code == 0
    reports = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(each["state"], each["done"]) for each in reports] == [("listing", 0), ("reading", 0), ("finished", 3)]
    assert reports[1]["pages_per_s"] == 2.0
    assert (reports[1]["seconds_left"], reports[1]["failures"]) == (65.0, 1)
    for line in (
        "3 pages of 3 files, 1 failed.",
        "another file has the same bytes: 1 file.",
        "because of their names: 5 other files (._a.jpg, a.txt, b.txt and 2 more).",
        "failures.csv",
        "so this one has a folder of its own",
        "not a diagnosis",
    ):
        assert line in result.stdout
    assert reading["options"].parts == ("signals", "label")
    assert reading["workers"] == 3


def test_quiet_prints_nothing(reading, tmp_path):
    result = run("batch", "scans", "--out", tmp_path / "out", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_ctrl_c_says_how_to_resume(reading, tmp_path):
    result = run("batch", "stop", "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "Stopped. The same command resumes" in result.stderr


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_less_than_one_worker_is_refused(tmp_path, workers):
    result = run("batch", tmp_path, "--out", tmp_path / "out", "--workers", workers)
    assert result.exit_code == 2
    assert "--workers" in result.stderr


def test_a_source_without_pages_is_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("batch", tmp_path / "empty", "--out", tmp_path / "out")
    assert isinstance(result.exception, BatchError)
    assert str(result.exception).endswith("got none.")


def test_a_report_is_written_again_and_printed_as_json(tmp_path):
    folder = write_result(tmp_path / "a", [labeled_row("page", "mi", 0.9)])
    result = run("report", folder, "--no-pictures")
    assert result.stdout.splitlines()[0] == "Pages: 1; mi 1, without a label 0, failed 0."
    assert (folder / "index.html").is_file()
    summary = json.loads(run("report", folder, "--no-pictures", "--json").stdout)
    assert summary["labels"] == {"mi": 1}


def test_two_results_are_compared_in_a_folder_of_the_first(tmp_path):
    first = write_result(tmp_path / "a", [labeled_row("page", "mi", 0.9)])
    second = write_result(tmp_path / "b", [labeled_row("page", "normal", 0.9)])
    result = run("report", first, "--compare", second, "--no-pictures")
    assert result.stdout.splitlines()[0] == "Pages in both: 1; changed 1, failed in both 0."
    assert (first / "compared-with-b" / "moved.csv").is_file()
    assert run("report", first, "--compare", second, "--out", tmp_path / "c", "--no-pictures").exit_code == 0
    assert (tmp_path / "c" / "index.html").is_file()
