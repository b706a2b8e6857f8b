import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from recorder_files import edf, muse
from typer.testing import CliRunner

import ecglens
from ecglens.cli.app import app
from ecglens.formats.files import FORMATS, write_record
from ecglens.records import EcgRecord

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


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_manifest(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_file_of_a_recorder_becomes_every_format(source: Path, tmp_path: Path) -> None:
    result = run(source, "--out", tmp_path / "out", "--to", ",".join(FORMATS))
    assert result.exit_code == 0, result.output
    assert "2 leads at 500 Hz, 2.0 s: I II" in result.output
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
        files = [path for path in (tmp_path / folder).iterdir() if path.name != "manifest.jsonl"]
        content = b"".join(path.read_bytes() for path in files)
        assert b"EXAMPLE" not in content
        assert b"12345" not in content
        assert (b"female" in content) == (folder == "plain" and form != "csv")


def test_a_folder_without_a_name_of_its_own_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path / "results")
    for out in (".", "../results", "x/.."):
        run(source, "--out", out, "--force")
        again = run(source, "--out", out)
        assert (
            "Expected no ecg.hea in results; write to another folder, or add --force to overwrite it." in again.output
        )


def test_a_file_that_exists_is_overwritten_on_request_only(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "out").exit_code == 0
    before = (tmp_path / "out" / "ecg.dat").stat().st_mtime_ns
    again = run(source, "--out", tmp_path / "out")
    assert again.exit_code == 2
    assert "Expected no ecg.hea in out; write to another folder, or add --force to overwrite it." in again.output
    assert (tmp_path / "out" / "ecg.dat").stat().st_mtime_ns == before
    assert run(source, "--out", tmp_path / "out", "--force").exit_code == 0


