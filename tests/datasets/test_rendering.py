import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets.rendering import draw_file
from ecglens.errors import DatasetError, RenderError

RECORD = Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv"


def test_the_command_draws_a_page_and_its_truth(tmp_path):
    requested = [
        "render",
        str(RECORD),
        str(tmp_path / "a.png"),
        "--dpi",
        "100",
        "--damage",
        "rotation:0.2",
        "--layout",
        "6x2",
    ]
    result = CliRunner().invoke(app, requested)
    assert result.exit_code == 0, result.output
    truth = json.loads((tmp_path / "a.json").read_text())
    assert (truth["layout"], len(truth["leads"])) == ("6x2", 12)
    assert truth["damage"] == [{"kind": "rotation", "strength": 0.2, "seed": 0}]
    assert cv2.imread(str(tmp_path / "a.png")).shape[2] == 3


def test_the_same_request_twice_is_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        draw_file(RECORD, tmp_path / name, damages=["stains", "noise:0.3"], seed=4, dpi=100)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_what_cannot_be_drawn_or_written_is_refused(tmp_path):
    with pytest.raises(RenderError, match=r"Expected a file ending in \.png.* got 'a\.xyz'"):
        draw_file(RECORD, tmp_path / "a.xyz", dpi=100)
    with pytest.raises(RenderError, match="Expected a damage as KIND or KIND:STRENGTH, got 'blur:x'"):
        draw_file(RECORD, tmp_path / "a.png", damages=["blur:x"], dpi=100)
    with pytest.raises(DatasetError, match=r"Expected a WFDB header none\.hea in .*, but none is there"):
        draw_file(tmp_path / "none.hea", tmp_path / "a.png")
