"""Recording: what arrived is on disk when the process is killed."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from streams_help import make_record

from ecglens.errors import DatasetError, StreamError
from ecglens.records import EcgRecord
from ecglens.streams import LiveBeat, Recorder, StreamInfo, Stretch, read_results, read_session, recording
from ecglens.streams.recording import read_session_info, span_session

INFO = StreamInfo("bed 1", ("I", "II"), 250.0)


def stretches(record: object, step: int = 25, skip: tuple[int, int] = (0, 0)) -> list[Stretch]:
    signals = record.signals_mv  # type: ignore[attr-defined]
    starts = [start for start in range(0, signals.shape[1], step) if not skip[0] <= start < skip[1]]
    return [Stretch(start, signals[:, start : start + step]) for start in starts]


def test_a_session_is_read_back_to_half_a_microvolt_with_its_results(tmp_path: Path) -> None:
    record = make_record()
    recorder = Recorder(tmp_path / "a", INFO, clock=lambda: 1000.0)
    recorder.write(stretches(record), [LiveBeat(1.5)])
    recorder.close()
    back = read_session(tmp_path / "a")
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=5.1e-4)
    assert (back.leads, back.fs_hz, back.warnings) == (record.leads, 250.0, ())
    assert [result["at_s"] for result in read_results(tmp_path / "a")] == [1.5]
    session = read_session_info(tmp_path / "a")
    assert (session.began_s, session.ended_s, session.info) == (1000.0, 1000.0, INFO)


def test_gaps_are_missing_samples_and_a_long_one_begins_a_segment(tmp_path: Path) -> None:
    record = make_record(seconds=60.0)
    recorder = Recorder(tmp_path / "a", INFO)
    recorder.write(stretches(record, skip=(1000, 1500)))
    recorder.close()
    back = read_session(tmp_path / "a")
    assert np.isnan(back.signals_mv[:, 1000:1500]).all()
    np.testing.assert_allclose(back.signals_mv[:, 1500:], record.signals_mv[:, 1500:], atol=5.1e-4)
    recorder = Recorder(tmp_path / "b", INFO)
    recorder.write(stretches(record, skip=(2000, 6000)))
    recorder.close()
    assert len(list((tmp_path / "b").glob("*.dat"))) == 2
    back = read_session(tmp_path / "b")
    assert np.isnan(back.signals_mv[:, 2000:6000]).all()
    np.testing.assert_allclose(back.signals_mv[:, 6000:], record.signals_mv[:, 6000:], atol=5.1e-4)
    assert "26.7 % of the stream never arrived." in back.warnings


def test_a_part_of_a_session_is_read(tmp_path: Path) -> None:
    record = make_record(seconds=60.0)
    recorder = Recorder(tmp_path, INFO)
    recorder.write(stretches(record))
    recorder.close()
    part = read_session(tmp_path, start_s=20.0, seconds=10.0)
    np.testing.assert_allclose(part.signals_mv, record.signals_mv[:, 5000:7500], atol=5.1e-4)
    with pytest.raises(DatasetError, match="got none in this part"):
        read_session(tmp_path, start_s=100.0)


def test_segments_are_wfdb_records_while_they_are_written(tmp_path: Path) -> None:
    pytest.importorskip("wfdb")
    from ecglens.formats.files import read_record

    record = make_record()
    recorder = Recorder(tmp_path, INFO)
    recorder.write(stretches(record)[:100])
    while_open = read_record(tmp_path / "segment-0001.hea")
    np.testing.assert_allclose(while_open.signals_mv, record.signals_mv[:, :2500], atol=5.1e-4)
    recorder.write(stretches(record)[100:])
    recorder.close()
    assert read_record(tmp_path / "segment-0001.hea").duration_s == 20.0


def test_samples_beyond_the_range_are_missing_and_never_wrong(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, INFO)
    recorder.write([Stretch(0, np.array([[0.1, 80.0, 0.2], [-33.0, np.nan, -33.1]], np.float32))])
    recorder.close()
    back = read_session(tmp_path).signals_mv
    np.testing.assert_allclose(back, [[0.1, np.nan, 0.2], [-33.0, np.nan, -33.1]], atol=5.1e-4)


@pytest.mark.parametrize("offsets_mv", [(150.0, -300.0), (1000.0, -999.0), (31.0, 0.0)])
def test_the_offset_of_electrodes_is_recorded_to_half_a_microvolt(
    tmp_path: Path, offsets_mv: tuple[float, float]
) -> None:
    wfdb = pytest.importorskip("wfdb")
    record = make_record()
    shifted = EcgRecord(record.signals_mv.astype(np.float64) + np.array(offsets_mv)[:, None], 250.0, INFO.leads)
    recorder = Recorder(tmp_path, INFO)
    recorder.write(stretches(shifted)[:100])
    while_open = wfdb.rdrecord(str(tmp_path / "segment-0001")).p_signal.T
    recorder.write(stretches(shifted)[100:])
    recorder.close()
    np.testing.assert_allclose(while_open, shifted.signals_mv[:, :2500], atol=6e-4)
    np.testing.assert_allclose(read_session(tmp_path).signals_mv, shifted.signals_mv, atol=6e-4)


def test_an_offset_that_changes_begins_a_segment_and_wild_ones_do_not_fill_the_disk(tmp_path: Path) -> None:
    record = make_record()
    steps = record.signals_mv.copy()
    steps[0, 1000:] += 300.0
    steps[1, 3000:] -= 200.0
    recorder = Recorder(tmp_path / "steps", INFO)
    recorder.write(stretches(EcgRecord(steps, 250.0, INFO.leads)))
    recorder.close()
    np.testing.assert_allclose(read_session(tmp_path / "steps").signals_mv, steps, atol=6e-4)
    assert len(list((tmp_path / "steps").glob("*.dat"))) == 3
    wild = record.signals_mv + np.where(np.arange(record.signals_mv.shape[1]) // 25 % 2, 900.0, -900.0)
    recorder = Recorder(tmp_path / "wild", INFO)
    recorder.write(stretches(EcgRecord(wild, 250.0, INFO.leads)))
    recorder.close()
    assert len(list((tmp_path / "wild").glob("*.dat"))) <= 21


def test_a_session_is_gone_on_with_in_a_new_segment(tmp_path: Path) -> None:
    record = make_record()
    first = Recorder(tmp_path, INFO)
    first.write(stretches(record)[:50])
    first.close()
    second = Recorder(tmp_path, INFO)
    second.write(stretches(record)[60:])
    second.close()
    back = read_session(tmp_path)
    assert np.isnan(back.signals_mv[:, 1250:1500]).all()
    np.testing.assert_allclose(back.signals_mv[:, 1500:], record.signals_mv[:, 1500:], atol=5.1e-4)


def test_a_stream_that_begins_again_does_not_write_over_another_one(tmp_path: Path) -> None:
    record = make_record()
    first = Recorder(tmp_path, INFO)
    first.write(stretches(record)[:50])
    first.close()
    again = Recorder(tmp_path, INFO)
    with pytest.raises(StreamError, match="got a stream that begins again; choose another folder"):
        again.write(stretches(record)[:1])
    again.close()
    np.testing.assert_allclose(read_session(tmp_path).signals_mv, record.signals_mv[:, :1250], atol=5.1e-4)


def test_a_folder_of_another_stream_is_refused(tmp_path: Path) -> None:
    Recorder(tmp_path, INFO).close()
    with pytest.raises(StreamError, match="choose another folder"):
        Recorder(tmp_path, StreamInfo("x", ("V1",), 500.0))
    with pytest.raises(DatasetError, match="got none; check the folder"):
        read_session(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StreamError, match="cannot be written to"):
        Recorder(tmp_path / "file" / "below", INFO)


def test_a_killed_process_loses_less_than_a_second(tmp_path: Path) -> None:
    code = """
        import asyncio, sys, time
        import numpy as np
        from ecglens.records import EcgRecord
        from ecglens.streams import Recorder, replay, watch

        record = EcgRecord(np.tile(np.arange(2500, dtype=np.float32) / 1000, (2, 4)), 250.0, ("I", "II"))

        async def run():
            recorder = None
            async for step in watch(replay(record)):
                recorder = recorder or Recorder(sys.argv[1], step.info)
                recorder.write(step.stretches, step.results)
                print(step.monitor.window.end, time.time(), flush=True)

        asyncio.run(run())
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        end, began = 0, time.time()
        while end < 1000:  # 4 s of signal
            end = int(process.stdout.readline().split()[0])
            assert time.time() - began < 120
        os.kill(process.pid, signal.SIGKILL)
        remaining = process.stdout.read().split("\n")
    end = max([end, *(int(line.split()[0]) for line in remaining if len(line.split()) == 2)])
    back = read_session(tmp_path / "a")
    assert back.signals_mv.shape[1] >= end, "a sample that was written is gone"
    assert back.signals_mv.shape[1] <= end + 250
    expected = np.tile(np.arange(2500, dtype=np.float32) / 1000, 4)[: back.signals_mv.shape[1]]
    np.testing.assert_allclose(back.signals_mv[0], expected, atol=5.1e-4)
    assert read_session_info(tmp_path / "a").ended_s is None
    assert json.loads((tmp_path / "a" / "session.json").read_text())["device"] == "replay"


