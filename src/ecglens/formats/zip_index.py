"""The index of a ZIP from outside, which is read only where it fits into memory and its members lie apart."""

import os
import struct
import zipfile
from collections import Counter
from typing import BinaryIO

from ecglens.errors import DatasetError

__all__ = ["LOCAL_HEADER_BYTES", "list_members"]

LOCAL_HEADER_BYTES = 30
"""Least number of bytes before those of a member; APPNOTE.TXT of PKWARE, 4.3.7."""
_END_BYTES = 22 + 65_535 + 20 + 56
"""Length of the end of a ZIP: its last record with a comment, and the two records of ZIP64 before it."""
_IN_ZIP64 = 0xFFFF_FFFF
"""Size of an index that is stated in the record of ZIP64."""


def list_members(stream: BinaryIO, *, max_index_bytes: int) -> list[zipfile.ZipInfo]:
    """List the members of a ZIP.

    Args:
        stream: The file, which can seek.
        max_index_bytes: Largest index; in memory it takes about ten times as much.

    Raises:
        DatasetError: The index is larger or damaged, two files have the same name, of which programs read one or the
            other, or members share bytes, so that a small file could unpack to any size.
    """
    try:
        _check_size(stream, max_index_bytes)
        members = zipfile.ZipFile(stream).infolist()
    # Errors that zipfile raises for an index that is damaged or of an unknown kind, and ValueError of
    # an address of which no part can be fetched alone.
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        detail = f"Expected a whole ZIP, but its index cannot be read: {reason}."
        raise DatasetError(code="damaged", detail=detail) from error
    counts = Counter(member.filename for member in members if not member.is_dir())
    repeated = next((name for name, count in counts.items() if count > 1), None)
    if repeated is not None:
        detail = (
            f"Expected a ZIP whose files have different names, got {counts[repeated]} with the name {ascii(repeated)}; "
            "make the archive again."
        )
        raise DatasetError(code="damaged", detail=detail)
    end = 0
    for offset, packed in sorted((member.header_offset, member.compress_size) for member in members):
        if offset < end:
            detail = "Expected a ZIP whose files lie apart, got some that share their bytes; make the archive again."
            raise DatasetError(code="damaged", detail=detail)
        end = offset + LOCAL_HEADER_BYTES + packed
    return members


def _check_size(stream: BinaryIO, max_bytes: int) -> None:
    """Refuse a ZIP whose index takes gigabytes of memory, by the size that the end of the file states.

    Raises:
        DatasetError: The index is larger.
    """
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
    end = stream.read()
    stream.seek(0)
    sizes = []
    for mark, form, offset in ((b"PK\5\6", "<L", 12), (b"PK\6\6", "<Q", 40)):  # the end of the index, and that of ZIP64
        at = end.rfind(mark)
        if 0 <= at <= len(end) - offset - struct.calcsize(form):
            sizes += [size for size in struct.unpack_from(form, end, at + offset) if size != _IN_ZIP64]
    if max(sizes, default=0) > max_bytes:
        detail = (
            f"Expected a ZIP with an index of at most {max_bytes / 1e6:,.0f} MB, got one of "
            f"{max(sizes) / 1e6:,.0f} MB; put fewer files into it."
        )
        raise DatasetError(code="too_large", detail=detail)
