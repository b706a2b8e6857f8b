import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets import printed_fields, sources
from ecglens.datasets.audit import audit
from ecglens.datasets.printed_fields import fields_of, join_by_exam, read_prints
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"


def beats(seed: int) -> EcgRecord:
    """Make peaks at a rate and height of their own."""
    rng, t = np.random.default_rng(seed), np.arange(5000) / 500
    wave = np.exp(-((((t + rng.random()) % rng.uniform(0.6, 1.1)) - 0.3) ** 2) / 4e-4)
    wander = 0.2 * np.sin(2 * np.pi * rng.uniform(0.2, 0.4) * t)
    return EcgRecord(np.float32(rng.uniform(0.8, 1.6, (12, 1)) * wave + wander), 500.0, STANDARD_LEADS)


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


@pytest.mark.slow
def test_the_print_of_a_public_page_is_read_without_a_network():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("rapidocr")
    (fields,) = read_prints([DATA / "MI_26.jpg"], ["a"])
    assert fields["exam_number"].isdigit()
    assert 30 < int(fields["printed_rate_bpm"]) < 220


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


@pytest.fixture
def read(monkeypatch):
    """OCR that reads a number out of the file's name and counts the files it was asked for."""
    calls = []

    def fields(path, engine):
        calls.append(path.name)
        number = path.stem.partition("_")[2]
        return {"exam_number": number} if number else {}

    monkeypatch.setattr(printed_fields, "_fields", fields)
    monkeypatch.setattr(printed_fields, "require", lambda name, extra: SimpleNamespace(RapidOCR=lambda params: None))
    return calls


def test_what_was_read_is_kept_for_a_run_that_was_stopped(read, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 2:
            raise Stop("stopped")

    paths, digests = [Path(f"a_{number}") for number in range(4)], list("abcd")
    with pytest.raises(Stop, match="stopped"):
        read_prints(paths, digests, store=tmp_path / "s", progress=stop)
    fields = read_prints(paths, digests, store=tmp_path / "s")
    assert fields == [{"exam_number": str(number)} for number in range(4)]
    assert read == [f"a_{number}" for number in range(4)]


def test_exam_numbers_group_pages_whose_headers_cannot(read, tmp_path):
    numbers = ("7", "7", "8", "")
    (tmp_path / "x" / "mi").mkdir(parents=True)
    for index, number in enumerate(numbers):
        page = render_page(beats(index), style="bare", dpi=100).page.pixels
        Image.fromarray(page).save(tmp_path / "x" / "mi" / f"{index}_{number}.png")
    table = sources.from_path(tmp_path / "x")
    assert not audit(table, workers=0).grouped
    report = audit(table, workers=0, ocr=True, store=tmp_path / "s")
    assert not report.problems
    groups = report.recordings.column("group")
    assert report.grouped
    assert groups[0] == groups[1]
    assert len(set(groups)) == 3
    audit(table, workers=0, ocr=True, store=tmp_path / "s")
    assert len(read) == len(numbers)


@pytest.mark.parametrize(
    ("groups", "exams", "joined"),
    [
        ([0, 0, 1, 2], ["5", "5", "6", "6"], [0, 0, 1, 1]),
        ([0, 0, 1, 2], ["5", "6", "6", ""], [0, 0, 0, 2]),
        ([0, 0, 1, 1], ["5", "5", "5", "5"], [0, 0, 1, 1]),
        ([0, 1], ["", ""], [0, 1]),
        (None, ["5", "5", ""], None),
        (None, ["5", "6", "5"], [0, 1, 0]),
    ],
)
def test_an_exam_number_joins_single_pages_and_splits_no_group(groups, exams, joined):
    result = join_by_exam(None if groups is None else np.array(groups), exams)
    assert joined == (None if result is None else result.tolist())
