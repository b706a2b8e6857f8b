"""Storage of pages and pictures: a private folder or a bucket, under random names, never below the web root."""

import secrets
from collections.abc import Iterator
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction

__all__ = ["delete_files", "list_files", "pages", "store_file"]

_NAME_BYTES = 20


def pages() -> Storage:
    """Return the private storage; migrations refer to this function by its name."""
    return storages["pages"]


def store_file(content: bytes | File[bytes], suffix: str) -> str:
    """Store bytes or an open file under a new random name.

    Args:
        content: What to store.
        suffix: End of the name, with its dot.

    Returns:
        The name, for a file field.
    """
    name = secrets.token_hex(_NAME_BYTES)
    return pages().save(f"{name[:2]}/{name}{suffix}", ContentFile(content) if isinstance(content, bytes) else content)


def list_files(folder: str = "") -> Iterator[str]:
    """Yield the names of all stored files."""
    try:
        folders, files = pages().listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" if folder else name for name in files)
    for each in folders:
        yield from list_files(f"{folder}/{each}" if folder else each)


def delete_files(*files: Any) -> None:
    """Delete files when the transaction is committed: names or file fields, of which some may be empty."""
    names = [name for file in files if (name := str(getattr(file, "name", file) or ""))]
    if names:
        transaction.on_commit(lambda: _delete(names))


def _delete(names: list[str]) -> None:
    for name in names:
        pages().delete(name)
