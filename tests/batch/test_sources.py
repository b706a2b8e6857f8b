"""Entries of each kind of source, and their bytes."""

import functools
import gzip
import http.server
import io
import os
import struct
import tarfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hostile.archives import packed_zeros, sums_that_are_negative

from ecglens.batch.entries import Entry, FetchError, fetch
from ecglens.batch.sources import add_data, list_entries, make_absolute
from ecglens.errors import BatchError, MissingExtraError

LIMIT = 1000


def contents(source: object, *, skipped: list[str] | None = None) -> dict[str, object]:
    """Return the bytes by name, or the reason why they cannot be read."""
    names: list[str] = [] if skipped is None else skipped
    entries = list(list_entries(make_absolute(str(source)), on_skip=names.append))
    content: dict[str, object] = {}
    for number, entry, data in add_data(enumerate(entries), max_bytes=LIMIT):
        assert entries[number] is entry
        try:
            content[entry.name] = fetch(entry, max_bytes=LIMIT) if data is None else data
        except FetchError as error:
            content[entry.name] = str(error)
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pages"
    for name in ("a.JPG", "sub/b ü.png", "sub/deep/c.pdf", ".hidden/d.jpg", "sub/._b.jpg", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_folder_gives_its_pages_and_counts_the_others(folder):
    others: list[str] = []
    assert contents(folder, skipped=others) == {
        name: name.encode() for name in ("a.JPG", "sub/b ü.png", "sub/deep/c.pdf")
    }
    assert sorted(others) == ["._b.jpg", "notes.txt"]


def test_links_that_form_a_cycle_pipes_and_odd_names_do_no_harm(folder):
    (folder / "sub" / "ring").symlink_to(folder)
    (folder / "gone.jpg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "line\nbreak.jpg").write_text("x")
    (Path(os.fsdecode(bytes(folder))) / os.fsdecode(b"bad\xff.jpg")).write_text("y")
    content = contents(folder)
    assert content["gone.jpg"] == "Expected a file, got nothing at that path."
    assert content["pipe.jpg"] == "Expected a file, got a folder, device or pipe."
    assert content["line\nbreak.jpg"] == b"x"
    assert content["bad\\xff.jpg"] == b"y"
    assert len(content) == 7


def test_a_pattern_gives_what_it_names(folder):
    assert set(contents(folder / "**" / "*.p*")) == {"sub/b ü.png", "sub/deep/c.pdf"}
    assert contents(folder / "*.none") == {}


def test_a_table_s_paths_start_at_its_folder(folder):
    (folder / "list.csv").write_text(f"label,path\nx,a.JPG\nx,{folder / 'sub/deep/c.pdf'}\nx,nowhere.jpg\nx,\n")
    content = contents(folder / "list.csv")
    assert content.pop("nowhere.jpg") == "Expected a file, got nothing at that path."
    assert content == {"a.JPG": b"a.JPG", str(folder / "sub/deep/c.pdf"): b"sub/deep/c.pdf"}


@pytest.mark.parametrize(("content", "reason"), [(b"file,label\na,b\n", "column 'path'"), (b"path\n\xff\xff", "UTF-8")])
def test_a_table_that_is_none_is_refused(tmp_path, content, reason):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(BatchError, match=reason):
        contents(tmp_path / "list.csv")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_gives_its_pages_without_unpacking(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        for name in ("x/a.jpg", "../../b.jpg", "notes.txt", "__MACOSX/._a.jpg"):
            archive.writestr(name, name * 3)
        archive.writestr("bomb.jpg", bytes(100_000))
        archive.mkdir("folder.jpg")
    content = contents(tmp_path / "a.zip")
    assert str(content.pop("bomb.jpg")).startswith("Expected a file of at most 0 MB")
    assert content == {"x/a.jpg": b"x/a.jpg" * 3, "../../b.jpg": b"../../b.jpg" * 3}
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_member_that_unpacks_to_more_than_it_states_takes_no_memory_for_it(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("bomb.jpg", bytes(200_000_000))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    stated = struct.pack("<L", 200_000_000)
    for at in (content.find(stated), content.rfind(stated)):
        content[at : at + 4] = struct.pack("<L", 1000)
    (tmp_path / "a.zip").write_bytes(content)
    (entry,) = list_entries(str(tmp_path / "a.zip"), on_skip=print)
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="got a damaged one"):
            fetch(entry, max_bytes=10_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_a_compressed_tar_of_zeros_is_listed_at_the_speed_of_its_bytes(tmp_path):
    archive = tmp_path / "pages.tar.gz"
    archive.write_bytes(packed_zeros(np.random.default_rng(0)))
    assert archive.stat().st_size < 200_000
    start = time.process_time()
    (entry,) = list_entries(str(archive), on_skip=print)
    assert entry.stamp.startswith("75000000")
    assert time.process_time() - start < 2.5  # tarfile's own unpacking takes 5 s


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unpack", [gzip.decompress, bytes], ids=["TAR", "TAR in gzip"])
@pytest.mark.parametrize("seed", [0, 2])
def test_a_tar_whose_member_states_exabytes_is_refused_where_it_ends(tmp_path, unpack, seed):
    archive = tmp_path / ("pages.tar" if unpack is gzip.decompress else "pages.tar.gz")
    archive.write_bytes(unpack(sums_that_are_negative(np.random.default_rng(seed))))
    with pytest.raises(BatchError, match="Expected a whole TAR"):
        contents(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "pages.zip", "w") as packed:
        for content in (b"a", b"b"):
            packed.writestr("sub/", b"")
            packed.writestr("sub/a.png", content)
    with pytest.raises(BatchError, match=r"pages\.zip: .* different names, got 2 with the name 'sub/a\.png'"):
        contents(tmp_path / "pages.zip")


def test_a_zip_whose_members_share_their_bytes_is_refused(tmp_path):
    archive = tmp_path / "pages.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.png", bytes(10_000))
        packed.writestr("b.png", bytes(10_000))
        packed.getinfo("b.png").header_offset = packed.getinfo("a.png").header_offset
    with pytest.raises(BatchError, match=r"files lie apart, got some that share their bytes") as refusal:
        contents(archive)
    assert refusal.value.code == "damaged"


@pytest.mark.parametrize("mark", [b"PK\5\6", b"PK\6\6"])
def test_a_zip_with_an_index_of_gigabytes_is_refused(tmp_path, mark):
    """It is refused by the size that the end of the file states, before the index is read."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("page.jpg", b"x")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\5\6")
    if mark == b"PK\5\6":
        struct.pack_into("<L", content, at + 12, 3_000_000_000)
    else:
        content[at:at] = mark + bytes(36) + struct.pack("<Q", 3_000_000_000) + bytes(8)
    path.write_bytes(content)

    with pytest.raises(BatchError, match="an index of at most 256 MB, got one of 3,000 MB") as error:
        list(list_entries(str(path), on_skip=print))
    assert error.value.code == "too_large"


def test_the_largest_index_is_a_choice_of_the_caller(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10):
            archive.writestr(f"{number}.jpg", b"x")

    assert len(list(list_entries(str(path), on_skip=print))) == 10
    with pytest.raises(BatchError, match="put fewer files into it"):
        list(list_entries(str(path), on_skip=print, max_index_bytes=100))


def test_a_damaged_or_encrypted_zip_member_fails_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("secret.jpg", "damaged.jpg", "whole.jpg"):
            archive.writestr(name, os.urandom(200))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1
    damaged = content.find(b"damaged.jpg") + len(b"damaged.jpg") + 50
    content[damaged : damaged + 20] = bytes(20)
    (tmp_path / "a.zip").write_bytes(content)
    content = contents(tmp_path / "a.zip")
    assert "got an encrypted one" in str(content["secret.jpg"])
    assert "got a damaged one" in str(content["damaged.jpg"])
    assert len(content["whole.jpg"]) == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tbz2", "w:bz2"), ("a.txz", "w:xz")]
)
def test_a_tar_gives_its_pages_and_no_links(tmp_path, name, mode):
    with tarfile.open(tmp_path / name, mode) as archive:  # type: ignore[call-overload]
        for member, data in (("../../a.jpg", b"a"), ("/b.jpg", b"b"), ("c.txt", b"c"), ("big.jpg", bytes(5000))):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    others: list[str] = []
    content = contents(tmp_path / name, skipped=others)
    assert str(content.pop("big.jpg")).startswith("Expected a file of at most 0 MB")
    assert content == {"../../a.jpg": b"a", "/b.jpg": b"b"}
    assert others == ["c.txt", "link.jpg"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_that_is_none_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8bno archive" if name.endswith("gz") else b"no archive")
    with pytest.raises(BatchError, match="Expected a whole"):
        contents(tmp_path / name)


def test_nothing_at_a_path_is_refused(tmp_path):
    with pytest.raises(BatchError, match="got nothing at"):
        contents(tmp_path / "nowhere")


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A web server on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_an_address_gives_a_page_a_folder_or_a_table_and_an_archive_in_parts_only(server, folder):
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("inside.jpg", bytes(200_000))
    (folder / "list.csv").write_text("path\na.JPG\nnowhere.jpg\n")
    assert contents(f"{server}/a.JPG") == {"a.JPG": b"a.JPG"}
    assert sorted(contents(f"{server}/").values()) == [b"a.JPG", b"sub/b \xc3\xbc.png", b"sub/deep/c.pdf"]
    with pytest.raises(BatchError, match="z.zip: Expected a whole ZIP, .* support range requests"):
        contents(f"{server}/z.zip")
    table = contents(f"{server}/list.csv")
    assert table["a.JPG"] == b"a.JPG"
    assert table["nowhere.jpg"] == "Expected a file, got nothing at that address, or no response."


def test_an_unreadable_address_says_what_is_missing():
    with pytest.raises(MissingExtraError, match="Reading gs:// needs gcsfs, .* pip install gcsfs"):
        contents("gs://bucket/pages")
    with pytest.raises(FetchError, match="got nonsense://, which is unknown"):
        contents("nonsense://pages")


def test_a_store_in_memory_is_read_like_any_other(folder):
    import fsspec

    with fsspec.open("memory://archive/x/a.jpg", "wb") as stream:
        stream.write(b"in memory")
    with fsspec.open("memory://z.zip", "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("inside.jpg", "inside")
    assert contents("memory://z.zip") == {"inside.jpg": b"inside"}
    assert contents("memory://archive") == {"x/a.jpg": b"in memory"}
    assert contents("memory://archive/*/*.jpg") == {"a.jpg": b"in memory"}
    assert contents("memory://archive/x/a.jpg") == {"a.jpg": b"in memory"}


def test_an_entry_is_one_line_and_can_be_read_back():
    entry = Entry("a", "b\udcff\n", ("zip", 1, 2, 3, 8, 5, 0), "s")
    assert Entry.from_json(entry.to_json()) == entry
    assert "\n" not in entry.to_json()


def test_reading_a_file_needs_no_more_memory_than_its_size(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"small")
    tracemalloc.start()
    try:
        assert fetch(Entry("a.jpg", str(tmp_path / "a.jpg")), max_bytes=100_000_000) == b"small"
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
