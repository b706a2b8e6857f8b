"""Places of accounts: how many connections of a kind an account may have at a time, in all serving processes together.

A place is a locked byte of one file, so that it is free again when its process ends, however that happens.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["NoPlaceError", "Places"]

_MOST = 1024
"""Places that an account may have at most; it separates the bytes of two accounts."""


class NoPlaceError(Exception):
    """An account has as many connections as it may have."""


class Places:
    """Places of one kind.

    Args:
        file: The file; it is made where it is missing, and has no content.
    """

    def __init__(self, file: Path) -> None:
        self._path, self._file = file, -1
        # Locks of a process do not exclude itself.
        self._used: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, account: int, limit: int) -> Iterator[None]:
        """Hold a place of an account.

        Args:
            account: Number of the account.
            limit: Places that the account has.

        Raises:
            NoPlaceError: None is free.
            OSError: The file cannot be opened.
        """
        place = self._take(account, min(limit, _MOST))
        try:
            yield
        finally:
            with self._lock:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
                self._used.discard(place)

    def _take(self, account: int, limit: int) -> int:
        with self._lock:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            for place in range(account * _MOST, account * _MOST + limit):
                if place in self._used:
                    continue
                try:
                    fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                except (BlockingIOError, PermissionError):  # another process has it; systems differ in the error
                    continue
                self._used.add(place)
                return place
        raise NoPlaceError(f"account {account} has {limit} connections")
