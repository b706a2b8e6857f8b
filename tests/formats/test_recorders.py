import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ecglens
from ecglens.errors import DatasetError, EcgReadError, MissingExtraError
from ecglens.formats.files import detect_format, read_record
from ecglens.formats.recorders import guess_recorder_format, read_recorder_file
from ecglens.layouts import STANDARD_LEADS

pytest.importorskip("ecgdatakit")

import recorder_files
from recorder_files import aecg, edf, ishne, kardia, mfer, muse, sierra

DATA = Path(__file__).parents[1] / "data"
ONE, TWO = [0, 100, -200, 300] * 250, [50, 40, 30, 20] * 250


@pytest.mark.parametrize(
    ("name", "make", "step_mv", "rate"),
    [
        ("muse", lambda: muse({"I": ONE, "II": TWO}), 0.00488, 500.0),
        ("sierra", lambda: sierra({"I": ONE, "II": TWO}), 0.005, 500.0),
        ("aecg", lambda: aecg({"I": ONE, "II": TWO}), 0.0025, 500.0),
        ("edf", lambda: edf({"ECG I": ONE, "EKG II": TWO}), 0.001, 250.0),
        ("ishne", lambda: ishne({5: ONE, 6: TWO}), 0.0025, 200.0),
        ("mfer", lambda: mfer({1: ONE, 2: TWO}), 0.001, 250.0),
        ("kardia", lambda: kardia({"leadI": ONE, "leadII": TWO}), 0.0005, 300.0),
    ],
)
def test_samples_rate_and_leads_are_those_of_the_file(
    name: str, make: Callable[[], bytes], step_mv: float, rate: float, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(make())
    assert detect_format(path) == name
    record = read_recorder_file(path)
    assert record.leads == ("I", "II")
    assert record.fs_hz == rate
    np.testing.assert_allclose(record.signals_mv, np.array([ONE, TWO]) * step_mv, atol=1e-5)
    assert record.warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("value", ['"text"', 'SYSTEM "file:///etc/hostname"'])
@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("muse", "<RestingECG>&text;</RestingECG>"),
        ("sierra", '<restingecgdata xmlns="http://www3.medical.philips.com">&text;</restingecgdata>'),
        ("aecg", '<AnnotatedECG xmlns="urn:hl7-org:v3">&text;</AnnotatedECG>'),
        ("mortara", '<ECG ACQUISITION_TIME="1">&text;</ECG>'),
    ],
)
def test_entities_of_xml_are_refused_in_a_sentence(
    name: str, root: str, value: str, encoding: str, tmp_path: Path
) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>\n<!DOCTYPE a [<!ENTITY text {value}>]>\n'
    (tmp_path / "a.xml").write_bytes(f"{declaration}{root}".encode(encoding))
    assert detect_format(tmp_path / "a.xml") == name
    with pytest.raises(DatasetError) as refused:
        read_record(tmp_path / "a.xml")
    assert str(refused.value) == (
        "Expected a digital ECG at a.xml, but it cannot be read: the XML file declares entities, which are not "
        "accepted; export it again without them."
    )


