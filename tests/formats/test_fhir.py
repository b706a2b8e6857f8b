import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ecglens.criteria import evaluate_criteria
from ecglens.errors import DatasetError
from ecglens.formats.fhir import read_fhir, write_fhir
from ecglens.formats.files import read_record
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


def test_offsets_of_electrodes_and_missing_samples_come_back(tmp_path: Path) -> None:
    signals_mv = np.array([[180.25, np.nan, 180.251], [-0.0002, -1.5, 0.5]], np.float32)
    write_fhir(EcgRecord(signals_mv, 250.0, ("I", "II")), tmp_path / "a.fhir.json")
    components = json.loads((tmp_path / "a.fhir.json").read_text())["component"]
    assert [part["valueSampledData"]["data"] for part in components] == ["180250 E 180251", "0 -1500 500"]
    np.testing.assert_allclose(read_fhir(tmp_path / "a.fhir.json").signals_mv, signals_mv, atol=6e-4)


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
        ({"value": 0, "code": "mV"}, (2, 2), "Expected each lead once in the Observation of .* got I, I"),
        ({"value": 0, "code": "mV"}, (2, -4), r"Expected periods above 0 .* got -4"),
        ({"value": 0, "code": "mV"}, (), "Expected a FHIR Observation with SampledData"),
    ],
)
def test_samples_whose_scale_or_time_would_be_a_guess_are_refused(
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


def observation(**leads: dict[str, object]) -> dict[str, object]:
    """Make an Observation of samples in microvolts at 500 Hz, with changes by lead."""
    data = {"origin": {"value": 0, "code": "uV"}, "period": 2, "factor": 1000, "dimensions": 1, "data": "1 2 3"}
    return {
        "resourceType": "Observation",
        "component": [{"code": {"text": lead}, "valueSampledData": data | change} for lead, change in leads.items()],
    }


def read_document(document: object, folder: Path) -> EcgRecord:
    (folder / "a.json").write_text(json.dumps(document), encoding="utf-8")
    return read_fhir(folder / "a.json")


def test_components_of_another_unit_or_rate_are_left_out_with_a_warning(tmp_path: Path) -> None:
    pressure = {"origin": {"value": 0, "code": "mm[Hg]"}}
    record = read_document(observation(ABP=pressure, Resp={}, I={}, II={}, V1={"period": 4}), tmp_path)
    assert (record.leads, record.fs_hz) == (("I", "II"), 500.0)
    assert record.warnings == (
        "Left out, since the file states no voltage for them: ABP.",
        "Left out, since they are no ECG: Resp.",
        "Left out, since they have another sampling rate than 500 Hz: V1.",
    )


def test_a_bundle_an_interval_and_a_single_lead_are_read(tmp_path: Path) -> None:
    [part] = observation(I={})["component"]
    single = {"resourceType": "Observation", **part, "note": [{"text": "age: 40"}]}
    data = single["valueSampledData"]
    single["valueSampledData"] = {**data, "interval": 2000, "intervalUnit": "us"}
    del single["valueSampledData"]["period"]
    others = [{"resource": {"resourceType": "Patient", "name": [{"family": "Example"}]}}, {"resource": single}]
    record = read_document({"resourceType": "Bundle", "entry": others}, tmp_path)
    assert (record.leads, record.fs_hz, record.comments) == (("I",), 500.0, ("age: 40",))
    np.testing.assert_allclose(record["I"], [1, 2, 3])
    with pytest.raises(DatasetError, match="Expected one Observation with SampledData in the Bundle .* got 2"):
        read_document({"resourceType": "Bundle", "entry": [{"resource": single}] * 2}, tmp_path)


@pytest.mark.parametrize("change", [{"dimensions": 2}, {"codeMap": "http://example.org/map"}])
def test_samples_of_several_signals_in_one_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Expected plain samples of one dimension"):
        read_document(observation(I=change), tmp_path)


def test_a_bundle_is_recognized_where_its_observation_comes_late(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "text": {"div": "x" * 9000}}
    entries = [{"resource": patient}, {"resource": observation(V1={})}]
    (tmp_path / "a.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}), encoding="utf-8")
    assert read_record(tmp_path / "a.json").leads == ("V1",)


def test_names_are_those_of_the_text_or_of_the_code(tmp_path: Path) -> None:
    document = observation(**{"Lead II": {}, "left arm": {}, "MLII": {}})
    code = {"system": "urn:oid:2.16.840.1.113883.6.24", "code": "131329"}
    document["component"][1]["code"]["coding"] = [code]
    assert read_document(document, tmp_path).leads == ("II", "I", "MLII")
