"""Folders of sessions: the last minutes for viewers, the recording, the state of the monitor, and the lock."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from ecglens.settings import load_settings
from ecglens.web.http.keys import create_private_folder

__all__ = [
    "LIVE",
    "RECORDING",
    "STATE",
    "SWITCH",
    "SessionBusyError",
    "delete_session",
    "find_folder",
    "find_places",
    "is_live",
    "lock_session",
    "measure_folder",
]

LIVE, RECORDING, STATE, SWITCH = "live", "recording", "state.bin", "recording.on"
"""Names in the folder: last minutes, recording, state of the monitor, and the file that says that recording is on."""
_LOCK = "lock"
_BLOCK_BYTES = 512
"""Unit in which systems count what a file takes."""


class SessionBusyError(Exception):
    """Another connection sends this session."""


def find_folder(pk: UUID | str) -> Path:
    """Return the folder of a session, which is made where it is missing."""
    return _place(pk, create=True)


def find_places(name: str) -> Path:
    """Return the file in which the places of accounts are locked, see :mod:`ecglens.web.streams.places`."""
    return create_private_folder(load_settings().data_dir) / f"{name}.places"


def measure_folder(pk: UUID | str) -> int:
    """Return the number of bytes that a session takes on the disk."""
    size = 0
    for path in _place(pk).rglob("*"):
        with suppress(FileNotFoundError):  # the oldest segment of the live view was just deleted
            size += path.lstat().st_blocks * _BLOCK_BYTES
    return size


def is_live(pk: UUID | str) -> bool:
    """Return whether a connection sends this session now."""
    path = _place(pk) / _LOCK
    if not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def lock_session(folder: Path) -> Iterator[None]:
    """Hold the lock of the only connection that sends a session; the lock ends with the process that has it.

    Raises:
        SessionBusyError: Another one does.
    """
    file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SessionBusyError("another connection sends this session") from error
        yield
    finally:
        os.close(file)


def delete_session(pk: UUID | str) -> None:
    """Delete everything of a session."""
    with suppress(FileNotFoundError):
        shutil.rmtree(_place(pk))


def _place(pk: UUID | str, *, create: bool = False) -> Path:
    folder = load_settings().data_dir / "streams" / str(UUID(str(pk)))
    return create_private_folder(folder) if create else folder
