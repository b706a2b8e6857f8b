import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.formats.files import FORMATS, detect_format, read_record, write_record
from ecglens.layouts import canonical_lead
from ecglens.records import EcgRecord

pytest.importorskip("ecgdatakit")
pytest.importorskip("wfdb")
pytest.importorskip("pydicom")

DATA = Path(__file__).parents[1] / "data"
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "digital_files"
WITH_GAPS = tuple(name for name, form in FORMATS.items() if form.gaps)
"""Formats that can hold missing samples."""
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared data is not beside the repository")


@pytest.mark.parametrize("form", WITH_GAPS)
def test_every_format_gives_back_leads_rate_places_and_gaps(form: str, page: EcgRecord, tmp_path: Path) -> None:
    path = write_record(page, tmp_path / "new" / "page one", form)
    assert path.is_file()
    assert path.name.endswith(FORMATS[form].ending)
    back, placed = read_record(path).on_one_clock(), page.on_one_clock()
    assert (back.fs_hz, back.leads) == (500.0, page.leads)
    assert back.signals_mv.shape == placed.signals_mv.shape
    np.testing.assert_allclose(back.signals_mv, placed.signals_mv, atol=6e-4)


@pytest.mark.parametrize("form", FORMATS)
def test_rows_of_one_name_are_all_written_and_have_names_of_their_own(form: str, tmp_path: Path) -> None:
    signals = np.arange(5, dtype=np.float32)[:, None] + np.zeros((5, 300), np.float32)
    record = EcgRecord(signals, 500.0, ("V1", "II", "II", "V1-rhythm", "V1-rhythm"), quality=(0.9,) * 5)
    back = read_record(write_record(record, tmp_path / "a", form))
    assert back.leads == ("V1", "II", "II-2", "V1-rhythm", "V1-rhythm-2")
    np.testing.assert_allclose(back.signals_mv, signals, atol=6e-4)


def test_what_wfdb_refuses_is_an_error_of_ours(whole: EcgRecord, tmp_path: Path) -> None:
    odd = replace(whole, leads=("a\nb", *whole.leads[1:]))
    with pytest.raises(DatasetError, match="Expected a record that WFDB can store as a, but wfdb refuses it"):
        write_record(odd, tmp_path / "a", "wfdb")


@pytest.mark.parametrize("form", [form for form in WITH_GAPS if form != "csv"])
def test_comments_quality_and_warnings_travel_along(form: str, page: EcgRecord, tmp_path: Path) -> None:
    back = read_record(write_record(page, tmp_path / "page", form))
    assert back.comments[:2] == page.comments
    if form == "json":
        assert (back.quality, back.warnings) == (page.quality, page.warnings)
    else:
        assert back.comments[2].startswith("quality: I 0.80, II 0.80")
        assert back.comments[3] == "warning: V1 is cut off."


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_record_gives_the_same_file_without_a_name_or_a_date(
    form: str, whole: EcgRecord, tmp_path: Path
) -> None:
    record = whole if FORMATS[form].gaps else _fill_gaps(whole)
    first, second = (write_record(record, tmp_path / folder / "a", form).parent for folder in ("one", "two"))
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_an_unknown_format_is_refused_with_those_that_work(whole: EcgRecord, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="formats wfdb, csv, json, dicom, fhir, edf, aecg, got 'xml'"):
        write_record(whole, tmp_path / "a", "xml")
    (tmp_path / "a.xml").write_text("<html>\n</html>")
    with pytest.raises(DatasetError, match=r"Expected a digital ECG at a\.xml, got a file of another kind"):
        read_record(tmp_path / "a.xml")
    with pytest.raises(DatasetError, match=r"Expected a file of signals at .*none\.xml, got nothing there"):
        read_record(tmp_path / "none.xml")


@pytest.mark.parametrize("form", [form for form in WITH_GAPS if form != "wfdb"])
def test_the_content_tells_the_format_whatever_the_name(form: str, page: EcgRecord, tmp_path: Path) -> None:
    written = write_record(page, tmp_path / "page", form)
    assert detect_format(written) == form
    content = written.read_bytes()
    for source in (content, io.BytesIO(content)):
        assert read_record(source).leads == page.leads


def test_the_parts_of_a_wfdb_record_name_it(page: EcgRecord, tmp_path: Path) -> None:
    write_record(page, tmp_path / "page", "wfdb")
    for name in ("page.hea", "page", "page.dat"):
        assert read_record(tmp_path / name).leads == page.leads


def test_pages_and_other_tables_are_no_digital_ecgs() -> None:
    for path in (DATA / "MI_26.jpg", DATA / "00009_hr.pdf", DATA / "README.md", DATA / "keras2.h5"):
        assert detect_format(path) is None


