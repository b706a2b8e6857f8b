"""The files of a WFDB record, a header and those that it names, and a ZIP of them as one file."""

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ecglens.errors import DatasetError
from ecglens.formats.zip_index import list_members

__all__ = [
    "HEADER_ENDING",
    "PART_ENDINGS",
    "digest_file",
    "digest_record",
    "holds_record",
    "list_parts",
    "load_parts",
    "pack_record",
    "unpack_record",
]

HEADER_ENDING = ".hea"
"""Ending of the header of a record."""
PART_ENDINGS = frozenset({".dat", ".atr", ".xws", ".xyz"})
"""Endings of files that belong to a header beside them."""

_MAX_PARTS = 1000
_MAX_BYTES = 200_000_000
"""Unpacked bytes of a record: twelve leads at 500 Hz for four hours."""
_OTHER_ECGS = frozenset({".atc", ".dcm", ".ecg", ".edf", ".mwf", ".pdf", ".scp", ".xml"})
"""Endings of other ECGs, perhaps of another person, which are not passed over in silence."""
_PLAIN_NAME = re.compile(r"\w[\w.-]*", flags=re.ASCII)
_INDEX_BYTES = 200_000
"""End of a ZIP in which the names of its files are, of some hundred bytes each."""
_MAX_INDEX_BYTES = 1_000_000
"""Largest index of a ZIP of one record: some thousand files."""
_ENCRYPTED = 0x1
"""Flag of a member with a password."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Compressions of which zipfile unpacks no more bytes at once than are requested."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""Date of each file in a ZIP, so that a record is always packed as the same bytes."""


def holds_record(path: Path, head: bytes) -> bool:
    """Return whether a file is a ZIP with a header in it.

    Args:
        path: The file.
        head: Its first bytes.
    """
    if not head.startswith(b"PK\x03\x04"):
        return False
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _INDEX_BYTES))
        return HEADER_ENDING.encode() in stream.read().lower()


def list_parts(header: bytes) -> list[str]:
    r"""Return the files that a header names, in its order: those of its signals, or the headers of its segments.

    >>> list_parts(b"a 2 500 5000\na.dat 16 1000/mV 16 0 0 0 0 I\na.dat 16 1000/mV 16 0 0 0 0 II\n")
    ['a.dat']
    >>> list_parts(b"b/2 1 500 20\nb_1 10\nb_2 10\n")
    ['b_1.hea', 'b_2.hea']
    """
    lines = [line.split() for line in header.decode("latin-1").splitlines() if line.strip() and line.lstrip()[0] != "#"]
    if not lines:
        return []
    is_segmented = "/" in lines[0][0]
    firsts = (fields[0] for fields in lines[1:] if _PLAIN_NAME.fullmatch(fields[0]))
    return list(dict.fromkeys(f"{name}{HEADER_ENDING}" if is_segmented else name for name in firsts))


def load_parts(name: str, load: Callable[[str], bytes]) -> Iterator[tuple[str, bytes]]:
    """Load a header, then the files that it names, and those that the headers of its segments name.

    Args:
        name: Name of the header.
        load: Returns the content of a file beside the header.

    Yields:
        Name and content of each file.

    Raises:
        DatasetError: They are more, or have more bytes, than a recording has.
    """
    names, size = [name], 0
    for each in names:
        content = load(each)
        size += len(content)
        yield each, content
        if each == name or each.endswith(HEADER_ENDING):
            names += [part for part in list_parts(content) if part not in names]
        if len(names) > _MAX_PARTS or size > _MAX_BYTES:
            raise DatasetError(
                f"Expected a WFDB record of at most {_MAX_PARTS} files and {_MAX_BYTES / 1e6:.0f} MB, got more in "
                f"{name}; cut it into parts."
            )


def pack_record(name: str, load: Callable[[str], bytes]) -> bytes:
    """Pack a record as one file.

    Args:
        name: As for :func:`load_parts`.
        load: As for :func:`load_parts`.

    Returns:
        A ZIP, the same for the same record.

    Raises:
        DatasetError: As for :func:`load_parts`.
    """
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for part, content in load_parts(name, load):
            archive.writestr(zipfile.ZipInfo(part, _DATE), content)
    return packed.getvalue()


def digest_record(name: str, load: Callable[[str], bytes]) -> str:
    """Compute the SHA-256 of a header followed by the files that it names, in its order.

    Args:
        name: As for :func:`load_parts`.
        load: As for :func:`load_parts`.

    Raises:
        DatasetError: As for :func:`load_parts`.
    """
    digest = hashlib.sha256()
    for _, content in load_parts(name, load):
        digest.update(content)
    return digest.hexdigest()


