"""List the pages of a source one by one: of a folder, a pattern, a table of paths, an archive or an address.

Nothing is unpacked and no list is built, so that a million pages need no more memory than ten.
"""

import bz2
import csv
import glob
import gzip
import io
import itertools
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ecglens.batch.entries import Entry, is_remote, open_file, resolve_address
from ecglens.datasets.sources import IMAGE_SUFFIXES
from ecglens.datasets.visible_files import is_hidden
from ecglens.errors import BatchError, DatasetError, EcgLensError, MissingSourceError
from ecglens.formats.files import detect_format
from ecglens.formats.wfdb_files import HEADER_ENDING, PART_ENDINGS
from ecglens.formats.zip_index import list_members
from ecglens.tables import parse_cell

__all__ = [
    "MAX_INDEX_BYTES",
    "PAGE_ENDINGS",
    "RECORD_ENDINGS",
    "add_data",
    "list_entries",
    "list_paths",
    "make_absolute",
]

PATH_COLUMN = "path"
"""Column with the paths in a CSV file, such as those that ``ecglens audit`` writes."""

_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_UNPACKERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
"""Openers of gzip, bzip2 and xz by first bytes; tarfile's own unpacking takes seconds for zeros, which pack well."""
_MAX_EMPTY_READS = 10
"""Number of reads at the end of a TAR; an intact one needs two."""
_WILDCARDS = frozenset("*?[")
MAX_INDEX_BYTES = 256_000_000
"""Index of a ZIP with three million pages."""
PAGE_ENDINGS = tuple(sorted(IMAGE_SUFFIXES))
"""Endings of pages."""
RECORD_ENDINGS = (".atc", ".dcm", ".ecg", ".edf", ".hea", ".mwf", ".scp", ".xml")
"""Endings of digital ECGs; of a WFDB record, that of its header."""
_AMBIGUOUS_ENDINGS = (".csv", ".json", ".txt", ".zip")
"""Endings of digital ECGs that many other files have too; their content tells, where digital ECGs are listed."""


@dataclass(frozen=True, slots=True)
class _Selection:
    """Files of a source that are listed: those with some endings, except hidden ones."""

    endings: tuple[str, ...]
    on_skip: Callable[[str], None]
    max_index_bytes: int

    def has(self, path: str) -> bool:
        """Return whether a path has one of the endings and no hidden part."""
        return path.lower().endswith(self.endings) and not is_hidden(path)

    def has_content(self, path: str) -> bool:
        """Return whether a file on this machine is a digital ECG though its ending does not say so."""
        lists_records = set(RECORD_ENDINGS) <= set(self.endings)
        name = os.path.basename(path)
        if not lists_records or is_hidden(name) or not name.lower().endswith(_AMBIGUOUS_ENDINGS):
            return False
        try:
            return detect_format(Path(path)) is not None
        except EcgLensError:
            return False

    def skip(self, path: str, exists: Callable[[str], bool]) -> None:
        """Report a file that is not listed, unless it belongs to a WFDB header, which is listed.

        Args:
            path: Path of the file.
            exists: Returns whether there is a file at a path.
        """
        stem, ending = os.path.splitext(path)
        header = f"{stem}{HEADER_ENDING}"
        if not (HEADER_ENDING in self.endings and ending.lower() in PART_ENDINGS and exists(header)):
            self.on_skip(os.path.basename(path))


def make_absolute(source: str | os.PathLike[str]) -> str:
    """Return the address or the absolute path of a source, which do not depend on the working directory."""
    text = os.fspath(source)
    return text if is_remote(text) else os.path.abspath(text)


def list_entries(
    source: str,
    *,
    on_skip: Callable[[str], None],
    max_index_bytes: int = MAX_INDEX_BYTES,
    endings: tuple[str, ...] = PAGE_ENDINGS,
) -> Iterator[Entry]:
    """List the pages of a source.

    From folders and archives, files with the endings of pages are listed, except hidden ones. Where digital ECGs are
    listed too, so are the CSV, JSON and text files of folders on this machine that are digital ECGs by their content;
    a WFDB record is listed by its header, but not from a TAR. Patterns, tables and single files are listed whatever
    their endings are.

    Args:
        source: Folder, pattern with ``*``, ``?`` or ``[``, CSV with a column ``path``, ZIP, TAR, page, or an fsspec
            address of any of these.
        on_skip: Called with the name of each file that is skipped because of its name.
        max_index_bytes: Largest index of a ZIP; in memory it takes about ten times as much.
        endings: Endings of the files that are listed from folders and archives, lower case.

    Raises:
        BatchError: There is nothing, or an archive or table is not what its name says.
        FetchError: The source cannot be open_file.
    """
    selection = _Selection(endings, on_skip, max_index_bytes)
    if is_remote(source):
        yield from _remote(source, selection)
    elif os.path.isdir(source):
        yield from _folder(source, selection)
    elif os.path.lexists(source):
        yield from _file(source, selection)
    elif _WILDCARDS & set(source):
        for path in glob.iglob(source, recursive=True):
            if os.path.isfile(path):
                yield _local(path, os.path.relpath(path, _fixed_part(source)))
    else:
        raise MissingSourceError(
            f"Expected a folder, pattern, CSV, ZIP, TAR, page or address, got nothing at {source}."
        )


