"""Django behind an asynchronous server: a whole request goes to a thread, and a whole response comes back.

The thread neither waits for a slow sender nor for a slow reader: the body has arrived before it starts, and the
response is sent after it has ended. (The library a2wsgi reads and sends within the thread, which stays for ever where
the reader leaves.)
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import IO, Any

from ecglens.web.http.later import LATER, Later

__all__ = ["Environ", "Response", "WsgiApp", "build_environ", "run_wsgi", "send_response"]

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = Sequence[tuple[bytes, bytes]]
Send = Callable[[dict[str, Any]], Any]

_MEMORY_BYTES = 1 << 20
"""Responses above this are put into a temporary file until they are sent."""
_CHUNK_BYTES = 1 << 18
_WITHOUT_BODY = (204, 304)
_SEND_S = 60.0
"""Time in s that the reader of a response has for a part of it."""


@dataclass
class Response:
    """A response that is complete.

    Attributes:
        status: HTTP status.
        headers: Names in lower case, and values.
        body: The body, as an open file.
        later: The second part of the body, where there is one; it is made after the first was sent.
    """

    status: int
    headers: Headers
    body: IO[bytes] = field(repr=False)
    later: Later | None = None


def build_environ(scope: Mapping[str, Any], body: IO[bytes], length: int, **variables: Any) -> Environ:
    """Return the variables of a request for a WSGI application.

    Headers with an underscore in their name are dropped, since a proxy does not replace them and they would pass for
    those with a hyphen.

    Args:
        scope: The request, as ASGI describes it.
        body: Its body, or as much of it as the application may read.
        length: Number of bytes in it.
        variables: More variables.
    """
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name:
            key = name.decode("latin-1").upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            text = value.decode("latin-1")
            separator = "; " if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
    return {**environ, "CONTENT_LENGTH": str(length), **variables}


async def run_wsgi(app: WsgiApp, environ: Environ, threads: Executor) -> Response:
    """Run a WSGI application in one of the threads, and return its response.

    Args:
        app: The application.
        environ: Result of :func:`build_environ`.
        threads: Threads of which one runs it.
    """
    return await asyncio.get_running_loop().run_in_executor(threads, _run, app, environ)


async def send_response(response: Response, send: Send, later: Callable[[], Awaitable[bytes]] | None = None) -> None:
    """Send a response, as fast as its reader takes it, and close its body.

    Args:
        response: The response.
        send: Sends a part of it.
        later: Makes its second part, where there is one, after the first was sent.

    Raises:
        TimeoutError: The reader took no part of it for too long.
    """
    with response.body as body:
        headers = list(response.headers)
        if later is not None:
            headers = [each for each in headers if each[0] != b"content-length"]
        elif response.status not in _WITHOUT_BODY and b"content-length" not in dict(headers):
            headers.append((b"content-length", str(body.seek(0, io.SEEK_END)).encode()))
        body.seek(0)
        await _send_part(send, type="http.response.start", status=response.status, headers=headers)
        while chunk := body.read(_CHUNK_BYTES):
            await _send_part(send, type="http.response.body", body=chunk, more_body=True)
        if later is not None:
            await _send_part(send, type="http.response.body", body=await later(), more_body=True)
        await _send_part(send, type="http.response.body", body=b"")


async def _send_part(send: Send, **message: Any) -> None:
    await asyncio.wait_for(send(message), _SEND_S)


def _run(app: WsgiApp, environ: Environ) -> Response:
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        started["status"] = int(status.split(" ", 1)[0])
        started["headers"] = [
            (name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers
        ]

    body: IO[bytes] = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115  # closed when it has been sent
    try:
        chunks = app(environ, start_response)
        try:
            for chunk in chunks:
                body.write(chunk)
        finally:
            getattr(chunks, "close", lambda: None)()
    except BaseException:
        body.close()
        raise
    return Response(started["status"], started["headers"], body, environ.get(LATER))
