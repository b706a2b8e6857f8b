import sys
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets.prints import fields_of, read_prints

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        (["ID:168594"], {"exam_number": "168594"}),
        (["Exam.No. 20117"], {"exam_number": "20117"}),
        (["25mm/s 10mm/mV 4*2.5s+1r 92 SE-3"], {"printed_rate_bpm": "92"}),
        (["HR: 71", "2020/10/16 12:00"], {"printed_rate_bpm": "71", "printed_date": "2020-10-16"}),
        (["Vent. rate 103 bpm"], {"printed_rate_bpm": "103"}),
        (["25mm/s 10mm/mV", "Room No.:", "HR 999"], {}),
    ],
)
def test_fields_are_taken_from_lines_of_print(lines, fields):
    assert fields_of(lines) == fields


def test_the_print_of_a_public_page_is_read_without_a_network():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("rapidocr")
    (found,) = read_prints([DATA / "MI_26.jpg"])
    assert found["exam_number"].isdigit()
    assert 30 < int(found["printed_rate_bpm"]) < 220


def test_without_ocr_installed_the_audit_goes_on_and_says_how_to_install_it(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rapidocr"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    (tmp_path / "mi").mkdir()
    (tmp_path / "mi" / "MI_26.jpg").write_bytes((DATA / "MI_26.jpg").read_bytes())
    done = CliRunner().invoke(app, ["audit", str(tmp_path), "--ocr", "--workers", "0"])
    assert done.exit_code == 0
    assert "pip install 'ecglens[ocr]'" in done.stderr
    assert "1 files hold 1 distinct recordings" in done.stdout
