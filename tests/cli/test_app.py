import hashlib
import json
import re
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ecglens
from ecglens.cli import main
from ecglens.cli.app import COMMANDS, app, load_command
from ecglens.cli.names import own_stem
from ecglens.criteria import evaluate_criteria
from ecglens.datasets.sources import SCHEMES
from ecglens.errors import EcgLensError, EcgReadError, ModelError, SettingsError
from ecglens.formats.csv import read_csv
from ecglens.layouts import LAYOUTS, STANDARD_LEADS
from ecglens.records import (
    Abstention,
    Box,
    InkMap,
    Layout,
    LeadBox,
    Located,
    Measured,
    Measurements,
    NotFound,
    Page,
    Prediction,
    PrintedFacts,
    Reading,
)
from ecglens.render import DAMAGES, STYLES, render_page
from ecglens.render.paper import GRIDS

DATA = Path(__file__).resolve().parents[1] / "data"
LAYOUT = Layout(
    name="3x4+1",
    leads=(
        LeadBox("I", Box(10, 10, 60, 100), 35.0),
        LeadBox("II", Box(70, 10, 120, 390), 95.0, rhythm=True),
    ),
    trace_area=Box(5, 5, 130, 395),
    rotation_deg=0.0,
    px_per_mm=(3.94, 3.93),
    px_per_mm_source="grid",
    pulse_mm=10.02,
    to_upright=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ink=InkMap(np.zeros((300, 400), np.uint8), (1.0, 1.0), (0.0, 0.0)),
)
SHARES = {"normal": 0.95, "mi": 0.03, "history_mi": 0.015, "abnormal_heartbeat": 0.005}


FIGURES = Measurements(
    rate_bpm=Measured(53.51, 0.06, "1/min", (60.0, 100.0)),
    basic_rate_bpm=Measured(53.5, 0.06, "1/min", (60.0, 100.0)),
    qrs_ms=Measured(102.0, 10.5, "ms", (70.0, 110.0)),
    qt_ms=Measured(450.0, 16.2, "ms"),
    axis_deg=Measured(-44.6, 3.8, "deg", (-30.0, 90.0)),
    st_j_mv={
        "V2": Measured(0.31, 0.02, "mV", (-0.05, 0.2)),
        "I": Measured(0.02, 0.02, "mV", (-0.05, 0.1)),
        "II": Measured(-0.11, 0.02, "mV", (-0.05, 0.1)),
    },
    st_j60_mv={"V2": Measured(0.12, 0.02, "mV", (-0.05, 0.2)), "I": Measured(0.03, 0.02, "mV", (-0.05, 0.1))},
    warnings=("No consistent P wave precedes the QRS complexes.", "Look again."),
)


def reading(name, *, label="normal", layout=LAYOUT, warnings=(), measurements=None):
    pixels = np.full((300, 400, 3), 255, np.uint8)
    abstention = None if label else Abstention("uncertain", "No label is sure enough.")
    prediction = Prediction(
        label, SHARES, "tiny", "1.0", abstention, layout=layout if layout else None, warnings=warnings
    )
    return Reading(Located(Page(pixels, source=name), layout), prediction, measurements=measurements)


@pytest.fixture
def examine(monkeypatch):
    """Replace reading by results by file name: ``bad`` fails, ``unsure`` abstains, others are normal."""
    calls = []

    def fake(source, *, model=None, page=1, measure=False, printed=False, age=None, sex=None, corrections=None):
        name = source.source
        calls.append((name, model, page, measure, printed))
        if "bad" in name:
            detail = "expected a page, got an empty file; export or scan it again."
            raise EcgReadError(source=name, detail=detail)
        if "nolayout" in name:
            return reading(name, label=None, layout=NotFound("No grid was found."))
        label = None if "unsure" in name else "normal"
        return reading(name, label=label, warnings=("Look again.",), measurements=FIGURES if measure else None)

    use_fake_pages(monkeypatch)
    monkeypatch.setitem(
        ecglens.__dict__, "examine", lambda source, **options: fake(source, page=source.number, **options)
    )
    return calls


