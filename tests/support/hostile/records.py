"""Hostile records and tables: CSV, WFDB, DICOM, JSON, FHIR, and the tables of data sets."""

import functools
import json
import struct
import zlib
from collections.abc import Mapping

import numpy as np

from hostile import archives
from hostile.bombs import deflate_zeros
from hostile.kinds import Kind, Maker, draw_depth

__all__ = ["KINDS"]


def columns_by_the_hundred_thousand(random: np.random.Generator) -> bytes:
    """Return a CSV of a hundred thousand columns and three rows."""
    count = int(random.integers(50_000, 100_000))
    return b"time_s" + b",V1" * count + b"\n" + b"\n".join(b"%d" % row + b",1" * count for row in range(3))


def cell_of_a_megabyte(random: np.random.Generator) -> bytes:
    """Return a CSV whose cell is longer than any cell may be, as a number of a million digits."""
    return b"time_s,I\n0,1\n1," + b"9" * int(random.integers(100_000, 1_000_000)) + b"\n"


def quote_that_is_never_closed(random: np.random.Generator) -> bytes:
    """Return a CSV whose quote is not closed."""
    return b'time_s,I\n0,"1\n' + b"1,1\n" * 50_000


def zero_bytes_and_letters_of_no_coding(random: np.random.Generator) -> bytes:
    """Return a CSV of zero bytes, lone surrogates and letters in several codings."""
    odd = (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3\x28")[int(random.integers(4))]
    return b"time_s,I\n0,1\n" + odd * 100 + b",2\n2,3\n"


def numbers_beyond_numbers(random: np.random.Generator) -> bytes:
    """Return a CSV of infinities and numbers that no float holds."""
    clock = (b"0,1e308\n1e308,1\n", b"inf,1\nnan,2\n", b"0,1\n1e-320,2\n", b"0,1\n0,1\n")[int(random.integers(4))]
    return b"time_s,I\n" + clock + b"inf,-inf\n"


def header_of_control_characters(random: np.random.Generator) -> bytes:
    """Return a CSV whose leads are named by control characters, formulas and equal names."""
    return b"time_s,=1+1,\x1b[2J,I,I,,\xe2\x80\xae\n" + b"".join(b"%d,1,2,3,4,5,6\n" % row for row in range(100))


def carriage_returns_alone(random: np.random.Generator) -> bytes:
    """Return a CSV whose lines end in carriage returns within and outside of quotes."""
    return b'time_s,I\r0,"1\r\n\r"\r1,2\r\r\n' * int(random.integers(10, 4000))


def rows_by_the_million(random: np.random.Generator) -> bytes:
    """Return a CSV of some MB with rows of a cell."""
    return b"time_s,I\n" + b"".join(b"%d,0\n" % row for row in range(int(random.integers(100_000, 300_000))))


def _table(header: bytes, row: bytes, count: int) -> bytes:
    return header + b"\n" + row * count


def paths_of_elsewhere(random: np.random.Generator) -> bytes:
    """Return a table whose paths leave its folder, name devices, or are no paths."""
    paths = ("/dev/zero", "../" * 50 + "etc/passwd", "a\0b.png", "x" * 5000 + ".png", "http://127.0.0.1:9/x.png", "~")
    return b"path,label\n" + b"".join(f"{path},normal\n".encode() for path in paths) * 10


def columns_without_end(random: np.random.Generator) -> bytes:
    """Return a table with a row of a hundred thousand cells."""
    return b"path,label\na.png,normal" + b",x" * int(random.integers(50_000, 200_000)) + b"\nb.png,mi\n"


def rows_of_columns(random: np.random.Generator) -> bytes:
    """Return a table of a thousand columns and rows that end after the second one."""
    return _table(b"path,label" + b",c" * 20_000, b"a.png,normal\n", int(random.integers(1000, 3000)))


def names_that_are_equal(random: np.random.Generator) -> bytes:
    """Return a table whose columns have the same names."""
    return _table(b"path,path,label,label,group", b"a.png,b.png,x,y\n", 10)


def wide_letters(random: np.random.Generator) -> bytes:
    """Return a table in UTF-16 that ends in half a letter."""
    return "path,label\na.png,normal\n".encode("utf-16")[: -int(random.integers(1, 3))]


def quotes_within_quotes(random: np.random.Generator) -> bytes:
    """Return a table of quotes alone."""
    return b"path,label\n" + b'"' * int(random.integers(50_000, 200_000)) + b",normal\n"


_PTBXL = b"ecg_id,patient_id,scp_codes,filename_hr\n"
_STATEMENTS = b",diagnostic_class\nNORM,NORM\n"


def _ptbxl(codes: bytes) -> Mapping[str, bytes]:
    """Return a folder of PTB-XL whose only record has these statements."""
    table = _PTBXL + b'1,1,"' + codes.replace(b'"', b'""') + b'",1\n'
    return {"ptbxl_database.csv": table, "scp_statements.csv": _STATEMENTS, "1.hea": b"1 1 500 10\n1.dat 16\n"}


def statements_of_great_depth(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a folder of PTB-XL whose statements are nested thousands of times."""
    depth = draw_depth(random)
    return _ptbxl(b"{" + b"'a': [" * depth + b"]" * depth + b"}")


def statements_that_are_no_dictionary(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a folder of PTB-XL whose statements are other Python values, or none."""
    odd = (b"[1, 2]", b"{'NORM': 'many'}", b"{'NORM': None}", b"1j", b"{['a']: 1}", b"NORM", b"9" * 5000, b"{'a'")
    return _ptbxl(odd[int(random.integers(len(odd)))])


def _wfdb(header: str, data: bytes = bytes(24_000)) -> Mapping[str, bytes]:
    return {"record.hea": header.encode(), "record.dat": data}


_SIGNAL = "record.dat 16 1000/mV 16 0 0 0 0 I\n"


def counts_of_billions(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header of billions of samples or signals."""
    samples, signals = (10**12, 1), (10, 2**31)
    length, count = (samples, signals)[int(random.integers(2))]
    return _wfdb(f"record {count} 500 {length}\n" + _SIGNAL)


def frequencies_and_gains_of_nothing(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header whose frequency and gain are zero, negative or infinite."""
    odd = ("0", "-500", "1e400", "nan", "inf", "1e-300")
    rate, gain = odd[int(random.integers(6))], odd[int(random.integers(6))]
    return _wfdb(f"record 1 {rate} 1000\nrecord.dat 16 {gain}/mV 16 0 0 0 0 I\n")


def files_of_elsewhere(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header whose signals are in files outside of its folder, or in devices."""
    names = (
        "../../../../../etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "https://127.0.0.1:9/x.dat",
        "~",
        "record.hea",
        "-",
    )
    name = names[int(random.integers(len(names)))]
    return _wfdb(f"record 1 500 1000\n{name} 16 1000/mV 16 0 0 0 0 I\n")


def formats_of_any_number(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header whose signals have formats, skews and offsets of noise."""
    form = (8, 80, 212, 310, 311, 24, 32, 160, 508, 516, 524, 7, 61)[int(random.integers(13))]
    frame = int(random.integers(1, 100_000))
    return _wfdb(f"record 1 500 1000\nrecord.dat {form}x{frame}:{frame}+{frame} 1000(0)/mV 16 0 0 0 0 I\n")


def segments_within_segments(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header of segments that are the record itself."""
    count = int(random.integers(2, 1000))
    return _wfdb(f"record/{count} 1 500 {1000 * count}\n" + "record 1000\n" * count)


def headers_of_noise(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header of noise."""
    return {"record.hea": random.bytes(int(random.integers(0, 3000))), "record.dat": bytes(100)}


def signals_by_the_thousand(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a header of a thousand signals in one small file."""
    count = int(random.integers(1000, 1500))
    return _wfdb(f"record {count} 500 {10**6}\n" + _SIGNAL * count)


def flac_of_noise(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return a record whose FLAC file states hours of samples over noise."""
    head = (
        b"fLaC\x80\0\0\x22"
        + struct.pack(">HH", 4096, 4096)
        + bytes(6)
        + b"\x00\x7d\x00\xff\xff\xff\xff\xff"
        + bytes(16)
    )
    return _wfdb(f"record 1 500 {10**10}\n" + _SIGNAL.replace("16 1000", "516 1000"), head + random.bytes(3000))


_PREAMBLE = bytes(128) + b"DICM"
_LITTLE, _DEFLATED, _JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"


def _element(group: int, number: int, kind: bytes, value: bytes, length: int | None = None) -> bytes:
    """Return a data element with explicit type; long types have a length of 32 bits."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", group, number) + kind
    return (
        head
        + (struct.pack("<HI", 0, size) if kind in {b"OB", b"OW", b"SQ", b"UN", b"UT"} else struct.pack("<H", size))
        + value
    )


def _dicom(body: bytes, syntax: str = _LITTLE) -> bytes:
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = _element(2, 0x10, b"UI", name)
    return _PREAMBLE + _element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + body


_SEQUENCE = struct.pack("<HH", 0x5400, 0x0100) + b"SQ\0\0"
_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
_ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def sequences_within_sequences(random: np.random.Generator) -> bytes:
    """Return sequences of undefined length, nested by the thousand."""
    depth = int(random.integers(1000, 4000))
    start = (_SEQUENCE + b"\xff" * 4 + _ITEM) * depth
    return _dicom(start + (_ITEM_END + _SEQUENCE_END) * depth)


def lengths_of_gigabytes(random: np.random.Generator) -> bytes:
    """Return waveform data that state four gigabytes."""
    size = (2**32 - 2, 2**31, 10**9)[int(random.integers(3))]
    return _dicom(_element(0x5400, 0x1010, b"OW", bytes(1000), size))


def deflated_zeros(random: np.random.Generator) -> bytes:
    """Return a deflated data set that unpacks to hundreds of MB."""
    size = int(random.integers(60, 95)) * 1_000_000
    start = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = start.compress(_element(0x5400, 0x1010, b"OW", b"", size)) + start.flush(zlib.Z_FULL_FLUSH)
    return _dicom(head + deflate_zeros(size), _DEFLATED)


def _waveform(**changes: bytes) -> bytes:
    """Return an ECG of a channel whose elements have other values."""
    values = {
        "channels": struct.pack("<H", 1), "samples": struct.pack("<I", 1000), "rate": b"500 ",
        "bits": struct.pack("<H", 16), "kind": b"SS", "unit": b"uV", "step": b"1 ", "data": bytes(2000), **changes,
    }  # fmt: skip
    code = _element(0x0008, 0x0100, b"SH", values["unit"])
    unit = _element(0x003A, 0x0211, b"SQ", _sequence(code))
    source = _element(0x003A, 0x0208, b"SQ", _sequence(_element(0x0008, 0x0100, b"SH", b"2:1 ")))
    channel = source + _element(0x003A, 0x0210, b"DS", values["step"]) + unit
    group = b"".join(
        (
            _element(0x003A, 0x0005, b"US", values["channels"]), _element(0x003A, 0x0010, b"UL", values["samples"]),
            _element(0x003A, 0x001A, b"DS", values["rate"]), _element(0x003A, 0x0200, b"SQ", _sequence(channel)),
            _element(0x5400, 0x1004, b"US", values["bits"]), _element(0x5400, 0x1006, b"CS", values["kind"]),
            _element(0x5400, 0x1010, b"OW", values["data"]),
        )
    )  # fmt: skip
    return _dicom(_element(0x5400, 0x0100, b"SQ", _sequence(group)))


def _sequence(item: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item


def waveform_of_odd_values(random: np.random.Generator) -> bytes:
    """Return an ECG whose counts, rate, step or unit are zero, huge or no numbers."""
    odd = (
        {"channels": struct.pack("<H", 0)}, {"channels": struct.pack("<H", 65_535)},
        {"samples": struct.pack("<I", 2**32 - 1)}, {"rate": b"0 "}, {"rate": b"1e309 "}, {"rate": b"nan "},
        {"bits": struct.pack("<H", 12)}, {"unit": b"furlong "}, {"step": b"\\\\"}, {"data": bytes(3)}, {"data": b""},
    )  # fmt: skip
    return _waveform(**odd[int(random.integers(len(odd)))])


def values_of_noise(random: np.random.Generator) -> bytes:
    """Return a DICOM file with bytes of noise."""
    data = bytearray(_waveform())
    for place in random.integers(132, len(data) - 2000, 20):
        data[place] = int(random.integers(256))
    return bytes(data)


def elements_by_the_hundred_thousand(random: np.random.Generator) -> bytes:
    """Return a data set of as many elements as fit, all of one tag."""
    return _dicom(_element(0x0008, 0x0060, b"CS", b"ECG ") * int(random.integers(20_000, 100_000)))


def picture_in_place_of_a_waveform(random: np.random.Generator) -> bytes:
    """Return a data set of encapsulated pictures that state more fragments than it has."""
    fragment = struct.pack("<HHI", 0xFFFE, 0xE000, 2**31) + random.bytes(500)
    return _dicom(_element(0x7FE0, 0x0010, b"OB", fragment * 3, 2**32 - 1), _JPEG)


def file_without_its_data(random: np.random.Generator) -> bytes:
    """Return a DICOM file that ends in the middle."""
    data = _waveform()
    return data[: int(random.integers(130, len(data)))]


def _record(**changes: object) -> bytes:
    document = {
        "format": "ecglens-record", "format_version": 1, "fs_hz": 500.0, "leads": ["I"], "start_s": [], "quality": [],
        "unit": "mV", "signals": {"I": [0.0, 1.0, 2.0]}, "comments": [], "warnings": [], **changes,
    }  # fmt: skip
    return json.dumps(document).encode()


def lists_within_lists(random: np.random.Generator) -> bytes:
    """Return a record whose samples are lists within lists."""
    depth = draw_depth(random)
    return _record(signals={"I": 0}).replace(b'"I": 0', b'"I": ' + b"[" * depth + b"]" * depth)


def numbers_that_are_none(random: np.random.Generator) -> bytes:
    """Return a record with a rate or samples that are infinite, negative, huge, or other than numbers."""
    odd = (
        {"fs_hz": 1e400}, {"fs_hz": float("nan")}, {"fs_hz": 0}, {"fs_hz": -500}, {"fs_hz": 10**400}, {"fs_hz": None},
        {"signals": {"I": [10**400]}}, {"signals": {"I": {"I": 1}}}, {"signals": {"I": "text"}}, {"leads": "I"},
        {"signals": [1]}, {"leads": [["I"]]}, {"start_s": [1e300]}, {"quality": {"a": 1}}, {"format_version": True},
        {"leads": []}, {"leads": {"I": 1}}, {"confidence": {}}, {"signals": {"I": [[1], [2]]}}, {"comments": 5},
    )  # fmt: skip
    return _record(**odd[int(random.integers(len(odd)))])


def leads_of_other_lengths(random: np.random.Generator) -> bytes:
    """Return a record whose leads differ in length."""
    return _record(leads=["I", "II"], signals={"I": [0.0] * 3, "II": [0.0] * int(random.integers(4, 9))})


def leads_by_the_thousand(random: np.random.Generator) -> bytes:
    """Return a record of a lead that is named a thousand times, with ten thousand samples."""
    return _record(leads=["I"] * int(random.integers(5_000, 20_000)), signals={"I": [0] * 10_000})


def letters_that_are_none(random: np.random.Generator) -> bytes:
    """Return a record with lone surrogates, zero letters and text in another coding."""
    data = _record(leads=["\ud800"], signals={"\ud800": [0.0, 1.0]}, comments=["\0\x1b[2J\ud800"])
    return data if random.integers(2) else data.decode().encode("utf-16")


def cut_text(random: np.random.Generator) -> bytes:
    """Return a record that ends in the middle."""
    data = _record()
    return data[: int(random.integers(1, len(data)))]


def digits_by_the_hundred_thousand(random: np.random.Generator) -> bytes:
    """Return a record whose rate has a hundred thousand digits."""
    return _record(fs_hz=0).replace(b'"fs_hz": 0', b'"fs_hz": ' + b"9" * int(random.integers(4000, 90_000)))


def _observation(**changes: object) -> dict[str, bytes]:
    sampled = {
        "origin": {"value": 0, "unit": "mV"},
        "period": 2,
        "factor": 0.001,
        "dimensions": 1,
        "data": "1 2 3 E",
        **changes,
    }
    code = {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131329"}]}
    part = {"code": code, "valueSampledData": sampled}
    return {"record.fhir.json": json.dumps({"resourceType": "Observation", "component": [part]}).encode()}


def observation_of_odd_values(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return an Observation whose period, factor or data are no numbers or zero."""
    odd = (
        {"period": 0}, {"period": -1}, {"period": 1e-320}, {"period": None}, {"factor": "x"}, {"data": ""},
        {"data": ["1"]}, {"data": "1e400 nan " * 1000}, {"origin": None},
        {"origin": {"code": "furlong"}}, {"origin": []},
    )  # fmt: skip
    return _observation(**odd[int(random.integers(len(odd)))])


def components_of_other_kinds(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return an Observation whose parts are no components."""
    odd = ("[]", "5", "null", '{"component": 5}', '{"component": [5]}', '{"component": ["valueSampledData"]}', "[[[")
    return {"record.fhir.json": odd[int(random.integers(len(odd)))].encode()}


def observation_of_great_depth(random: np.random.Generator) -> Mapping[str, bytes]:
    """Return an Observation of lists within lists."""
    depth = draw_depth(random)
    return {"record.fhir.json": b'{"component": ' + b"[" * depth + b"]" * depth + b"}"}


def zip_headers(maker: Maker) -> Maker:
    """Return a function that draws a hostile ZIP whose members are headers of records instead of pages."""

    @functools.wraps(maker)
    def make(random: np.random.Generator) -> bytes:
        content = maker(random)
        assert isinstance(content, bytes)
        return content.replace(b".png", b".hea")

    return make


def signals_of_zeros(random: np.random.Generator) -> bytes:
    """Return a ZIP of a record whose signals, a few kilobytes, unpack to hundreds of megabytes."""
    samples = int(random.integers(50, 300)) * 1_000_000
    header = f"record 1 500 {samples}\n{_SIGNAL}".encode()
    return archives.zip_files([("record.hea", header), ("record.dat", bytes(2 * samples))])


KINDS = (
    Kind(
        "CSV of signals",
        "record",
        "record.csv",
        (
            columns_by_the_hundred_thousand,
            cell_of_a_megabyte,
            quote_that_is_never_closed,
            zero_bytes_and_letters_of_no_coding,
            numbers_beyond_numbers,
            header_of_control_characters,
            carriage_returns_alone,
            rows_by_the_million,
        ),
    ),
    Kind(
        "CSV of recordings",
        "recordings",
        "recordings.csv",
        (
            columns_without_end,
            paths_of_elsewhere,
            rows_of_columns,
            names_that_are_equal,
            wide_letters,
            quotes_within_quotes,
        ),
    ),
    Kind(
        "PTB-XL folder",
        "recordings",
        "",
        (statements_of_great_depth, statements_that_are_no_dictionary),
    ),
    Kind(
        "WFDB",
        "record",
        "record.hea",
        (
            counts_of_billions,
            files_of_elsewhere,
            frequencies_and_gains_of_nothing,
            formats_of_any_number,
            segments_within_segments,
            headers_of_noise,
            signals_by_the_thousand,
            flac_of_noise,
        ),
    ),
    Kind(
        "WFDB in a ZIP",
        "record",
        "record.zip",
        (
            zip_headers(archives.member_of_100_megabytes),
            zip_headers(archives.member_larger_than_stated),
            zip_headers(archives.members_that_share_their_bytes),
            zip_headers(archives.members_by_the_thousand),
            zip_headers(archives.index_that_lies),
            zip_headers(archives.encrypted_and_unknown_methods),
            zip_headers(archives.lzma_of_noise),
            signals_of_zeros,
        ),
    ),
    Kind(
        "DICOM",
        "record",
        "record.dcm",
        (
            sequences_within_sequences,
            lengths_of_gigabytes,
            deflated_zeros,
            waveform_of_odd_values,
            values_of_noise,
            elements_by_the_hundred_thousand,
            picture_in_place_of_a_waveform,
            file_without_its_data,
        ),
    ),
    Kind(
        "JSON record",
        "record",
        "record.json",
        (
            numbers_that_are_none,
            lists_within_lists,
            leads_of_other_lengths,
            leads_by_the_thousand,
            letters_that_are_none,
            cut_text,
            digits_by_the_hundred_thousand,
        ),
    ),
    Kind(
        "FHIR record",
        "record",
        "record.fhir.json",
        (observation_of_odd_values, components_of_other_kinds, observation_of_great_depth),
    ),
)
