"""``ecglens correct``, and ``--corrections`` of the commands that read."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.cli.coordinates import parse_box, parse_corners, parse_numbers, parse_stretch, parse_trace
from ecglens.corrections import read_corrections
from ecglens.errors import EcgLensError
from ecglens.formats.csv import read_csv
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "page.png"
    Image.fromarray(render_page(read_csv(DATA / "ptbxl_00001.csv"), dpi=120).page.pixels).save(path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_corrections_are_stored_beside_the_page_and_read_again(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "fix.json"
    done = run(
        "correct",
        page,
        "--rename",
        "V1=V2",
        "--rename",
        "V2=V1",
        "--trace",
        "V5=1050,340,1100,340",
        "--remove",
        "V6=1050,1100",
        "--out",
        out,
    )
    assert done.exit_code == 0, done.output
    assert "3x4+1: names V1 to V2, V2 to V1; traces of V5; removed stretches of V6" in done.output
    fix = read_corrections(out)
    assert fix.sha256 is not None
    assert fix.view_px is not None
    for corrections, name in (((), "plain"), (("--corrections", out), "fixed")):
        assert run("digitize", page, "--out", tmp_path / name, "--quiet", *corrections).exit_code == 0
    plain, fixed = (read_csv(tmp_path / name / "page.csv") for name in ("plain", "fixed"))
    row = fixed.leads.index("V1")
    assert np.allclose(fixed.signals_mv[row], plain.signals_mv[plain.leads.index("V2")], equal_nan=True)
    line = json.loads(run("read", page, "--json", "--corrections", out).output)
    assert any("Lead V5 was traced by hand" in text for text in line["warnings"])


def test_a_file_is_not_overwritten_and_a_correction_is_needed(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "fix.json"
    none = run("correct", page, "--out", out)
    assert isinstance(none.exception, EcgLensError)
    assert "Expected a correction" in str(none.exception)
    out.write_text("x")
    assert "add --force" in str(run("correct", page, "--gain", 5, "--out", out).exception)
    assert run("correct", page, "--gain", 5, "--out", out, "--force").exit_code == 0
    assert read_corrections(out).gain_mm_mv == 5


def test_corrections_that_do_not_fit_the_page_are_not_stored(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "fix.json"
    done = run("correct", page, "--rename", "V1=V2", "--out", out)
    assert "got V2 twice" in str(done.exception)
    assert not out.exists()


def test_corrections_are_of_one_page(page: Path, tmp_path: Path) -> None:
    out = tmp_path / "fix.json"
    run("correct", page, "--speed", 50, "--out", out)
    several = run("digitize", page, page, "--out", tmp_path, "--corrections", out)
    assert "expected one page, got several" in str(several.exception)
    other = run("read", page, "--page", 2, "--corrections", out)
    assert "expected --page 1" in str(other.exception)
    joined = run("digitize", page, "--out", tmp_path, "--join", "--corrections", out)
    assert "leave one out" in str(joined.exception)
    wrong_file = run("read", DATA / "HB_1.jpg", "--corrections", out)
    assert "got another one by its SHA-256" in str(wrong_file.exception)


def test_coordinates_are_numbers_with_commas() -> None:
    assert parse_corners("0,0 9,0 9,9 0,9") == [(0, 0), (9, 0), (9, 9), (0, 9)]
    assert parse_box("V1 = 1,2,3,4")[0] == "V1"
    assert parse_trace("II-rhythm=1,2,3,4") == ("II-rhythm", ((1, 2), (3, 4)))
    for parse, text, match in (
        (parse_corners, "1,2,3", "expected 8 numbers"),
        (parse_box, "V1=4,3,2,1", "top above bottom"),
        (parse_trace, "V1=1,2,3", "two points or more"),
        (parse_stretch, "V1=3,2", "from left to right"),
        (parse_stretch, "V1=3", "2 numbers"),
    ):
        with pytest.raises(EcgLensError, match=match):
            parse(text)
    with pytest.raises(EcgLensError, match="expected numbers"):
        parse_numbers("a", "--x")
