"""What there is to read: a folder, a pattern, a table of paths, an archive or an address, one entry after the other.

Nothing is unpacked and no list is kept, so that a million pages cost no more memory than ten.
"""

import csv
import glob
import io
import itertools
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ecglens.batch.entries import Entry, filesystem, is_remote, opened
from ecglens.datasets.sources import IMAGE_SUFFIXES
from ecglens.errors import BatchError

__all__ = ["absolute", "list_entries", "with_data"]

PATH_COLUMN = "path"
"""Of a table of paths, as ``ecglens audit`` writes it."""

_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
"""How gzip, bzip2 and xz begin."""
_MAGIC = frozenset("*?[")
_Note = Callable[[str], None]


def absolute(source: str | os.PathLike[str]) -> str:
    """A source's name that holds wherever one stands: its address, or its path from the root."""
    text = os.fspath(source)
    return text if is_remote(text) else os.path.abspath(text)


def list_entries(source: str, *, passed_over: _Note) -> Iterator[Entry]:
    """The pages of a source.

    Folders and archives give the files whose names end as pages do, hidden ones left out; patterns, tables and single
    files give what they name.

    Args:
        source: Folder, pattern with ``*``, ``?`` or ``[``, CSV with a column ``path``, ZIP, TAR, page, or an fsspec
            address of any of these.
        passed_over: Told the name of each file that was not taken for a page.

    Raises:
        BatchError: There is nothing, or an archive or table is not what its name says.
        FetchError: It cannot be opened.
    """
    if is_remote(source):
        yield from _remote(source, passed_over)
    elif os.path.isdir(source):
        yield from _folder(source, passed_over)
    elif os.path.lexists(source):
        yield from _file(source, passed_over)
    elif _MAGIC & set(source):
        for path in glob.iglob(source, recursive=True):
            if os.path.isfile(path):
                yield _local(path, os.path.relpath(path, _fixed_part(source)))
    else:
        raise BatchError(f"Expected a folder, pattern, CSV, ZIP, TAR, page or address, found nothing at {source}.")


def with_data(entries: Iterable[tuple[int, Entry]], *, max_bytes: int) -> Iterator[tuple[int, Entry, bytes | None]]:
    """Entries with the bytes of those that have no place of their own: members of compressed TARs, in their order.

    Args:
        entries: With a number each; those of one archive in its order.
        max_bytes: Larger members come without their bytes.

    Raises:
        BatchError: An archive is damaged or has changed.
    """
    streams: dict[str, Iterator[tuple[int, bytes | None]]] = {}
    for number, entry in entries:
        if entry.place[:1] != ("stream",):
            yield number, entry, None
            continue
        if entry.address not in streams:
            streams[entry.address] = _packed_members(entry.address, max_bytes=max_bytes)
        data = next((found for place, found in streams[entry.address] if place == entry.place[1]), None)
        yield number, entry, data


def _file(address: str, passed_over: _Note) -> Iterator[Entry]:
    """A table or archive by its ending, else one page."""
    name = address.lower()
    if name.endswith(".csv"):
        yield from _table(address)
    elif name.endswith(".zip"):
        yield from _zip(address, passed_over)
    elif name.endswith(_TAR_ENDINGS):
        yield from _tar(address, passed_over)
    elif is_remote(address):
        yield Entry(address.rpartition("/")[2], address)
    else:
        yield _local(address, os.path.basename(address))


def _folder(folder: str, passed_over: _Note) -> Iterator[Entry]:
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        if not each.name.startswith("."):
                            waiting.append(each.path)
                    elif _is_page(each.name):
                        yield _local(each.path, os.path.relpath(each.path, folder))
                    else:
                        passed_over(each.name)
        except OSError as error:
            raise BatchError(
                f"Expected a folder that can be listed, but {error.filename} cannot: {error.strerror}."
            ) from error


def _local(path: str, name: str) -> Entry:
    try:
        told = os.stat(path)
    except OSError:
        return Entry(_text(name), path)
    return Entry(_text(name), path, stamp=f"{told.st_size} {told.st_mtime_ns}")


def _remote(address: str, passed_over: _Note) -> Iterator[Entry]:
    system, root = filesystem(address)
    protocol = address[: len(address) - len(address.partition("://")[2])]
    if _MAGIC & set(root):
        for path, told in system.glob(root, detail=True).items():
            if told.get("type") != "directory":
                yield Entry(path.rpartition("/")[2], _full(path, protocol), stamp=_stamp(told))
        return
    if root.lower().endswith((".csv", ".zip", *_TAR_ENDINGS, *IMAGE_SUFFIXES)):
        yield from _file(address, passed_over)
        return
    try:
        for _, _, files in system.walk(root, detail=True, on_error="raise"):
            for name, told in files.items():
                path = told["name"]
                shown = path.partition(root.rstrip("/") + "/")[2] or path
                if _is_page(shown):
                    yield Entry(_text(shown), _full(path, protocol), stamp=_stamp(told))
                else:
                    passed_over(name)
    # Each store behind fsspec has errors of its own, without a common base.
    except Exception as error:
        raise BatchError(
            f"Expected a folder or page at {address}, but it cannot be listed: {type(error).__name__} {error}."
        ) from error


