"""Options of the command, and its message when it is stopped; tests/reproduce tests the results."""

from pathlib import Path

import pytest
from tiny_runs import write_recordings
from typer.testing import CliRunner

from ecglens.cli import training
from ecglens.cli.app import app
from ecglens.errors import DatasetError, TrainingError

ROOT = Path(__file__).resolve().parents[2]


def reproduce(*words):
    return CliRunner().invoke(app, ["reproduce", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compact-cnn",), "Expected --data with the pages that the rows are trained on"),
        (("--weights", "vgg16=file.pth"), "Expected --data with the pages"),
        (("--protocol", "honestly"), "Expected protocols out of as-published, honest, batch, got 'honestly'"),
        (("--results", "nowhere"), "Expected results in 'nowhere' to write a table from, but there is no such folder"),
        (("--quick", "--runs", "nowhere"), "Expected results in 'nowhere/quick-results'"),
        (("gpt",), "got 'gpt'"),
    ],
)
def test_what_could_do_nothing_is_refused_in_one_sentence(words, message):
    answer = reproduce(*words)
    assert isinstance(answer.exception, (DatasetError, TrainingError))
    assert message in str(answer.exception)


@pytest.mark.parametrize("words", [("--seeds", "a"), ("--weights", "foo"), ("--weights", "custom-cnn=w.pth")])
def test_words_that_are_no_such_option_are_refused_without_data_too(words):
    assert reproduce(*words).exit_code == 2


def test_the_table_is_written_again_at_the_given_path(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    answer = reproduce("--out", tmp_path / "T.md")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "T.md").read_text() == (ROOT / "docs" / "RESULTS.md").read_text()


def test_a_quick_row_of_a_table_without_groups_says_what_it_leaves_out_and_what_it_cannot_determine(tmp_path):
    table = tmp_path / "pages.csv"
    write_recordings(tmp_path / "pages").to_csv(table)
    table.write_text("\n".join(",".join(line.split(",")[:2]) for line in table.read_text().splitlines()))
    words = ("majority", "--data", table, "--runs", tmp_path / "runs", "--quick", "--recipes", ROOT / "recipes")
    answer = reproduce(*words, "--protocol", "as-published", "--out", tmp_path / "Q.md")
    assert answer.exit_code == 0, answer.output
    text = (tmp_path / "Q.md").read_text()
    assert "**Quick**: a sixth of the epochs" in text
    for output in (answer.output, text):
        assert "Each file is a recording and a group of its own in this table" in output


def test_stopping_a_training_says_how_to_resume(capsys):
    with pytest.raises(training.typer.Exit) as stopped, training.show_training(is_visible=True):
        raise KeyboardInterrupt
    assert stopped.value.exit_code == 130
    assert "ecglens: Stopped. The same command resumes." in capsys.readouterr().err
