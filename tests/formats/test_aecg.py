from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.aecg import write_aecg
from ecglens.formats.files import read_record
from ecglens.records import EcgRecord

HL7 = {"": "urn:hl7-org:v3"}


@pytest.fixture
def steady(whole: EcgRecord) -> EcgRecord:
    """Twelve leads of 10 s without gaps."""
    return replace(whole, signals_mv=np.nan_to_num(whole.signals_mv))


def test_each_lead_is_a_sequence_of_microvolts_with_its_code(steady: EcgRecord, tmp_path: Path) -> None:
    write_aecg(steady, tmp_path / "new" / "a.aecg.xml", recorded=datetime(2020, 8, 5, 14, 30, 1))
    root = ElementTree.parse(tmp_path / "new" / "a.aecg.xml").getroot()
    assert root.tag == "{urn:hl7-org:v3}AnnotatedECG"
    clock, *leads = root.findall(".//sequence", HL7)
    assert _find(clock, "code").get("code") == "TIME_ABSOLUTE"
    assert _find(clock, "value/head").get("value") == "20200805143001"
    assert _find(clock, "value/increment").attrib == {"value": "0.002", "unit": "s"}
    codes = [_find(sequence, "code").get("code") for sequence in leads]
    assert codes[:4] == ["MDC_ECG_LEAD_I", "MDC_ECG_LEAD_II", "MDC_ECG_LEAD_III", "MDC_ECG_LEAD_AVR"]
    for sequence, row in zip(leads, steady.signals_mv, strict=True):
        assert _find(sequence, "value/scale").attrib == {"value": "1", "unit": "uV"}
        digits = np.array((_find(sequence, "value/digits").text or "").split(), dtype=float)
        np.testing.assert_allclose(digits / 1000, row, atol=5.1e-4)
    assert (_find(root, ".//series/text").text or "").splitlines()[0] == "layout: 3x4+1"
    assert root.find(".//subject", HL7) is None


def test_without_a_time_the_clock_is_relative(steady: EcgRecord, tmp_path: Path) -> None:
    write_aecg(steady, tmp_path / "a.aecg.xml")
    root = ElementTree.parse(tmp_path / "a.aecg.xml").getroot()
    assert _find(root, ".//sequence/code").get("code") == "TIME_RELATIVE"
    assert root.find(".//effectiveTime", HL7) is None


@pytest.mark.parametrize("fs_hz", [599.88, 128.0, 250.0])
def test_it_comes_back_through_another_reader(steady: EcgRecord, fs_hz: float, tmp_path: Path) -> None:
    pytest.importorskip("ecgdatakit")
    record = replace(steady, fs_hz=fs_hz)
    write_aecg(record, tmp_path / "a.aecg.xml")
    back = read_record(tmp_path / "a.aecg.xml")
    assert back.leads == record.leads
    assert back.fs_hz == pytest.approx(fs_hz, abs=0.005)
    np.testing.assert_allclose(back.signals_mv, record.signals_mv, atol=5.1e-4)


def test_gaps_are_refused(whole: EcgRecord, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="aECG cannot hold them"):
        write_aecg(whole, tmp_path / "a.xml")


def _find(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    element = parent.find(path, HL7)
    assert element is not None, path
    return element