def test_eight_leads_of_a_12_lead_ecg_become_twelve(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(muse({"I": ONE, "II": TWO, **dict.fromkeys(STANDARD_LEADS[6:], TWO)}))
    record = read_recorder_file(tmp_path / "file")
    assert record.leads == STANDARD_LEADS
    np.testing.assert_allclose(record["III"], (np.array(TWO) - ONE) * 0.00488, atol=1e-5)
    assert record.comments[-1] == "III, aVR, aVL, aVF computed from I and II"


def test_an_scp_file_of_a_recorder_has_its_exact_rate() -> None:
    """1,667 µs from one sample to the next are 599.88 Hz: over 10 s, 600 Hz would be a sample off."""
    record = read_recorder_file(DATA / "welch_allyn.scp")
    assert record.fs_hz == 599.880024
    assert len(record.leads) == 12
    np.testing.assert_allclose(
        record.signals_mv[:2, :5],
        [[0, 0, 0, 0.00375, 0], [-0.1575, -0.18375, -0.21375, -0.23625, -0.25125]],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("content", "rate"),
    [
        (aecg({"I": ONE}, increment_s="0.001953125"), 512.0),
        (aecg({"I": ONE}, increment_s="0.00303"), 330.0330033),
        (edf({"I": ONE}, record_s="0.7"), 357.1428571),
        (mfer({1: ONE}, interval_us=3000), 333.3333333),
        (kardia({"leadI": ONE}).replace(b'"frequency": 300', b'"frequency": 299.97'), 299.97),
        (muse({"I": ONE}, rate="3333</SampleBase><SampleExponent>-1</SampleExponent><SampleBase>0"), 333.3),
    ],
)
def test_rates_are_not_rounded(content: bytes, rate: float, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_recorder_file(tmp_path / "file").fs_hz == rate


@pytest.mark.parametrize("content", [muse({"I": ONE}, unit=""), aecg({"I": ONE}, unit="1"), edf({"I": ONE}, unit="")])
def test_samples_without_a_voltage_are_refused_and_never_guessed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DatasetError, match="Expected signals whose unit is stated in file, got 1 without a voltage"):
        read_recorder_file(tmp_path / "file")


def test_a_signal_without_a_voltage_beside_others_is_left_out_with_a_warning(tmp_path: Path) -> None:
    content = edf({"I": ONE, "Resp": TWO}).replace(b"uV      uV      ", b"uV      L/min   ")
    (tmp_path / "file").write_bytes(content)
    record = read_recorder_file(tmp_path / "file")
    assert record.leads == ("I",)
    assert record.warnings == ("Left out, since the file states no voltage for them: Resp.",)


def test_the_calibration_pulse_at_the_end_of_sierra_files_is_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pulse = [0] * 50 + [200] * 100 + [0] * 50
    leads = {name: [*rng.integers(-200, 200, 1000).tolist(), *pulse] for name in ("I", "II", "III", "aVR")}
    (tmp_path / "file").write_bytes(sierra(leads))
    record = read_recorder_file(tmp_path / "file")
    assert record.signals_mv.shape[1] == 1000
    assert "calibration pulse of the last 0.4 s cut" in record.comments


def test_age_and_sex_are_taken_over_and_the_person_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(muse({"I": ONE}))
    assert read_recorder_file(tmp_path / "file").comments == ("age: 61", "sex: female")


@pytest.mark.parametrize("name", recorder_files.__all__)
def test_a_file_that_is_cut_off_is_refused_or_shorter(name: str, tmp_path: Path) -> None:
    keys = {"ishne": (5, 6), "mfer": (1, 2), "kardia": ("leadI", "leadII")}.get(name, ("I", "II"))
    content = getattr(recorder_files, name)(dict(zip(keys, (ONE, TWO), strict=True)))
    for size in (600, len(content) // 2, len(content) - 1):
        (tmp_path / "file").write_bytes(content[:size])
        samples, detail = read_or_refuse(tmp_path / "file")
        assert samples <= len(ONE)
        assert str(tmp_path) not in detail


def read_or_refuse(path: Path) -> tuple[int, str]:
    """Return the number of samples, or 0 and what the error says."""
    try:
        return read_recorder_file(path).signals_mv.shape[1], ""
    except DatasetError as error:
        return 0, error.detail


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no ECG" * 100)
    with pytest.raises(DatasetError, match="Expected a digital ECG of a recorder at file, got a file of another kind"):
        read_recorder_file(tmp_path / "file")


@pytest.mark.parametrize("name", ["edf", "ishne"])
def test_a_file_that_is_shorter_than_its_header_states_says_so(name: str, tmp_path: Path) -> None:
    content = edf({"I": ONE}) if name == "edf" else ishne({5: ONE})
    path = tmp_path / "record"
    path.write_bytes(content)
    assert not read_recorder_file(path).warnings
    path.write_bytes(content[: len(content) - len(content) // 4])
    [warning] = read_recorder_file(path).warnings
    assert warning == "The file is cut short: it has 75% of the bytes that its header states."


def test_the_rate_of_the_leads_is_chosen_where_other_voltages_come_first(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(edf({"ch1": ONE, "EKG": TWO}))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"250     250     ", b"100     400     "))
    record = read_recorder_file(path)
    assert (record.leads, record.fs_hz) == (("EKG",), 400.0)
    assert record.warnings == ("Left out, since they have another sampling rate than 400 Hz: ch1.",)


def test_a_file_of_an_eeg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(edf({"EEG C3": ONE}))
    with pytest.raises(DatasetError, match="Expected an ECG in file, got other signals: EEG C3"):
        read_recorder_file(tmp_path / "file")


def test_leads_of_one_name_get_numbers_whatever_their_prefix(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(edf({"ECG I": ONE, "EKG I": TWO, "ECG II": TWO, "Lead II": ONE}))
    assert read_recorder_file(tmp_path / "file").leads == ("I", "I-2", "II", "II-2")


def test_names_of_leads_are_those_that_an_aecg_displays_unless_the_code_is_another_leads(tmp_path: Path) -> None:
    content = aecg({"CONFIG": ONE, "II": TWO, "X": ONE, "V1": TWO, "MCL1": ONE})
    for code, name in (("CONFIG", "MLII"), ("II", "Lead II"), ("X", "vx"), ("V1", "V2")):
        old = f"code='MDC_ECG_LEAD_{code}'"
        content = content.replace(old.encode(), f"{old} displayName='{name}'".encode())
    (tmp_path / "file").write_bytes(content)
    assert read_recorder_file(tmp_path / "file").leads == ("MLII", "II", "vx", "V1", "MCL1")


def test_a_second_series_of_rhythm_is_said_to_be_left_out(tmp_path: Path) -> None:
    content = aecg({"I": ONE}).decode()
    series = content[content.index("<component><series>") : content.index("</AnnotatedECG>")]
    (tmp_path / "file").write_text(content.replace("</AnnotatedECG>", f"{series}</AnnotatedECG>"), encoding="utf-8")
    record = read_recorder_file(tmp_path / "file")
    assert record.signals_mv.shape == (1, len(ONE))
    assert record.warnings == ("The file was not read as a whole: 2 rhythm series found; only the first is read.",)


def test_a_lead_whose_electrode_was_off_is_said(tmp_path: Path) -> None:
    content = muse({"I": ONE}).replace(b"<LeadSampleSize>", b"<LeadOff>TRUE</LeadOff><LeadSampleSize>")
    (tmp_path / "file").write_bytes(content)
    assert read_recorder_file(tmp_path / "file").warnings == ("The recorder marked leads whose electrode was off: I.",)


def test_what_ecgdatakit_left_out_of_the_samples_is_said(tmp_path: Path) -> None:
    content = muse({"I": ONE})
    rhythm = content[content.index(b"<Waveform><WaveformType>Rhythm") : content.index(b"</RestingECG>")]
    offset = content.replace(b"<LeadSampleSize>", b"<FirstSampleBaseline>9</FirstSampleBaseline><LeadSampleSize>")
    warnings = []
    for each in (content.replace(rhythm, rhythm * 2), offset):
        (tmp_path / "file").write_bytes(each)
        warnings += read_recorder_file(tmp_path / "file").warnings
    assert warnings == [
        "The file was not read as a whole: Additional rhythm waveform ignored in file.",
        "The file was not read as a whole: GE MUSE: FirstSampleBaseline is non-zero for ['I (median)', 'I (rhythm)'] "
        "and was not applied (undocumented).",
    ]


def test_signals_without_a_lead_are_numbered_and_prefixes_are_none_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(ishne({0: ONE, 5: TWO}))
    assert read_recorder_file(tmp_path / "file").leads == ("channel 1", "I")
    (tmp_path / "file").write_bytes(edf({"ECG-II": ONE, "ECG LA-RA": TWO, "EKG1-EKG2": ONE, "ecg v6": ONE}))
    assert read_recorder_file(tmp_path / "file").leads == ("II", "LA-RA", "EKG1-EKG2", "V6")


@pytest.mark.parametrize(("unit", "step", "origin_mv"), [("nV", 2500, 0.1), ("mV", 0.0025, 0.1), ("\u00b5V", 2.5, 0.1)])
def test_units_and_origins_of_an_aecg_are_heeded(unit: str, step: float, origin_mv: float, tmp_path: Path) -> None:
    content = aecg({"I": ONE}, step=step, unit=unit).decode()
    content = content.replace(f"<origin value='0' unit='{unit}'/>", f"<origin value='{origin_mv}' unit='mV'/>")
    (tmp_path / "file").write_text(content, encoding="utf-8")
    np.testing.assert_allclose(read_recorder_file(tmp_path / "file")["I"], np.array(ONE) * 0.0025 + 0.1, atol=1e-6)


@pytest.mark.parametrize("make", [muse, sierra, aecg])
def test_xml_in_utf_16_and_with_a_prefix_is_read(make: Callable[[dict[str, list[int]]], bytes], tmp_path: Path) -> None:
    text = make({"I": ONE}).decode()
    text = text.replace("ISO-8859-1", "UTF-16").replace("UTF-8", "UTF-16")
    (tmp_path / "file").write_bytes(text.encode("utf-16"))
    utf16 = read_recorder_file(tmp_path / "file")
    (tmp_path / "file").write_bytes(make({"I": ONE}))
    np.testing.assert_array_equal(utf16.signals_mv, read_recorder_file(tmp_path / "file").signals_mv)


WHOLE = {
    "muse": lambda: muse({"I": ONE, "II": TWO}),
    "sierra": lambda: sierra({"I": ONE, "II": TWO}),
    "aecg": lambda: aecg({"I": ONE, "II": TWO}),
    "edf": lambda: edf({"I": ONE, "II": TWO}),
    "ishne": lambda: ishne({5: ONE, 6: TWO}),
    "mfer": lambda: mfer({1: ONE, 2: TWO}),
    "kardia": lambda: kardia({"leadI": ONE, "leadII": TWO}),
    "scp": (DATA / "welch_allyn.scp").read_bytes,
    "mortara": lambda: b"<?xml version='1.0'?><ECG ACQUISITION_TIME='1'><CHANNEL OFFSET='0'/></ECG>",
}


@pytest.mark.parametrize("name", WHOLE)
def test_without_the_extra_the_error_names_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ecg").write_bytes(WHOLE[name]())
    assert detect_format(tmp_path / "ecg") == name
    monkeypatch.setattr("ecglens.formats.files.is_installed", lambda module: False)
    monkeypatch.setitem(sys.modules, "ecgdatakit", None)
    assert detect_format(tmp_path / "ecg") == name
    with pytest.raises(MissingExtraError, match=r"needs ecgdatakit, .* pip install 'ecglens\[signal\]'"):
        read_record(tmp_path / "ecg")


@pytest.mark.parametrize(
    "head", [b"", b"<html>", b"\x89PNG\r\n", b"{}", b"0       ", b"<svg><ECGs/></svg>", b"a,b\n1,2\n"]
)
def test_other_files_are_none_of_a_recorder(head: bytes) -> None:
    assert guess_recorder_format(head) is None


def test_a_digital_ecg_as_a_page_says_how_to_read_it() -> None:
    message = "read it with ecglens.read_record, or on the command line with ecglens read or ecglens convert"
    for function in (ecglens.examine, ecglens.digitize):
        with pytest.raises(EcgReadError, match=message) as caught:
            function(WHOLE["muse"]())
        assert "pip install" not in str(caught.value)
