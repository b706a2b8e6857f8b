"""A file that the site can delete when the disk is full, so that its database can still be written to.

Uploads and recordings leave 200 MB free, but other programs may not. Without any room nobody could log in, since a
session is a row, and so nobody could delete anything to make room.
"""

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

from ecglens.web.http.uploads import RESERVE_BYTES

__all__ = ["Ballast"]

_LOG = logging.getLogger(__name__)
_BYTES = 32 << 20
"""Size of the file; a login and a deletion write some kilobytes."""
_FULL_BYTES = 8 << 20
"""Free space below which the disk counts as full."""


class Ballast:
    """The file, in the data folder.

    Args:
        folder: The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def adjust(self) -> None:
        """Delete the file where the disk is full, and make it again where there is much room."""
        try:
            free = shutil.disk_usage(self._path.parent).free
            if free < _FULL_BYTES and self._path.exists():
                self._path.unlink()
                _LOG.error("The disk is full; the last %d MB are for the database. Make room.", _BYTES >> 20)
            elif free > RESERVE_BYTES + 2 * _BYTES and not self._path.exists():
                self._create()
        except OSError as error:
            _LOG.warning("The free space of the disk cannot be looked after: %s", error.strerror)

    def _create(self) -> None:
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, _BYTES)
                else:  # macOS
                    file.write(bytes(_BYTES))
            part.replace(self._path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise
