import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.datasets.recordings import Recordings
from ecglens.errors import DatasetError, EcgLensError, RenderError
from ecglens.formats.csv import read_csv
from ecglens.formats.files import write_record
from ecglens.formats.wfdb import write_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord

DATA = Path(__file__).resolve().parents[1] / "data"
CODES = {"1": "{'NORM': 100.0}", "2": "{'IMI': 100.0}", "3": "{'LVH': 100.0}"}


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def ptbxl(tmp_path_factory) -> Path:
    """Write three records in the layout of PTB-XL."""
    root = tmp_path_factory.mktemp("ptbxl")
    head = "ecg_id,patient_id,scp_codes,infarction_stadium1,infarction_stadium2,filename_hr"
    lines = [f'{key},{key}.0,"{codes}",{"Stadium III" if key == "2" else ""},,r/{key}' for key, codes in CODES.items()]
    (root / "ptbxl_database.csv").write_text("\n".join([head, *lines]))
    (root / "scp_statements.csv").write_text(",diagnostic_class\nNORM,NORM\nIMI,MI\nLVH,HYP\n")
    rng = np.random.default_rng(0)
    for key in CODES:
        signals = np.cumsum(rng.normal(0, 0.02, (12, 2500)), axis=1).astype(np.float32)
        write_wfdb(EcgRecord(signals, 250.0, STANDARD_LEADS), root / "r" / key)
    return root


@pytest.mark.parametrize(
    ("scheme", "labels"),
    [
        ("four", {"normal", "history_mi"}),
        ("superclass", {"NORM", "MI", "HYP"}),
        ("stage", {"Stadium III"}),
    ],
)
def test_ptbxl_is_explored_and_rendered_with_the_labels_of_a_scheme(ptbxl, tmp_path, scheme, labels):
    explored = run("explore", ptbxl, "--scheme", scheme)
    assert set(json.loads(explored.stdout)["counts"]) == labels
    rendered = run("render", ptbxl, tmp_path / "out", "--scheme", scheme, "--dpi", 100)
    assert rendered.exit_code == 0
    table = Recordings.from_csv(tmp_path / "out" / "recordings.csv")
    assert set(table.labels) == labels
    for row in table:
        assert row.path.is_file()
        assert json.loads(row.path.with_suffix(".json").read_text())["layout"] == "3x4+1"
        assert row.group == f"p{row.recording}.0"


def test_a_stopped_rendering_resumes_with_the_pages_that_are_missing(ptbxl, tmp_path):
    options = ("render", ptbxl, tmp_path, "--dpi", 100)
    run(*options)
    pages = sorted(tmp_path.rglob("*.png"))
    before = [page.read_bytes() for page in pages]
    pages[0].unlink()
    times = [page.stat().st_mtime_ns for page in pages[1:]]
    run(*options)
    assert [page.read_bytes() for page in pages] == before
    assert [page.stat().st_mtime_ns for page in pages[1:]] == times


def test_a_folder_of_pages_that_were_rendered_otherwise_is_refused(ptbxl, tmp_path):
    run("render", ptbxl, tmp_path, "--dpi", 100)
    failed = run("render", ptbxl, tmp_path, "--dpi", 100, "--style", "red-cart").exception
    assert isinstance(failed, RenderError)
    assert "Expected a new folder or one of the same records and options" in str(failed)


def test_a_folder_of_every_format_is_rendered_and_a_record_that_fails_costs_its_own_page_only(tmp_path):
    record = read_csv(DATA / "ptbxl_00001.csv")
    for form in ("csv", "json", "fhir", "edf", "aecg"):
        write_record(record, tmp_path / "in" / "mi" / form, form)
    write_record(record, tmp_path / "in" / "normal" / "csv", "csv")
    (tmp_path / "in" / "mi" / "bad.csv").write_text("time_s,I_mV\n0,1\n0.002,x\n")
    (tmp_path / "in" / "mi" / "one.csv").write_text("time_s,I_mV\n0,1\n0.002,2\n0.004,3\n")
    for name in ("page.jpg", "notes.txt", "._csv.csv"):
        (tmp_path / "in" / "mi" / name).write_text("no record")
    done = run("render", tmp_path / "in", tmp_path / "out", "--dpi", 100, "--layout", "3x4+1")
    assert done.exit_code == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("ecglens: ")]
    assert [line.split(" in ")[0] for line in lines] == [
        f"ecglens: {tmp_path / 'in' / 'mi' / 'bad.csv'}: Expected a column time_s, a column",
        f"ecglens: {tmp_path / 'in' / 'mi' / 'one.csv'}: Expected the leads of the layout 3x4+1",
    ]
    assert "recordings.csv: 5 mi, 1 normal" in done.stdout
    rows = list(Recordings.from_csv(tmp_path / "out" / "recordings.csv"))
    names = ["mi/aecg", "mi/csv", "mi/edf", "mi/fhir", "mi/json", "normal/csv"]
    assert [row.recording for row in rows] == names
    assert all(row.path.is_file() for row in rows)


def test_records_of_one_name_in_several_formats_have_pages_of_their_own(tmp_path):
    record = read_csv(DATA / "ptbxl_00001.csv")
    for form in ("csv", "edf"):
        write_record(record, tmp_path / "in" / "a", form)
    assert run("render", tmp_path / "in", tmp_path / "out", "--dpi", 100, "--layout", "6x2").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out" / "in").glob("*.png")) == ["a.edf.png", "a.png"]


