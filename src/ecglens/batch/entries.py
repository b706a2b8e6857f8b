"""One file among many: its name and location, and its bytes up to a size limit."""

import bz2
import json
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ecglens.documents import parse_json
from ecglens.errors import EcgLensError, MissingExtraError
from ecglens.extras import require

__all__ = ["Entry", "FetchError", "fetch", "is_remote", "open_file", "resolve_address"]

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(://|::)")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, length of the name and of the extra field; APPNOTE.TXT of PKWARE, 4.3.7."""
_ENCRYPTED = 0x1
_SMALL_BLOCK_BYTES = 4096
"""Packed bytes that become at most 30 MB of LZMA."""
_BLOCK_BYTES = 1_000_000


class FetchError(EcgLensError):
    """The bytes of a file could not be read; another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to read.

    Attributes:
        name: Name of the file in the result.
        address: Path or fsspec address of the file, or of the archive that contains it.
        place: Location in an archive: ``("zip", offset, size, packed size, method, CRC, flags)``,
            ``("tar", offset, size)``, or ``("stream", number)`` in a compressed TAR; empty for a file outside archives.
        stamp: Text that changes with the content, such as size and time; empty if none is available.
        beside: Name and location of each file that belongs to a WFDB header in a ZIP.
    """

    name: str
    address: str
    place: tuple[str | int, ...] = ()
    stamp: str = ""
    beside: tuple[tuple[str, tuple[str | int, ...]], ...] = ()

    def to_json(self) -> str:
        """Return the entry as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Entry":
        """Return the entry that :meth:`to_json` wrote."""
        values = parse_json(text)
        beside = tuple((name, tuple(place)) for name, place in values.get("beside", ()))
        return cls(**{**values, "place": tuple(values["place"]), "beside": beside})


def is_remote(address: str) -> bool:
    """Return whether this is an address for fsspec rather than a path.

    >>> is_remote("s3://bucket/pages"), is_remote("scans/page.jpg")
    (True, False)
    """
    return _ADDRESS.match(address) is not None


def resolve_address(address: str) -> tuple[Any, str]:
    """Return the fsspec file system of an address, and the path on it.

    Raises:
        MissingExtraError: fsspec, or the package for this protocol, is not installed.
        FetchError: The protocol is unknown.
    """
    fsspec, registry = require("fsspec.core", extra="batch"), require("fsspec.registry", extra="batch")
    protocol = re.split(r"::|://", address)[0]
    try:
        system_and_path: tuple[Any, str] = fsspec.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        package = registry.known_implementations.get(protocol, {}).get("class", protocol).partition(".")[0]
        package = "aiohttp" if package == "fsspec" else package
        raise MissingExtraError(
            f"Reading {protocol}:// needs {package}, which is not installed; install it with: pip install {package}"
        ) from error
    except ValueError as error:
        raise FetchError(
            f"Expected a path or an address such as s3://, gs:// or https://, got {protocol}://, which is unknown."
        ) from error
    return system_and_path


@contextmanager
def open_file(address: str) -> Iterator[BinaryIO]:
    """Open a file by its path or address for reading and seeking.

    Raises:
        FetchError: There is no regular file, or it cannot be opened.
    """
    with _map_errors(address):
        if is_remote(address):
            system, path = resolve_address(address)
            stream = system.open(path, "rb")
        else:
            # Without O_NONBLOCK, opening a pipe would wait for its other end.
            descriptor = os.open(address, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            stream = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
            if stream is None:
                os.close(descriptor)
                raise FetchError("Expected a file, got a folder, device or pipe.")
        with stream:
            yield stream


def fetch(entry: Entry, *, max_bytes: int) -> bytes:
    """Read the bytes of an entry.

    Args:
        entry: The file to read. Members of compressed TARs cannot be read here, because they have no offset.
        max_bytes: Maximum size. If the archive or the file system reports more, the file is refused unread.

    Raises:
        FetchError: The file cannot be read, or is too large.
    """
    if entry.place[:1] == ("stream",):
        raise FetchError(f"Expected a file of at most {max_bytes / 1e6:.0f} MB in the archive, got none in its place.")
    with open_file(entry.address) as stream, _map_errors(entry.address):
        if entry.place[:1] == ("zip",):
            return _from_zip(stream, entry, max_bytes)
        if entry.place[:1] == ("tar",):
            offset, size = map(int, entry.place[1:])
            _check_size(size, max_bytes)
            stream.seek(offset)
            return stream.read(size)
        stated = getattr(stream, "size", None) if is_remote(entry.address) else os.fstat(stream.fileno()).st_size
        return _read(stream, stated or 0, max_bytes)


def _from_zip(stream: BinaryIO, entry: Entry, max_bytes: int) -> bytes:
    """Read a member by its offset, without reading the whole index of a large archive again."""
    offset, size, packed, method, crc, flags = map(int, entry.place[1:])
    if flags & _ENCRYPTED:
        raise FetchError("Expected a file that can be read, got an encrypted one; unpack the archive.")
    _check_size(size, max_bytes)
    member = zipfile.ZipInfo(Path(entry.name).name)
    member.file_size, member.compress_size, member.compress_type, member.CRC = size, packed, method, crc
    stream.seek(offset)
    head = stream.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
        raise FetchError("Expected a file in the archive, got other bytes in its place; make the archive again.")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(head)
    stream.seek(name_bytes + extra_bytes, os.SEEK_CUR)
    if method == zipfile.ZIP_BZIP2:
        return _unpack_bzip2(stream.read(packed), size, crc, max_bytes)
    with zipfile.ZipExtFile(stream, "r", member) as unpacked:
        if method != zipfile.ZIP_LZMA:
            data = unpacked.read(max_bytes + 1)
            _check_size(len(data), max_bytes)
            return data
        # zipfile unpacks LZMA without a limit, as many packed bytes at once as bytes are requested.
        blocks, length = [], 0
        while block := unpacked.read(_SMALL_BLOCK_BYTES):
            blocks.append(block)
            length += len(block)
            _check_size(length, max_bytes)
    return b"".join(blocks)


def _unpack_bzip2(packed: bytes, size: int, crc: int, max_bytes: int) -> bytes:
    """Unpack a member by bzip2, of which zipfile unpacks any number of bytes at once; 100 bytes hold 100 MB of zeros.

    Raises:
        FetchError: It states more bytes than are allowed.
        zipfile.BadZipFile: It is damaged.
    """
    _check_size(size, max_bytes)
    unpacker = bz2.BZ2Decompressor()
    data = unpacker.decompress(packed, max_length=size + 1)
    if len(data) != size or zlib.crc32(data) != crc:
        raise zipfile.BadZipFile("Bad CRC-32 or length")
    return data


def _read(stream: BinaryIO, size: int, max_bytes: int) -> bytes:
    """Read all of a stream; reading more than ``size`` at once would allocate memory that is not needed."""
    _check_size(size, max_bytes)
    blocks = [stream.read(size)] if size else []
    while block := stream.read(_BLOCK_BYTES):
        blocks.append(block)
        _check_size(sum(map(len, blocks)), max_bytes)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise FetchError(
            f"Expected a file of at most {max_bytes / 1e6:.0f} MB, got {size / 1e6:,.0f} MB; scan it at a lower "
            "resolution, or allow more memory."
        )


@contextmanager
def _map_errors(address: str) -> Iterator[None]:
    try:
        yield
    except (EcgLensError, MemoryError):
        raise
    except FileNotFoundError as error:
        kind = "address, or no response" if is_remote(address) else "path"
        raise FetchError(f"Expected a file, got nothing at that {kind}.") from error
    except PermissionError as error:
        raise FetchError("Expected a file that may be read, got one without permission.") from error
    # Errors that zipfile raises for damaged bytes, among them RuntimeError for encrypted files.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError) as error:
        raise FetchError(f"Expected an intact file in the archive, got a damaged one: {error}.") from error
    except OSError as error:
        raise FetchError(f"The file cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        if "\0" not in address:
            raise
        raise FetchError("Expected a path to a file, got one with the character NUL; correct it.") from error
    # Each store behind fsspec has its own errors, without a common base class.
    except Exception as error:
        if not is_remote(address):
            raise
        raise FetchError(f"The address cannot be read: {type(error).__name__} {error}.") from error