def use_fake_pages(monkeypatch, count=1):
    """Let every file be one with some empty pages."""
    pixels = np.full((300, 400, 3), 255, np.uint8)
    monkeypatch.setattr("ecglens.pages.read.load_file", lambda source: (b"page", Path(source).name))
    monkeypatch.setattr("ecglens.pages.read.count_pages", lambda data: count)
    monkeypatch.setattr(
        "ecglens.pages.read.read_page",
        lambda source, *, page, max_megapixels: Page(pixels, "bytes", page, max(count, page)),
    )


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EcgLensError):  # as ``main`` does
        result.exit_code = 2
        result.stderr_bytes = (result.stderr_bytes or b"") + f"ecglens: {result.exception}\n".encode()
    return result


def test_age_and_sex_reach_the_criteria_and_statements_are_printed(monkeypatch):
    person = {}

    def fake(source, **options):
        person.update(options)
        statements = evaluate_criteria(FIGURES, age=options["age"], sex=options["sex"])
        return replace(reading(source.source, measurements=FIGURES), statements=statements)

    use_fake_pages(monkeypatch)
    monkeypatch.setitem(ecglens.__dict__, "examine", fake)
    result = run("read", "page.jpg", "--age", "39", "--sex", "female")
    assert (result.exit_code, person["age"], person["sex"]) == (0, 39.0, "female")
    assert "other criteria are not met; for orientation, not a diagnosis" in result.output
    assert "Cannot be evaluated: " in result.output
    assert run("read", "page.jpg", "--sex", "both").exit_code == 2


def test_the_prediction_is_printed_for_people(examine):
    result = run("read", "page.jpg")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "page.jpg"
    for words in (
        "Normal",
        "95.0 %",
        "Myocardial infarction",
        "3x4+1, rhythm lead II, 3.93 x 3.94 px/mm by the grid, pulse 10.0 mm, rotated by 0.0°",
        "tiny 1.0",
        "Look again.",
    ):
        assert words in result.stdout
    assert result.stdout.rstrip().endswith("For research and teaching; not a diagnosis.")


def test_an_abstention_says_why(examine):
    assert "Not sure: No label is sure enough." in run("read", "unsure.jpg").stdout


def test_a_page_of_another_print_has_measurements_and_no_label(monkeypatch):
    reason = Abstention("unfamiliar", "The model reads pages of the layout 3x4+1, and this one is 6x2.")
    pixels = np.full((300, 400, 3), 255, np.uint8)
    foreign = Reading(
        Located(Page(pixels), LAYOUT), Prediction(None, None, "tiny", "1.0", abstention=reason), measurements=FIGURES
    )
    use_fake_pages(monkeypatch)
    monkeypatch.setitem(ecglens.__dict__, "examine", lambda *_, **__: foreign)
    output = run("read", "page.jpg").stdout

    assert f"Outside what the model has learned: {reason.reason}" in output
    assert "102 ± 10" in output


def test_measurements_are_printed_with_reference_ranges_and_a_word_if_outside(examine):
    lines = run("read", "page.jpg").stdout.splitlines()
    rows = [" ".join(line.split()) for line in lines]

    assert "Ventricular rate 54 ± 1 1/min 60 to 100 below" in rows
    assert "QRS duration 102 ± 10 ms 70 to 110" in rows
    assert "QT interval 450 ± 16 ms" in rows
    assert "QRS axis −45 ± 4 ° −30 to 90 below" in rows
    assert "II −0.11 ± 0.02 below - −0.05 to 0.10" in rows
    assert "V2 0.31 ± 0.02 above 0.12 ± 0.02 −0.05 to 0.20" in rows
    assert not any(row.startswith(("I 0", "Rate, middle half")) for row in rows)
    assert "Not measured: RR, SDNN, RMSSD, P, PR, QTc by Bazett, QTc by Fridericia, ST in II" in rows
    assert rows.count("Warning Look again.") == 1
    assert "Warning No consistent P wave precedes the QRS complexes." in rows
    table = lines[lines.index(next(line for line in lines if "Measured" in line)) :]
    assert all(len(line) <= 80 for line in table if "±" in line)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_what_each_argument_and_option_is(name):
    commands = [load_command(name)]
    commands += getattr(commands[0], "commands", {}).values()
    for command in commands:
        assert [each.name for each in command.params if not each.hidden and not each.help] == []


