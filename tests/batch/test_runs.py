"""Whole runs: reading each page once, resuming after a kill, and reading on a cluster."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import pyarrow.parquet as parquet
import pytest
from batch_stubs import NO_MODEL

from ecglens.batch import Entry, Progress, Result
from ecglens.batch.runs import report, run_job
from ecglens.errors import BatchError

JOB = replace(NO_MODEL, answer="batch_stubs:by_content", page_seconds=20.0)
SUPPORT = Path(__file__).resolve().parents[1] / "support"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of thirty pages, one of them there twice, and one that cannot be read; no test changes it."""
    folder = tmp_path_factory.mktemp("archive") / "pages"
    (folder / "sub").mkdir(parents=True)
    for number in range(30):
        (folder / f"{number:02}.jpg").write_text(f"slow 0.05 {number}")
    (folder / "sub" / "copy of 03.jpg").write_text("slow 0.05 3")
    (folder / "bad.jpg").write_text("refuse")
    (folder / "notes.txt").write_text("no page")
    return folder


@pytest.fixture(scope="module")
def whole_run(archive: Path) -> tuple[Result, list[Progress]]:
    """Read the whole archive without interruption, and return the result and all reports of progress."""
    reports: list[Progress] = []
    out = archive.parent / "whole_run"
    return run_job(archive, out, JOB, workers=2, listener=reports.append, pictures=False), reports


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with four pages, one of them in a subfolder."""
    folder = tmp_path / "pages"
    (folder / "sub").mkdir(parents=True)
    for name in ("00.jpg", "01.jpg", "02.jpg", "sub/03.jpg"):
        (folder / name).write_text(name)
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = parquet.read_table(folder / "pages.parquet").to_pylist()
    return table


@contextmanager
def process(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Python process that ends with the test."""
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    started = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        process_group=0,
    )
    try:
        with started:
            try:
                yield started
            finally:
                started.kill()
    finally:
        assert started.returncode is not None