def list_paths(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Entry]:
    """List files by their paths, with these as their names in the result.

    Args:
        paths: Paths, relative ones to the working directory, or fsspec addresses.
    """
    for path in paths:
        address = make_absolute(path)
        name = os.fspath(path)
        yield Entry(_printable(name), address) if is_remote(address) else _local(address, name)


def add_data(entries: Iterable[tuple[int, Entry]], *, max_bytes: int) -> Iterator[tuple[int, Entry, bytes | None]]:
    """Add the bytes to the entries that cannot be read by themselves: the members of compressed TARs.

    Args:
        entries: Entries, each with a number; those of an archive in the order of the archive.
        max_bytes: Members that are larger are yielded without their bytes.

    Raises:
        BatchError: An archive is damaged or has changed.
    """
    streams: dict[str, Iterator[tuple[int, bytes | None]]] = {}
    for number, entry in entries:
        if entry.place[:1] != ("stream",):
            yield number, entry, None
            continue
        if entry.address not in streams:
            streams[entry.address] = _read_members(entry.address, max_bytes=max_bytes)
        data = next((content for place, content in streams[entry.address] if place == entry.place[1]), None)
        yield number, entry, data


def _file(address: str, selection: _Selection) -> Iterator[Entry]:
    """List a table or archive, recognized by its ending, or else a single page."""
    name = address.lower()
    if name.endswith(".csv"):
        yield from _table(address)
    elif name.endswith(".zip"):
        yield from _zip(address, selection)
    elif name.endswith(_TAR_ENDINGS):
        yield from _tar(address, selection)
    elif is_remote(address):
        yield Entry(address.rpartition("/")[2], address)
    else:
        yield _local(address, os.path.basename(address))


def _folder(folder: str, selection: _Selection) -> Iterator[Entry]:
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as listing:
                for each in listing:
                    if each.is_dir(follow_symlinks=False):
                        if not is_hidden(each.name):
                            waiting.append(each.path)
                    elif selection.has(each.name) or selection.has_content(each.path):
                        yield _local(each.path, os.path.relpath(each.path, folder))
                    else:
                        selection.skip(each.path, os.path.isfile)
        except OSError as error:
            raise BatchError(
                f"Expected a folder that can be listed, but {error.filename} cannot: {error.strerror}."
            ) from error


def _local(path: str, name: str) -> Entry:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError of a path with the character NUL
        return Entry(_printable(name), path)
    return Entry(_printable(name), path, stamp=f"{status.st_size} {status.st_mtime_ns}")


def _remote(address: str, selection: _Selection) -> Iterator[Entry]:
    system, root = resolve_address(address)
    protocol = address[: len(address) - len(address.partition("://")[2])]
    if _WILDCARDS & set(root):
        for path, details in system.glob(root, detail=True).items():
            if details.get("type") != "directory":
                yield Entry(path.rpartition("/")[2], _add_protocol(path, protocol), stamp=_stamp(details))
        return
    if root.lower().endswith((".csv", ".zip", *_TAR_ENDINGS, *selection.endings)):
        yield from _file(address, selection)
        return
    try:
        for _, _, files in system.walk(root, detail=True, on_error="raise"):
            for name, details in files.items():
                path = details["name"]
                relative = path.partition(root.rstrip("/") + "/")[2] or path
                if selection.has(relative):
                    yield Entry(_printable(relative), _add_protocol(path, protocol), stamp=_stamp(details))
                else:
                    selection.skip(name, files.__contains__)
    # Each store behind fsspec has its own errors, without a common base class.
    except Exception as error:
        raise BatchError(
            f"Expected a folder or page at {address}, but it cannot be listed: {type(error).__name__} {error}."
        ) from error


def _add_protocol(path: str, protocol: str) -> str:
    return path if is_remote(path) else f"{protocol}{path}"


def _stamp(details: dict[str, Any]) -> str:
    """Return the size and version of a file, as far as the store reports them."""
    versions = (details.get(name) for name in ("ETag", "etag", "mtime", "LastModified"))
    parts = (details.get("size"), next(filter(None, versions), None))
    return " ".join(str(part) for part in parts if part is not None)


def _table(address: str) -> Iterator[Entry]:
    """List the column ``path`` of a CSV file. Relative paths are relative to the folder of the CSV file."""
    folder = address.rpartition("/")[0] if is_remote(address) else os.path.dirname(address)
    with open_file(address) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        try:
            if PATH_COLUMN not in (rows.fieldnames or ()):
                names = ", ".join(rows.fieldnames or ()) or "nothing"
                raise BatchError(f"Expected a CSV with a column '{PATH_COLUMN}' at {address}, got {names[:200]}.")
            for row in rows:
                path = parse_cell(row[PATH_COLUMN] or "")
                if not path.strip():
                    continue
                is_absolute = is_remote(path) or os.path.isabs(path)
                location = path if is_absolute or not folder else f"{folder}/{path}"
                yield Entry(_printable(path), location) if is_remote(location) else _local(location, path)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BatchError(
                f"Expected a CSV of text in UTF-8 at {address}, but it cannot be read: {error}."
            ) from error


