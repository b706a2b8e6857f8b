"""``ecglens assess``."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.formats.csv import read_csv
from ecglens.render import render_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")


def test_a_good_picture_exits_with_0_and_a_dark_one_with_1(tmp_path: Path) -> None:
    pixels = render_page(RECORD).page.pixels
    Image.fromarray(pixels).save(tmp_path / "good.png")
    Image.fromarray(np.asarray(pixels * 0.25, dtype=np.uint8)).save(tmp_path / "dark.png")
    good = CliRunner().invoke(app, ["assess", str(tmp_path / "good.png")])
    assert good.exit_code == 0
    assert "good.png: good (2252 x 1425 px, 7.9 px/mm)" in good.output
    dark = CliRunner().invoke(app, ["assess", str(tmp_path / "dark.png"), "--json"])
    assert dark.exit_code == 1
    line = json.loads(dark.output)
    assert line["format"] == "ecglens-assessment"
    assert line["hints"] == ["Use more light."]


def test_a_file_that_is_no_picture_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    assert CliRunner().invoke(app, ["assess", str(tmp_path / "x.png")]).exit_code == 2
