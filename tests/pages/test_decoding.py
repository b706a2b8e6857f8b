"""Decoding in other processes: the same pages, the same refusals, and files that are ended."""

import io
import json
import os
import signal
import threading
import time
from pathlib import Path

import hostile_files
import numpy as np
import pytest

from ecglens.errors import EcgReadError
from ecglens.pages import decoding, decoding_child
from ecglens.pages.decoding import decode_apart, decode_for_sender
from ecglens.pages.read import count_pages, decode_here, read_page

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def fresh():
    """No idle process before the test, and none that it started after it."""
    decoding._end_idle()
    decoding._IDLE.clear()
    yield
    decoding._end_idle()
    decoding._IDLE.clear()


@pytest.mark.parametrize("name", ["MI_26.jpg", "00009_hr.pdf", "Normal_1.jpg"])
def test_a_page_is_the_same_in_another_process(name):
    here, apart = (read_page(DATA / name, decode=decode) for decode in (decode_here, decode_apart))
    assert np.array_equal(apart.pixels, here.pixels)
    assert (apart.source, apart.count, apart.warnings, apart.texts) == (
        here.source,
        here.count,
        here.warnings,
        here.texts,
    )
    assert len(apart.curves) == len(here.curves)
    for ours, theirs in zip(apart.curves, here.curves, strict=True):
        assert np.array_equal(ours, theirs)


def test_pdfs_are_decoded_in_another_process_by_default(fresh):
    read_page(DATA / "MI_26.jpg")
    assert not decoding._IDLE
    read_page(DATA / "00009_hr.pdf")
    assert len(decoding._IDLE) == 1


@pytest.mark.parametrize(
    ("data", "page"),
    [(b"\x89PNG\r\n\x1a\n" + bytes(100), 1), ((DATA / "00009_hr.pdf").read_bytes(), 7), (b"%PDF-1.4\n%nothing", 1)],
    ids=["damaged", "no such page", "no PDF"],
)
def test_a_refusal_is_the_same_and_the_process_is_kept(fresh, data, page):
    refusals = []
    for decode in (decode_here, decode_apart):
        with pytest.raises(EcgReadError) as refusal:
            read_page(data, page=page, decode=decode)
        refusals.append((refusal.value.code, refusal.value.source, refusal.value.detail))
    assert refusals[0] == refusals[1]
    (process,) = decoding._IDLE
    assert read_page(DATA / "MI_26.jpg", decode=decode_apart).width == 1107
    assert [process] == decoding._IDLE


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nested_forms", "costly_shading", "many_transparency_groups"])
def test_a_pdf_that_takes_minutes_to_draw_is_ended_and_the_next_file_is_read(fresh, kind):
    data = getattr(hostile_files, kind)()
    assert len(data) < 100_000
    used = os.times().children_user
    with pytest.raises(
        EcgReadError, match=r"expected a file that can be decoded within .* save the page as a PNG"
    ) as refusal:
        read_page(data)
    assert refusal.value.code == "too_costly"
    assert os.times().children_user - used < 2 * decoding.LIMITS.cpu_seconds
    assert not decoding._IDLE
    assert read_page(DATA / "00009_hr.pdf").width > 1000


@pytest.mark.slow
def test_a_picture_that_needs_gigabytes_is_refused(fresh):
    data = hostile_files.large_png(12_000, 13_500, alpha=True)
    assert len(data) < 1_000_000
    with pytest.raises(EcgReadError, match=r"1000 MB of memory, found one that needs more") as refusal:
        read_page(data, max_megapixels=200, decode=decode_apart)
    assert refusal.value.code == "too_costly"


@pytest.mark.slow
def test_a_page_of_99_megapixels_with_transparency_is_read(fresh):
    page = read_page(hostile_files.large_png(9900, 10_000, alpha=True), decode=decode_apart)
    assert page.pixels.shape == (10_000, 9900, 3)
    assert (page.pixels[::1000] == 255).all()