def test_options_that_fit_no_page_are_refused_once_and_leave_nothing(tmp_path):
    for name in ("a", "b"):
        write_record(read_csv(DATA / "ptbxl_00001.csv"), tmp_path / "in" / name, "csv")
    refused = run("render", tmp_path / "in", tmp_path / "out", "--dpi", 10)
    assert str(refused.exception) == "Expected dpi between 100 and 600, got 10."
    assert not (tmp_path / "out").exists()


def test_signals_are_refused_by_the_audit_with_what_to_do(ptbxl):
    failed = run("audit", ptbxl).exception
    assert isinstance(failed, DatasetError)
    assert "draw them first with: ecglens render" in str(failed)


def test_folder_names_become_labels_by_the_user_s_rules(ptbxl, tmp_path):
    run("render", ptbxl, tmp_path / "pages", "--dpi", 100, "--no-truth")
    (tmp_path / "rules.csv").write_text("folder,label\n_mi$,scar\n")
    for command in ("explore", "audit"):
        answer = run(
            command, tmp_path / "pages", "--labels", tmp_path / "rules.csv", *(["--json"] * (command == "audit"))
        )
        assert answer.exit_code == 0
        assert "scar" in answer.stdout
        assert "history_mi" not in answer.stdout


def test_damage_and_beats_do_not_go_together(tmp_path):
    failed = run("render", tmp_path, tmp_path, "--beats", "--damage", "blur").exception
    assert str(failed) == "Expected --damage for pages, but --beats renders strips; leave one of them out."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("audit", "none"), "Expected images in folders by label below none, got none."),
        (("explore", "none"), "Expected images in folders by label below none, got none."),
        (("train", "recipe.toml", "--out", "run", "--data", "columns.csv"), "got x, y."),
        (("explore", "columns.csv"), "Expected the columns 'path' and 'label' in columns.csv, got x, y."),
        (("audit", "loose"), "got images in no folder; make one for each label, or give a CSV."),
        (
            ("explore", "set.zip"),
            "Expected a folder of pages or a CSV, got the archive set.zip; unpack it, and give the",
        ),
        (("audit", "cut.tar.gz"), "Expected a folder of pages or a CSV, got the archive cut.tar.gz; unpack it"),
        (("audit", "loose/a.png"), "got the single file a.png; put pages into a folder for each label"),
        (("evaluate", "nix", "--data", "loose"), "labeled pages at nix, got nothing there; check the path."),
        (
            ("render", "loose/a.png", "out.png"),
            "Expected a digital ECG at a.png, got a file of another kind; give one of",
        ),
        (("render", "nix.csv", "out.png"), "Expected a file of signals at nix.csv, got nothing there; check the path."),
        (
            ("render", "columns.csv", "out.png"),
            "Expected a digital ECG at columns.csv, got a file of another kind; give",
        ),
        (
            ("render", "two.csv", "out.gif", "--layout", "6x1-limb"),
            "Expected a file ending in .png, .jpg, .tif, .bmp or",
        ),
        (
            ("render", "two.csv", "out.png", "--layout", "3x4+1"),
            "Expected the leads of the layout 3x4+1 in the record, got no V1, V2, V3, V4, V5, V6; choose the layout "
            "6x1-limb or 3x2-limb or 1x1.",
        ),
        (("train", "recipe.toml", "--out", "run", "--data", "loose", "--scheme", "four"), "Expected --scheme with a"),
        (("render", "loose", "out", "--scheme", "five"), "Expected labels out of four, superclass, stage, got 'five'"),
        (
            ("explore", "loose", "--out", "loose/report"),
            "Expected a folder outside of loose to write to, got loose/rep",
        ),
        (("explore", "broken.csv"), "none of 1 files is one; the first: "),
        (("audit", "header.csv"), "Expected at least one recording in header.csv, but it has a header only."),
        (("audit", "gone.csv"), "Expected ECG pages, but none of 1 files is one; the first: a.jpg: expected a file"),
        (("render", "none", "out"), "Expected digital ECGs below none, got none."),
        (("render", "none", "out", "--beats"), "Expected WFDB records with .atr marks below none, got none."),
    ],
)
def test_bad_input_is_one_sentence_on_what_was_expected_and_found(tmp_path, monkeypatch, arguments, message):
    if arguments[0] == "train":
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("none").mkdir()
    Path("columns.csv").write_text("x,y\n1,2\n")
    Path("recipe.toml").write_text('model = "compact_cnn"\ntitle = "Tiny"\nlabels = ["mi", "normal"]\n')
    Path("loose").mkdir()
    Path("loose/a.png").write_bytes(b"no image")
    Path("broken.csv").write_text("path,label\nloose/a.png,mi\n")
    with zipfile.ZipFile("set.zip", "w") as archive:
        archive.writestr("a/1.jpg", b"")
    Path("cut.tar.gz").write_bytes(b"cut")
    Path("header.csv").write_text("path,label\n")
    Path("gone.csv").write_text("path,label\na.jpg,mi\n")
    Path("two.csv").write_text("time_s,I,II\n0,0,0\n0.002,0,0\n0.004,0,0\n")
    failed = run(*arguments).exception
    assert isinstance(failed, EcgLensError)
    assert message in str(failed)
    assert "\n" not in str(failed)
    assert not list(Path("none").iterdir())


def test_pages_beside_the_folders_by_label_are_reported(tmp_path):
    for place in ("mi/a.jpg", "normal/b.jpg", "loose.jpg"):
        (tmp_path / "data" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).parents[1] / "data" / "MI_26.jpg", tmp_path / "data" / place)
    result = run("explore", tmp_path / "data")
    assert result.exit_code == 0, result.output
    assert (
        "ecglens: 1 page beside the folders by label left out for want of a label, such as loose.jpg." in result.stderr
    )
