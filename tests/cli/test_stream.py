"""``ecglens stream`` and ``ecglens replay`` from end to end."""

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from streams_help import make_record
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.formats.files import write_record
from ecglens.streams import read_results, read_session

COMMAND = [sys.executable, "-c", "from ecglens.cli import main; main()"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_record(make_record(seconds=30.0), tmp_path / "ecg", "json")


def run(*words: object, **options: object):
    return CliRunner().invoke(app, list(map(str, words)), **options)


def test_a_replayed_file_is_monitored_and_recorded(file: Path, tmp_path: Path) -> None:
    result = run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "ecg.json: 2 leads at 250 Hz: I II" in result.output
    assert re.search(r"7\.0 s  75/min", result.output)
    assert "For research and teaching; not a diagnosis." in result.output
    assert "30.0 s" in result.output
    assert read_session(tmp_path / "out").duration_s == 30.0
    assert sum(each["type"] == "beat" for each in read_results(tmp_path / "out")) >= 36


def test_results_are_printed_as_json_lines(file: Path) -> None:
    result = run("stream", f"replay:{file}?speed=0", "--json")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert {document["type"] for document in documents} == {"beat", "figures", "quality"}


def test_a_stream_is_stopped_after_some_seconds_of_signal(file: Path, tmp_path: Path) -> None:
    run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out", "--seconds", "12")
    assert 12.0 <= read_session(tmp_path / "out").duration_s < 12.5


def test_a_recorded_stream_is_written_as_fhir(file: Path, tmp_path: Path) -> None:
    result = run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out", "--fhir")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "session.fhir.json").read_text())
    assert document["resourceType"] == "Observation"


def test_replay_writes_lines_that_stream_reads(file: Path, tmp_path: Path) -> None:
    lines = run("replay", file, "--speed", "0", "--lost", "0.1", "--doubled", "0.1", "--swapped", "0.1", "--seed", "3")
    assert lines.exit_code == 0, lines.output
    process = subprocess.run([*COMMAND, "stream", "-", "--json"], input=lines.stdout, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    events = [json.loads(line) for line in process.stdout.splitlines()]
    assert any(event["type"] == "event" and event["kind"] == "gap" for event in events)


def test_hostile_lines_are_counted_and_the_stream_goes_on() -> None:
    text = '{"type": "info", "device": "x", "leads": ["I"], "fs_hz": 250}\n{\n[]\n{"type": "samples", "mv": [[0.1]]}\n'
    process = subprocess.run([*COMMAND, "stream", "-"], input=text, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("Message refused: Expected") == 2


def test_a_tcp_client_gets_the_replayed_file(file: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "replay", str(file), "--speed", "0", "--listen", "0"], stderr=subprocess.PIPE
    ) as one:
        assert one.stderr is not None
        address = re.search(r"tcp://127\.0\.0\.1:\d+", one.stderr.readline().decode())
        assert address is not None
        result = run("stream", address[0], "--json", "--seconds", "20")
        one.send_signal(signal.SIGINT)
        one.stderr.read()
    assert result.exit_code == 0, result.output
    assert one.returncode == 130
    assert '"type": "beat"' in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "Expected a source as -, tcp://HOST:PORT"),
        (["replay:/nowhere.json"], "Expected a file of signals at /nowhere.json"),
        (["-", "--fhir"], "add --record DIR"),
        (
            ["-", "--to", "http://x"],
            "Expected an output as mqtt://HOST/TOPIC or lsl:NAME".replace("HOST/", "HOST:PORT/"),
        ),
        (["-", "--serve", "--site", "ftp://x"], "Expected the address of a site"),
        (["-", "--serve"], "Expected a token of your account in the variable ECGLENS_TOKEN"),
        (["-", "--serve", "--site", "http://example.org"], "use TLS"),
    ],
)
def test_what_cannot_be_used_gives_one_sentence(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "http://example.org" in words:
        monkeypatch.setenv("ECGLENS_TOKEN", "x")
    else:
        monkeypatch.delenv("ECGLENS_TOKEN", raising=False)
    result = run("stream", *words, input=io.BytesIO(b""))
    assert result.exit_code != 0
    assert sentence in str(result.exception)
