from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.files import detect_format
from ecglens.formats.recorders import read_recorder_file

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
    assert record.leads == ("I", "II", "III", "aVR", "aVL", "aVF")
    assert record.fs_hz == rate
    np.testing.assert_allclose(record.signals_mv[:2], np.array([ONE, TWO]) * step_mv, atol=1e-5)
    assert record.warnings == ()
    assert record.comments[-1] == "III, aVR, aVL, aVF computed from I and II"


def test_an_scp_file_of_a_recorder_has_its_exact_rate() -> None:
    """1,667 µs from one sample to the next are 599.88 Hz: over 10 s, 600 Hz would be a sample off."""
    record = read_recorder_file(DATA / "welch_allyn.scp")
    assert record.fs_hz == 599.88
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
        (aecg({"I": ONE}, increment_s="0.00303"), 330.03),
        (edf({"I": ONE}, record_s="0.7"), 357.14),
        (mfer({1: ONE}, interval_us=3000), 333.33),
    ],
)
def test_rates_are_not_rounded_to_whole_hz(content: bytes, rate: float, tmp_path: Path) -> None:
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