def _full(path: str, protocol: str) -> str:
    return path if is_remote(path) else f"{protocol}{path}"


def _stamp(told: dict[str, Any]) -> str:
    """What the store says of a file's state."""
    parts = (told.get("size"), told.get("ETag") or told.get("etag") or told.get("mtime") or told.get("LastModified"))
    return " ".join(str(part) for part in parts if part is not None)


def _table(address: str) -> Iterator[Entry]:
    """A CSV's column ``path``; what is no address and not from the root is taken from the CSV's folder."""
    home = address.rpartition("/")[0] if is_remote(address) else os.path.dirname(address)
    with opened(address) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        try:
            if PATH_COLUMN not in (rows.fieldnames or ()):
                found = ", ".join(rows.fieldnames or ()) or "nothing"
                raise BatchError(f"Expected a CSV with a column '{PATH_COLUMN}' at {address}, found {found[:200]}.")
            for row in rows:
                path = row[PATH_COLUMN] or ""
                if not path.strip():
                    continue
                where = path if is_remote(path) or os.path.isabs(path) else f"{home}/{path}" if home else path
                yield Entry(_text(path), where) if is_remote(where) else _local(where, path)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BatchError(
                f"Expected a CSV of text in UTF-8 at {address}, but it cannot be read: {error}."
            ) from error


def _zip(address: str, passed_over: _Note) -> Iterator[Entry]:
    with opened(address) as stream:
        try:
            members = zipfile.ZipFile(stream).infolist()
        # Whatever zipfile raises of an index that is damaged or of a kind that it does not know.
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            raise BatchError(
                f"Expected a whole ZIP at {address}, but its index cannot be read: {_told(error)}",
                code="damaged",
                source=address,
                detail=f"Expected a whole ZIP, but its index cannot be read: {_told(error)}",
            ) from error
        for member in members:
            if member.is_dir():
                continue
            if not _is_page(member.filename):
                passed_over(member.filename)
                continue
            numbers = (member.header_offset, member.file_size, member.compress_size, member.compress_type, member.CRC)
            place = ("zip", *numbers, member.flag_bits)
            yield Entry(_text(member.filename), address, place, f"{member.file_size} {member.CRC}")


def _tar(address: str, passed_over: _Note) -> Iterator[Entry]:
    for number, packed, member, _ in _members(address):
        if member.isreg() and not member.issparse() and _is_page(member.name):
            place = ("stream", number) if packed else ("tar", member.offset_data, member.size)
            yield Entry(_text(member.name), address, place, f"{member.size} {member.mtime}")
        elif not member.isdir():
            passed_over(member.name)


def _packed_members(address: str, *, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """The members of a compressed TAR, which has no places to go to: number and bytes, from the first to the last.

    Args:
        address: Of the archive.
        max_bytes: A larger member, or one that is no file, is ``None``.

    Raises:
        BatchError: The archive is damaged.
    """
    for number, _, member, archive in _members(address):
        fits = member.isreg() and not member.issparse() and member.size <= max_bytes
        stream = archive.extractfile(member) if fits else None
        yield number, None if stream is None else stream.read()


def _members(address: str) -> Iterator[tuple[int, bool, tarfile.TarInfo, tarfile.TarFile]]:
    """Number, whether the archive is compressed, member and archive."""
    with opened(address) as stream:
        packed = stream.read(6).startswith(_PACKED)
        stream.seek(0)
        try:
            with tarfile.open(fileobj=stream, mode="r|*" if packed else "r:") as archive:
                for number in itertools.count():
                    member = archive.next()
                    if member is None:
                        return
                    yield number, packed, member, archive
                    archive.members = []  # type: ignore[attr-defined]  # it would keep them all
        except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
            raise BatchError(f"Expected a whole TAR at {address}, but it cannot be read: {_told(error)}") from error


def _told(error: Exception) -> str:
    """An error's text as the end of a sentence; some servers send whole files only, which fsspec says here."""
    return f"{str(error).rstrip('.')}."


def _is_page(path: str) -> bool:
    """By the ending, unless a part of the path is hidden."""
    hidden = any(part.startswith(".") and part.strip(".") for part in path.split("/"))
    return path.lower().endswith(tuple(IMAGE_SUFFIXES)) and not hidden


def _fixed_part(pattern: str) -> str:
    """The folder in front of the first part with a wildcard."""
    parts = Path(pattern).parts
    plain = next(number for number, part in enumerate(parts) if _MAGIC & set(part))
    return str(Path(*parts[:plain]))


def _text(name: str) -> str:
    """A name that every file can hold, with a code for each byte that is no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
