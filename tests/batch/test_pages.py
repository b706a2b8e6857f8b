"""Real pages read with a small model: the rows, the files of signals and the memory of the reading processes."""

import re
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as parquet
import pytest
from tiny_models import write_model

from ecglens.batch import Entry, Options, Progress, Result, run
from ecglens.batch.job import make_job
from ecglens.batch.pages import answer, picture
from ecglens.batch.readers import PageReader
from ecglens.batch.results import open_result, store_files
from ecglens.errors import BatchError, ModelError
from ecglens.formats.files import write_record
from ecglens.formats.wfdb import read_wfdb
from ecglens.layouts import STANDARD_LEADS
from ecglens.reading import examine
from ecglens.records import EcgRecord, Reading

DATA = Path(__file__).resolve().parents[1] / "data"
EVERYTHING = ("label", "measurements", "signals", "explanation")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_model(folder, (0.0, 0.0), graph={"slope": 0.001}, abstain_below=0.6)
    return folder


@pytest.fixture(scope="module")
def result(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a page for every part, a PDF of another print, and a text file."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("MI_26.jpg", "00009_hr.pdf"):
        shutil.copy(DATA / name, folder)
    (folder / "letter.jpg").write_text("dear")
    return run(folder, folder.parent / "result", options=Options(parts=EVERYTHING, model=model), workers=1)


def write_png(path: Path, side_px: int) -> None:
    """Write a small PNG that is decoded to some hundred megabytes, below the limit of megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, line = zlib.compressobj(1), bytes(1 + side_px * 3)
    pixels = b"".join(packer.compress(line) for _ in range(side_px)) + packer.flush()
    head = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {row["file"]: row for row in parquet.read_table(result.folder / "pages.parquet").to_pylist()}


@pytest.fixture(scope="module")
def reading(model: Path) -> Reading:
    return examine(DATA / "MI_26.jpg", model=model, measure=True)


def test_a_row_says_what_the_page_s_reading_says(result, reading):
    row, expected = rows(result)["MI_26.jpg"], reading.to_dict()
    assert row["label"] == expected["label"]
    assert row["abstention"] == (expected["abstention"] or {}).get("kind")
    assert {name: row[f"probability_{name}"] for name in ("normal", "mi")} == pytest.approx(expected["probabilities"])
    assert row["confidence"] == pytest.approx(reading.prediction.confidence, abs=1e-6)
    assert (row["layout"], row["width_px"]) == ("3x4+1", 1107)
    assert row["rate_bpm"] == pytest.approx(expected["measurements"]["rate_bpm"]["value"])
    assert row["rate_bpm_error"] == pytest.approx(expected["measurements"]["rate_bpm"]["error"])
    assert row["st_j_mv"]["V2"] == pytest.approx(expected["measurements"]["st_j_mv"]["V2"]["value"], abs=1e-3)
    assert row["warnings"][: len(expected["warnings"])] == expected["warnings"]
    assert len(row["quality"]) == len(row["leads"]) == 13


def test_a_model_without_a_class_map_is_explained_by_occlusion(result):
    row = rows(result)["MI_26.jpg"]
    assert (row["explanation_method"], row["explained_label"]) == ("occlusion_lead", row["label"] or "normal")
    assert set(row["lead_shares"]) == set(STANDARD_LEADS)
    assert not any("no explanation" in warning for warning in row["warnings"])


def test_a_page_of_another_print_is_measured_and_not_labeled(result):
    row = rows(result)["00009_hr.pdf"]
    assert (row["label"], row["abstention"], row["failure"]) == (None, "unfamiliar", None)
    assert row["rate_bpm"] is not None
    assert row["signals_file"] is not None


def test_the_signals_are_stored_in_a_file_of_their_own(result, reading):
    assert reading.tracing is not None
    assert reading.tracing.record is not None
    expected = reading.tracing.record.on_one_clock()
    row = rows(result)["MI_26.jpg"]
    assert row["signals_file"] == f"signals/{row['sha256'][:2]}/{row['sha256']}-1.parquet"
    table = parquet.read_table(result.folder / row["signals_file"])
    assert table.column_names == list(expected.leads)
    assert table.schema.metadata[b"ecglens.fs_hz"] == b"500"
    assert table.schema.metadata[b"ecglens.unit"] == b"mV"
    np.testing.assert_array_equal(table["II-rhythm"].to_numpy(), expected.signals_mv[-1])


@pytest.mark.parametrize("form", ["parquet", "wfdb"])
def test_two_rhythm_strips_of_one_lead_are_two_signals(form, reading, monkeypatch, tmp_path):
    record = reading.tracing.record
    twice = replace(record, leads=(*record.leads[:-2], "II-rhythm", "II-rhythm"))
    monkeypatch.setattr("ecglens.batch.pages.digitize_page", lambda page: replace(reading.tracing, record=twice))
    page = answer(
        (DATA / "MI_26.jpg").read_bytes(), 1, f"{'0a' * 32}-1", make_job(Options(("signals",), signal_format=form))
    )
    assert page.row["leads"][-2:] == ["II-rhythm", "II-rhythm-2"]
    name = next(name for name in page.files if name.endswith((".parquet", ".hea")))
    store_files(tmp_path, page.files)
    if form == "parquet":
        assert parquet.read_table(tmp_path / name).column_names == page.row["leads"]
    else:
        assert list(read_wfdb(tmp_path / name).leads) == page.row["leads"]


def test_signals_as_wfdb_are_read_by_their_row_s_name(reading, tmp_path, monkeypatch):
    monkeypatch.setattr("ecglens.batch.pages.digitize_page", lambda page: reading.tracing)
    job = make_job(Options(("signals",), signal_format="wfdb"))
    page = answer((DATA / "MI_26.jpg").read_bytes(), 1, f"{'0a' * 32}-1", job)
    assert "label" not in page.row
    store_files(tmp_path, page.files)
    record = read_wfdb(tmp_path / page.row["signals_file"])
    assert {"I", "II", "III", "V6"} <= set(record.leads)
    assert np.nanmax(np.abs(record.signals_mv)) > 0.5


def test_the_summary_shows_pages_without_network_or_scripts(result):
    html = result.summary.read_text()
    assert html.count("data:image/jpeg;base64,") == 1
    assert "MI_26.jpg" in html
    assert "Expected JPEG, PNG, TIFF, BMP, WebP, HEIC or PDF, found text" in html
    assert "http://" not in html
    assert "https://" not in html
    assert "<script" not in html


def test_a_decompression_bomb_fails_alone_within_the_memory_limit(model, tmp_path, monkeypatch):
    """Call it as a task of the web application does: with entries and a listener, not in the main thread."""
    peaks: list[int] = []
    end = PageReader._end

    def end_and_measure(self: PageReader) -> int:
        """Record the peak memory of a process before it is ended."""
        if self._process is not None:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            peaks.extend(int(kilobytes) for kilobytes in re.findall(r"VmHWM:\s+(\d+) kB", status))
        return end(self)

    monkeypatch.setattr(PageReader, "_end", end_and_measure)
    write_png(tmp_path / "bomb", 9990)
    write_png(tmp_path / "large", 3000)
    paths = (DATA / "MI_26.jpg", tmp_path / "bomb", tmp_path / "large", DATA / "HB_1.jpg")
    entries = [Entry(f"upload {number}", str(path)) for number, path in enumerate(paths)]
    reports: list[Progress] = []
    with ThreadPoolExecutor(1) as pool:
        options = Options(model=model)
        task = pool.submit(
            run, entries, tmp_path / "out", options=options, workers=1, listener=reports.append, pictures=False
        )
        outcome = task.result()
    assert (outcome.files, outcome.pages, outcome.failures) == (4, 4, 1)
    assert (reports[-1].state, reports[-1].done, reports[-1].failures) == ("finished", 4, 1)
    assert [row["failure"] for row in rows(outcome).values()] == [None, "memory", None, None]
    assert peaks
    assert 100_000 < max(peaks) <= 600_000_000 / 1024


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            Options(parts=("label", "heat")),
            "Expected any of label, measurements, signals, explanation to read, got 'label, heat'",
        ),
        (Options(parts=()), "Expected any of label"),
        (Options(signal_format="csv"), "Expected signals as parquet or wfdb, got 'csv'"),
        (Options(memory_mb=20), r"Expected a memory limit \(--memory\) of at least 300 MB, got 20; raise it"),
        (
            Options(page_seconds=0),
            r"Expected a time limit for a page \(--page-seconds\) of 1 to 86400 s, got 0; change",
        ),
        (Options(page_seconds=float("nan")), "of 1 to 86400 s, got nan; change it"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, reason):
    with pytest.raises(BatchError, match=reason):
        make_job(options)


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="Expected a model's name or folder"):
        run(DATA, tmp_path / "out", options=Options(model="nobody"))
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a page, two digital ECGs of one recording, an XML file of something else, and a text."""
    folder = tmp_path_factory.mktemp("mixed")
    shutil.copy(DATA / "MI_26.jpg", folder)
    clock = np.arange(5000) / 500
    beat = np.float32(np.exp(-(((clock % 0.8) - 0.4) ** 2) / 2e-4))
    record = EcgRecord(np.outer(np.linspace(0.3, 1.2, 12, dtype=np.float32), beat), 500.0, STANDARD_LEADS)
    for form in ("aecg", "dicom"):
        write_record(record, folder / "recording", form)
    (folder / "feed.xml").write_text("<rss></rss>\n")
    for name in ("notes.txt", "readme.md", "._recording.dcm", ".x.png"):
        (folder / name).write_text("dear")
    return folder


def test_digital_ecgs_are_read_beside_pages(mixed_folder: Path, model: Path, tmp_path: Path) -> None:
    options = Options(parts=("label", "measurements", "signals"), model="auto")
    result = run(mixed_folder, tmp_path / "result", options=options, workers=1)
    names = ("._recording.dcm", ".x.png", "notes.txt")
    assert (result.skipped_files, result.skipped_names) == (4, names)
    assert open_result(result.folder).skipped_names == names
    words = "skipped because of their names: 4, such as ._recording.dcm, .x.png, notes.txt."
    assert words in " ".join(result.summary.read_text(encoding="utf-8").split())
    again = run(mixed_folder, tmp_path / "result", options=options, workers=1)
    assert (again.skipped_files, again.skipped_names) == (4, names)
    by_name = rows(result)
    assert by_name["feed.xml"]["failure"] == "not_a_page"
    assert "found an HTML, SVG or XML file" in by_name["feed.xml"]["reason"]
    for name in ("recording.aecg.xml", "recording.dcm"):
        row = by_name[name]
        assert (row["failure"], row["model"], row["page"], row["pages"]) == (None, "any_recorder", 1, 1)
        assert row["rate_bpm"] == pytest.approx(75, abs=0.5)
        assert row["leads"] == list(STANDARD_LEADS)
        assert (row["layout"], row["width_px"], row["quality"]) == (None, None, None)
        assert parquet.read_table(result.folder / row["signals_file"]).num_rows == 5000
    assert by_name["MI_26.jpg"]["layout"] == "3x4+1"


def test_a_page_model_gives_digital_ecgs_no_label_and_says_why(mixed_folder: Path, model: Path) -> None:
    job = make_job(Options(parts=("label", "measurements", "explanation"), model=model))
    row = answer((mixed_folder / "recording.dcm").read_bytes(), 1, "stem", job).row
    assert "label" not in row
    assert row["rate_bpm"] == pytest.approx(75, abs=0.5)
    assert any(text.startswith("There is no label: ") for text in row["warnings"])
    assert "There is no explanation, since only those of pages are computed." in row["warnings"]


def test_the_picture_of_a_digital_ecg_is_its_page(mixed_folder: Path, model: Path) -> None:
    job = make_job(Options(model=model))
    content = picture((mixed_folder / "recording.dcm").read_bytes(), 1, "stem", job).files["picture"]
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] == 440
    assert pixels.min() < 120
