"""Storage of pages and pictures: a private folder or a bucket, under random names, never below the web root."""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction

__all__ = ["delete_files", "list_files", "pages", "store_file", "store_files"]

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
    random = secrets.token_hex(_NAME_BYTES)
    name = f"{random[:2]}/{random}{suffix}"
    try:
        return pages().save(name, ContentFile(content) if isinstance(content, bytes) else content)
    except OSError:
        pages().delete(name)  # what a full disk took of it
        raise


def store_files(files: Sequence[tuple[bytes, str] | None]) -> list[str]:
    """Store all of the files, or none of them where one cannot be stored.

    Args:
        files: Content and suffix of each; ``None`` for one that does not exist.

    Returns:
        The names, empty for those that do not exist.
    """
    names: list[str] = []
    try:
        for file in files:
            names.append(store_file(*file) if file is not None else "")
    except OSError:
        _delete(list(filter(None, names)))
        raise
    return names


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
