import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ecglens.datasets.fetch import PUBLIC_SETS, PublicSet, download, fetch
from ecglens.errors import DatasetError

BODY = bytes(range(256)) * 40
ASKED: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append(self.headers.get("Range"))
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        self.wfile.write(BODY[start : start + 100] if self.path == "/short" else BODY[start:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    ASKED.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_comes_whole_and_is_checked(address, tmp_path):
    seen = []
    sets = {"x": PublicSet("x", "X", "CC0", "", f"{address}/a", hashlib.sha256(BODY).hexdigest())}
    path = fetch("x", tmp_path / "new", sets=sets, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert fetch("x", tmp_path / "new", sets=sets) == path
    assert len(ASKED) == 1


def test_a_stopped_download_goes_on(address, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(BODY[:5000])
    assert download(f"{address}/a", tmp_path / "a.zip").read_bytes() == BODY
    assert ASKED == ["bytes=5000-"]


def test_a_wrong_checksum_removes_the_file(address, tmp_path):
    with pytest.raises(DatasetError, match="with SHA-256 0.* it was removed"):
        download(f"{address}/a", tmp_path / "a.zip", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


def test_an_early_end_keeps_what_came_and_says_so(address, tmp_path):
    with pytest.raises(DatasetError, match="but 100 came; run it again to go on"):
        download(f"{address}/short", tmp_path / "a.zip")
    assert (tmp_path / "a.zip.part").stat().st_size == 100


def test_refusals_are_one_sentence(address, tmp_path):
    with pytest.raises(DatasetError, match="the server said 404"):
        download(f"{address}/missing", tmp_path / "a.zip")
    with pytest.raises(DatasetError, match="Expected a data set out of mendeley, ptbxl, ludb, mitbih, but got 'x'"):
        fetch("x", tmp_path)
    with pytest.raises(DatasetError, match="asks for a click: open https://data.mendeley.com"):
        fetch("mendeley", tmp_path)
    with pytest.raises(DatasetError, match="Expected an http or https address"):
        download("file:///etc/hosts", tmp_path / "a.zip")
    assert all(item.licence for item in PUBLIC_SETS.values())
