import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from batch_stubs import NO_MODEL, THREE_PAGES

from ecglens.batch.entries import Entry
from ecglens.batch.readers import FileResult, PageReader, close_readers, read_chunk
from ecglens.errors import BatchError

JOB = replace(NO_MODEL, answer="batch_stubs:by_content", page_seconds=1.0)


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    reader = PageReader(JOB)
    yield reader
    reader.close()


def failures(result: FileResult) -> list[tuple[int, str | None]]:
    return [(row.page, row.failure) for row in result.rows]


def read(reader: PageReader, path: Path, content: bytes) -> FileResult:
    path.write_bytes(content)
    return reader.read(Entry(path.name, str(path)))


def test_a_row_comes_with_the_hash_of_its_file(reader, tmp_path):
    result = read(reader, tmp_path / "a", b"normal")
    assert result.sha256 == hashlib.sha256(b"normal").hexdigest()
    assert json.loads(result.rows[0].text) == {"page": 1, "layout": "normal", "width_px": 6}


def test_bytes_that_come_with_the_entry_are_read(reader):
    assert json.loads(reader.read(Entry("a", "nowhere"), b"given").rows[0].text)["layout"] == "given"


@pytest.mark.parametrize(
    ("content", "failure", "reason"),
    [
        (b"refuse", "not_a_page", "Expected a page, got a word; scan it."),
        (b"fault", "error", "This page triggers an error in the program: ZeroDivisionError: of a stub"),
        (b"die", "crash", "got one that ends the process that reads it (signal 11)."),
        (b"hang", "time", "Expected a page that is read within 1 s, got one that takes longer."),
        (b"fill", "memory", "Expected a page that is read within 600 MB of memory, got one that needs more"),
    ],
)
def test_a_page_that_exceeds_a_limit_fails_alone(reader, tmp_path, content, failure, reason):
    bad = read(reader, tmp_path / "bad", content)
    assert failures(bad) == [(1, failure)]
    assert reason in json.loads(bad.rows[0].text)["reason"]
    assert bad.sha256 is not None
    assert failures(read(reader, tmp_path / "good", b"normal")) == [(1, None)]


def test_a_page_whose_process_was_killed_by_another_is_read_again(reader, tmp_path):
    mark = tmp_path / "killed"
    assert failures(read(reader, tmp_path / "a", b"die-once " + bytes(mark))) == [(1, None)]
    assert mark.exists()


def test_a_page_that_fails_or_kills_costs_none_of_its_file_s_other_pages(reader, tmp_path):
    assert failures(read(reader, tmp_path / "a", THREE_PAGES)) == [(1, "not_a_page"), (2, "crash"), (3, None)]


def test_one_page_of_a_file_can_be_requested(reader):
    assert failures(reader.read(Entry("a", "nowhere"), THREE_PAGES, first=3, last=3)) == [(3, None)]
    assert failures(reader.read(Entry("a", "nowhere"), THREE_PAGES, first=1, last=1)) == [(1, "not_a_page")]


def test_a_file_of_too_many_pages_is_refused_as_a_whole(reader):
    chain = b"".join(struct.pack("<HI", 0, 14 + 6 * number) for number in range(1001)) + struct.pack("<HI", 0, 0)
    result = reader.read(Entry("a", "nowhere"), b"II*\0" + struct.pack("<I", 8) + chain)
    assert failures(result) == [(1, "not_a_page")]
    assert "Expected a file of at most 999 pages, got more; split it." in result.rows[0].text


def test_a_file_that_is_not_there_or_too_large_has_no_hash_and_a_reason(reader, tmp_path):
    gone = reader.read(Entry("a", str(tmp_path / "nowhere")))
    assert (gone.sha256, gone.rows, gone.failure) == (None, [], "unreachable")
    with (tmp_path / "zeros.tif").open("wb") as stream:
        stream.truncate(5_000_000_000)
    large = reader.read(Entry("zeros.tif", str(tmp_path / "zeros.tif")))
    assert (large.sha256, large.failure) == (None, "unreachable")
    assert large.reason is not None
    assert large.reason.startswith("Expected a file of at most 150 MB, got 5,000 MB")


def test_a_machine_with_another_version_or_model_refuses(tmp_path):
    with pytest.raises(BatchError, match=r"Expected ecglens 9\.9 on every machine, got"):
        PageReader(replace(JOB, version="9.9")).read(Entry("a", "a"))
    other_model = replace(JOB, parts=("label",), model="compact_cnn", model_sha256="0" * 64)
    with pytest.raises(BatchError, match="Expected the same model 'compact_cnn' on every machine"):
        PageReader(other_model).read(Entry("a", "a"))


def test_a_stopped_run_starts_no_process_again(tmp_path):
    close_readers("a run")
    with pytest.raises(BatchError, match="The run was stopped"):
        read_chunk([(Entry("a", "a"), None)], JOB, "a run")


def test_what_a_library_prints_is_not_read_as_a_reply(reader, tmp_path):
    assert failures(read(reader, tmp_path / "a", b"print")) == [(1, None)]
