"""Files, folders and standard input, and all pages of a file."""

import csv
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from recorder_files import muse
from tests.support.text_pdfs import draw_cover, page_with_text, text_pdf
from typer.testing import CliRunner

from ecglens.cli.app import app
from ecglens.formats.csv import read_csv, write_csv
from ecglens.formats.files import write_record
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


@pytest.fixture(scope="module")
def file_of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file with a cover page and two pages with traces."""
    trace = page_with_text(render_page(RECORD).page)
    path = tmp_path_factory.mktemp("pages") / "three.pdf"
    path.write_bytes(text_pdf(draw_cover, trace, trace))
    return path


def run(*words: object, content: bytes | None = None):
    return CliRunner().invoke(app, [str(word) for word in words], input=content)


def read_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_all_pages_that_show_an_ecg_are_read_and_the_others_named(file_of_three: Path) -> None:
    done = run("read", file_of_three, "--json", "--no-measure")
    lines = read_lines(done.stdout)
    assert done.exit_code == 0
    assert [(line["page"], line["pages"]) for line in lines] == [(2, 3), (3, 3)]
    assert {line["file"] for line in lines} == {str(file_of_three)}
    assert {line["sha256"] for line in lines} == {hashlib.sha256(file_of_three.read_bytes()).hexdigest()}
    assert "three.pdf: no trace is seen on page 1, which was left out." in done.stderr


def test_a_page_is_read_on_request_though_it_shows_no_trace(file_of_three: Path) -> None:
    (line,) = read_lines(run("read", file_of_three, "--json", "--page", 1).stdout)
    assert (line["page"], line["label"]) == (1, None)
    assert "The page shows print but no trace" in line["abstention"]["reason"]
    beyond = run("read", file_of_three, "--page", 4)
    assert beyond.exit_code == 2
    assert (
        "three.pdf: expected a page number from 1 to 3, found 4; the file has 3 pages, and no page 4." in beyond.stderr
    )
    assert "page 4 of 3" not in beyond.stderr
    corrected = run(
        "correct", file_of_three, "--page", 4, "--layout", "3x4", "--out", file_of_three.with_name("fix.json")
    )
    assert "three.pdf: expected a page number from 1 to 3" in str(corrected.exception)


def test_of_a_file_without_traces_the_first_page_says_why(tmp_path: Path) -> None:
    path = tmp_path / "covers.pdf"
    path.write_bytes(text_pdf(draw_cover, draw_cover))
    done = run("read", path, "--json")
    assert [line["page"] for line in read_lines(done.stdout)] == [1]
    assert "page 2, which was left out" in done.stderr
    digitized = run("digitize", path, "--out", tmp_path / "out")
    assert digitized.exit_code == 2
    assert "covers.pdf, page 1 of 2: expected the leads of an ECG page" in digitized.stderr


def test_each_page_is_digitized_into_files_of_its_own(file_of_three: Path, tmp_path: Path) -> None:
    done = run("digitize", file_of_three, "--out", tmp_path, "--json", "--quiet")
    assert [line["written"] for line in read_lines(done.stdout)] == [["three-page2.csv"], ["three-page3.csv"]]
    assert done.stderr == ""
    manifest = read_lines((tmp_path / "manifest.jsonl").read_text())
    assert [line["pages"] for line in manifest] == [[2], [3]]
    (one,) = read_lines(run("digitize", file_of_three, "--out", tmp_path, "--json", "--page", 2, "--force").stdout)
    assert one["written"] == ["three-page2.csv"]


def test_each_page_is_explained(tmp_path: Path) -> None:
    blank, *others = (
        Image.new("RGB", (1600, 1200), "white"),
        *map(Image.open, [DATA / "MI_26.jpg", DATA / "HB_1.jpg"]),
    )
    blank.save(tmp_path / "three.tif", save_all=True, append_images=[page.convert("RGB") for page in others])
    done = run("explain", tmp_path / "three.tif", "--no-checks", "--out", tmp_path / "why.json")
    assert done.exit_code == 0
    assert "three.tif: no trace is seen on page 1" in done.stderr
    assert "three.tif, page 3 of 3" in done.stdout
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["why-three-page2.json", "why-three-page3.json"]


def test_a_page_or_digital_ecg_is_read_from_standard_input() -> None:
    page = run("read", "-", "--json", "--no-measure", content=(DATA / "Normal_1.jpg").read_bytes())
    assert [(line["file"], line["label"]) for line in read_lines(page.stdout)] == [("-", "normal")]
    record = run("read", "-", "--json", content=(DATA / "ptbxl_00001.csv").read_bytes())
    assert read_lines(record.stdout)[0]["leads"][:2] == ["I", "II"]
    twice = run("read", "-", "-", content=b"page")
    assert "Expected - for standard input once, got it twice" in str(twice.exception)
    empty = run("read", "-", content=b"")
    assert empty.exit_code == 2
    assert "expected a page, found an empty file" in empty.stderr


def test_pages_and_digital_ecgs_of_a_folder_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "page.jpg").write_bytes((DATA / "Normal_1.jpg").read_bytes())
    write_csv(RECORD, tmp_path / "record.csv")
    (tmp_path / "notes.txt").write_text("no ECG")
    for name in ("._page.jpg", ".x.png"):
        (tmp_path / "below" / name).write_bytes((DATA / "Normal_1.jpg").read_bytes())
    done = run("read", tmp_path, "--json", "--no-measure")
    lines = read_lines(done.stdout)
    assert [line["file"] for line in lines] == [str(tmp_path / "below" / "page.jpg"), str(tmp_path / "record.csv")]
    others = "3 other files (._page.jpg, .x.png, notes.txt): hidden, or neither a page nor a digital ECG."
    assert f"{tmp_path}: skipped {others}" in done.stderr
    pages = read_lines(run("digitize", tmp_path, "--out", tmp_path / "out", "--json").stdout)
    assert [line["file"] for line in pages] == [str(tmp_path / "below" / "page.jpg")]
    (tmp_path / "below" / "page.jpg").unlink()
    assert "Expected pages below" in str(run("digitize", tmp_path, "--out", tmp_path / "out").exception)


def test_only_results_and_errors_are_printed_on_request(file_of_three: Path) -> None:
    done = run("read", file_of_three, "missing.jpg", "--no-measure", "--quiet")
    assert "not a diagnosis" not in done.stdout
    assert done.stderr == "ecglens: missing.jpg: expected a file, found nothing at that path; check the path.\n"


def test_only_text_for_terminals_has_no_line_ends_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "a\nb\tc.csv"
    write_csv(RECORD, tmp_path / name)
    for command in (("read",), ("convert", "--out", "out", "--to", "edf,csv")):
        assert [line["file"] for line in read_lines(run(*command, name, "--json").stdout)] == [name]
        assert "a\ufffdb\ufffdc.csv" in run(*command, name, *(("--force",) if "--out" in command else ())).output
    (failure,) = read_lines(run("read", "none\n.csv", "--json").stdout)
    assert failure["file"] == "none\n.csv"
    run("features", name, "--out", "table.csv")
    with Path("table.csv").open(newline="") as stream:
        assert [row["file"] for row in csv.DictReader(stream)] == [name]


@pytest.fixture
def record_of_another_name(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    write_record(RECORD, folder / "ecg", "edf").rename(folder / "ecg.jpg")
    return folder / "ecg.jpg"


def test_a_digital_ecg_with_the_ending_of_a_picture_is_read_as_what_it_is(
    record_of_another_name: Path, tmp_path: Path
) -> None:
    for source in (record_of_another_name, record_of_another_name.parent):
        (line,) = read_lines(run("read", source, "--json").stdout)
        assert line["format"] == "ecglens-record-reading"
        assert run("convert", source, "--out", tmp_path / "out", "--to", "csv", "--force").exit_code == 0
        table = tmp_path / "table.csv"
        assert run("features", source, "--out", table, "--force").exit_code == 0
    none = run("digitize", record_of_another_name.parent, "--out", tmp_path / "pages")
    assert str(none.exception) == "Expected pages below files, got none."


def test_a_picture_that_is_damaged_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff damaged")
    assert "expected a whole JPEG file" in run("read", tmp_path / "a.jpg").stderr


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("count", [1, 2])
def test_a_zip_of_digital_ecgs_says_what_reads_it(compression: int, count: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w", compression) as archive:
        for number in range(count):
            archive.writestr(f"{number}.xml", muse({"I": [0, 100, -200, 300] * 250}))
    words = {"read": "unpack it, or read the pages and ECGs in it with ecglens batch."}
    words["convert"] = "unpack it, or read the ECGs in it with ecglens batch."
    for command, advice in words.items():
        options = ("--out", tmp_path / "out") if command == "convert" else ()
        (line,) = run(command, tmp_path / "many.zip", *options).stderr.splitlines()
        assert line.endswith(advice)


def test_an_office_file_is_no_zip_to_unpack(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    assert "found an Office file; save the page as one of these" in run("read", tmp_path / "a.docx").stderr
