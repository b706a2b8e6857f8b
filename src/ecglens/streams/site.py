"""Sending a stream to the web application, where its owner watches it live."""

import asyncio
import http.client
import json
import logging
import queue
import ssl
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from ecglens.documents import parse_json
from ecglens.errors import StreamError
from ecglens.streams.json_lines import write_line
from ecglens.streams.packets import Packet, StreamInfo, Stretch
from ecglens.streams.results import Result

__all__ = ["SiteOutput"]

_LOG = logging.getLogger(__name__)
_WAITING = 3000
"""Packets that wait while the site is away; older ones are dropped, and the site shows a gap."""
_PACKET_S = 0.5
"""Longest packet; a site refuses lines of more than a second."""
_RETRY_S = 1.0
_CONNECT_S = 15.0
_END_S = 20.0
"""Time at the end for what still waits."""
_ABSENT_S = 5.0
"""The same where the site has not answered so far."""


class SiteOutput:
    """One session on a site: a long request whose body are the packets, made again where it breaks off.

    The site monitors the packets itself, so that what its viewers see comes from one place.

    Args:
        address: Address of the site, ``http://`` or ``https://``.
        token: Token of an account with the scope ``write``.

    Raises:
        StreamError: The address or the token cannot be used.
    """

    def __init__(self, address: str, token: str) -> None:
        url = urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise StreamError(f"Expected the address of a site as https://HOST, got '{address[:120]}'; correct --site.")
        if not token:
            raise StreamError(
                "Expected a token of your account in the variable ECGLENS_TOKEN, got none; create one on the site's "
                "account page, with the scope to write."
            )
        if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise StreamError("Expected an address with https:// for a site on another machine, got http://; use TLS.")
        self._url, self._token = url, token
        self.session = str(uuid.uuid4())
        self.refusal: str | None = None
        self.has_sent = False
        self.dropped = 0
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._info: StreamInfo | None = None
        self._number = 0

    @property
    def address(self) -> str:
        """Page of the session."""
        return f"{self._url.scheme}://{self._url.netloc}/streams/{self.session}/"

    async def write(self, info: StreamInfo, stretches: Iterable[Stretch], results: Iterable[Result]) -> None:
        """Send samples.

        Raises:
            StreamError: The site refuses the stream.
        """
        if self.refusal is not None:
            raise StreamError(self.refusal)
        if self._thread is None:
            self._info = info
            self._thread = threading.Thread(target=self._send, name="site", daemon=True)
            self._thread.start()
        length = max(int(_PACKET_S * info.fs_hz), 1)
        for stretch in stretches:
            for start in range(0, stretch.samples_mv.shape[1], length):
                self._append(Stretch(stretch.first + start, stretch.samples_mv[:, start : start + length]), info.fs_hz)

    @property
    def failure(self) -> str | None:
        """Reason why nothing was sent, in one sentence; ``None`` where the stream was sent."""
        if self.refusal is not None or self.has_sent or self._thread is None:
            return self.refusal
        return f"Expected a site at {self._url.scheme}://{self._url.netloc}, but nothing was sent there; check --site."

    async def close(self) -> None:
        """End the session on the site."""
        if self._thread is None:
            return
        while True:
            try:
                self._lines.put_nowait(None)
                break
            except queue.Full:
                self._lines.get_nowait()
                self.dropped += 1
        await asyncio.to_thread(self._thread.join, _END_S if self.has_sent else _ABSENT_S)

    def _append(self, stretch: Stretch, fs_hz: float) -> None:
        """Add a packet to those that wait; where too many do, the oldest one is dropped."""
        line = write_line(Packet(stretch.samples_mv, self._number, (stretch.end - 1) / fs_hz))
        self._number += 1
        if self._lines.full():
            self._lines.get_nowait()
            self.dropped += 1
        self._lines.put_nowait(line)

    def _send(self) -> None:
        """Send until the end; make the request again where the connection is lost."""
        is_away = False
        while self.refusal is None:
            ended = threading.Event()
            try:
                # A refusal in the middle of a body would be lost with the connection, so the site is asked before it.
                status, reason = self._request(None)
                if status == 204:
                    self.has_sent, is_away = True, False
                    status, reason = self._request(ended)
            except (OSError, http.client.HTTPException) as error:
                if not is_away:
                    _LOG.warning("The site is away: %s. It is tried again.", error)
                is_away = True
                if ended.is_set():
                    return
                time.sleep(_RETRY_S)
                continue
            if status == 200:
                return
            if status in (408, 409, 502, 503, 504):
                time.sleep(_RETRY_S)
                continue
            self.refusal = f"The site refuses the stream: {reason}"

    def _request(self, ended: threading.Event | None) -> tuple[int, str]:
        """Send the stream, or ask whether it may be sent where ``ended`` is ``None``, and return status and reason."""
        host, port = self._url.hostname or "", self._url.port
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, timeout=_CONNECT_S, context=ssl.create_default_context())
            if self._url.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_CONNECT_S)
        )
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/x-ndjson"}
            path = f"/streams/{self.session}/live"
            if ended is None:
                connection.request("POST", path, body=b"", headers=headers)
            else:
                headers["Transfer-Encoding"] = "chunked"
                connection.request("POST", path, body=self._body(ended), headers=headers, encode_chunked=True)
            response = connection.getresponse()
            return response.status, _read_reason(response)
        finally:
            connection.close()

    def _body(self, ended: threading.Event) -> Iterator[bytes]:
        assert self._info is not None
        yield f"{write_line(self._info)}\n".encode()
        while True:
            try:
                line = self._lines.get(timeout=5)
            except queue.Empty:
                yield b"\n"  # a sign of life
                continue
            if line is None:
                ended.set()
                yield b'{"type": "end"}\n'
                return
            yield f"{line}\n".encode()


def _read_reason(response: http.client.HTTPResponse) -> str:
    content = response.read(10_000)
    try:
        document = parse_json(content)
        return str(document.get("detail", ""))[:300] if isinstance(document, dict) else json.dumps(document)[:300]
    except ValueError:
        return f"status {response.status}"