def test_a_file_that_fails_does_not_stop_the_others(source: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.edf").write_bytes(edf({"I": ONE}, unit=""))
    result = run(tmp_path / "in" / "a.edf", source, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 2
    first, second = map(json.loads, result.output.splitlines())
    assert "Expected signals whose unit is stated" in first["error"]
    assert second["written"] == ["ecg.hea"]
    assert second["leads"] == ["I", "II"]


def test_files_of_one_name_are_both_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ecg.xml").write_bytes(source.read_bytes())
    assert run(source, tmp_path / "other" / "ecg.xml", "--out", tmp_path / "out", "--to", "csv").exit_code == 0
    assert list_names(tmp_path / "out") == ["ecg-2.csv", "ecg.csv", "manifest.jsonl"]


def test_an_unknown_format_is_refused_before_the_work(source: Path, tmp_path: Path) -> None:
    result = run(source, "--out", tmp_path / "out", "--to", "scp")
    assert str(result.exception) == "--to: expected any of wfdb, csv, json, dicom, fhir, edf, aecg, got 'scp'."
    assert not (tmp_path / "out").exists()


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    signals = np.zeros((1, 500), np.float32)
    signals[0, 100:200] = np.nan
    return write_record(EcgRecord(signals, 500.0, ("I",)), tmp_path / "gap", "csv")


def test_a_format_that_cannot_hold_a_record_does_not_cost_the_others(gap: Path, tmp_path: Path) -> None:
    result = run(gap, "--out", tmp_path / "out", "--to", "wfdb,edf,csv")
    assert result.exit_code == 2
    assert "gap.csv: edf is not written: Expected leads without gaps, since EDF cannot hold them" in result.stderr
    assert "Written: gap.hea, gap.csv" in result.stdout
    assert list_names(tmp_path / "out") == ["gap.csv", "gap.dat", "gap.hea", "manifest.jsonl"]
    (line,) = read_manifest(tmp_path / "out")
    assert line["written"] == ["gap.hea", "gap.csv"]
    printed = json.loads(run(gap, "--out", tmp_path / "json", "--to", "edf,csv", "--json").stdout)
    assert printed["written"] == ["gap.csv"]
    assert printed["not_written"].keys() == {"edf"}


def test_where_no_format_can_hold_a_record_nothing_is_written(gap: Path, tmp_path: Path) -> None:
    result = run(gap, "--out", tmp_path / "out", "--to", "edf,aecg")
    assert result.exit_code == 2
    assert "since EDF cannot hold them" in result.stderr
    assert "since aECG cannot hold them" in result.stderr
    assert list_names(tmp_path / "out") == []


def test_the_manifest_says_where_files_come_from(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "out", "--to", "csv").exit_code == 0
    assert run(source, "--out", tmp_path / "out", "--to", "csv", "--force").exit_code == 0
    assert read_manifest(tmp_path / "out") == [
        {
            "file": str(source),
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "written": ["ecg.csv"],
            "version": ecglens.__version__,
        }
    ]


def test_numbers_of_anonymous_files_go_on_after_those_of_earlier_runs(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, "--out", out, "--to", "csv", "--anonymize").exit_code == 0
    first = (out / "ecg-1.csv").read_bytes()
    source.write_bytes(muse({"I": TWO}))
    again = run(source, source, "--out", out, "--to", "json", "--anonymize")
    assert again.exit_code == 0, again.output
    assert list_names(out) == ["ecg-1.csv", "ecg-2.json", "ecg-3.json"]
    assert (out / "ecg-1.csv").read_bytes() == first
    assert run(source, "--out", out, "--to", "csv", "--anonymize", "--force").exit_code == 0
    assert (out / "ecg-1.csv").read_bytes() != first


def test_an_anonymous_file_that_replaces_another_has_no_line_of_the_manifest(source: Path, tmp_path: Path) -> None:
    named = source.rename(source.with_name("ecg-1.xml"))
    assert run(named, "--out", tmp_path / "out", "--to", "csv").exit_code == 0
    assert run(named, "--out", tmp_path / "out", "--to", "csv", "--anonymize", "--force").exit_code == 0
    assert list_names(tmp_path / "out") == ["ecg-1.csv", "manifest.jsonl"]
    assert read_manifest(tmp_path / "out") == []


@pytest.mark.parametrize(("options", "name"), [((), "ecg-2.csv"), (("--anonymize",), "ecg-2.csv")])
def test_the_name_of_a_file_does_not_depend_on_whether_another_fails(
    options: tuple[str, ...], name: str, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    other = tmp_path / "a" / "ecg.edf"
    for content in (edf({"I": ONE}, unit=""), edf({"I": ONE})):
        other.write_bytes(content)
        result = run(other, source, "--out", tmp_path / "out", "--to", "csv", "--json", "--force", *options)
        assert [json.loads(line) for line in result.stdout.splitlines()][1]["written"] == [name]


def test_no_file_of_a_run_is_written_twice(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "in", "--to", "dicom,fhir").exit_code == 0
    files = (tmp_path / "in" / "ecg.dcm", tmp_path / "in" / "ecg.fhir.json")
    assert run(*files, "--out", tmp_path / "out", "--to", "fhir,json").exit_code == 0
    names = ["ecg-2.fhir.json", "ecg-2.json", "ecg.fhir.json", "ecg.json", "manifest.jsonl"]
    assert list_names(tmp_path / "out") == names


def test_anonymous_files_do_not_hold_the_name_of_the_file(source: Path, tmp_path: Path) -> None:
    named = source.rename(source.with_name("Erika_Example.xml"))
    result = run(named, "--out", tmp_path / "out", "--to", "wfdb,csv,fhir", "--anonymize")
    assert result.exit_code == 0
    written = list((tmp_path / "out").iterdir())
    assert sorted(path.name for path in written) == ["ecg-1.csv", "ecg-1.dat", "ecg-1.fhir.json", "ecg-1.hea"]
    assert not any(b"Erika" in path.read_bytes() for path in written)


@pytest.mark.parametrize("form", FORMATS)
def test_names_of_leads_that_are_free_text_are_numbered_with_anonymize(form: str, tmp_path: Path) -> None:
    record = EcgRecord(np.ones((2, 500), np.float32), 500.0, ("MLII", "Zebulon I"))
    source = write_record(record, tmp_path / "in" / "ecg", form)
    result = run(source, "--out", tmp_path / "out", "--to", ",".join(FORMATS), "--anonymize")
    assert result.exit_code == 0, result.output
    assert ecglens.read_record(tmp_path / "out" / "ecg-1.csv").leads == ("MLII", "channel 2")
    assert not any(b"Zebulon" in path.read_bytes() for path in (tmp_path / "out").iterdir())


def test_a_folder_is_converted_with_the_identity_of_each_file(source: Path, tmp_path: Path) -> None:
    (source.parent / "below").mkdir()
    write_record(ecglens.read_record(source), source.parent / "below" / "ecg", "wfdb")
    (source.parent / "page.png").write_bytes(b"a page, which is left to other commands")
    result = run(source.parent, "--out", tmp_path / "out", "--to", "csv", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(line["file"]).name, line["written"]) for line in lines] == [
        ("ecg.hea", ["ecg.csv"]),
        ("ecg.xml", ["ecg-2.csv"]),
    ]
    assert lines[1]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_standard_input_is_converted_and_quiet_prints_nothing(source: Path, tmp_path: Path) -> None:
    words = ["convert", "-", "--out", str(tmp_path / "out"), "--to", "csv", "-q"]
    result = CliRunner().invoke(app, words, input=source.read_bytes())
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "out" / "stdin.csv").is_file()


def test_a_folder_without_digital_ecgs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "page.png").write_bytes(b"a page")
    result = run(tmp_path / "in", "--out", tmp_path / "out")
    assert str(result.exception) == "Expected digital ECGs below in, got none."


def test_options_of_pages_are_not_ignored_for_a_digital_ecg(source: Path, tmp_path: Path) -> None:
    page = CliRunner().invoke(app, ["read", str(source), "--page", "2"])
    assert page.exit_code == 2
    assert "expected page 1, got --page 2; a digital ECG has no pages, so leave it out." in page.output
    crops = CliRunner().invoke(app, ["read", str(source), "--leads", str(tmp_path / "crops")])
    assert "a digital ECG has no picture, so that --leads wrote nothing." in crops.stderr