def count_open_files(folder: Path) -> int:
    return sum(str(folder) in os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("failing", ["fsync", "_replace"])
def test_all_files_are_closed_on_a_full_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    recorder = Recorder(tmp_path, INFO)
    recorder.write(stretches(make_record())[:50])
    assert count_open_files(tmp_path) == 2
    monkeypatch.setattr(recording.os if failing == "fsync" else recording, failing, fail)
    with pytest.raises(StreamError, match="No space left on device; make room"):
        recorder.close()
    assert count_open_files(tmp_path) == 0
    monkeypatch.undo()
    assert read_session(tmp_path).duration_s == 5.0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_session_that_goes_on_later_leaves_no_file_open_and_has_no_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, INFO)
    recorder.write(stretches(make_record())[:50])
    recorder.release()
    assert count_open_files(tmp_path) == 0
    assert read_session_info(tmp_path).ended_s is None
    assert read_session(tmp_path).duration_s == 5.0


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, INFO)
    recorder.write([], [LiveBeat(1.0), LiveBeat(2.0)])
    recorder.close()
    path = tmp_path / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [result["at_s"] for result in read_results(tmp_path)] == [1.0]


def test_a_session_that_was_recorded_late_begins_with_its_samples(tmp_path: Path) -> None:
    record = make_record(seconds=60.0)
    recorder = Recorder(tmp_path, INFO)
    recorder.write([Stretch(7_000_000 + part.first, part.samples_mv) for part in stretches(record)])
    recorder.close()
    back = read_session(tmp_path)
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=5.1e-4)
    assert back.warnings == ()
    assert span_session(tmp_path) == (28_000.0, 28_060.0)
