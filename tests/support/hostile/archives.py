"""Hostile ZIP and TAR archives of pages."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np

from hostile.bombs import deflate_zeros
from hostile.kinds import Kind

__all__ = ["KINDS", "zip_files"]


def zip_files(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP of files, each a name and its content."""
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, data in members:
                archive.writestr(zipfile.ZipInfo(name), data, method)
        return stream.getvalue()


def _change(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Return the bytes with other bytes at an offset behind each mark."""
    changed, place = bytearray(data), data.find(mark)
    while place >= 0:
        changed[place + offset : place + offset + len(value)] = value
        place = data.find(mark, place + 1)
    return bytes(changed)


_CENTRAL, _LOCAL, _END = b"PK\1\2", b"PK\3\4", b"PK\5\6"


def _zip_of_zeros(names: list[bytes], size: int, stated: int | None = None) -> bytes:
    """Return a ZIP whose index lists one member of zeros under several names (Fifield 2019, USENIX WOOT, section 3).

    Args:
        names: The names.
        size: Size of the member, in whole megabytes.
        stated: Size that the index states; by default the right one.
    """
    packed, length = deflate_zeros(size), size if stated is None else stated
    crc = zlib.crc32(bytes(size))
    fields = (crc, len(packed), length)
    local = _LOCAL + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, *fields, 5, 0) + b"a.png" + packed
    index = b"".join(
        _CENTRAL + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 8, 0, 0, *fields, len(name), *[0] * 6) + name
        for name in names
    )
    return local + index + _END + struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(index), len(local), 0)


def _name_members(count: int) -> list[bytes]:
    return [b"%d.png" % number for number in range(count)]


def member_of_100_megabytes(random: np.random.Generator) -> bytes:
    """Return a ZIP of a page of 90 MB or more."""
    return _zip_of_zeros([b"page.png"], int(random.integers(90, 100)) * 1_000_000)


def member_larger_than_stated(random: np.random.Generator) -> bytes:
    """Return a ZIP whose member states a thousand bytes and unpacks to 90 MB."""
    return _zip_of_zeros([b"page.png"], 90_000_000, 1000)


def members_that_share_their_bytes(random: np.random.Generator) -> bytes:
    """Return a ZIP of hundreds of members of 20 MB, all of them the same bytes of the file."""
    return _zip_of_zeros(_name_members(int(random.integers(300, 900))), 20_000_000)


def archive_within_archive(random: np.random.Generator) -> bytes:
    """Return a ZIP whose pages are ZIPs of ZIPs."""
    data = _zip_of_zeros([b"page.png"], 10_000_000)
    for _ in range(int(random.integers(3, 8))):
        data = zip_files([(f"{number}.png", data) for number in range(6)])[:3_000_000]
    return data


def members_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a ZIP whose index lists as many members as it can without fields of 64 bits."""
    return _zip_of_zeros(_name_members(int(random.integers(60_000, 65_535))), 1_000_000)


def paths_out_of_the_folder(random: np.random.Generator) -> bytes:
    """Return a ZIP of members whose names are paths of elsewhere, devices, control characters or no text."""
    names = [
        "/etc/page.png",
        "../" * 30 + "tmp/page.png",
        "C:\\Windows\\page.png",
        "con.png",
        "a\nb\r.png",
        "\x1b[2J.png",
    ]
    names += ["<script>alert(1)</script>.png", "\u202egnp.png", "a" * 30_000 + ".png", "=cmd|'/c calc'!A0.png", ".png"]
    return zip_files([(name, b"no page") for name in names])


def names_that_are_equal(random: np.random.Generator) -> bytes:
    """Return a ZIP of members with the same name, which are links to a file of the machine."""
    data = _zip_of_zeros([b"page.png"] * int(random.integers(20, 200)), 1_000_000)
    return _change(data, _CENTRAL, 38, struct.pack("<I", 0o120777 << 16))


def index_that_lies(random: np.random.Generator) -> bytes:
    """Return a ZIP whose index states offsets, sizes and counts of noise."""
    data = bytearray(zip_files([(f"{number}.png", random.bytes(100)) for number in range(20)]))
    start = data.index(_CENTRAL)
    for place in random.integers(start, len(data), 60):
        data[place] = int(random.integers(256))
    return bytes(data)


def sizes_of_64_bits(random: np.random.Generator) -> bytes:
    """Return a ZIP that states sizes of exabytes in fields of 64 bits."""
    data = zip_files([("page.png", random.bytes(1000))])
    extra = struct.pack("<HHQQQ", 1, 24, 2**62, 2**62, 2**62)
    start, end = data.index(_CENTRAL), data.index(_END)
    index = bytearray(data[start:end])
    index[20:28], index[30:32], index[42:46] = b"\xff" * 8, struct.pack("<H", len(extra)), b"\xff" * 4
    index += extra
    return data[:start] + bytes(index) + data[end : end + 12] + struct.pack("<I", len(index)) + data[end + 16 :]


def encrypted_and_unknown_methods(random: np.random.Generator) -> bytes:
    """Return a ZIP of members that are encrypted, or packed by methods of any number."""
    data = zip_files([(f"{number}.png", random.bytes(100)) for number in range(5)])
    if random.integers(2):
        return _change(_change(data, _CENTRAL, 8, b"\1\0"), _LOCAL, 6, b"\1\0")
    method = struct.pack("<H", (9, 12, 14, 93, 95, 98, 99)[int(random.integers(7))])
    return _change(_change(data, _CENTRAL, 10, method), _LOCAL, 8, method)


def lzma_of_noise(random: np.random.Generator) -> bytes:
    """Return a ZIP of a member in LZMA or bzip2 that unpacks to 90 MB, or whose properties ask for gigabytes."""
    method = (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)[int(random.integers(2))]
    data = zip_files([("page.png", bytes(20_000_000))], method)
    return data.replace(b"\x5d\0\0\x80\0", b"\x5d\xff\xff\xff\xff", 1) if method == zipfile.ZIP_LZMA else data


def cut_archive(random: np.random.Generator) -> bytes:
    """Return a ZIP that ends in the middle, or begins with other bytes."""
    data = zip_files([(f"{number}.png", random.bytes(500)) for number in range(20)])
    return data[: int(random.integers(100, len(data)))] if random.integers(2) else b"\0" * 5000 + data


def comment_with_an_index(random: np.random.Generator) -> bytes:
    """Return a ZIP whose comment holds other ends of an index."""
    data = zip_files([("page.png", random.bytes(500))])
    comment = (_END + struct.pack("<HHHHIIH", 0, 0, 60_000, 60_000, 2**31, 0, 0)) * 1000
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def _tar(members: list[tarfile.TarInfo], tail: bytes = b"") -> bytes:
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for member in members:
                archive.addfile(member, io.BytesIO(bytes(member.size)))
        return stream.getvalue() + tail


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def packed_zeros(random: np.random.Generator) -> bytes:
    """Return a TAR in gzip that unpacks to gigabytes, before and behind its member."""
    size = int(random.integers(50, 80)) * 1_000_000
    head = tarfile.TarInfo("page.png")
    head.size = size
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packed.compress(head.tobuf()) + packed.flush(zlib.Z_FULL_FLUSH)
    return start + deflate_zeros(size + 10_000_000) + bytes(8)


def headers_without_end(random: np.random.Generator) -> bytes:
    """Return a TAR whose extended header states gigabytes."""
    info = _member("page.png")
    info.pax_headers = {"size": str(2**60), "comment": "a" * 50_000, "GNU.sparse.map": "0,1," * 10_000}
    return gzip.compress(_tar([info]))


def links_and_devices(random: np.random.Generator) -> bytes:
    """Return a TAR of links to elsewhere, devices and pipes with names of pages."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"?", b"S")
    members = [_member(f"../{number}.png", kinds[number % len(kinds)], "/etc/passwd") for number in range(60)]
    return gzip.compress(_tar(members))


def archive_of_noise(random: np.random.Generator) -> bytes:
    """Return a TAR whose headers are noise."""
    data = bytearray(_tar([_member(f"{number}.png", size=100) for number in range(20)]))
    for place in random.integers(0, len(data), 400):
        data[place] = int(random.integers(256))
    return gzip.compress(bytes(data))


def sums_that_are_negative(random: np.random.Generator) -> bytes:
    """Return a TAR whose member states a negative size or 2**63 bytes, with a sum that is right."""
    data = bytearray(_tar([_member("page.png", size=512)]))
    data[124:136] = (b"\xff" * 12, b"\x80\0\0\0" + b"\x7f" + b"\xff" * 7)[int(random.integers(2))]
    data[148:156] = b"        "
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return gzip.compress(bytes(data))


KINDS = (
    Kind(
        "ZIP members",
        "archive",
        "pages.zip",
        (
            member_of_100_megabytes,
            member_larger_than_stated,
            members_that_share_their_bytes,
            archive_within_archive,
            lzma_of_noise,
            encrypted_and_unknown_methods,
            cut_archive,
        ),
    ),
    Kind(
        "ZIP index",
        "archive",
        "pages.zip",
        (
            members_by_the_thousand,
            paths_out_of_the_folder,
            names_that_are_equal,
            index_that_lies,
            sizes_of_64_bits,
            comment_with_an_index,
        ),
    ),
    Kind(
        "TAR",
        "archive",
        "pages.tar.gz",
        (packed_zeros, headers_without_end, links_and_devices, archive_of_noise, sums_that_are_negative),
    ),
)