def _zip(address: str, selection: _Selection) -> Iterator[Entry]:
    with open_file(address) as stream:
        try:
            members = list_members(stream, max_index_bytes=selection.max_index_bytes)
        except DatasetError as error:
            raise BatchError(code=error.code, source=address, detail=error.detail) from error
        parts = _find_parts(members) if HEADER_ENDING in selection.endings else {}
        headers = {f"{stem}{HEADER_ENDING}" for stem in parts}
        for member in members:
            if member.is_dir():
                continue
            if not selection.has(member.filename):
                selection.skip(member.filename, headers.__contains__)
                continue
            stem, ending = os.path.splitext(member.filename)
            beside = parts[stem] if ending == HEADER_ENDING else ()
            stamp = f"{member.file_size} {member.CRC}"
            yield Entry(_printable(member.filename), address, _zip_place(member), stamp, tuple(beside))


def _zip_place(member: zipfile.ZipInfo) -> tuple[str | int, ...]:
    numbers = (member.header_offset, member.file_size, member.compress_size, member.compress_type, member.CRC)
    return ("zip", *numbers, member.flag_bits)


def _find_parts(members: Sequence[zipfile.ZipInfo]) -> dict[str, list[tuple[str, tuple[str | int, ...]]]]:
    """Return name and location of the files that have the name of a WFDB header, by its path without its ending."""
    parts: dict[str, list[tuple[str, tuple[str | int, ...]]]] = {
        os.path.splitext(member.filename)[0]: [] for member in members if member.filename.endswith(HEADER_ENDING)
    }
    for member in members:
        stem = os.path.splitext(member.filename)[0]
        if stem in parts:
            parts[stem].append((os.path.basename(member.filename), _zip_place(member)))
    return parts


def _tar(address: str, selection: _Selection) -> Iterator[Entry]:
    for number, is_compressed, member, _ in _members(address):
        # A WFDB record has several files, of which a TAR does not tell the places before they are read.
        is_header = member.name.lower().endswith(HEADER_ENDING)
        if member.isreg() and not member.issparse() and selection.has(member.name) and not is_header:
            place = ("stream", number) if is_compressed else ("tar", member.offset_data, member.size)
            yield Entry(_printable(member.name), address, place, f"{member.size} {member.mtime}")
        elif not member.isdir():
            selection.on_skip(member.name)


def _read_members(address: str, *, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Read the members of a compressed TAR, which allows no random access, from the first to the last.

    Args:
        address: Path or address of the archive.
        max_bytes: Maximum size of a member.

    Yields:
        The number of a member and its bytes, or ``None`` if it is larger or no file.

    Raises:
        BatchError: The archive is damaged.
    """
    for number, _, member, archive in _members(address):
        fits = member.isreg() and not member.issparse() and member.size <= max_bytes
        stream = archive.extractfile(member) if fits else None
        yield number, None if stream is None else stream.read()


class _EndingStream:
    """A stream that fails where it is read on and on behind its end.

    tarfile would do so for a member that states exabytes.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._empty_reads = stream, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._empty_reads = 0 if data else self._empty_reads + 1
        if self._empty_reads > _MAX_EMPTY_READS:
            raise EOFError("it ends within a file")
        return data


def _members(address: str) -> Iterator[tuple[int, bool, tarfile.TarInfo, tarfile.TarFile]]:
    """Yield the number of each member, whether the archive is compressed, the member and the archive."""
    with open_file(address) as stream:
        start = stream.read(6)
        stream.seek(0)
        unpack = next((unpack for mark, unpack in _UNPACKERS.items() if start.startswith(mark)), None)
        try:
            with (
                nullcontext(stream) if unpack is None else unpack(stream) as content,
                tarfile.open(
                    fileobj=content if unpack is None else cast("IO[bytes]", _EndingStream(content)),
                    mode="r:" if unpack is None else "r|",
                ) as archive,
            ):
                for number in itertools.count():
                    member = archive.next()
                    if member is None:
                        return
                    yield number, unpack is not None, member, archive
                    archive.members = []  # type: ignore[attr-defined]  # tarfile would collect all of them
        except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, zlib.error, lzma.LZMAError) as error:
            raise BatchError(
                f"Expected a whole TAR at {address}, but it cannot be read: {_end_sentence(error)}"
            ) from error


def _end_sentence(error: Exception) -> str:
    """Return the text of an error with one period; fsspec reports here if a server sends only whole files."""
    return f"{str(error).rstrip('.')}."


def _fixed_part(pattern: str) -> str:
    """Return the part of a pattern before the first component with a wildcard."""
    parts = Path(pattern).parts
    plain = next(number for number, part in enumerate(parts) if _WILDCARDS & set(part))
    return str(Path(*parts[:plain]))


def _printable(name: str) -> str:
    """Return a name that can be encoded as UTF-8, with an escape code for each byte that is not valid."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