def test_a_process_that_is_killed_costs_one_file(fresh, monkeypatch):
    read_page(DATA / "MI_26.jpg", decode=decode_apart)
    (process,) = decoding._IDLE
    receive = decoding._Process._receive_line

    def kill_first(self, deadline):
        os.kill(self._process.pid, signal.SIGKILL)
        return receive(self, deadline)

    monkeypatch.setattr(decoding._Process, "_receive_line", kill_first)
    with pytest.raises(EcgReadError, match="ends its decoder"):
        read_page(DATA / "00009_hr.pdf", decode=decode_apart)
    monkeypatch.undo()
    assert process not in decoding._IDLE
    assert read_page(DATA / "MI_26.jpg", decode=decode_apart).width == 1107


@pytest.mark.parametrize(("decode", "seconds"), [(decode_apart, "0.3"), (decode_for_sender, "0.2")])
def test_a_process_that_does_not_answer_is_ended(fresh, monkeypatch, decode, seconds):
    read_page(DATA / "MI_26.jpg", decode=decode_apart)
    (process,) = decoding._IDLE
    os.kill(process._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(decoding, "LIMITS", decoding.DecodingLimits(wall_seconds=0.3, sender_seconds=0.2))
    with pytest.raises(EcgReadError, match=f"within {seconds} s, found one that takes longer"):
        read_page(DATA / "MI_26.jpg", decode=decode)
    assert process._process.poll() == -signal.SIGKILL


def test_a_file_that_waits_too_long_for_a_process_is_refused(monkeypatch):
    monkeypatch.setattr(decoding, "_SLOTS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(decoding, "LIMITS", decoding.DecodingLimits(wait_seconds=0.05))
    with decoding._SLOTS, pytest.raises(EcgReadError, match="many others wait") as refusal:
        read_page(DATA / "MI_26.jpg", decode=decode_apart)
    assert refusal.value.code == "busy"


def test_threads_decode_at_the_same_time_and_share_no_process(fresh):
    widths = []
    threads = [
        threading.Thread(target=lambda: widths.append(read_page(DATA / "MI_26.jpg", decode=decode_apart).width))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert widths == [1107] * 8
    assert 1 <= len(decoding._IDLE) <= decoding._AT_ONCE


def test_a_forked_process_leaves_the_processes_to_its_parent(fresh):
    read_page(DATA / "MI_26.jpg", decode=decode_apart)
    child = os.fork()
    if child == 0:
        is_right = not decoding._IDLE and read_page(DATA / "MI_26.jpg", decode=decode_apart).width == 1107
        decoding._end_idle()
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert read_page(DATA / "MI_26.jpg", decode=decode_apart).width == 1107


def test_processes_end_with_the_one_that_started_them(fresh):
    read_page(DATA / "MI_26.jpg", decode=decode_apart)
    (process,) = decoding._IDLE
    process._process.stdin.close()
    for _ in range(100):
        if process._process.poll() is not None:
            break
        time.sleep(0.05)
    assert process._process.poll() == 0


def test_pages_are_counted_apart():
    assert count_pages((DATA / "00009_hr.pdf").read_bytes()) == 1
    assert count_pages(b"%PDF-1.4\n%nothing") == 1
    assert count_pages((DATA / "00009_hr.pdf").read_bytes(), apart=False) == 1


def replies_to(requests: list[tuple[dict, bytes]], pixels: int) -> list[dict]:
    """Return the replies of the child's function, run in this process."""
    stream = io.BytesIO()
    for request, data in requests:
        decoding_child._serve(request, data, stream, pixels)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_child_replies_with_pixels_counts_and_refusals(tmp_path):
    picture, pdf = (DATA / "MI_26.jpg").read_bytes(), (DATA / "00009_hr.pdf").read_bytes()
    request = {"count": False, "kind": "JPEG", "name": "a.jpg", "page": 1, "max_megapixels": 100.0}
    with open(tmp_path / "pixels", "w+b") as file:
        page, refusal, count = replies_to(
            [(request, picture), ({**request, "max_megapixels": 0.1}, picture), ({"count": True}, pdf)], file.fileno()
        )
        body = file.read()
    assert page["shape"] == [786, 1107, 3]
    assert np.array_equal(np.frombuffer(body, np.uint8).reshape(page["shape"]), read_page(picture).pixels)
    assert refusal["error"]["code"] == "too_large"
    assert refusal["error"]["source"] == "a.jpg"
    assert count == {"pages": 1}
