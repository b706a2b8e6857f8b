"""Folders of files that are written."""

import os
from pathlib import Path

from ecglens.errors import DatasetError

__all__ = ["make_folder"]


def make_folder(folder: Path) -> None:
    """Make the folder of a file, with those above it, where it is missing.

    Raises:
        DatasetError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(folder, os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        raise DatasetError(f"Expected a folder that can be written to, got {folder}; name another.")
