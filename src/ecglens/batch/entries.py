"""One file among many: where it lies, and its bytes, never more of them than allowed."""

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

from ecglens.errors import EcgLensError, MissingExtraError
from ecglens.extras import require

__all__ = ["Entry", "FetchError", "fetch", "filesystem", "is_remote", "opened"]

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(://|::)")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, length of the name and of the extra field; APPNOTE.TXT of PKWARE, 4.3.7."""
_ENCRYPTED = 0x1
_BLOCK_BYTES = 1_000_000


class FetchError(EcgLensError):
    """The bytes of a file could not be had; another attempt may."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to read.

    Attributes:
        name: As the result names it.
        address: Path or fsspec address of the file, or of the archive that holds it.
        place: Where it lies in an archive: ``("zip", offset, size, packed size, method, CRC, flags)``,
            ``("tar", offset, size)``, ``("stream", number)`` in a compressed TAR; empty for a file of its own.
        stamp: Changes when the content does, such as size and time; empty where nobody tells.
    """

    name: str
    address: str
    place: tuple[str | int, ...] = ()
    stamp: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Entry":
        """The entry that :meth:`to_json` wrote."""
        told = json.loads(text)
        return cls(**{**told, "place": tuple(told["place"])})


def is_remote(address: str) -> bool:
    """Whether this is an address for fsspec rather than a path.

    >>> is_remote("s3://bucket/pages"), is_remote("scans/page.jpg")
    (True, False)
    """
    return _ADDRESS.match(address) is not None


def filesystem(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path on it.

    Raises:
        MissingExtraError: fsspec, or the package for this protocol, is not installed.
        FetchError: Nobody knows the protocol.
    """
    fsspec, registry = require("fsspec.core", extra="batch"), require("fsspec.registry", extra="batch")
    protocol = re.split(r"::|://", address)[0]
    try:
        found: tuple[Any, str] = fsspec.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        package = registry.known_implementations.get(protocol, {}).get("class", protocol).partition(".")[0]
        package = "aiohttp" if package == "fsspec" else package
        raise MissingExtraError(
            f"Reading {protocol}:// needs {package}, which is not installed; install it with: pip install {package}"
        ) from error
    except ValueError as error:
        raise FetchError(
            f"Expected a path or an address such as s3://, gs:// or https://, found {protocol}://, which is unknown."
        ) from error
    return found


@contextmanager
def opened(address: str) -> Iterator[BinaryIO]:
    """A file by its path or address, open for reading and seeking.

    Raises:
        FetchError: It is not there, no plain file, or cannot be opened.
    """
    with _mapped_errors(address):
        if is_remote(address):
            system, path = filesystem(address)
            stream = system.open(path, "rb")
        else:
            # Without O_NONBLOCK a pipe would be waited for.
            descriptor = os.open(address, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            stream = os.fdopen(descriptor, "rb") if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
            if stream is None:
                os.close(descriptor)
                raise FetchError("Expected a file, found a folder, device or pipe.")
        with stream:
            yield stream


def fetch(entry: Entry, *, max_bytes: int) -> bytes:
    """The bytes of an entry.

    Args:
        entry: A member of a compressed TAR has no place to be read from; its bytes are to be given with it.
        max_bytes: More is refused, by what the archive or the file system says before a byte is read.

    Raises:
        FetchError: It cannot be read, or is larger.
    """
    if entry.place[:1] == ("stream",):
        raise FetchError(
            f"Expected a file of at most {max_bytes / 1e6:.0f} MB in the archive, found none in its place."
        )
    with opened(entry.address) as stream, _mapped_errors(entry.address):
        if entry.place[:1] == ("zip",):
            return _from_zip(stream, entry, max_bytes)
        if entry.place[:1] == ("tar",):
            offset, size = map(int, entry.place[1:])
            _check_size(size, max_bytes)
            stream.seek(offset)
            return stream.read(size)
        told = getattr(stream, "size", None) if is_remote(entry.address) else os.fstat(stream.fileno()).st_size
        return _read(stream, told or 0, max_bytes)


def _from_zip(stream: BinaryIO, entry: Entry, max_bytes: int) -> bytes:
    """A member by its place, so that nobody has to read the whole index of a large archive again."""
    offset, size, packed, method, crc, flags = map(int, entry.place[1:])
    if flags & _ENCRYPTED:
        raise FetchError("Expected a file that can be read, found an encrypted one; unpack the archive.")
    _check_size(size, max_bytes)
    member = zipfile.ZipInfo(Path(entry.name).name)
    member.file_size, member.compress_size, member.compress_type, member.CRC = size, packed, method, crc
    stream.seek(offset)
    head = stream.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
        raise FetchError("Expected a file in the archive, found other bytes in its place; make the archive again.")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(head)
    stream.seek(name_bytes + extra_bytes, os.SEEK_CUR)
    with zipfile.ZipExtFile(stream, "r", member) as unpacked:
        data = unpacked.read(max_bytes + 1)
    _check_size(len(data), max_bytes)
    return data


def _read(stream: BinaryIO, size: int, max_bytes: int) -> bytes:
    """All of a stream; a read of more than there is would take the memory for it all the same."""
    _check_size(size, max_bytes)
    blocks = [stream.read(size)] if size else []
    while block := stream.read(_BLOCK_BYTES):
        blocks.append(block)
        _check_size(sum(map(len, blocks)), max_bytes)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise FetchError(
            f"Expected a file of at most {max_bytes / 1e6:.0f} MB, found {size / 1e6:,.0f} MB; scan it at a lower "
            "resolution, or allow more memory."
        )


@contextmanager
def _mapped_errors(address: str) -> Iterator[None]:
    try:
        yield
    except (EcgLensError, MemoryError):
        raise
    except FileNotFoundError as error:
        where = "address, or nobody who answers" if is_remote(address) else "path"
        raise FetchError(f"Expected a file, found nothing at that {where}.") from error
    except PermissionError as error:
        raise FetchError("Expected a file that may be read, found one that may not.") from error
    # Whatever zipfile raises of damaged bytes: also NotImplementedError, RuntimeError of locked files, EOFError.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError) as error:
        raise FetchError(f"Expected a whole file in the archive, found a damaged one: {error}.") from error
    except OSError as error:
        raise FetchError(f"The file cannot be read: {error.strerror or error}.") from error
    # Each store behind fsspec has errors of its own, without a common base.
    except Exception as error:
        if not is_remote(address):
            raise
        raise FetchError(f"The address cannot be read: {type(error).__name__} {error}.") from error
