"""The files of a WFDB record as one ZIP, and their hash."""

import hashlib
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.files import detect_format, read_record
from ecglens.formats.wfdb import write_wfdb
from ecglens.formats.wfdb_files import digest_file, pack_record
from ecglens.records import EcgRecord

pytest.importorskip("wfdb")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    signals = np.sin(np.arange(1000) / 20.0).astype(np.float32)[None].repeat(2, axis=0)
    write_wfdb(EcgRecord(signals, 250.0, ("I", "II")), tmp_path / "a.hea")
    return tmp_path / "a.hea"


def load_beside(header: Path):
    return lambda name: (header.parent / name).read_bytes()


def test_a_zip_of_a_record_is_read_as_its_header_is(record: Path) -> None:
    packed = pack_record("a.hea", load_beside(record))
    assert packed == pack_record("a.hea", load_beside(record))
    assert np.array_equal(read_record(packed).signals_mv, read_record(record).signals_mv)


def test_other_files_and_a_folder_in_the_zip_do_no_harm(record: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reading.json", "{}")
        archive.write(record, "out/a.hea")
        archive.write(record.with_suffix(".dat"), "out/a.dat")
    assert detect_format(tmp_path / "b.zip") == "wfdb"
    assert read_record(tmp_path / "b.zip").leads == ("I", "II")


def test_a_zip_of_a_record_and_another_ecg_is_refused_as_that_may_be_of_another_person(
    record: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(record, "a.hea")
        archive.write(record.with_suffix(".dat"), "a.dat")
        archive.writestr("out/muse.XML", "<RestingECG/>")
    with pytest.raises(DatasetError, match="got a.hea and 'muse.XML'; unpack it"):
        read_record(tmp_path / "b.zip")


def test_a_record_of_segments_is_packed_whole(record: Path, tmp_path: Path) -> None:
    for name in ("s_1", "s_2"):
        text = record.read_text().replace("a 2", f"{name} 2")
        (tmp_path / f"{name}.hea").write_text(text)
    (tmp_path / "s.hea").write_text("s/2 2 250 2000\ns_1 1000\ns_2 1000\n")
    read = read_record(pack_record("s.hea", load_beside(tmp_path / "s.hea")))
    assert read.signals_mv.shape == (2, 2000)


def write_zip(path: Path, names: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("names", "method", "message"),
    [
        ({"a.hea": "a 1 250 10\na.dat 16 1000/mV\n"}, zipfile.ZIP_DEFLATED, r"Expected a\.dat beside the header"),
        ({"a.hea": "a 0 250\n", "b.hea": "b 0 250\n"}, zipfile.ZIP_DEFLATED, r"got headers: a\.hea, b\.hea"),
        ({"a.hea": "a 0 250\n"}, zipfile.ZIP_LZMA, "without compression or with Deflate"),
        ({"..hea": "a 0 250\n"}, zipfile.ZIP_STORED, r"got headers: \.\.hea"),
        ({"a.hea": "a 1 250 10\n../../b.dat 16 1000/mV\n"}, zipfile.ZIP_STORED, "are damaged|has none"),
        ({"a.hea": ""}, zipfile.ZIP_STORED, "are damaged"),
    ],
)
def test_other_zips_are_refused(names: dict[str, str], method: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        read_record(write_zip(tmp_path / "z.zip", names, method))


def test_a_zip_with_a_name_twice_is_refused_as_programs_differ_in_which_they_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for content in ("a 1 250 10\na.dat 16 1000/mV\n", "a 1 500 10\na.dat 16 1000/mV\n"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr("a.hea", content)
        archive.writestr("a.dat", bytes(20))
    with pytest.raises(DatasetError, match=r"have different names, got 2 with the name 'a\.hea'; make the archive"):
        read_record(tmp_path / "z.zip")


def test_a_zip_that_unpacks_to_more_than_a_recording_is_refused(tmp_path: Path) -> None:
    header = "a 1 250 10\na.dat 16 1000/mV 16 0 0 0 0 I\n"
    path = write_zip(tmp_path / "z.zip", {"a.hea": header, "a.dat": "\0" * 200_000_001})
    with pytest.raises(DatasetError, match=r"at most .*200 MB"):
        read_record(path)


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.98])
def test_a_cut_zip_is_refused(cut: float, record: Path, tmp_path: Path) -> None:
    packed = pack_record("a.hea", load_beside(record))
    (tmp_path / "z.zip").write_bytes(packed[: int(cut * len(packed))])
    with pytest.raises(DatasetError):
        read_record(tmp_path / "z.zip")


def test_a_zip_without_a_header_is_no_record(tmp_path: Path) -> None:
    assert detect_format(write_zip(tmp_path / "z.zip", {"a.jpg": "a"})) is None


def test_the_hash_of_a_record_is_that_of_its_files_in_order(record: Path) -> None:
    data = record.read_bytes() + record.with_suffix(".dat").read_bytes()
    for path in (record, record.with_suffix("")):
        assert digest_file(path) == hashlib.sha256(data).hexdigest()


def test_zips_of_macos_and_capital_letters_are_read(record: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(record, "A.HEA")
        archive.write(record.with_suffix(".dat"), "A.DAT")
        archive.writestr("__MACOSX/._A.HEA", b"\0\5\26\7")
    assert np.array_equal(read_record(tmp_path / "z.zip").signals_mv, read_record(record).signals_mv)


def test_a_zip_with_a_password_is_refused_in_words(record: Path, tmp_path: Path) -> None:
    packed = pack_record("a.hea", load_beside(record))
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        place = packed.index(mark) + offset
        packed = packed[:place] + b"\1" + packed[place + 1 :]
    (tmp_path / "z.zip").write_bytes(packed)
    with pytest.raises(DatasetError, match="Expected a ZIP without a password"):
        read_record(tmp_path / "z.zip")
