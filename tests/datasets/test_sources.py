from pathlib import Path

import pytest

from ecglens.datasets import sources
from ecglens.errors import DatasetError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = {
    "Normal Person ECG Images (284x12=3408)": "normal",
    "ECG Images of Myocardial Infarction Patients (240x12=2880)": "mi",
    "ECG Images of Patient that have History of MI (172x12=2064)": "history_mi",
    "ECG Images of Patient that have abnormal heartbeat (233x12=2796)": "abnormal_heartbeat",
}


def test_the_published_folder_names_become_short_labels_and_sides_become_splits(tmp_path):
    for side in ("train", "test"):
        for folder in FOLDERS:
            (tmp_path / side / folder).mkdir(parents=True)
            (tmp_path / side / folder / "a.jpg").touch()
    table = sources.from_path(tmp_path)
    assert {(row.split, row.label) for row in table} == {(s, x) for s in ("train", "test") for x in FOLDERS.values()}
    assert len(set(table.column("recording"))) == 8


def test_other_folders_are_their_own_labels_and_rules_can_be_given(tmp_path):
    (tmp_path / "AFIB").mkdir()
    (tmp_path / "AFIB" / "a.png").touch()
    (tmp_path / "AFIB" / "notes.txt").touch()
    assert sources.from_folders(tmp_path).labels == ("AFIB",)
    assert sources.from_folders(tmp_path, rules=[("AF", "fibrillation")]).labels == ("fibrillation",)


def test_rules_for_folder_names_are_read_from_csv_or_toml(tmp_path):
    (tmp_path / "r.csv").write_text("folder,label\n^AF,fibrillation\n.*,other\n")
    (tmp_path / "r.toml").write_text('[labels]\n"^AF" = "fibrillation"\n".*" = "other"\n')
    for name in ("AFIB", "SR"):
        (tmp_path / "pages" / name).mkdir(parents=True)
        (tmp_path / "pages" / name / "a.png").touch()
    for name in ("r.csv", "r.toml"):
        rules = sources.read_rules(tmp_path / name)
        assert sources.from_path(tmp_path / "pages", rules=rules).labels == ("fibrillation", "other")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.csv", "a,b\n1,2\n", "Expected the column 'folder' in r.csv, got a, b"),
        ("r.csv", "folder,label\n", "Expected at least one rule in r.csv, but it holds none"),
        ("r.csv", "folder,label\nx,\n", "Expected a pattern and a label in each rule of r.csv"),
        ("r.csv", "folder,label\n(,x\n", r"Expected a regular expression in r.csv, but '\(' is none"),
        ("r.toml", "x = 1\n", r"Expected a table \[labels\] of \"pattern\" = \"label\" in r.toml"),
        ("r.toml", "x", "Expected label rules in r.toml, but it cannot be read"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_in_one_sentence(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        sources.read_rules(tmp_path / name)


def test_rules_and_schemes_are_refused_where_they_mean_nothing(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na.png,x\n")
    with pytest.raises(DatasetError, match="Expected folders by label for label rules, but .*t.csv brings its own"):
        sources.from_path(tmp_path / "t.csv", rules=[("a", "b")])
    with pytest.raises(DatasetError, match=r"Expected PTB-XL with its ptbxl_database.csv for a label scheme"):
        sources.from_path(tmp_path, scheme="stage")


def test_signals_are_records_by_folder_and_no_pages(tmp_path):
    (tmp_path / "in" / "lbbb").mkdir(parents=True)
    (tmp_path / "in" / "lbbb" / "r1.hea").touch()
    table = sources.records_from_path(tmp_path / "in")
    assert [(row.label, row.recording) for row in table] == [("lbbb", "lbbb/r1")]
    table.to_csv(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match=r"got signals such as r1.hea; draw them first with: ecglens render"):
        sources.pages_from_path(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="Expected digital ECGs below .*, got none"):
        sources.records_from_path(tmp_path / "in" / "lbbb" / "none")


@pytest.mark.parametrize(
    ("codes", "stages", "label"),
    [
        ({"NORM": 100.0, "SR": 0.0}, ("", ""), "normal"),
        ({"IMI": 100.0}, ("", ""), "mi"),
        ({"IMI": 100.0}, ("Stadium I", "Stadium III"), "mi"),
        ({"IMI": 100.0}, ("unknown", ""), "mi"),
        ({"IMI": 100.0}, ("Stadium III", ""), "history_mi"),
        ({"AFIB": 0.0}, ("", ""), "abnormal_heartbeat"),
        ({"LVH": 100.0}, ("", ""), None),
        ({"NORM": 100.0, "LVH": 50.0}, ("", ""), None),
    ],
)
def test_ptbxl_labels_follow_the_documented_rule(codes, stages, label):
    classes = {"NORM": "NORM", "IMI": "MI", "LVH": "HYP", "SR": "", "AFIB": ""}
    assert sources.ptbxl_label(codes, classes, stages) == label


def test_ptbxl_without_its_tables_or_columns_is_refused(tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text("ecg_id\n1\n")
    with pytest.raises(DatasetError, match="Expected the table scp_statements.csv"):
        sources.from_path(tmp_path)
    (tmp_path / "scp_statements.csv").write_text(",diagnostic_class\nIMI,MI\n")
    with pytest.raises(DatasetError, match="Expected the column 'patient_id' in ptbxl_database.csv, got ecg_id"):
        sources.from_path(tmp_path)
    with pytest.raises(DatasetError, match="Expected labels out of four, superclass, stage, got 'x'"):
        sources.from_ptbxl(tmp_path, labels="x")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
@pytest.mark.parametrize("labels", ["four", "superclass", "stage"])
def test_ptbxl_in_its_official_layout_is_read(labels):
    table = sources.from_ptbxl(SHARED / "ptbxl", labels=labels)
    assert 1 < len(table) <= 200
    assert len(table.labels) > 1
    assert all(row.group.startswith("p") for row in table)


@pytest.mark.parametrize(
    ("name", "load"), [("a\udcff.jpg", sources.pages_from_path), ("a\udcff.hea", sources.records_from_path)]
)
def test_a_file_name_that_no_table_can_hold_is_refused(name, load, tmp_path):
    (tmp_path / "mi").mkdir()
    (tmp_path / "mi" / name).touch()
    with pytest.raises(DatasetError, match=r"Expected file names in UTF-8, got '.*a\\udcff\..*'.*; rename the file"):
        load(tmp_path)


def test_a_folder_of_pages_without_folders_by_label_has_no_labels(tmp_path):
    for name in ("a.jpg", "b.PNG", "notes.txt"):
        (tmp_path / name).touch()
    recordings = sources.from_flat_folder(tmp_path)
    assert [(row.path.name, row.label) for row in recordings] == [
        ("a.jpg", sources.NO_LABEL),
        ("b.PNG", sources.NO_LABEL),
    ]
    (tmp_path / "mi").mkdir()
    (tmp_path / "mi" / "c.jpg").touch()
    assert sources.from_flat_folder(tmp_path) is None
    assert sources.from_flat_folder(tmp_path / "a.jpg") is None
