"""WFDB records among the files of a source: listed once, fetched whole."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ecglens.batch.entries import Entry, FetchError
from ecglens.batch.fetching import fetch_with_parts
from ecglens.batch.sources import PAGE_ENDINGS, RECORD_ENDINGS, list_entries
from ecglens.formats.csv import write_csv
from ecglens.formats.files import read_record
from ecglens.formats.json import write_json
from ecglens.formats.wfdb import write_wfdb
from ecglens.formats.wfdb_files import digest_file
from ecglens.records import EcgRecord

pytest.importorskip("wfdb")

LIMIT = 1_000_000


@pytest.fixture
def records(tmp_path: Path) -> Path:
    root = tmp_path / "records"
    signals = np.sin(np.arange(1000) / 20.0).astype(np.float32)[None]
    for name in ("a", "sub/b"):
        write_wfdb(EcgRecord(signals, 250.0, ("I",)), root / f"{name}.hea")
    write_csv(EcgRecord(signals, 250.0, ("I",)), root / "c.csv")
    write_json(EcgRecord(signals, 250.0, ("I",)), root / "d.json")
    (root / "a.atr").write_bytes(b"beats")
    (root / "labels.csv").write_text("path,label\na.hea,normal\n")
    (root / "other.json").write_text("{}")
    return root


def list_names(source: str) -> tuple[dict[str, Entry], list[str]]:
    skipped: list[str] = []
    listed = list_entries(source, on_skip=skipped.append, endings=(*PAGE_ENDINGS, *RECORD_ENDINGS))
    return {entry.name: entry for entry in listed}, sorted(skipped)


def test_a_folder_lists_digital_ecgs_by_header_and_content(records: Path) -> None:
    entries, skipped = list_names(str(records))
    assert sorted(entries) == ["a.hea", "c.csv", "d.json", "sub/b.hea"]
    assert skipped == ["labels.csv", "other.json"]


@pytest.mark.parametrize("kind", ["folder", "zip", "memory"])
def test_a_record_is_fetched_with_its_signals(kind: str, records: Path, tmp_path: Path) -> None:
    source = str(records)
    if kind == "zip":
        source = str(tmp_path / "records.zip")
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(records.rglob("*.*")):
                archive.write(path, path.relative_to(records))
    elif kind == "memory":
        memory = pytest.importorskip("fsspec").filesystem("memory")
        memory.put(f"{records}/", "memory://wfdb_records/", recursive=True)
        source = "memory://wfdb_records"
    entry = Entry.from_json(list_names(source)[0]["sub/b.hea"].to_json())
    data, digest = fetch_with_parts(entry, max_bytes=LIMIT)
    assert np.array_equal(read_record(data).signals_mv, read_record(records / "sub" / "b.hea").signals_mv)
    assert digest == digest_file(records / "sub" / "b.hea")


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_header_without_its_signals_is_a_failure_that_names_them(kind: str, records: Path, tmp_path: Path) -> None:
    (records / "a.dat").unlink()
    source = str(records)
    if kind == "zip":
        source = str(tmp_path / "records.zip")
        with zipfile.ZipFile(source, "w") as archive:
            archive.write(records / "a.hea", "a.hea")
    with pytest.raises(FetchError, match=r"Expected a\.dat beside the header"):
        fetch_with_parts(list_names(source)[0]["a.hea"], max_bytes=LIMIT)


def test_a_header_in_a_tar_is_skipped(records: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "records.tar", "w") as archive:
        archive.add(records / "a.hea", "a.hea")
        archive.add(records / "a.dat", "a.dat")
    assert list_names(str(tmp_path / "records.tar")) == ({}, ["a.dat", "a.hea"])
