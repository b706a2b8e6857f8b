import json
from pathlib import Path

import numpy as np
import pytest
from recorder_files import edf, muse
from typer.testing import CliRunner

import ecglens
from ecglens.cli.app import app
from ecglens.formats.files import FORMATS

pytest.importorskip("ecgdatakit")
pytest.importorskip("wfdb")
pytest.importorskip("pydicom")

ONE, TWO = [0, 100, -200, 300] * 250, [50, 40, 30, 20] * 250


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ecg.xml").write_bytes(muse({"I": ONE, "II": TWO}))
    return tmp_path / "in" / "ecg.xml"


def run(*words: object):
    return CliRunner().invoke(app, ["convert", *map(str, words)])


def test_a_file_of_a_recorder_becomes_every_format(source: Path, tmp_path: Path) -> None:
    result = run(source, "--out", tmp_path / "out", "--to", ",".join(FORMATS))
    assert result.exit_code == 0, result.output
    assert "6 leads at 500 Hz, 2.0 s: I II III aVR aVL aVF" in result.output
    record = ecglens.read_record(source)
    for form in FORMATS.values():
        back = ecglens.read_record(tmp_path / "out" / f"ecg{form.ending}")
        assert (back.leads, back.fs_hz) == (record.leads, record.fs_hz)
        np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=6e-4)


@pytest.mark.parametrize("form", FORMATS)
def test_no_name_is_written_and_with_anonymize_no_other_detail_either(form: str, source: Path, tmp_path: Path) -> None:
    for folder, options in (("plain", []), ("anonymous", ["--anonymize"])):
        assert run(source, "--out", tmp_path / folder, "--to", form, *options).exit_code == 0
    for folder in ("plain", "anonymous"):
        content = b"".join(path.read_bytes() for path in (tmp_path / folder).iterdir())
        assert b"EXAMPLE" not in content
        assert b"12345" not in content
        assert (b"female" in content) == (folder == "plain" and form != "csv")


def test_a_file_that_exists_is_overwritten_on_request_only(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "out").exit_code == 0
    before = (tmp_path / "out" / "ecg.dat").stat().st_mtime_ns
    again = run(source, "--out", tmp_path / "out")
    assert again.exit_code == 2
    assert "Expected no ecg.hea in out; add --force to overwrite it." in again.output
    assert (tmp_path / "out" / "ecg.dat").stat().st_mtime_ns == before
    assert run(source, "--out", tmp_path / "out", "--force").exit_code == 0


def test_a_file_that_fails_does_not_stop_the_others(source: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.edf").write_bytes(edf({"I": ONE}, unit=""))
    result = run(tmp_path / "in" / "a.edf", source, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 2
    first, second = map(json.loads, result.output.splitlines())
    assert "Expected signals whose unit is stated" in first["error"]
    assert second["written"] == ["ecg.hea"]
    assert second["leads"] == ["I", "II", "III", "aVR", "aVL", "aVF"]


def test_files_of_one_name_are_both_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ecg.xml").write_bytes(source.read_bytes())
    assert run(source, tmp_path / "other" / "ecg.xml", "--out", tmp_path / "out", "--to", "csv").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ecg-2.csv", "ecg.csv"]


def test_an_unknown_format_is_refused_before_the_work(source: Path, tmp_path: Path) -> None:
    result = run(source, "--out", tmp_path / "out", "--to", "scp")
    assert result.exit_code == 2
    assert "--to: expected any of wfdb, csv, json, dicom, fhir, got 'scp'." in result.output
    assert not (tmp_path / "out").exists()
