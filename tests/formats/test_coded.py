"""Numbers of leads, whole microvolts, remarks and identifiers, which DICOM, FHIR and WFDB share."""

from dataclasses import replace

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.coded import (
    HIDDEN,
    LEAD_NUMBERS,
    NUMBERED_LEADS,
    content_uuid,
    lead_number,
    microvolts,
    remarks,
)
from ecglens.layouts import STANDARD_LEADS


def test_each_lead_has_its_own_number_and_others_have_none():
    assert {*STANDARD_LEADS, "-aVR"} <= set(LEAD_NUMBERS)
    assert len(NUMBERED_LEADS) == len(LEAD_NUMBERS)
    assert all(NUMBERED_LEADS[lead_number(lead)] == lead for lead in LEAD_NUMBERS)
    assert [lead_number(row) for row in ("V1-rhythm-2", "aVF-2", "MLII", "")] == [3, 64, 0, 0]
    assert [lead_number(row) for row in ("vx", "Vy", "z", "V3R")] == [16, 17, 18, 11]


def test_samples_are_whole_microvolts_and_missing_ones_are_marked():
    samples = microvolts(np.array([[0.0014, -0.0016, np.nan, 32.767, -32.767]], np.float32))
    assert samples.dtype == np.int16
    assert samples.tolist() == [[1, -2, HIDDEN, 32767, -32767]]
    assert microvolts(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("value", [32.768, -40.0, np.inf])
def test_samples_beyond_the_range_are_refused(value):
    with pytest.raises(DatasetError, match=r"Expected samples within 32\.767 mV"):
        microvolts(np.array([[0.0, value]]))


def test_comments_quality_and_warnings_are_lines(record):
    graded = replace(record, comments=("two\nlines", "µV"), quality=(0.25, 1.0), warnings=("V1 is cut off.",))
    assert remarks(graded) == ("two lines", "µV", "quality: II 0.25, aVR 1.00", "warning: V1 is cut off.")
    assert remarks(record) == ()


def test_an_identifier_follows_from_the_record_and_its_purpose(record):
    changed = record.signals_mv.copy()
    changed[0, 0] += 0.01
    others = [
        content_uuid(record, "study"),
        content_uuid(replace(record, signals_mv=changed), "series"),
        content_uuid(replace(record, fs_hz=250.0), "series"),
        content_uuid(replace(record, leads=("II", "aVL")), "series"),
        content_uuid(replace(record, comments=("another",)), "series"),
    ]
    own = content_uuid(record, "series")
    assert content_uuid(replace(record, signals_mv=record.signals_mv.copy()), "series") == own
    assert len({own, *others}) == len(others) + 1
