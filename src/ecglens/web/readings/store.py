"""Where pages and pictures lie: a private folder or a bucket, under random names, never below the web root."""

import secrets
from collections.abc import Iterator
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction

__all__ = ["drop", "every_file", "keep", "pages"]

_NAME_BYTES = 20


def pages() -> Storage:
    """The private storage."""
    return storages["pages"]


def keep(content: bytes | File[bytes], ending: str) -> str:
    """Keep bytes or an open file under a new random name.

    Args:
        content: What to keep.
        ending: Of the name, with its dot.

    Returns:
        The name, for a file field.
    """
    name = secrets.token_hex(_NAME_BYTES)
    return pages().save(f"{name[:2]}/{name}{ending}", ContentFile(content) if isinstance(content, bytes) else content)


def every_file(folder: str = "") -> Iterator[str]:
    """Names of all files that are kept."""
    try:
        folders, files = pages().listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" if folder else name for name in files)
    for each in folders:
        yield from every_file(f"{folder}/{each}" if folder else each)


def drop(*files: Any) -> None:
    """Delete files as soon as the transaction is sure, names or file fields, empty ones too."""
    names = [str(getattr(file, "name", file) or "") for file in files]
    wanted = [name for name in names if name]
    if wanted:
        transaction.on_commit(lambda: _delete(wanted))


def _delete(names: list[str]) -> None:
    for name in names:
        pages().delete(name)
