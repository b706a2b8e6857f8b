"""``ecglens stream`` and ``ecglens replay`` from end to end."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streams_help import make_record
from synthetic_ecgs import synthesize_ecg
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.errors import DatasetError, ModelError
from ecglens.formats.files import read_record, write_record
from ecglens.streams import StreamEvent, StreamInfo, read_results, read_session, recording
from ecglens.streams.json_lines import write_line
from ecglens.streams.recording import read_session_info
from ecglens.streams.replay import cut_packets

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
    assert re.search(r"4\.0 s  75/min", result.output)
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


def test_a_line_that_is_no_description_is_counted_and_the_stream_goes_on() -> None:
    info = '{"type": "info", "device": "x", "leads": ["I"], "fs_hz": 250}'
    lines = ["0.1, 0.2]]}", '{"type": "samples", "mv": [[0.1]]}', info, '{"type": "samples", "mv": [[0.1]]}']
    process = subprocess.run([*COMMAND, "stream", "-"], input="\n".join(lines), capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("Message refused: Expected") == 2
    process = subprocess.run([*COMMAND, "stream", "-"], input="\n".join(lines[:2]), capture_output=True, text=True)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "send its info first; the first of 2 messages that were refused" in process.stderr


@pytest.mark.skipif(os.name == "nt", reason="has no SIGHUP")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_silent_stream_as_its_end_does(name: str, code: int, tmp_path: Path) -> None:
    record = make_record(seconds=5.0)
    lines = [write_line(StreamInfo("x", record.leads, 250.0)), *map(write_line, cut_packets(record)), ""]
    command = [*COMMAND, "stream", "-", "--record", str(tmp_path / "out"), "--fhir", "--json"]
    # Started by nohup, the tests themselves ignore SIGHUP, and so would the command.
    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored in this session, as by nohup")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(lines))
        process.stdin.flush()
        while '"at_s": 4.' not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == code
    assert read_session_info(tmp_path / "out").ended_s is not None
    assert json.loads((tmp_path / "out" / "session.fhir.json").read_text())["resourceType"] == "Observation"


def test_a_broker_that_is_away_is_reported_during_the_stream(file: Path) -> None:
    pytest.importorskip("aiomqtt")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = run("stream", f"replay:{file}?speed=0", "--to", f"mqtt://127.0.0.1:{port}/x")
    assert re.search(rf"Results do not reach mqtt://127.0.0.1:{port}/x \(.*\); they are dropped", result.output)


def test_alarms_are_distinguished_from_criteria_in_words(tmp_path: Path) -> None:
    record = synthesize_ecg(np.arange(0.5, 10, 0.8), seconds=20.0, fs_hz=250.0, noise_mv=0.01)
    quiet = write_record(record, tmp_path / "quiet", "json")
    result = run("stream", f"replay:{quiet}?speed=0")
    assert re.search(r"\d s  High alarm: No beat begins \(4\.7 s without a beat\)", result.output)


def test_a_broker_that_does_not_answer_holds_nothing_up_and_what_was_not_sent_is_counted(file: Path) -> None:
    pytest.importorskip("aiomqtt")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"mqtt://127.0.0.1:{server.getsockname()[1]}/x"
        began = time.monotonic()
        result = run("stream", f"replay:{file}?speed=0", "--to", address)
        assert time.monotonic() - began < 15.0
    assert result.exit_code == 2, result.output  # nothing at all was sent
    assert re.search(r"ecglens: \d+ results were not sent to mqtt://127", result.output)


def test_a_site_that_is_not_there_gives_one_sentence_at_the_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGLENS_TOKEN", "x")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        site = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = run("stream", f"replay:{file}?speed=0", "--serve", "--site", site)
    assert result.exit_code == 2
    assert f"Expected a site at {site}, but nothing was sent there; check --site." in result.output


def test_fhir_of_a_very_long_recording_is_its_first_part(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_SAMPLES", 5000)
    result = run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out", "--fhir")
    assert result.exit_code == 0, result.output
    assert "out, 30.0 s" in result.output
    assert "the first 10 s alone; the segments hold all of it." in result.output
    assert read_record(tmp_path / "out" / "session.fhir.json").duration_s == 10.0


def test_fhir_holds_the_offset_of_electrodes(tmp_path: Path) -> None:
    record = make_record(seconds=5.0)
    shifted = replace(record, signals_mv=record.signals_mv + 300)
    lines = [write_line(StreamInfo("x", record.leads, 250.0)), *map(write_line, cut_packets(shifted))]
    command = [*COMMAND, "stream", "-", "--record", str(tmp_path / "out"), "--fhir"]
    process = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    written = read_record(tmp_path / "out" / "session.fhir.json")
    np.testing.assert_allclose(written.signals_mv, shifted.signals_mv, atol=6e-4)


def test_fhir_that_was_not_written_is_an_error(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> Path:
        raise DatasetError("Expected room on the disk, got none.")

    monkeypatch.setattr("ecglens.formats.files.write_record", refuse)
    result = run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out", "--fhir")
    assert result.exit_code == 2
    assert "No FHIR was written; the segments hold the recording: Expected room on the disk" in result.output


@pytest.mark.parametrize("lines", ["", '{"type": "info", "device": "x", "leads": ["I"], "fs_hz": 250}'])
def test_a_stream_without_samples_is_an_error(lines: str) -> None:
    process = subprocess.run([*COMMAND, "stream", "-"], input=lines, capture_output=True, text=True)
    assert process.returncode == 2
    assert ("Expected" if lines else "got none before its end; check what the source sends.") in process.stderr
    assert process.stderr.count("\n") == 1


def test_what_ends_is_shown_when_it_ends() -> None:
    begins = StreamEvent("high_rate", "High rate", 28.0, 30.0, state="begins")
    ends = StreamEvent("high_rate", "High rate", 28.0, 63.0, state="ends")
    gap = StreamEvent("gap", "Gap", 12.0, 13.0)
    assert [each.reported_s for each in (begins, ends, gap)] == [30.0, 63.0, 12.0]


@pytest.mark.parametrize("option", [("stream", "-", "--seconds", "nan"), ("replay", "a.json", "--speed", "nan")])
def test_a_number_that_is_none_is_refused(option: tuple[str, ...]) -> None:
    assert str(run(*option).exception) == f"Expected a number as {option[2]}, got nan; correct it."


def test_a_closed_stdin_gives_one_sentence() -> None:
    process = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *COMMAND, "stream", "-"], capture_output=True, text=True
    )
    assert process.returncode == 2
    assert "Expected JSON lines" in process.stderr
    assert process.stderr.count("\n") == 1


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
        (
            ["-", "--broker", "redis://x", "--json", "--seconds", "1"],
            "--broker without --seconds, --json, as the workers",
        ),
        (["replay:x?speed=nan"], "a number from 0 on as speed"),
        (["replay:x?repeat=inf"], "a number from 0 on as repeat"),
        (["replay:x?repeat=0"], "a whole number from 1 on as repeat"),
        (["replay:x?sped=1"], "Expected the options repeat, speed in replay:x"),
        (["serial:x?baud=nan"], "a number from 0 on as baud"),
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


def test_refused_messages_are_reported_once_in_a_while_and_counted() -> None:
    lines = ['{"type": "info", "device": "x", "leads": ["I"], "fs_hz": 250}', *["{"] * 2000]
    lines += ['{"type": "samples", "mv": [[0.1, 0.2]]}']
    process = subprocess.run(
        [*COMMAND, "stream", "-", "--json"], input="\n".join(lines), capture_output=True, text=True
    )
    events = [json.loads(line) for line in process.stdout.splitlines()]
    assert [event["values"]["refused"] for event in events if event["kind"] == "refused"] == [1.0] * 5 + [1995.0]


def test_a_model_that_cannot_read_streams_is_refused_before_the_stream(tmp_path: Path) -> None:
    for model in ("compact_cnn", "nothing"):
        result = run("stream", "tcp://127.0.0.1:1", "--model", model, "--record", tmp_path / "out")
        assert isinstance(result.exception, ModelError)
        assert not (tmp_path / "out").exists()


def test_files_of_a_session_are_private(file: Path, tmp_path: Path) -> None:
    run("stream", f"replay:{file}?speed=0", "--record", tmp_path / "out", "--fhir")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}


def test_rr_intervals_give_no_fhir_but_one_sentence(tmp_path: Path) -> None:
    text = '{"type": "info", "device": "x", "leads": [], "fs_hz": 1}\n' + '{"type": "rr", "rr_s": [0.8]}\n' * 20
    command = [*COMMAND, "stream", "-", "--record", str(tmp_path / "out"), "--fhir"]
    process = subprocess.run(command, input=text, capture_output=True, text=True)
    assert process.returncode == 2
    assert "No FHIR was written, as the stream has RR intervals without samples." in process.stderr


def test_a_port_in_use_is_one_sentence(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = run("replay", file, "--listen", server.getsockname()[1])
    assert "Expected a free port as --listen" in str(result.exception)


def test_a_source_that_is_silent_is_reported() -> None:
    process = subprocess.Popen([*COMMAND, "stream", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert "Nothing has come from the source for 5 s" in line


def test_short_gaps_are_printed_together(file: Path) -> None:
    lines = run("replay", file, "--speed", "0", "--lost", "0.1", "--seed", "3")
    process = subprocess.run([*COMMAND, "stream", "-"], input=lines.stdout, capture_output=True, text=True)
    gaps = [line for line in process.stdout.splitlines() if " gap" in line]
    assert 2 <= len(gaps) <= 5
    total = sum(float(re.findall(r"([\d.]+) s are missing", line)[0]) for line in gaps)
    assert total == pytest.approx(0.05 * sum(int(re.findall(r"(\d+) gap", line)[0]) for line in gaps), abs=0.8)
