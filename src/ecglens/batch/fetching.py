"""Fetch the bytes of a file with those of the files that belong to it, as of a WFDB header."""

import os
from hashlib import sha256

from ecglens.batch.entries import Entry, FetchError, fetch, is_remote
from ecglens.errors import DatasetError
from ecglens.formats.wfdb_files import HEADER_ENDING, digest_record, pack_record

__all__ = ["fetch_with_parts"]


def fetch_with_parts(entry: Entry, *, max_bytes: int) -> tuple[bytes, str]:
    """Fetch a file.

    Args:
        entry: The file; of a WFDB record, the header.
        max_bytes: Maximum size, of a WFDB record that of each of its files.

    Returns:
        The bytes and their SHA-256; of a WFDB record, a ZIP of its files, and the SHA-256 of the header followed by the
        files that it names.

    Raises:
        FetchError: The file, or one that belongs to it, cannot be read or is too large.
    """
    if not entry.name.lower().endswith(HEADER_ENDING):
        data = fetch(entry, max_bytes=max_bytes)
        return data, sha256(data).hexdigest()
    contents: dict[str, bytes] = {}

    def load(name: str) -> bytes:
        if name not in contents:
            contents[name] = fetch(_find_part(entry, name), max_bytes=max_bytes)
        return contents[name]

    name = _last_part(entry.name)
    try:
        return pack_record(name, load), digest_record(name, load)
    except DatasetError as error:
        raise FetchError(str(error)) from error


def _find_part(entry: Entry, name: str) -> Entry:
    """Return the entry of a file beside a header.

    Raises:
        FetchError: There is none in the archive, or outside of one.
    """
    if name == _last_part(entry.name):
        return entry
    if entry.place:
        places = dict(entry.beside)
        if name in places:
            return Entry(name, entry.address, places[name])
    else:
        part = Entry(name, _beside(entry.address, name))
        if is_remote(part.address) or os.path.isfile(part.address):
            return part
    raise FetchError(f"Expected {name} beside the header of the WFDB record, got no such file; put it there.")


def _beside(address: str, name: str) -> str:
    if is_remote(address):
        return f"{address.rpartition('/')[0]}/{name}"
    return os.path.join(os.path.dirname(address), name)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
