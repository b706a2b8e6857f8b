import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ecglens.datasets.fetch import PUBLIC_SETS, PublicSet, download, fetch
from ecglens.errors import DatasetError

BODY = bytes(range(256)) * 40
RANGES: list[str | None] = []
SERVED: dict[str, bytes] = {}
"""Other bodies than ``BODY`` by path."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        RANGES.append(self.headers.get("Range"))
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/torn":
            self.protocol_version = "HTTP/1.1"
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"64\r\nhalf")
            return
        body = SERVED.get(self.path, BODY)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : start + 100] if self.path == "/short" else body[start:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    RANGES.clear()
    SERVED.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_comes_whole_and_is_checked(address, tmp_path):
    calls = []
    sets = {"x": PublicSet("x", "X", "CC0", "", f"{address}/a", hashlib.sha256(BODY).hexdigest())}
    path = fetch("x", tmp_path / "new", sets=sets, progress=lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == BODY
    assert calls[-1] == (len(BODY), len(BODY))
    assert fetch("x", tmp_path / "new", sets=sets) == path
    assert len(RANGES) == 1


def test_a_stopped_download_resumes(address, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(BODY[:5000])
    assert download(f"{address}/a", tmp_path / "a.zip").read_bytes() == BODY
    assert RANGES == ["bytes=5000-"]


def test_a_transfer_in_parts_that_breaks_off_is_reported_and_can_resume(address, tmp_path):
    with pytest.raises(DatasetError, match="Expected to download .*/torn, but it failed .*; run it again to resume"):
        download(f"{address}/torn", tmp_path / "a.zip")


def test_a_wrong_checksum_removes_the_file(address, tmp_path):
    with pytest.raises(DatasetError, match="with SHA-256 0.* it was removed"):
        download(f"{address}/a", tmp_path / "a.zip", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


FILES = {"RECORDS": b"100\n", "100.dat": b"signal", "x/a b.txt": b"name with a blank"}


def serve_set(address: str, files: dict[str, bytes], listed: dict[str, bytes], folder: str = "set-1.0/") -> dict:
    """Serve an archive and the list of what should be in it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    lines = [f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in listed.items()]
    SERVED.update({"/zip": packed.getvalue(), "/sums": "".join(lines).encode()})
    return {"x": PublicSet("x", "X", "CC0", "", f"{address}/zip", sums_url=f"{address}/sums")}


@pytest.mark.parametrize("folder", ["set-1.0/", ""])
def test_every_file_of_an_archive_is_checked_against_the_publisher_s_list(address, tmp_path, folder):
    sets = serve_set(address, {**FILES, "SHA256SUMS.txt": b"the list itself"}, FILES, folder)
    assert fetch("x", tmp_path, sets=sets) == tmp_path / "x.zip"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.SHA256SUMS.txt", "x.zip"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**FILES, "100.dat": b"other"}, "but 100.dat has SHA-256 .* in place of .*; it was removed, run it again"),
        ({"RECORDS": b"100\n"}, "Expected x.zip to hold what its publisher lists, but 100.dat is missing"),
    ],
)
def test_an_archive_that_differs_from_the_list_is_removed_and_named(address, tmp_path, files, message):
    with pytest.raises(DatasetError, match=message):
        fetch("x", tmp_path, sets=serve_set(address, files, FILES))
    assert not list(tmp_path.iterdir())


def test_what_is_no_archive_or_no_list_is_refused(address, tmp_path):
    sets = serve_set(address, FILES, FILES)
    SERVED["/zip"] = b"no archive"
    with pytest.raises(DatasetError, match="but it cannot be unpacked"):
        fetch("x", tmp_path, sets=sets)
    sets = serve_set(address, FILES, FILES)
    SERVED["/sums"] = b"<html>sorry</html>"
    with pytest.raises(DatasetError, match=r"Expected a list of SHA-256 and names in x.SHA256SUMS.txt, but it is"):
        fetch("x", tmp_path, sets=sets)


def test_the_sets_of_physionet_name_its_lists():
    lists = [item.sums_url for item in PUBLIC_SETS.values() if item.url is not None]
    assert lists[0] == "https://physionet.org/files/ptb-xl/1.0.3/SHA256SUMS.txt"
    assert len(lists) == 3
    assert all(lists)


def test_an_early_end_keeps_what_was_received_and_is_reported(address, tmp_path):
    with pytest.raises(DatasetError, match="but 100 came; run it again to resume"):
        download(f"{address}/short", tmp_path / "a.zip")
    assert (tmp_path / "a.zip.part").stat().st_size == 100


def test_refusals_are_one_sentence(address, tmp_path):
    with pytest.raises(DatasetError, match="the server answered 404"):
        download(f"{address}/missing", tmp_path / "a.zip")
    with pytest.raises(DatasetError, match="Expected a data set out of mendeley, ptbxl, ludb, mitbih, got 'x'"):
        fetch("x", tmp_path)
    with pytest.raises(DatasetError, match="requires a click: open https://data.mendeley.com"):
        fetch("mendeley", tmp_path)
    with pytest.raises(DatasetError, match="Expected an http or https address"):
        download("file:///etc/hosts", tmp_path / "a.zip")
    assert all(item.license for item in PUBLIC_SETS.values())
