"""Serving processes receive lines at the pace of the stream, and in the places of its account."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from streams_help import make_record

from ecglens.errors import StreamError
from ecglens.streams import StreamInfo, read_results, read_session
from ecglens.streams import recording as recording_module
from ecglens.streams.json_lines import write_line
from ecglens.streams.pace import BURST_S, FASTER, PATIENCE_S, Budget, count_samples_a_second, limit_line
from ecglens.streams.replay import cut_packets
from ecglens.web.streams import receiving
from ecglens.web.streams.folders import LIVE, RECORDING, SWITCH
from ecglens.web.streams.receiving import INFO_BYTES, Lines, Receiver, StreamRefusedError, create_account_budget

pytestmark = pytest.mark.sqlite

RECORD = make_record(seconds=12.0)
INFO = StreamInfo("bed 1", RECORD.leads, RECORD.fs_hz)
DESCRIPTION = f"{write_line(INFO)}\n".encode()
PACKETS = [f"{write_line(packet)}\n".encode() for packet in cut_packets(RECORD, packet_s=0.1)]


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def create(tmp_path, clock):
    def receive(budget=None, folder=tmp_path):
        lines = Lines()
        assert lines.read_info(DESCRIPTION) == INFO
        return Receiver(INFO, folder, lines, budget or create_account_budget(), clock=clock)

    return receive


def samples(count=1, **more):
    return json.dumps({"type": "samples", "mv": [[0.01] * count] * 2, **more}).encode() + b"\n"


def test_the_reason_why_a_description_is_refused_is_passed_on():
    with pytest.raises(StreamError, match="^Expected printable names"):
        Lines().read_info(b'{"type": "info", "device": "\\u0000", "leads": ["I"], "fs_hz": 250}\n')
    with pytest.raises(StreamError, match="describe the stream"):
        Lines().read_info(b'{"type": "battery", "percent": 5}\n')


@pytest.mark.parametrize("filler", [b"x", b"\n", b" \n"])
def test_a_description_comes_within_its_bytes(filler):
    lines = Lines()
    assert lines.read_info(filler * (INFO_BYTES // 2)) is None
    with pytest.raises((StreamError, StreamRefusedError), match=f"{INFO_BYTES:,} bytes"):
        lines.read_info(filler * INFO_BYTES)


def test_the_limit_of_a_line_is_that_of_the_stream_from_the_first_line_after_the_description():
    wide = StreamInfo("x", tuple(f"L{number}" for number in range(64)), 1500.0)
    lines = Lines()
    long = b"[" * (limit_line(wide) - 1) + b"\n"
    assert len(long) > INFO_BYTES
    assert lines.read_info(f"{write_line(wide)}\n".encode() + long) == wide
    assert len(lines) == 1


def test_a_line_longer_than_a_second_of_the_stream_ends_it_before_it_is_parsed(create, monkeypatch):
    receiver = create()
    monkeypatch.setattr(receiving.LineParser, "read", None)
    with pytest.raises(StreamRefusedError, match=r"at most 16,800 bytes, what a second of the stream needs") as refused:
        receiver.take(b'{"type":"samples","mv":[' + b"[]," * 10_000)
    assert refused.value.status == 413
    receiver.close()


def test_a_stream_arrives_at_its_own_pace(create, clock):
    receiver = create()
    for packet in PACKETS:
        assert receiver.take(packet) == 0.0
        clock.now_s += 0.1
    assert read_session(receiver._folder / LIVE).duration_s == 12.0
    receiver.take(b'{"type": "end"}\n')
    assert receiver.is_ended
    receiver.close()


def test_what_is_too_fast_waits_and_nothing_of_it_is_lost(create, clock):
    receiver = create()
    second = [samples(250, sequence=number) for number in range(100)]
    wait_s = receiver.take(b"".join(second))
    assert wait_s > 0
    assert receiver.is_waiting
    while receiver.is_waiting:
        clock.now_s += max(wait_s, 0.01)
        wait_s = receiver.take(b"")
    # The burst arrives at once, and the rest at ten times the rate of the stream.
    a_second = count_samples_a_second(INFO)
    assert clock.now_s == pytest.approx((100 * 500 - BURST_S * a_second) / (FASTER * a_second), abs=0.1)
    assert receiver._monitor.now_s == 100.0
    receiver.close()


def send_at_full_speed(receiver, clock, line):
    number = 0
    while clock.now_s < 3 * PATIENCE_S:
        wait_s = receiver.take(b"".join(line(number + each) for each in range(200)))
        number += 200
        while receiver.is_waiting:
            clock.now_s += max(wait_s, 0.001)
            wait_s = receiver.take(b"")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "line",
    [
        lambda number: samples(250, sequence=number),
        lambda number: samples(1, time_s=9.9 * number),  # gaps, which are written as missing samples
        pytest.param(lambda number: samples(1, time_s=1000.0 * number), marks=pytest.mark.nightly),  # each a segment
        lambda number: b"\n",
        lambda number: b"{\n",
        lambda number: b'{"type": "battery", "percent": 5}\n',
    ],
)
def test_a_sender_that_stays_too_fast_is_refused_whatever_it_sends(create, clock, line):
    receiver = create()
    with pytest.raises(StreamRefusedError, match="at most 10 times the 250 Hz") as refused:
        send_at_full_speed(receiver, clock, line)
    assert refused.value.status == 429
    receiver.close()
    size = sum(path.stat().st_size for path in receiver._folder.rglob("*"))
    assert size < 3_000_000, "the live view stays small"


def test_the_streams_of_an_account_share_its_budget(create, clock, tmp_path):
    budget = Budget(100.0, 1000.0, clock=clock)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = create(budget, tmp_path / "a"), create(budget, tmp_path / "b")
    assert one.take(samples(250, sequence=0)) == 0.0
    assert one.take(samples(250, sequence=1)) == 0.0
    assert two.take(samples(250, sequence=0)) == 5.0
    one.close()
    two.close()


@pytest.mark.parametrize("value", ["1e308", "1" + "0" * 400, "[" * 90 + "]" * 90, "true", '"\\ud800"'])
def test_a_hostile_sample_is_one_refused_message(create, value):
    receiver = create()
    receiver.take(b'{"type": "samples", "mv": [[' + value.encode() + b"], [1]]}\n" + samples(25))
    receiver.close()
    results = read_results(receiver._folder / LIVE)
    assert [result["kind"] for result in results] == ["refused"]
    assert read_session(receiver._folder / LIVE).duration_s == 0.1


def record_some(receiver, clock):
    (receiver._folder / SWITCH).touch()
    for packet in PACKETS[:50]:
        clock.now_s += 0.1
        receiver.take(packet)
    assert receiver.is_recording


def test_a_recording_ends_where_the_disk_has_no_room_and_the_live_view_goes_on(create, clock, monkeypatch):
    receiver = create()
    record_some(receiver, clock)
    monkeypatch.setattr(receiving, "has_room", lambda size: False)
    for packet in PACKETS[50:]:
        clock.now_s += 0.1
        receiver.take(packet)
    assert not receiver.is_recording
    assert not (receiver._folder / SWITCH).exists()
    receiver.take(b'{"type": "end"}\n')
    receiver.close()
    live, recorded = receiver._folder / LIVE, receiver._folder / RECORDING
    assert read_session(live).duration_s == 12.0
    assert 3.0 < read_session(recorded).duration_s < 8.0
    (event,) = [each for each in read_results(live) if each.get("kind") == "recording"]
    assert event["detail"] == receiving.NO_ROOM


def fail_to_write(monkeypatch, name):
    """Let the disk be full for files of the live view or the recording."""
    write = recording_module._write_all

    def fail(file, content):
        if f"/{name}/" in os.path.realpath(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    monkeypatch.setattr(recording_module, "_write_all", fail)


def count_open_files(folder):
    return sum(str(folder) in os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@needs_proc
def test_a_recording_that_cannot_be_written_ends_and_the_live_view_goes_on(create, clock, monkeypatch):
    receiver = create()
    record_some(receiver, clock)
    fail_to_write(monkeypatch, RECORDING)
    for packet in PACKETS[50:]:
        receiver.take(packet)
    assert not receiver.is_recording
    receiver.close()
    assert read_session(receiver._folder / LIVE).duration_s == 12.0
    assert count_open_files(receiver._folder) == 0


@needs_proc
def test_a_stream_whose_live_view_cannot_be_written_ends_with_one_sentence_and_no_open_file(create, clock, monkeypatch):
    receiver = create()
    record_some(receiver, clock)
    fail_to_write(monkeypatch, LIVE)
    with pytest.raises(StreamRefusedError, match="the disk of this site is full") as refused:
        receiver.take(PACKETS[50])
    assert refused.value.status == 507
    receiver.close()
    assert count_open_files(receiver._folder) == 0


@needs_proc
def test_a_sender_that_is_cut_off_leaves_no_open_file(create, clock):
    receiver = create()
    record_some(receiver, clock)
    receiver.close()
    assert count_open_files(receiver._folder) == 0


@needs_proc
def test_a_stream_that_is_deleted_while_it_arrives_ends(create, clock):
    import shutil

    receiver = create()
    record_some(receiver, clock)
    shutil.rmtree(receiver._folder)
    clock.now_s += 5.0
    with pytest.raises(StreamRefusedError, match="that was deleted") as refused:
        receiver.take(PACKETS[50])
    assert refused.value.status == 404
    receiver.close()
    assert count_open_files(receiver._folder) == 0


def test_a_stream_that_was_cut_off_goes_on_with_its_count(create):
    first = create()
    first.take(b"".join(PACKETS[:50]))
    first.close()
    second = create()
    second.take(b"".join(PACKETS[50:]))
    second.close()
    back = read_session(second._folder / LIVE)
    np.testing.assert_allclose(back.signals_mv, RECORD.signals_mv, atol=6e-4)


def test_a_sender_that_restarts_its_count_after_it_was_cut_off_loses_nothing(create):
    for _ in range(2):
        receiver = create()
        receiver.take(b"".join(PACKETS))
        receiver.close()
    assert receiver._monitor.now_s == pytest.approx(24.0, abs=0.5)
    results = read_results(receiver._folder / LIVE)
    events = [each["kind"] for each in results if each["type"] == "event"]
    assert [kind for kind in events if kind in ("connection", "gap")] == ["connection", "connection", "gap"]
    assert read_session(receiver._folder / LIVE).duration_s == pytest.approx(24.0, abs=0.5)


def test_a_number_far_ahead_ends_no_stream(create):
    receiver = create()
    ahead = [samples(25, sequence=number + (1 << 61 if number > 4 else 0)) for number in range(10)]
    receiver.take(b"".join(ahead))
    receiver.close()
    assert receiver._monitor.now_s == pytest.approx(1.0, abs=0.01)


def test_no_samples_ring_whatever_else_arrives(create, clock):
    receiver = create()
    receiver.take(PACKETS[0])
    for line in (b"\n", b'{"type": "battery", "percent": 50}\n', PACKETS[0], b"{\n", b"\n", b"\n"):
        clock.now_s += 1.1
        receiver.take(line)
    receiver.close()
    assert "no_signal" in [each.get("kind") for each in read_results(receiver._folder / LIVE)]
