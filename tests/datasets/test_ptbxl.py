import csv
from pathlib import Path

import numpy as np
import pytest

from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays, read_ptbxl_column
from ecglens.errors import DatasetError
from ecglens.formats.wfdb import write_wfdb
from ecglens.labels import SUPERCLASSES
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
STATEMENTS = {"NORM": "NORM", "IMI": "MI", "LVH": "HYP", "SR": ""}


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    statements = [
        {"": code, "diagnostic": "1.0" if name else "", "diagnostic_class": name} for code, name in STATEMENTS.items()
    ]
    write_table(tmp_path / "scp_statements.csv", statements)
    row = {"patient_id": "7.0", "age": "61.0", "sex": "1", "infarction_stadium1": "", "infarction_stadium2": ""}
    rows = [
        {"ecg_id": "1", **row, "scp_codes": "{'IMI': 80.0, 'LVH': 0.0, 'SR': 0.0}", "filename_hr": "records500/1"},
        {"ecg_id": "2", **row, "scp_codes": "{'NORM': 100.0}", "filename_hr": "records500/missing"},
    ]
    write_table(tmp_path / "ptbxl_database.csv", rows)
    (tmp_path / "records500").mkdir()
    signals = np.random.default_rng(0).normal(0, 0.2, (12, 5000)).astype(np.float32)
    write_wfdb(EcgRecord(signals, 500.0, STANDARD_LEADS), tmp_path / "records500" / "1")
    return tmp_path


@pytest.fixture
def arrays(official: Path) -> Path:
    rng = np.random.default_rng(1)
    leads = np.array(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    microvolts = rng.integers(-900, 900, (2, 2500, 8)).astype(np.int16)
    np.savez(official / "mv_250hz.npz", ecg_id=np.array([3, 4]), uv=microvolts, leads=leads)
    scaled = rng.normal(size=(1, 1000, 12)).astype(np.float16)
    np.savez(official / "z_100hz.npz", ecg_id=np.array([5]), z=scaled, leads=np.array(STANDARD_LEADS))
    truth = {"NORM": "0.0", "MI": "1.0", "STTC": "0.0", "CD": "1.0", "HYP": "0.0"}
    rows = [{"ecg_id": "3", **truth}, {"ecg_id": "4", **dict.fromkeys(truth, "")}, {"ecg_id": "5", **truth}]
    write_table(official / "superclasses.csv", rows)
    write_table(official / "statements.csv", [{"ecg_id": "5", "patient_id": "9.0", "scp_codes": "{'IMI': 100.0}"}])
    return official


def test_a_record_has_the_superclasses_of_all_its_statements_and_what_its_row_says(official):
    (record,) = read_ptbxl(official)
    assert record.superclasses == {"MI", "HYP"}
    assert (record.ecg_id, record.group, record.sex, record.age) == (1, "patient 7", "female", 61.0)
    assert record.four_label == "mi"
    assert record.is_in_mv
    assert record.record.signals_mv.shape == (12, 5000)


def test_arrays_give_twelve_leads_in_mv_and_records_without_amplitudes(arrays):
    in_mv, scaled = read_ptbxl_arrays(arrays, arrays)
    assert (in_mv.ecg_id, scaled.ecg_id) == (3, 5)
    assert in_mv.is_in_mv
    assert not scaled.is_in_mv
    signals = dict(zip(in_mv.record.leads, in_mv.record.signals_mv, strict=True))
    np.testing.assert_allclose(signals["I"] + signals["III"], signals["II"], atol=1e-6)
    np.testing.assert_allclose(signals["aVR"] + signals["aVL"] + signals["aVF"], 0, atol=1e-6)


def test_the_superclasses_of_arrays_are_those_of_their_table(arrays):
    in_mv, scaled = read_ptbxl_arrays(arrays, arrays)
    assert in_mv.superclasses == scaled.superclasses == {"MI", "CD"}
    assert (in_mv.group, scaled.group) == ("record 3", "patient 9")
    assert scaled.four_label == "mi"


def test_a_missing_array_is_named(official, arrays):
    (arrays / "mv_250hz.npz").unlink()
    with pytest.raises(DatasetError, match=r"Expected the arrays mv_250hz\.npz"):
        list(read_ptbxl_arrays(arrays, official))


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_the_rule_gives_the_superclasses_of_the_shared_table():
    with (SHARED / "ptbxl_signals" / "superclasses.csv").open(encoding="utf-8") as stream:
        by_number = {int(row["ecg_id"]): row for row in csv.DictReader(stream)}
    compared = 0
    for record in read_ptbxl(SHARED / "ptbxl"):
        row = by_number.get(record.ecg_id)
        if row is not None and row["NORM"]:
            assert record.superclasses == {name for name in SUPERCLASSES if float(row[name])}
            compared += 1
    assert compared > 150


def test_a_column_of_the_tables_is_read_by_record(tmp_path: Path) -> None:
    (tmp_path / "official").mkdir()
    (tmp_path / "arrays").mkdir()
    write_table(tmp_path / "official" / "ptbxl_database.csv", [{"ecg_id": "1", "device": "CS-12   E"}])
    rows = [{"ecg_id": "2.0", "device": " AT-6"}, {"ecg_id": "3", "device": ""}]
    write_table(tmp_path / "arrays" / "statements.csv", rows)
    folders = [tmp_path / "official", tmp_path / "arrays"]
    assert read_ptbxl_column(folders, "device") == {1: "CS-12   E", 2: "AT-6"}
    with pytest.raises(DatasetError, match="Expected the column 'nurse' in ptbxl_database.csv"):
        read_ptbxl_column(folders, "nurse")
    with pytest.raises(DatasetError, match="but there is neither"):
        read_ptbxl_column([tmp_path], "device")