@pytest.mark.shared
@needs_samples
def test_the_sample_files_of_recorders_have_the_samples_that_others_read() -> None:
    with (SAMPLES / "index.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not row["expected_first5_mV"].startswith("raw")]
    assert len(rows) == 19
    for row in rows:
        record = read_record(SAMPLES / row["file"].partition(" ")[0])
        assert record.fs_hz == pytest.approx(float(row["fs_hz"]), abs=1e-3), row["file"]
        for part in row["expected_first5_mV"].split(";"):
            name, _, text = part.strip().partition(": ")
            lead = {"ch1": "channel 1", "ch2": "channel 2", "ecg": "ECG"}.get(name, name.removeprefix("EKG "))
            samples = record.signals_mv[record.leads.index(canonical_lead(lead)), :5]
            np.testing.assert_allclose(samples, np.float64(text.split()), atol=2e-5, err_msg=row["file"])


@pytest.mark.shared
@needs_samples
def test_an_observation_without_a_unit_is_refused() -> None:
    with pytest.raises(DatasetError, match="got no unit; add their unit"):
        read_record(SAMPLES / "fhir_observation_ekg_hl7example.json")


@pytest.mark.parametrize("form", ["wfdb", "dicom", "edf", "aecg"])
def test_a_sample_that_does_not_fit_is_refused_and_not_wrapped(form: str, whole: EcgRecord, tmp_path: Path) -> None:
    high = _fill_gaps(whole).signals_mv
    high[0, 0] = 40
    with pytest.raises(DatasetError, match=r"within 32\.767 mV .* got 40 mV"):
        write_record(replace(whole, signals_mv=high), tmp_path / "a", form)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "wfdb"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe\x00 nonsense", b"a,b\n1,2\n"])
def test_files_of_something_else_are_refused_in_one_sentence(form: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a{FORMATS[form].ending}"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"^Expected "):
        read_record(path)


@pytest.mark.parametrize("form", FORMATS)
@given(
    signals=arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(2, 50)),
        elements=st.floats(-30, 30, width=32) | st.just(float("nan")),
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wild_samples_come_back_within_half_a_microvolt(
    form: str, signals: NDArray[np.float32], tmp_path: Path
) -> None:
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "X")[: len(signals)]
    signals = signals if FORMATS[form].gaps else np.nan_to_num(signals)
    back = read_record(write_record(EcgRecord(signals, 250.0, leads), tmp_path / "wild", form))
    assert (back.fs_hz, back.leads) == (250.0, leads)
    np.testing.assert_allclose(back.signals_mv, signals, atol=5.1e-4)


def _fill_gaps(record: EcgRecord) -> EcgRecord:
    return replace(record, signals_mv=np.nan_to_num(record.signals_mv))


def test_a_missing_file_is_a_file_not_found_error_too(tmp_path: Path) -> None:
    for path in (tmp_path / "none.edf", str(tmp_path / "none.dcm")):
        with pytest.raises(FileNotFoundError, match="got nothing there; check the path"):
            read_record(path)


@pytest.mark.parametrize("source", [None, 3, [1], np.zeros(3), {}])
def test_what_is_no_file_is_a_type_error_of_one_sentence(source: object) -> None:
    with pytest.raises(
        TypeError, match=r"^Expected a path, bytes or a binary file of a digital ECG, got \w+; give one"
    ):
        read_record(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["", "a\0b", Path("a\0b")])
def test_what_is_no_path_is_refused(source: str | Path) -> None:
    with pytest.raises(DatasetError, match="Expected a path to a digital ECG, got '.*'; give the path of a file"):
        read_record(source)


def test_a_folder_and_a_file_of_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="got a folder; give a file in it"):
        read_record(tmp_path)
    with pytest.raises(DatasetError, match="Expected a file of bytes, got one of text; open it in binary mode"):
        read_record(io.StringIO("time_s,II_mV"))  # type: ignore[arg-type]
    closed = io.BytesIO(b"time_s,II_mV")
    closed.close()
    with pytest.raises(DatasetError, match="Expected an open file of a digital ECG"):
        read_record(closed)


@pytest.mark.parametrize(
    "content", [b"nonsense", b"time_s,II_mV\n0,1\n", b"1,2\n3,4\n", bytes(128) + b"DICM" + bytes(99)]
)
def test_bytes_are_called_the_file_in_errors(content: bytes) -> None:
    with pytest.raises(DatasetError, match=r" the file\b") as caught:
        read_record(content)
    assert "at record" not in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_that_cannot_be_made_is_one_sentence(form: str, tmp_path: Path) -> None:
    whole = EcgRecord(np.zeros((1, 500), np.float32), 500.0, ("I",))
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DatasetError, match=r"Expected a folder that can be written to, got .*; name another\."):
            write_record(whole, folder / "ecg", form)


@pytest.mark.parametrize("word", ['"resourceType": "Observation"', '"ecglens-record"'])
def test_a_text_that_mentions_a_format_is_none(word: str, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(f"words = {{{word}}}\n")
    assert detect_format(tmp_path / "code.py") is None
