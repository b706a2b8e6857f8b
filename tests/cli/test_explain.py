import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ecglens
from ecglens.cli.app import app
from ecglens.errors import EcgLensError
from ecglens.formats.files import write_record

PAGE = Path(__file__).parents[1] / "data" / "MI_26.jpg"


def run(*arguments):
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def test_a_page_is_explained_in_words_and_as_json(tmp_path):
    result = run(PAGE, "--method", "occlusion_lead", "--no-checks", "--out", tmp_path / "why.json")
    assert result.exit_code == 0, result.output
    assert "Myocardial infarction" in result.stdout
    assert "This method on this model: failed (deletion)." in result.stdout
    explanation = json.loads((tmp_path / "why.json").read_text(encoding="utf-8"))
    assert explanation["method"] == "occlusion_lead"
    assert explanation["checks"] == []
    assert sum(map(abs, explanation["shares"].values())) == pytest.approx(1.0, abs=0.01)
    assert len(explanation["heat"]["values"]) == explanation["heat"]["rows"]


def test_the_page_with_its_heat_is_written_as_a_picture_with_its_checks_in_words(tmp_path):
    result = run(PAGE, "--label", "normal", "--out", tmp_path / "why.png")
    assert result.exit_code == 0, result.output
    assert all(f"{name}: passed." in result.stdout for name in ("deletion", "insertion", "location"))
    with Image.open(tmp_path / "why.png") as picture, Image.open(PAGE) as page:
        assert picture.size == page.size
        pixels = np.asarray(picture).astype(int)
    assert (pixels[..., 2] > pixels[..., 0] + 60).any()


def test_what_cannot_be_written_is_refused_before_anything_is_read(tmp_path):
    result = run(tmp_path / "missing.jpg", "--out", "why.gif")
    assert isinstance(result.exception, EcgLensError)
    assert str(result.exception) == "--out: expected a file that ends in .png or .json, got why.gif."


def test_a_page_that_cannot_be_explained_is_reported_and_the_others_are_explained(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    result = run(tmp_path / "bad.jpg", PAGE, "--no-checks")
    assert result.exit_code == 2
    assert "bad.jpg" in result.stderr
    assert "Myocardial infarction" in result.stdout


def test_a_digital_ecg_is_drawn_and_explained_with_the_model_that_answers_for_it(tmp_path):
    pytest.importorskip("wfdb")
    reading = ecglens.examine(PAGE, measure=True)
    write_record(reading.tracing.record, tmp_path / "ecg", "wfdb")
    result = run(tmp_path / "ecg.hea", "--no-checks", "--out", tmp_path / "why.png")
    assert result.exit_code == 0, result.output
    assert ", by any_recorder " in result.stdout
    assert "Each lead in turn was replaced by bare paper" in result.stdout
    with Image.open(tmp_path / "why.png") as picture:
        assert picture.width > 1500


def test_a_model_that_does_not_exist_is_reported_once():
    result = run(PAGE, PAGE, "--model", "nowhere")
    assert "Expected a model's name or folder, but 'nowhere' is neither" in str(result.exception)
