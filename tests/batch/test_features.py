import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ecglens.batch import compute_feature_rows, list_files
from ecglens.batch.features import list_skipped
from ecglens.errors import EcgLensError
from ecglens.formats.csv import write_csv
from ecglens.layouts import STANDARD_LEADS
from ecglens.measuring.features import FEATURES
from ecglens.records import EcgRecord

DATA = Path(__file__).resolve().parents[1] / "data"


def test_pages_and_records_are_found_below_a_folder_each_once(tmp_path):
    for name in ("b.JPG", "sub/a.hea", "sub/a.dat", "truth.json", "c.fhir.json", "d.txt", "e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c.fhir.json").write_text('{"resourceType": "Observation"}')
    paths = list_files([tmp_path / "e.csv", tmp_path, tmp_path / "d.txt"])

    assert [path.name for path in paths] == ["e.csv", "b.JPG", "c.fhir.json", "a.hea", "d.txt"]


def test_tables_of_something_else_are_no_records_and_what_is_skipped_is_named(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "record.csv").write_text("time_s,V1-rhythm-2\n0,1\n")
    (tmp_path / "own.csv").write_text("avr,x\n0,1\n")
    (tmp_path / "index.csv").write_text("path,label\na.jpg,mi\n")
    (tmp_path / "features.csv").write_text("file,layout,error,rate_bpm\n")
    for name in ("r.hea", "r.dat", "readme.txt", "._a.jpg", ".x.png", ".cache/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_files([tmp_path])] == ["a.jpg", "own.csv", "r.hea", "record.csv"]
    skipped = list_skipped([tmp_path, tmp_path / "index.csv"], tmp_path / "features.csv")
    assert [path.name for path in skipped] == ["._a.jpg", ".x.png", "index.csv", "readme.txt"]


def test_a_folder_without_pages_and_a_path_to_nothing_are_refused(tmp_path):
    with pytest.raises(EcgLensError, match="Expected pages or records below"):
        list_files([tmp_path])
    with pytest.raises(EcgLensError, match="got nothing at"):
        list_files([tmp_path / "nothing"])


def test_a_page_and_a_record_have_the_same_columns():
    (page,), (record,) = compute_feature_rows(DATA / "MI_26.jpg"), compute_feature_rows(DATA / "ptbxl_00001.csv")

    assert list(page) == list(record) == ["file", "page", "sha256", "layout", "error", *FEATURES]
    assert (page["layout"], record["layout"]) == ("3x4+1", "")
    assert page["error"] == record["error"] == ""
    assert page["rate_bpm"] == pytest.approx(53.5, abs=1)
    assert record["rate_bpm"] == pytest.approx(63.9, abs=1)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"a letter", "expected JPEG, PNG"),
        ("a.csv", b"path,label\nx.jpg,normal\n", ""),
        ("a.csv", bytes(range(256)), ""),
        ("a.csv", b"", ""),
        ("a.hea", b"a 12 500 5000\n", ""),
        ("a.dcm", b"no", ""),
    ],
)
def test_a_bad_file_is_a_row_with_its_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    row = next(compute_feature_rows(tmp_path / name))

    assert row["error"].startswith(reason)
    assert len(row["error"]) > 10
    assert all(math.isnan(row[column]) for column in FEATURES)


def test_a_record_without_beats_says_so(tmp_path):
    write_csv(EcgRecord(np.zeros((12, 5000), np.float32), 500.0, STANDARD_LEADS), tmp_path / "flat.csv")

    assert len(next(compute_feature_rows(tmp_path / "flat.csv"))["error"]) > 10


def test_a_file_that_vanished_is_a_row_too(tmp_path):
    shutil.copy(DATA / "ptbxl_00001.csv", tmp_path)
    (tmp_path / "ptbxl_00001.csv").unlink()

    assert next(compute_feature_rows(tmp_path / "ptbxl_00001.csv"))["error"]


def test_a_file_that_triggers_a_bug_is_a_row_too(monkeypatch):
    def fail(record):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("ecglens.batch.features.compute_features", fail)
    row = next(compute_feature_rows(DATA / "ptbxl_00001.csv"))

    assert row["error"] == "This file triggers an error in the program: ZeroDivisionError: division by zero"
    assert math.isnan(row["rate_bpm"])


def test_each_page_of_a_file_that_shows_traces_has_a_row(tmp_path):
    blank, *others = (
        Image.new("RGB", (1600, 1200), "white"),
        *map(Image.open, [DATA / "MI_26.jpg", DATA / "HB_1.jpg"]),
    )
    blank.save(tmp_path / "three.tif", save_all=True, append_images=[page.convert("RGB") for page in others])
    blank.save(tmp_path / "blank.tif", save_all=True, append_images=[blank])
    rows = list(compute_feature_rows(tmp_path / "three.tif"))
    assert [(row["page"], row["layout"], row["error"]) for row in rows] == [(2, "3x4+1", ""), (3, "3x4+1", "")]
    (row,) = compute_feature_rows(tmp_path / "blank.tif")
    assert "The page is blank" in row["error"]


def test_a_file_that_does_not_exist_costs_its_own_row_only(tmp_path):
    files = list_files([DATA / "MI_26.jpg", tmp_path / "gone.jpg"])
    assert files == [DATA / "MI_26.jpg", tmp_path / "gone.jpg"]
    (row,) = compute_feature_rows(files[1])
    assert "got nothing there" in row["error"]
