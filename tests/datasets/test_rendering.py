import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets.rendering import draw_file
from ecglens.errors import DatasetError, RenderError
from ecglens.formats.csv import write_csv
from ecglens.records import EcgRecord

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


@pytest.mark.parametrize(
    ("leads", "layout"),
    [
        (("I",), "1x1 with I"),
        (("V1", "II"), "1x1 with II"),
        (("I", "II"), "6x1-limb with I II III aVR aVL aVF"),
        (("V1", "V2", "V3", "V4", "V5", "V6"), "6x1-precordial with V1 V2 V3 V4 V5 V6"),
    ],
)
def test_the_default_layout_is_one_whose_leads_the_record_has(leads, layout, tmp_path):
    record = EcgRecord(np.zeros((len(leads), 1000), np.float32), 100.0, leads)
    write_csv(record, tmp_path / "in" / "a.csv")
    one = CliRunner().invoke(app, ["render", str(tmp_path / "in" / "a.csv"), str(tmp_path / "a.png"), "--dpi", "100"])
    assert one.exit_code == 0, one.output
    assert one.output.endswith(f" px, {layout}\n")
    many = CliRunner().invoke(app, ["render", str(tmp_path / "in"), str(tmp_path / "out"), "--dpi", "100"])
    assert many.exit_code == 0, many.output


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