def digest_file(path: Path) -> str:
    """Compute the SHA-256 of a file; of a WFDB record, as :func:`digest_record` does, without files that are missing.

    Args:
        path: The file; of a WFDB record, its header, with or without ``.hea``.

    Raises:
        DatasetError: As for :func:`load_parts`.
        OSError: The file cannot be read.
    """
    header = path if path.suffix == HEADER_ENDING else path.with_name(f"{path.name}{HEADER_ENDING}")
    if not header.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def load(name: str) -> bytes:
        part = header.with_name(name)
        return part.read_bytes() if part.is_file() else b""

    return digest_record(header.name, load)


def unpack_record(path: Path, folder: Path) -> Path:
    """Unpack the record of a ZIP.

    Args:
        path: The ZIP; its other files are passed over, unless they are ECGs too.
        folder: Empty folder to unpack into.

    Returns:
        The header of the record.

    Raises:
        DatasetError: The file is damaged or encrypted, or has no record, or other ECGs too, or one too large.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(_check_zip(stream)) as archive:
            header = _find_header(archive)
            _check_others(archive, header)
            beside = PurePosixPath(header.filename).parent
            members = {
                PurePosixPath(member.filename).name.lower(): member
                for member in archive.infolist()
                if PurePosixPath(member.filename).parent == beside and not member.is_dir()
            }
            name = PurePosixPath(header.filename).with_suffix(HEADER_ENDING).name
            for part, content in load_parts(name, lambda part: _load_member(archive, members, part)):
                (folder / part).write_bytes(content)
    # Errors that zipfile raises for damaged bytes, among them RuntimeError for encrypted files.
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise DatasetError(
            f"Expected a ZIP of a WFDB record at {path.name}, but it cannot be unpacked: {str(error).rstrip('.')}."
        ) from error
    return folder / name


def _check_zip(stream: BinaryIO) -> BinaryIO:
    """Return a ZIP after a look at its index.

    Raises:
        DatasetError: The index is too large or damaged, or members share bytes.
    """
    list_members(stream, max_index_bytes=_MAX_INDEX_BYTES)
    return stream


def _find_header(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the header that no other header names as a segment.

    Raises:
        DatasetError: There is none, or there are several.
    """
    headers = [
        member
        for member in archive.infolist()
        if PurePosixPath(member.filename).suffix.lower() == HEADER_ENDING
        and not PurePosixPath(member.filename).name.startswith("._")  # as macOS packs beside each file
    ]
    if len(headers) > _MAX_PARTS or sum(member.file_size for member in headers) > _MAX_BYTES:
        raise DatasetError("Expected a ZIP of one WFDB record, got headers of many or of megabytes; unpack it.")
    segments = {part for member in headers for part in list_parts(_load(archive, member))}
    whole = [member for member in headers if PurePosixPath(member.filename).name not in segments]
    if len(whole) != 1 or not _PLAIN_NAME.fullmatch(PurePosixPath(whole[0].filename).name):
        names = ", ".join(PurePosixPath(member.filename).name for member in whole[:3]) or "none"
        raise DatasetError(f"Expected a ZIP of one WFDB record, got headers: {names}; unpack it, or pack one record.")
    return whole[0]


def _check_others(archive: zipfile.ZipFile, header: zipfile.ZipInfo) -> None:
    """Refuse a ZIP that has other ECGs beside a record.

    Raises:
        DatasetError: It has one.
    """
    for member in archive.infolist():
        name = PurePosixPath(member.filename).name
        if PurePosixPath(name).suffix.lower() in _OTHER_ECGS and not name.startswith("."):
            raise DatasetError(
                f"Expected a ZIP of one ECG, got {PurePosixPath(header.filename).name} and {ascii(name)}; unpack it, "
                "or give it to ecglens batch."
            )


def _load_member(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    if name.lower() not in members:
        raise DatasetError(
            f"Expected {name} beside the header of the WFDB record in the ZIP, got no such file; pack it too."
        )
    return _load(archive, members[name.lower()])


def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the content of a file of an archive, whatever size its index states.

    Raises:
        DatasetError: It has more bytes than a recording, or is compressed in an unusual way.
    """
    if member.flag_bits & _ENCRYPTED:
        raise DatasetError(f"Expected a ZIP without a password, got one for {member.filename}; unpack it.")
    if member.compress_type not in _METHODS:
        raise DatasetError(f"Expected a ZIP without compression or with Deflate, got another for {member.filename}.")
    with archive.open(member) as stream:
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DatasetError(
            f"Expected a WFDB record of at most {_MAX_BYTES / 1e6:.0f} MB, got more in the ZIP; cut it into parts."
        )
    return content
