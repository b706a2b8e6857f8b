import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ecglens.criteria import evaluate_criteria
from ecglens.errors import DatasetError
from ecglens.formats.fhir import read_fhir, write_fhir
from ecglens.records import EcgRecord, Measured, Measurements


def test_the_resource_is_valid_and_holds_the_voltages(page: EcgRecord, tmp_path: Path) -> None:
    resources = pytest.importorskip("fhir.resources.R4B.observation")
    write_fhir(page, tmp_path / "a.fhir.json", recorded=datetime(2020, 8, 5, 14, 30, tzinfo=UTC))
    document = resources.Observation.model_validate_json((tmp_path / "a.fhir.json").read_text())
    assert document.code.coding[0].code == "11524-6"
    assert document.subject is None
    assert document.effectiveDateTime == datetime(2020, 8, 5, 14, 30, tzinfo=UTC)
    placed = page.on_one_clock().signals_mv
    assert len(document.component) == 13
    for part, lead, row in zip(document.component, page.leads, placed, strict=True):
        data = part.valueSampledData
        assert part.code.text == lead
        assert float(data.period) == 2
        assert (data.origin.code, data.dimensions) == ("mV", 1)
        read = [np.nan if word == "E" else float(word) * float(data.factor) for word in data.data.split(" ")]
        np.testing.assert_allclose(read, row, atol=6e-4)


def test_leads_have_the_codes_of_the_standards_example(page: EcgRecord, tmp_path: Path) -> None:
    write_fhir(page, tmp_path / "a.fhir.json")
    document = json.loads((tmp_path / "a.fhir.json").read_text())
    codes = {part["code"]["text"]: part["code"]["coding"][0] for part in document["component"]}
    assert (codes["I"]["code"], codes["I"]["display"]) == ("131329", "MDC_ECG_ELEC_POTL_I")
    assert codes["II-rhythm"] == codes["II"]
    assert (codes["III"]["code"], codes["V6"]["code"]) == ("131389", "131336")
    assert "effectiveDateTime" not in document


def test_leads_without_text_are_named_by_their_codes(tmp_path: Path) -> None:
    data = {"origin": {"value": 2, "unit": "mV"}, "period": 10, "factor": 0.5, "dimensions": 1, "data": "0 2 E U"}
    code = {"coding": [{"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131390"}]}
    resource = {"resourceType": "Observation", "component": [{"code": code, "valueSampledData": data}]}
    (tmp_path / "a.fhir.json").write_text(json.dumps(resource))
    document = read_fhir(tmp_path / "a.fhir.json")
    assert (document.leads, document.fs_hz) == (("aVR",), 100)
    np.testing.assert_array_equal(document.signals_mv, np.float32([[2, 3, np.nan, np.nan]]))


@pytest.mark.parametrize(
    ("origin", "periods", "message"),
    [
        ({"value": 0}, (2, 2), "Expected samples in mV, uV or V .* got no unit; add their unit"),
        ({"value": 0, "code": "mm"}, (2, 2), "Expected samples in mV, uV or V .* got mm; add their unit"),
        ({"value": 0, "code": "mV"}, (2, 4), "Expected leads of one rate"),
        ({"value": 0, "code": "mV"}, (), "Expected leads of one rate"),
    ],
)
def test_samples_without_a_unit_of_voltage_or_of_two_rates_are_refused(
    origin: dict[str, object], periods: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    parts = [
        {"code": {"text": "I"}, "valueSampledData": {"origin": origin, "period": period, "data": "1 2"}}
        for period in periods
    ]
    (tmp_path / "a.fhir.json").write_text(json.dumps({"component": parts}))
    with pytest.raises(DatasetError, match=message):
        read_fhir(tmp_path / "a.fhir.json")


def test_statements_are_components_with_their_codes_and_are_no_leads(tmp_path: Path) -> None:
    record = EcgRecord(np.zeros((1, 100), np.float32), 100.0, ("II",))
    statements = evaluate_criteria(Measurements(rate_bpm=Measured(50.0, 1.0, "1/min")))
    write_fhir(record, tmp_path / "a.fhir.json", statements=statements)
    parts = json.loads((tmp_path / "a.fhir.json").read_text())["component"]
    coded = {part["code"]["coding"][0]["code"]: part for part in parts if "coding" in part["code"]}
    assert len(parts) == 1 + len(statements)
    assert coded["426627000"]["valueCodeableConcept"] == {"text": "met"}
    assert coded["3424008"]["valueCodeableConcept"] == {"text": "not met"}
    assert coded["164947007"]["dataAbsentReason"]["text"].startswith("Not measured:")
    assert read_fhir(tmp_path / "a.fhir.json").leads == ("II",)