@pytest.mark.parametrize("columns", ["20", "40", "60"])
def test_a_narrow_terminal_cuts_no_figure(examine, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    printed = run("read", "page.jpg").stdout
    text = " ".join(printed.split()).replace(",", "")

    assert re.search("QRS duration 102 ± 10 ms( reference:)? 70 to 110", text)
    assert re.search("V2( J point:)? 0.31 ± 0.02 above( 60 ms later:)? 0.12 ± 0.02( reference:)? −0.05 to 0.20", text)
    assert "History of myocardial infarction 1.5 %" in text
    assert "…" not in text
    assert max(map(len, printed.splitlines())) <= int(columns)


def test_the_label_alone_is_read_where_nothing_is_to_be_measured(examine):
    result = run("read", "page.jpg", "--no-measure")

    assert examine == [("page.jpg", None, 1, False, False)]
    assert "easured" not in result.stdout


def test_unreadable_signals_are_reported(examine):
    assert "Not measured: the signals or their scale could not be read." in run("read", "nolayout.jpg").stdout


def test_json_is_the_reading_with_its_file_one_object_a_line(examine):
    result = run("read", "a.jpg", "b.jpg", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]

    assert [line.pop("file") for line in lines] == ["a.jpg", "b.jpg"]
    assert {line.pop("sha256") for line in lines} == {hashlib.sha256(b"page").hexdigest()}
    assert {(line.pop("format"), line.pop("format_version")) for line in lines} == {("ecglens-reading", 1)}
    assert lines[0] == reading("a.jpg", warnings=("Look again.",), measurements=FIGURES).to_dict()
    assert lines[0]["measurements"]["qrs_ms"]["position"] == "within"


def test_one_bad_page_does_not_stop_the_rest_and_shows_in_the_exit_code(examine):
    result = run("read", "bad.jpg", "good.jpg", "--json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())

    assert result.exit_code == 2
    assert first == {
        "file": "bad.jpg",
        "sha256": hashlib.sha256(b"page").hexdigest(),
        "page": 1,
        "error": "bad.jpg: expected a page, got an empty file; export or scan it again.",
        "code": None,
    }
    assert second["label"] == "normal"


def test_a_bad_page_is_one_line_on_stderr(examine):
    result = run("read", "good.jpg", "bad.jpg")

    assert result.exit_code == 2
    assert result.stderr == "ecglens: bad.jpg: expected a page, got an empty file; export or scan it again.\n"
    assert "bad.jpg" not in result.stdout


def test_model_and_page_are_handed_on(examine):
    run("read", "a.pdf", "--model", "other", "--page", "3")

    assert examine == [("a.pdf", "other", 3, True, False)]


def test_print_is_read_on_request_and_never_without_measuring(examine, monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", SimpleNamespace())
    run("read", "a.jpg", "--printed")
    assert examine == [("a.jpg", None, 1, True, True)]
    refused = run("read", "a.jpg", "--printed", "--no-measure")
    assert refused.exit_code == 2
    assert "expected measurements to compare the print with" in refused.stderr
    assert len(examine) == 1


def test_digitize_shows_the_print_and_where_the_page_contradicts_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rapidocr", SimpleNamespace())
    facts = PrintedFacts(rate_bpm=150, speed_mm_s=25, gain_mm_mv=10, high_pass_hz=0.67, low_pass_hz=25)
    monkeypatch.setattr("ecglens.digitizing.read_facts", lambda page, layout: facts)
    done = run("digitize", DATA / "HB_1.jpg", "--out", tmp_path, "--printed")
    assert done.exit_code == 0, done.output
    assert "Printed  rate 150/min, 25 mm/s, 10 mm/mV, filter 0.67 to 25 Hz" in done.stdout
    assert "25 mm/s (printed)" in done.stdout
    assert "The page prints a rate of 150/min, but 92/min was measured" in done.stdout


def test_a_page_without_scale_is_written_in_pixels_with_a_warning(tmp_path):
    page = render_page(read_csv(DATA / "ptbxl_00001.csv"), style="bare", pulse=None).page.pixels
    Image.fromarray(page).save(tmp_path / "bare.png")
    done = run("digitize", tmp_path / "bare.png", "--out", tmp_path, "--format", "wfdb,csv", "--overlay")
    assert done.exit_code == 0, done.output
    assert "there are no millivolts" in done.stdout
    assert "Written  bare.traces.csv, bare.overlay.png" in done.stdout
    lines = (tmp_path / "bare.traces.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "lead,column_px,row_px,right_mm,up_mm"
    assert {line.partition(",")[0] for line in lines[1:]} == {*STANDARD_LEADS, "II-rhythm"}
    assert not list(tmp_path.glob("*.dat"))


def test_digitize_writes_a_manifest_and_overwrites_on_request_only(tmp_path):
    page = DATA / "HB_1.jpg"
    assert run("digitize", page, "--out", tmp_path).exit_code == 0
    again = run("digitize", page, "--out", tmp_path)
    assert again.exit_code == 2
    assert "Expected no HB_1.csv in" in again.stderr
    with (tmp_path / "manifest.jsonl").open("a") as manifest:
        manifest.write("damaged\n")
    assert run("digitize", page, "--out", tmp_path, "--force").exit_code == 0
    damaged, *lines = (tmp_path / "manifest.jsonl").read_text().splitlines()
    assert damaged == "damaged"
    lines = [json.loads(line) for line in lines]
    assert len(lines) == 1, "the line of the file that was replaced is gone"
    assert lines[0]["file"] == str(page)
    assert lines[0]["sha256"] == hashlib.sha256(page.read_bytes()).hexdigest()
    assert (lines[0]["pages"], lines[0]["layouts"], lines[0]["written"]) == ([1], ["3x4+1"], ["HB_1.csv"])


def test_digitize_writes_the_formats_that_can_hold_a_page(tmp_path):
    done = run("digitize", DATA / "HB_1.jpg", "--out", tmp_path, "--format", "edf,csv", "--json")
    assert done.exit_code == 2
    line = json.loads(done.stdout)
    assert line["written"] == ["HB_1.csv"]
    assert "since EDF cannot hold them" in line["not_written"]["edf"]
    assert json.loads((tmp_path / "manifest.jsonl").read_text())["written"] == ["HB_1.csv"]


@pytest.mark.parametrize("words", [("-h",), ("read", "-h"), ("models", "-h"), ("convert", "-h")])
def test_a_short_option_shows_the_help(words):
    done = run(*words)
    assert done.exit_code == 0
    assert "Usage: " in done.stdout
    assert "\\[" not in done.stdout


@pytest.mark.parametrize("command", ["read", "digitize"])
def test_without_the_extra_print_is_refused_once_and_says_how_to_get_it(command, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rapidocr"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    out = ("--out", tmp_path) if command == "digitize" else ()
    done = run(command, "a.jpg", "b.jpg", *out, "--printed")
    assert done.exit_code == 2
    assert done.stderr.count("pip install 'ecglens[ocr]'") == 1


def test_leads_are_written_by_page_and_name(examine, tmp_path):
    result = run("read", "one/a.jpg", "two/a.jpg", "nolayout.jpg", "--leads", tmp_path / "out")

    assert result.exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a-2-I.png", "a-2-rhythm-II.png", "a-I.png", "a-rhythm-II.png"]
    with Image.open(tmp_path / "out" / "a-I.png") as image:
        assert image.size == (90, 50)


def test_two_strips_of_one_lead_are_two_pictures(monkeypatch, tmp_path):
    strip = LeadBox("II", Box(125, 10, 128, 390), 126.0, rhythm=True)
    two = replace(LAYOUT, leads=(*LAYOUT.leads, strip))
    use_fake_pages(monkeypatch)
    monkeypatch.setitem(ecglens.__dict__, "examine", lambda *_, **__: reading("a.jpg", layout=two))
    run("read", "a.jpg", "--leads", tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-I.png", "a-rhythm-II-2.png", "a-rhythm-II.png"]


@pytest.mark.parametrize("command", ["read", "digitize", "explain"])
@pytest.mark.parametrize("error", [ValueError("sig_name strings must be unique."), OSError(36, "File name too long")])
def test_a_page_that_fails_by_a_bug_does_not_stop_the_rest(command, error, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise error

    use_fake_pages(monkeypatch)
    monkeypatch.setitem(ecglens.__dict__, "examine", fail)
    monkeypatch.setitem(ecglens.__dict__, "digitize", fail)
    monkeypatch.setattr("ecglens.pages.read.read_page", fail)
    result = run(command, "a.jpg", "b.jpg", *(("--out", tmp_path) if command == "digitize" else ()))

    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == [" a.jpg", " b.jpg"]
    expected = "triggers an error in the program" if isinstance(error, ValueError) else "cannot be used: File name too"
    assert all(expected in line for line in lines)


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_page(tmp_path):
    (tmp_path / "file").touch()
    result = run("digitize", "a.jpg", "--out", tmp_path / "file")

    assert result.exit_code == 2
    assert "--out: expected a folder that can be written to, got" in result.stderr
    assert "a.jpg" not in result.stderr


def test_a_file_name_that_is_no_text_is_printed_all_the_same(examine):
    for name in ("\udcff.jpg", "bad\udcff.jpg"):
        assert "\ufffd.jpg" in run("read", name).output
        text = run("read", name, "--json").stdout
        assert "\\ud" not in text
        assert "\ufffd.jpg" in json.loads(text)["file"]


def test_a_page_has_the_path_that_was_typed(examine):
    paths = ["one/a.jpg", "./two/a.jpg", "three/bad.jpg"]
    result = run("read", *paths, "--json")
    documents = [json.loads(line) for line in result.stdout.splitlines()]

    assert [document["file"] for document in documents] == paths
    assert [document.get("source") for document in documents] == ["one/a.jpg", "./two/a.jpg", None]
    assert documents[2]["error"] == "three/bad.jpg: expected a page, got an empty file; export or scan it again."
    result = run("read", *paths)
    assert [line for line in result.stdout.splitlines() if "a.jpg" in line] == paths[:2]
    assert result.stderr.startswith("ecglens: three/bad.jpg: expected a page")


def test_digitize_says_which_path_it_read_and_writes_names_of_text(tmp_path):
    page = tmp_path / "HB_\udcff.jpg"
    shutil.copy(DATA / "HB_1.jpg", page)
    done = run("digitize", page, tmp_path / "none.jpg", "--out", tmp_path / "out", "--json")
    first, second = (json.loads(line) for line in done.stdout.splitlines())

    assert "\\ud" not in done.stdout
    assert first["file"] == first["source"] == str(tmp_path / "HB_\ufffd.jpg")
    assert first["written"] == ["HB_\ufffd.csv"]
    assert second["error"].startswith(f"{tmp_path / 'none.jpg'}: expected a file")


def test_explain_says_which_path_it_could_not_read(tmp_path):
    assert run("explain", tmp_path / "none.jpg").stderr.startswith(f"ecglens: {tmp_path / 'none.jpg'}: expected a file")


def test_a_leads_folder_that_cannot_be_made_is_an_error(examine, tmp_path):
    (tmp_path / "file").touch()
    result = run("read", "a.jpg", "--leads", tmp_path / "file")

    assert result.exit_code == 2
    assert "expected a folder that can be written to, got file" in result.stderr


def test_the_version_is_printed():
    assert run("--version").stdout == f"ecglens {ecglens.__version__}\n"


def test_models_are_listed(monkeypatch):
    registry = pytest.importorskip("ecglens.models.registry")

    class Card:
        name, version, title, labels, parameters, license = "tiny", "1.0", "A tiny model", ("a", "b"), 1234, "CC-BY-4.0"

    monkeypatch.setattr(registry, "list_models", lambda **_: [Card()])
    result = run("models")

    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1] == ["tiny", "1.0", "A", "tiny", "model", "a", "CC-BY-4.0", "1,234"]
    assert rows[2] == ["b"]


def test_an_error_outside_a_page_is_one_line_and_exit_code_2(monkeypatch, capsys):
    def broken():
        raise ModelError("There is no model.")

    monkeypatch.setattr("ecglens.cli.app", broken)
    with pytest.raises(SystemExit, match="2"):
        main()

    assert capsys.readouterr().err == "ecglens: There is no model.\n"


def test_serve_names_the_extra_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "django", None)
    result = run("serve")

    assert result.exit_code != 0
    assert "pip install 'ecglens[web]'" in str(result.exception)


def test_serve_says_in_one_sentence_that_a_port_is_in_use():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        result = run("serve", "--port", listening.getsockname()[1])

    assert isinstance(result.exception, SettingsError)
    assert "in use or belongs to another machine; choose another" in str(result.exception)


@pytest.fixture
def feature_row(monkeypatch):
    """Replace the computation of features: ``bad`` has a reason instead of features, ``stop`` is Ctrl+C."""
    features = pytest.importorskip("ecglens.batch.features")

    def fake(path):
        if "stop" in path.name:
            raise KeyboardInterrupt
        bad = "bad" in path.name
        yield {
            "file": path.name,
            "page": 1,
            "layout": "" if bad else "6x2",
            "error": "expected a page." if bad else "",
            "rate_bpm": float("nan") if bad else 64.0,
        }

    monkeypatch.setattr(features, "compute_feature_rows", fake)


def test_features_are_a_row_a_file_and_bad_files_do_not_stop_the_rest(feature_row, tmp_path):
    for name in ("a.jpg", "bad.jpg", "c.png"):
        (tmp_path / name).touch()
    result = run("features", tmp_path, "--out", tmp_path / "out" / "features.csv")

    assert result.exit_code == 2
    assert result.stderr == "ecglens: bad.jpg: expected a page.\n"
    assert "3 files, 1 without features; features.csv written." in result.stdout
    assert (tmp_path / "out" / "features.csv").read_text().splitlines() == [
        "file,page,layout,error,rate_bpm",
        "a.jpg,1,6x2,,64.0",
        "bad.jpg,1,,expected a page.,",
        "c.png,1,6x2,,64.0",
    ]


def test_features_come_as_parquet_too(feature_row, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.jpg").touch()

    assert run("features", tmp_path / "a.jpg", "--out", tmp_path / "f.parquet").exit_code == 0
    assert parquet.read_table(tmp_path / "f.parquet").to_pylist() == [
        {"file": "a.jpg", "page": 1, "layout": "6x2", "error": "", "rate_bpm": 64.0}
    ]


def test_what_was_measured_before_ctrl_c_is_written(feature_row, tmp_path):
    for name in ("a.jpg", "b.jpg", "stop.jpg", "z.jpg"):
        (tmp_path / name).touch()
    result = run("features", tmp_path, "--out", tmp_path / "f.csv")

    assert result.exit_code == 130
    assert "2 of 4 files" in result.stdout
    assert len((tmp_path / "f.csv").read_text().splitlines()) == 3


def test_the_table_itself_is_not_read_as_a_record(feature_row, tmp_path):
    (tmp_path / "a.jpg").touch()
    for _ in range(2):
        assert "1 file," in run("features", tmp_path, "--out", tmp_path / "f.csv", "--force").stdout


def test_a_table_that_exists_is_overwritten_on_request_only(feature_row, tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "f.csv").write_text("hours of work")

    refused = run("features", tmp_path, "--out", tmp_path / "f.csv")
    assert "add --force to overwrite it" in str(refused.exception)
    assert (tmp_path / "f.csv").read_text() == "hours of work"


def test_a_table_that_cannot_be_written_is_refused_before_the_work(feature_row, tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "f.csv").mkdir()

    assert "ends in .parquet or .csv" in str(run("features", tmp_path, "--out", tmp_path / "f.xls").exception)
    assert "expected a file that can be written" in str(
        run("features", tmp_path, "--out", tmp_path / "f.csv").exception
    )


def test_features_names_the_files_that_it_skipped(feature_row, tmp_path):
    for name in ("a.jpg", "readme.txt", "notes.md"):
        (tmp_path / name).touch()
    (tmp_path / "index.csv").write_text("path,label\na.jpg,mi\n")
    result = run("features", tmp_path, "--out", tmp_path / "f.csv")

    assert result.exit_code == 0
    assert "1 file, 0 without features; f.csv written." in result.stdout
    assert (
        "Skipped, because they are hidden, or no pages and no records: 3 other files (index.csv, notes.md, readme.txt)."
        in result.stdout
    )


def test_names_that_a_format_writes_as_one_are_kept_apart() -> None:
    used: set[str] = set()
    assert [own_stem(stem, used) for stem in ("p", "p", "Müller", "Möller", "a b")] == [
        "p",
        "p-2",
        "Müller",
        "Möller-2",
        "a b",
    ]


def test_the_overview_shows_the_first_paragraph_of_each_commands_help():
    for name, entry in COMMANDS.items():
        paragraph = load_command(name).help.split("\n\n")[0]
        assert " ".join(paragraph.split()) == entry.summary, name


@pytest.mark.parametrize(
    ("option", "values"), [("--style", STYLES), ("--grid", GRIDS), ("--damage", DAMAGES), ("--layout", LAYOUTS)]
)
def test_the_help_of_render_lists_every_value(option, values):
    help_text = next(parameter.help for parameter in load_command("render").params if option in parameter.opts)

    assert set(values) == {word.strip(".;:") for word in help_text.replace(",", " ").split()} & set(values)


def test_the_help_of_render_lists_every_label_scheme():
    help_text = next(parameter.help for parameter in load_command("render").params if "--scheme" in parameter.opts)

    assert all(name in help_text for name in SCHEMES)


def test_the_help_of_models_looks_like_that_of_all_commands():
    for arguments in (("models", "--help"), ("models", "import", "--help")):
        text = run(*arguments).stdout
        assert "\nOptions:\n" in text
        assert "─" not in text
        assert "completion" not in text
    assert "..." not in run("models", "--help").stdout.partition("Commands:")[2]


def test_digitize_join_needs_pages_that_belong_together(tmp_path):
    refused = run("digitize", DATA / "00009_hr.pdf", "--out", tmp_path, "--join")
    assert refused.exit_code == 2
    assert "after page 1, but none was read on a file of one page" in refused.stderr
    refused = run("digitize", DATA / "00009_hr.pdf", "--out", tmp_path, "--join", "--layout", "6x2")
    assert refused.exit_code == 2
    assert "--join: expected no --layout, --corners or --box beside it" in refused.stderr


def test_an_empty_argument_is_no_path_of_the_working_folder(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ecglens", "demo", ""])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "got an empty argument" in capsys.readouterr().err
