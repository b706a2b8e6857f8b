from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.edf import write_edf
from ecglens.formats.files import read_record
from ecglens.records import EcgRecord

pyedflib = pytest.importorskip("pyedflib")
pytest.importorskip("ecgdatakit")


@pytest.fixture
def steady(whole: EcgRecord) -> EcgRecord:
    """Twelve leads of 10 s without gaps."""
    return replace(whole, signals_mv=np.nan_to_num(whole.signals_mv))


def test_another_reader_reads_the_voltages_the_rate_the_time_and_the_comments(
    steady: EcgRecord, tmp_path: Path
) -> None:
    write_edf(steady, tmp_path / "new" / "a.edf", recorded=datetime(2020, 8, 5, 14, 30, 1))
    with pyedflib.EdfReader(str(tmp_path / "new" / "a.edf")) as reader:
        assert reader.getSignalLabels() == [f"ECG {lead}" for lead in steady.leads]
        assert (reader.getSampleFrequency(0), reader.getPhysicalDimension(0)) == (500, "uV")
        assert reader.getStartdatetime() == datetime(2020, 8, 5, 14, 30, 1)
        assert (reader.getPatientName(), reader.getBirthdate()) == ("X", "")  # X stands for no name in EDF+
        for number, row in enumerate(steady.signals_mv):
            np.testing.assert_allclose(reader.readSignal(number) / 1000, row, atol=5.1e-4)
        onsets, _, texts = reader.readAnnotations()
    assert not onsets.any()
    assert "layout: 3x4+1" in texts
    assert "quality: I 0.90" in " ".join(texts)


@pytest.mark.parametrize(("fs_hz", "samples"), [(599.88, 4999), (128.0, 1279), (250.0, 7), (1000.0, 7919)])
def test_odd_rates_and_lengths_come_back(steady: EcgRecord, fs_hz: float, samples: int, tmp_path: Path) -> None:
    record = replace(steady, signals_mv=steady.signals_mv[6:8, :samples], fs_hz=fs_hz, leads=("V1", "V2"), quality=())
    write_edf(replace(record, comments=()), tmp_path / "a.edf")
    back = read_record(tmp_path / "a.edf")
    assert back.fs_hz == pytest.approx(fs_hz, abs=0.01)
    np.testing.assert_allclose(back.signals_mv[:, :samples], record.signals_mv, atol=5.1e-4)


def test_a_length_that_no_block_divides_is_filled_up_and_marked(steady: EcgRecord, tmp_path: Path) -> None:
    signals = np.tile(steady.signals_mv, 8)[:, :39_989]  # a prime number: 80 s at 500 Hz
    write_edf(replace(steady, signals_mv=signals, comments=(), quality=()), tmp_path / "a.edf")
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        row = reader.readSignal(11) / 1000
        onsets, _, texts = reader.readAnnotations()
    assert len(row) == 40_000
    np.testing.assert_allclose(row[39_989:], signals[11, -1], atol=5.1e-4)
    assert list(onsets) == [pytest.approx(39_989 / 500, abs=1e-3)]
    assert texts[0].startswith("last sample is repeated")


def test_gaps_and_too_many_leads_are_refused(whole: EcgRecord, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="EDF cannot hold them"):
        write_edf(whole, tmp_path / "a.edf")
    many = EcgRecord(np.zeros((700, 5000), np.float32), 500.0, tuple(f"c{number}" for number in range(700)))
    with pytest.raises(DatasetError, match="Expected at most 614 leads at 500 Hz to write them as EDF, got 700"):
        write_edf(many, tmp_path / "a.edf")


@pytest.mark.parametrize("fs_hz", [512.414, 599.88, 130.0001, 333.3333333])
def test_the_header_states_odd_rates_so_well_that_no_reader_drifts(fs_hz: float, tmp_path: Path) -> None:
    record = EcgRecord(np.zeros((12, 6000), np.float32), fs_hz, tuple(f"c{number}" for number in range(12)))
    write_edf(record, tmp_path / "a.edf")
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        assert reader.getSampleFrequency(0) == pytest.approx(fs_hz, rel=1e-7)


def test_long_and_foreign_comments_of_any_number_are_read_by_another_reader(tmp_path: Path) -> None:
    comments = tuple(f"{number}: {'Größe ' * (number % 60)}".strip() for number in range(90))
    write_edf(EcgRecord(np.zeros((1, 1500), np.float32), 500.0, ("I",), comments=comments), tmp_path / "a.edf")
    with pyedflib.EdfReader(str(tmp_path / "a.edf")) as reader:
        assert tuple(reader.readAnnotations()[2]) == comments
    assert read_record(tmp_path / "a.edf").comments == comments


def test_a_year_that_the_header_cannot_state_is_refused(steady: EcgRecord, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Expected a recording of 1985 to 2084 to write it as EDF, got one of 1970"):
        write_edf(steady, tmp_path / "a.edf", recorded=datetime(1970, 1, 1))


def discontinuous(onsets: list[float]) -> bytes:
    """Make EDF+D of blocks of 1 s at 100 Hz that begin at the onsets, with a signal of ECG and one of an EEG."""
    texts = [f"+{onset:g}\x14\x14\0".encode().ljust(20, b"\0") for onset in onsets]

    def fields(width: int, values: list[object]) -> bytes:
        return b"".join(str(value).encode().ljust(width) for value in values)

    header = fields(8, ["0"]) + fields(80, ["X X X X", "Startdate X X X X"]) + fields(8, ["01.01.20", "12.00.00", 1024])
    header += fields(44, ["EDF+D"]) + fields(8, [len(onsets), 1]) + fields(4, [3])
    header += (
        fields(16, ["EEG Fpz-Cz", "ECG II", "EDF Annotations"]) + fields(80, [""] * 3) + fields(8, ["uV", "uV", ""])
    )
    header += fields(8, [-32768, -32768, -1]) + fields(8, [32767, 32767, 1]) + fields(8, [-32768] * 3)
    header += fields(8, [32767] * 3) + fields(80, [""] * 3) + fields(8, [200, 100, 10]) + fields(32, [""] * 3)
    rows = [np.zeros(200, "<i2").tobytes() + np.full(100, number + 1, "<i2").tobytes() for number in range(len(onsets))]
    return header + b"".join(row + text for row, text in zip(rows, texts, strict=True))


def test_gaps_of_a_discontinuous_file_are_missing_samples_and_an_eeg_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(discontinuous([0, 1, 4.5]))
    record = read_record(tmp_path / "a.edf")
    assert (record.leads, record.fs_hz, record.signals_mv.shape) == (("II",), 100.0, (1, 550))
    values = [1e-3] * 100 + [2e-3] * 100 + [np.nan] * 250 + [3e-3] * 100
    np.testing.assert_allclose(record["II"], values, rtol=1e-5)
    assert record.warnings == ("Left out, since they are no ECG: EEG Fpz-Cz.",)


@pytest.mark.parametrize("onsets", [[0, 1, 1.5], [0, 1, 9999]])
def test_blocks_that_overlap_or_are_hours_apart_are_refused(onsets: list[float], tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(discontinuous(onsets))
    with pytest.raises(DatasetError, match="Expected blocks that follow each other within 1 h"):
        read_record(tmp_path / "a.edf")
