"""Calibration on a site's own pages."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ecglens import calibrating
from ecglens.calibrating import calibrate, parse_labels
from ecglens.cli.app import app
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError, ModelError
from ecglens.models.registry import find_model
from ecglens.records import Abstention, Prediction

PAGES = 60


def make_pages(labels, groups=None):
    groups = groups or [str(number) for number in range(len(labels))]
    return Recordings(
        tuple(
            Recording(Path(f"{number}.jpg"), label, str(number), group, None, "image")
            for number, (label, group) in enumerate(zip(labels, groups, strict=True))
        )
    )


def answer_with(monkeypatch, card, rows):
    """Let a model answer the pages with some probabilities, ``None`` for a page that it cannot read."""

    def fake(model, row):
        values = rows[int(row.path.stem)]
        if values is None:
            return Prediction(None, None, card.name, "1.0", abstention=Abstention("no_layout", "No grid."))
        return Prediction(
            card.labels[int(np.argmax(values))], dict(zip(card.labels, values, strict=True)), card.name, "1"
        )

    monkeypatch.setattr(calibrating, "_read", fake)


def test_a_model_that_is_too_sure_gets_a_higher_temperature(monkeypatch, tmp_path):
    card = find_model("compact_cnn")
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, PAGES)
    answers = np.where(rng.random(PAGES) < 0.7, truth, (truth + 1) % 4)
    rows = [[0.97 if k == label else 0.01 for k in range(4)] for label in answers]
    answer_with(monkeypatch, card, [*rows[:-1], None])
    result = calibrate("compact_cnn", make_pages([card.labels[k] for k in truth]), tmp_path / "site")
    assert (result.pages, result.answered) == (PAGES, PAGES - 1)
    assert result.unread == (("59.jpg", "No grid."),)
    assert result.model.card.temperature > 1.5 * card.temperature
    assert result.model.card.version == f"{card.version}-site"
    assert result.model.card.abstain_below == 1.0, "no threshold makes 98 % right"
    assert result.before["calibration_error"] > 0.2
    assert result.after["calibration_error"] < 0.2
    assert "Calibrated on 59 pages" in result.model.card.warnings[-1]
    assert result.model.card.graph_sha256 == card.graph_sha256


def test_sets_of_several_labels_hold_the_truth_again(monkeypatch, tmp_path):
    card = find_model("any_recorder")
    rng = np.random.default_rng(1)
    truth = rng.random((PAGES, 5)) < 0.4
    rows = np.clip(rng.normal(np.where(truth, 0.25, 0.1), 0.05), 0.01, 0.99).tolist()
    answer_with(monkeypatch, card, rows)
    labels = [";".join(np.array(card.labels)[row]) or "NORM" for row in truth]
    result = calibrate("any_recorder", make_pages(labels), tmp_path / "site", coverage=0.9)
    assert result.after["coverage"] >= 0.85
    assert result.after["calibration_error"] < result.before["calibration_error"]
    assert len(result.model.card.set_limits) == 5


def test_what_cannot_be_calibrated_is_said(monkeypatch, tmp_path):
    card = find_model("compact_cnn")
    rows = [[0.7, 0.1, 0.1, 0.1]] * PAGES
    answer_with(monkeypatch, card, rows)
    with pytest.raises(DatasetError, match="Expected labels out of normal, mi, .*, got sinus"):
        calibrate("compact_cnn", make_pages(["sinus"] * PAGES), tmp_path / "a")
    with pytest.raises(DatasetError, match="at least 20 pages that the model reads, got 5 of 5"):
        calibrate("compact_cnn", make_pages(["mi"] * 5), tmp_path / "a")
    with pytest.raises(DatasetError, match="at least 5 groups, such as patients, got 2"):
        calibrate("compact_cnn", make_pages(["mi"] * PAGES, ["x", "y"] * (PAGES // 2)), tmp_path / "a")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.json").touch()
    with pytest.raises(ModelError, match="Expected an empty folder to write to"):
        calibrate("compact_cnn", make_pages(["mi"] * PAGES), tmp_path / "a")


def test_labels_of_a_cell_are_apart():
    assert parse_labels(" MI ;STTC+CD ") == ("MI", "STTC", "CD")


def test_the_command_prints_figures_before_and_after(monkeypatch, tmp_path):
    card = find_model("compact_cnn")
    answer_with(monkeypatch, card, [[0.7, 0.1, 0.1, 0.1] if k % 2 else [0.1, 0.7, 0.1, 0.1] for k in range(PAGES)])
    lines = [f"{k}.jpg,{'normal' if k % 2 else 'mi'}" for k in range(PAGES)]
    (tmp_path / "site.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    for k in range(PAGES):
        (tmp_path / f"{k}.jpg").touch()
    words = ["calibrate", "compact_cnn", "--data", tmp_path / "site.csv", "--out", tmp_path / "site"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.exception
    assert "60 of 60 pages or records were read" in " ".join(done.stdout.split())
    assert "Accuracy of the top label   1.000  1.000" in done.stdout
