import warnings
from pathlib import Path

import numpy as np
import pytest

from ecglens.datasets import sources
from ecglens.datasets.annotations import WaveMark
from ecglens.errors import DatasetError
from ecglens.formats.wfdb import write_wfdb
from ecglens.records import EcgRecord

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    wfdb = pytest.importorskip("wfdb")

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def write_record(folder: Path, name: str, marks: dict[str, list[tuple[int, str]]]) -> None:
    signals = np.float32(np.sin(np.arange(2000) / 50))[None].repeat(2, axis=0)
    write_wfdb(EcgRecord(signals, 500.0, ("II", "V1")), folder / name)
    for lead, pairs in marks.items():
        samples, symbols = zip(*pairs, strict=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wfdb.wrann(name, "marks", np.array(samples), list(symbols), write_dir=str(folder))
        (folder / f"{name}.marks").rename(folder / f"{name}.{lead}")


def test_the_marks_of_each_lead_are_read_and_an_unmarked_edge_is_none(tmp_path):
    whole = [(100, "("), (120, "p"), (140, ")"), (180, "("), (200, "N"), (230, ")")]
    write_record(tmp_path / "data", "10", {"ii": whole, "v1": [(201, "N"), (231, ")"), (300, "("), (340, "t")]})
    write_record(tmp_path / "data", "9", {"ii": [(50, "N")]})
    nine, ten = sources.ludb(tmp_path)
    assert (nine.name, ten.name) == ("9", "10")
    assert nine.marks == {"II": (WaveMark("QRS", None, 50, None),)}
    assert ten.marks["II"] == (WaveMark("P", 100, 120, 140), WaveMark("QRS", 180, 200, 230))
    assert ten.marks["V1"] == (WaveMark("QRS", None, 201, 231), WaveMark("T", 300, 340, None))
    assert ten.record.fs_hz == 500
    assert ten.record.signals_mv.shape == (2, 2000)


def test_a_folder_without_marks_is_refused(tmp_path):
    write_record(tmp_path, "1", {})
    with pytest.raises(DatasetError, match="got 1 records and no marks"):
        sources.ludb(tmp_path)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the repository")
def test_the_public_records_have_waves_in_order_in_all_twelve_leads():
    records = sources.ludb(SHARED / "ludb")
    assert len(records) == 100
    for item in records:
        assert len(item.marks) == 12
        length = item.record.signals_mv.shape[1]
        for waves in item.marks.values():
            peaks = [wave.peak for wave in waves]
            assert peaks == sorted(peaks)
            for wave in waves:
                places = [place for place in (wave.onset, wave.peak, wave.end) if place is not None]
                assert places == sorted(places)
                assert 0 <= places[0] <= places[-1] < length
    kinds = {wave.wave for item in records for waves in item.marks.values() for wave in waves}
    assert kinds == {"P", "QRS", "T"}
