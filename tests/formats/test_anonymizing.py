"""Records without free text."""

import numpy as np
import pytest

from ecglens.formats.anonymizing import anonymize_record
from ecglens.formats.files import FORMATS, read_record, write_record
from ecglens.records import EcgRecord

LEADS = ("II-rhythm", "Zebulon I", "MLII", "vx", "CM5", "ES", "channel 3", "Zebulon", "X")


@pytest.fixture
def named() -> EcgRecord:
    """Leads of all kinds of names."""
    signals = np.random.default_rng(3).standard_normal((len(LEADS), 500)).astype(np.float32)
    return EcgRecord(
        signals,
        250.0,
        LEADS,
        comments=("Zebulon",),
        warnings=(
            "Left out, since they are no ECG: Zebulon's EEG.",
            "The file names a channel Zebulon and codes it as I; the name was used.",
            "The file ends early: it states 9 samples of each lead and holds 5.",
            "The file names no unit of Zebulon; the numbers were taken as millivolts.",
        ),
    )


def test_free_text_is_dropped_and_leads_of_other_names_are_numbered(named: EcgRecord) -> None:
    anonymous = anonymize_record(named)
    assert anonymous.leads == ("II-rhythm", "channel 2", "MLII", "vx", "CM5", "ES", "channel 3", "channel 8", "X")
    assert anonymous.comments == ()
    assert anonymous.warnings == (
        "Left out, since they are no ECG.",
        "The file ends early.",
        "The file names no unit of some leads; the numbers were taken as millivolts.",
    )
    np.testing.assert_array_equal(anonymous.signals_mv, named.signals_mv)


@pytest.mark.parametrize("form", FORMATS)
def test_an_anonymous_record_of_any_format_is_written_without_free_text(form: str, named: EcgRecord, tmp_path) -> None:
    for module in ("wfdb", "pydicom", "ecgdatakit"):
        pytest.importorskip(module)
    record = read_record(write_record(named, tmp_path / "named" / "a", form))
    assert any("Zebulon" in lead for lead in record.leads)
    for target in FORMATS:
        write_record(anonymize_record(record), tmp_path / "anonymous" / "a", target)
    written = list((tmp_path / "anonymous").iterdir())
    assert len(written) == len(FORMATS) + 1
    for path in written:
        assert b"zebulon" not in path.read_bytes().lower()


def test_a_name_that_is_the_number_of_another_channel_differs_from_it() -> None:
    record = EcgRecord(np.zeros((2, 9), np.float32), 250.0, ("channel 2", "Zebulon"))
    assert anonymize_record(record).leads == ("channel 2", "channel 2-2")
