import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ecglens
from ecglens.cli.app import app
from ecglens.statements import Outcome

DATA = Path(__file__).parent / "data"
RECORD = DATA / "ptbxl_00001.csv"


@pytest.fixture(scope="module")
def reading():
    return ecglens.examine_record(ecglens.read_record(RECORD))


def test_a_record_is_measured_and_gets_statements(reading):
    assert reading.measurements.rate_bpm.value == pytest.approx(64, abs=3)
    outcomes = {statement.name: statement.outcome for statement in reading.statements}
    assert outcomes["bradycardia"] == Outcome.NOT_MET
    plain = reading.to_dict()
    assert plain["leads"][0] == "I"
    assert plain["measurements"]["rate_bpm"]["value"] == pytest.approx(reading.measurements.rate_bpm.value, abs=1e-3)


def test_age_and_sex_come_from_the_comments_unless_they_are_given(monkeypatch):
    persons = []
    monkeypatch.setattr("ecglens.record_measuring.evaluate_criteria", lambda measured, **person: persons.append(person))
    record = replace(ecglens.read_record(RECORD), comments=("age: 61", "sex: female"))
    ecglens.examine_record(record)
    ecglens.examine_record(record, age=30, sex="male")
    ecglens.examine_record(replace(record, comments=()))
    assert persons == [{"age": 61, "sex": "female"}, {"age": 30, "sex": "male"}, {"age": None, "sex": None}]


def test_the_command_reads_records_beside_pages():
    result = CliRunner().invoke(app, ["read", str(RECORD), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["format"], document["format_version"]) == ("ecglens-record-reading", 1)
    assert document["fs_hz"] == 500.0
    text = CliRunner().invoke(app, ["read", str(RECORD)]).stdout
    assert "12 leads at 500 Hz, 10.0 s" in text
    assert "Ventricular rate" in text


def test_a_text_that_is_no_record_is_refused_as_a_page(tmp_path):
    (tmp_path / "a.xml").write_text("<html>\n</html>")
    result = CliRunner().invoke(app, ["read", str(tmp_path / "a.xml")])
    assert result.exit_code == 2
    assert "an HTML, SVG or XML file" in result.stderr