def wait_for(condition: Any, *, seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def test_every_content_has_one_row_with_its_name_and_copies(whole_run):
    result, _ = whole_run
    assert (result.files, result.pages, result.failures, result.copies, result.skipped_files) == (32, 31, 1, 1, 1)
    table = rows(result.folder)
    assert [row["file"] for row in table] == [*(f"{number:02}.jpg" for number in range(30)), "bad.jpg"]
    assert [row["copies"] for row in table] == [1, 1, 1, 2, *[1] * 27]
    names = parquet.read_table(result.folder / "files.parquet").to_pylist()
    assert len({row["sha256"] for row in names}) == 31
    assert len({row["file"] for row in names}) == 32


def test_every_failure_has_one_plain_reason(whole_run):
    result, _ = whole_run
    reason = "Expected a page, got a word; scan it."
    assert {row["file"]: row["reason"] for row in rows(result.folder) if row["failure"]} == {"bad.jpg": reason}
    with result.failures_file.open(newline="") as stream:
        failures = [(row["file"], row["page"], row["failure"], row["reason"]) for row in csv.DictReader(stream)]
    assert failures == [("bad.jpg", "1", "not_a_page", reason)]


def test_a_listener_is_called_with_every_state_and_the_final_counts(whole_run):
    _, reports = whole_run
    states = [each.state for each in reports]
    assert list(dict.fromkeys(states)) == ["listing", "reading", "writing", "finished"]
    assert (reports[-1].done, reports[-1].files, reports[-1].pages, reports[-1].failures) == (32, 32, 32, 1)
    middle = next(each for each in reports if each.state == "reading" and 0 < each.done < 32)
    assert middle.pages_per_s is not None
    assert middle.seconds_left is not None
    assert json.loads(json.dumps(middle.to_dict()))["done"] == middle.done


def test_the_schema_s_version_is_in_the_table(whole_run):
    result, _ = whole_run
    assert parquet.read_schema(result.folder / "pages.parquet").metadata[b"ecglens.schema_version"] == b"1"


def test_a_second_run_reads_nothing_and_a_new_page_alone(source, tmp_path):
    first = run_job(source, tmp_path / "out", JOB, workers=1, pictures=False)
    before = (first.folder / "pages.parquet").read_bytes()
    reports: list[Progress] = []
    run_job(source, tmp_path / "out", JOB, workers=1, listener=reports.append, pictures=False)
    assert (first.folder / "pages.parquet").read_bytes() == before
    assert "reading" not in {each.state for each in reports}
    (source / "00.jpg").write_text("changed")
    (source / "new.jpg").write_text("new")
    reports.clear()
    run_job(source, tmp_path / "out", JOB, workers=1, listener=reports.append, pictures=False)
    read = [each.done for each in reports if each.state == "reading"]
    assert (read[0], read[-1]) == (3, 5)
    layouts = {row["file"]: row["layout"] for row in rows(first.folder)}
    assert (layouts["00.jpg"], layouts["new.jpg"]) == ("changed", "new")
    assert len(layouts) == 5


def test_another_source_option_or_model_starts_another_result(source, tmp_path):
    out = tmp_path / "out"
    first = run_job(source, out, JOB, workers=1, pictures=False)
    before = (out / "pages.parquet").read_bytes()
    job = replace(JOB, model_sha256="ab", model_name="b", model_version="2")
    other = run_job(source, out, job, workers=1, pictures=False)
    third = run_job(source / "sub", out, JOB, workers=1, pictures=False)
    assert first.folder == out
    assert other.folder.parent == third.folder.parent == out
    assert other.folder.name.startswith("b-2-")
    assert (out / "pages.parquet").read_bytes() == before
    assert len(rows(third.folder)) == 1
    assert run_job(source / "sub", out, JOB, workers=1, pictures=False).folder == third.folder


@pytest.mark.parametrize(
    "changed",
    [
        {"parts": ("signals",)},
        {"model_sha256": "ab"},
        {"signal_format": "wfdb"},
        {"memory_mb": 700},
        {"page_seconds": 9.0},
        {"max_megapixels": 50.0},
        {"version": "9.9"},
    ],
)
def test_the_fingerprint_depends_on_everything_that_changes_the_rows(changed):
    assert replace(JOB, **changed).fingerprint("x") != JOB.fingerprint("x")
    assert JOB.fingerprint("y") != JOB.fingerprint("x")
    assert replace(JOB, model="/moved/there").fingerprint("x") == JOB.fingerprint("x")


def test_a_folder_that_is_no_result_or_lies_in_the_source_is_left_alone(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(BatchError, match="Expected an empty folder or one with a result"):
        run_job(source, tmp_path / "mine", JOB)
    with pytest.raises(BatchError, match="Expected a folder for the result, got the file"):
        run_job(source, source / "00.jpg", JOB)
    with pytest.raises(BatchError, match="Expected a folder for the result outside of"):
        run_job(source, source / "out", JOB)
    assert not (source / "out").exists()


def test_a_source_without_pages_leaves_no_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BatchError, match="Expected pages in .*empty, got none"):
        run_job(tmp_path / "empty", tmp_path / "out", JOB)
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4")
    with pytest.raises(BatchError, match="Expected a whole ZIP"):
        run_job(tmp_path / "cut.zip", tmp_path / "out", JOB)
    assert not (tmp_path / "out").exists()


def test_a_file_that_could_not_be_read_is_tried_again(source, tmp_path):
    entries = [Entry("a", str(source / "00.jpg")), Entry("b", str(source / "later.jpg"))]
    assert run_job(entries, tmp_path / "out", JOB, workers=1, pictures=False).failures == 1
    (source / "later.jpg").write_text("later")
    assert run_job(entries, tmp_path / "out", JOB, workers=1, pictures=False).failures == 0
    assert [row["file"] for row in rows(tmp_path / "out")] == ["a", "b"]


def test_a_listener_that_raises_stops_the_run_which_can_then_be_resumed(archive, tmp_path):
    def stop(progress: Progress) -> None:
        if progress.done > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(archive, tmp_path / "out", JOB, workers=1, listener=stop, pictures=False)
    report(tmp_path / "out", pictures=False)
    assert 0 < len(rows(tmp_path / "out")) < 31
    assert "not finished yet" in (tmp_path / "out" / "index.html").read_text()
    run_job(archive, tmp_path / "out", JOB, workers=1, pictures=False)
    assert len(rows(tmp_path / "out")) == 31


def test_two_runs_never_write_into_one_result(source, tmp_path):
    def again(progress: Progress) -> None:
        if progress.state == "reading":
            run_job(source, tmp_path / "out", JOB, pictures=False)

    with pytest.raises(BatchError, match="another run works on .*out; wait for it"):
        run_job(source, tmp_path / "out", JOB, workers=1, listener=again, pictures=False)


KILLED = """
import sys
from dataclasses import replace
from batch_stubs import NO_MODEL
from ecglens.batch.runs import run_job
job = replace(NO_MODEL, answer="batch_stubs:by_content", page_seconds=20.0)
def log(progress):
    open(sys.argv[3], "a").write("x" * progress.done + "\\n")
run_job(sys.argv[1], sys.argv[2], job, workers=1, listener=log, pictures=False)
"""
"""Script that writes a line with one letter for each finished file."""


def test_a_run_killed_at_any_moment_can_be_resumed_and_ends_with_the_same_rows(archive, whole_run, tmp_path):
    out, kills = tmp_path / "killed", 0
    for done_before in (0, 12):
        log = tmp_path / f"log-{done_before}"
        with process("-c", KILLED, archive, out, log) as started:
            wait_for(lambda log=log, least=done_before: log.exists() and "x" * least in log.read_text())
            kills += started.poll() is None
            started.send_signal(signal.SIGKILL)
    assert kills, "every run had ended before it was killed"
    run_job(archive, out, JOB, workers=1, pictures=False)
    whole, _ = whole_run
    assert rows(out) == rows(whole.folder)
    assert (out / "failures.csv").read_bytes() == whole.failures_file.read_bytes()


DRIVEN = """
import re, sys
from pathlib import Path
from dataclasses import replace
from batch_stubs import NO_MODEL
from ecglens.batch.runs import run_job
job = replace(NO_MODEL, answer="batch_stubs:by_content", page_seconds=20.0)
assert run_job(sys.argv[1], sys.argv[2], job, workers=1, pictures=False).pages == 100
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
Path(sys.argv[3]).write_text(peak.group(1))
"""


def test_the_driver_keeps_no_bytes_that_it_has_sent(tmp_path):
    """Read 100 MB of pages from a compressed TAR, whose bytes all pass through the driver."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        for number in range(100):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.size = 1_000_000
            archive.addfile(info, io.BytesIO(f"{number:<1000000}".encode()))
    with process("-c", DRIVEN, tmp_path / "a.tar.gz", tmp_path / "out", tmp_path / "peak") as started:
        assert started.wait(120) == 0
    assert int((tmp_path / "peak").read_text()) < 260_000


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_cluster_without_workers_is_refused_and_one_that_loses_a_worker_loses_no_row(
    archive, whole_run, tmp_path, monkeypatch
):
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    worker = ("-m", "distributed.cli.dask_worker", address, "--host", "127.0.0.1", "--nthreads", 1, "--no-dashboard")
    with process(*scheduler):
        wait_for(lambda: listens(port))
        with monkeypatch.context() as patch:
            patch.setattr("ecglens.batch.engine._WAIT_SECONDS", 2.0)
            with pytest.raises(BatchError, match="Expected workers at tcp://.*, got none"):
                run_job(archive, tmp_path / "out", JOB, scheduler=address, pictures=False)
        with process(*worker, "--no-nanny") as doomed, process(*worker, "--no-nanny"):
            with distributed.Client(address, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=300)

            def kill_one(progress: Progress) -> None:
                if progress.done > 4:
                    doomed.send_signal(signal.SIGKILL)

            result = run_job(archive, tmp_path / "out", JOB, scheduler=address, listener=kill_one, pictures=False)
            assert doomed.wait(10) == -signal.SIGKILL
    assert rows(result.folder) == rows(whole_run[0].folder)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "ftp://host:1"])
def test_an_address_without_a_scheduler_is_refused(source, tmp_path, monkeypatch, address):
    monkeypatch.setattr("ecglens.batch.engine._WAIT_SECONDS", 1.0)
    with pytest.raises(BatchError, match=f"Expected a Dask scheduler at {address}, such as"):
        run_job(source, tmp_path / "out", JOB, scheduler=address, pictures=False)


def test_less_than_one_process_is_refused(source, tmp_path):
    with pytest.raises(BatchError, match="Expected at least 1 process to read with, got 0"):
        run_job(source, tmp_path / "out", JOB, workers=0)
    assert not (tmp_path / "out").exists()


def test_a_file_name_from_a_reader_cannot_leave_the_folder(tmp_path):
    from ecglens.batch.results import store_files

    with pytest.raises(BatchError, match="Expected a file of signals from a reader"):
        store_files(tmp_path, {"signals/../../evil.parquet": b""})
