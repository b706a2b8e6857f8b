import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.formats.json import SCHEMA, read_json, write_json
from ecglens.records import EcgRecord

jsonschema = pytest.importorskip("jsonschema")


@pytest.mark.slow
def test_the_file_fits_its_schema_and_comes_back_whole(page: EcgRecord, tmp_path: Path) -> None:
    sure = np.full(page.signals_mv.shape, 0.75, np.float32)
    write_json(replace(page, confidence=sure), tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    jsonschema.Draft202012Validator(dict(SCHEMA)).validate(document)
    assert document["signals"]["V6"][300] is None
    back = read_json(tmp_path / "a.json")
    for name in ("fs_hz", "leads", "start_s", "quality", "comments", "warnings"):
        assert getattr(back, name) == getattr(page, name)
    np.testing.assert_allclose(back.signals_mv, page.signals_mv, atol=6e-5)
    assert back.confidence is not None
    np.testing.assert_array_equal(back.confidence, sure)


def test_the_schema_is_a_schema_and_refuses_another_unit(whole: EcgRecord, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(dict(SCHEMA))
    write_json(whole, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    with pytest.raises(jsonschema.ValidationError, match="'mV' was expected"):
        jsonschema.Draft202012Validator(dict(SCHEMA)).validate({**document, "unit": "uV"})


def test_a_record_with_a_part_missing_is_refused(whole: EcgRecord, tmp_path: Path) -> None:
    write_json(whole, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    del document["signals"]["V3"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="a part is missing or damaged"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("version", [2, "1"])
def test_a_record_of_another_version_is_refused(whole: EcgRecord, tmp_path: Path, version: object) -> None:
    write_json(whole, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["format_version"] == 1
    (tmp_path / "a.json").write_text(json.dumps({**document, "format_version": version}))
    with pytest.raises(DatasetError, match=f"'ecglens-record' in a.json, got {version}; update ecglens to read it"):
        read_json(tmp_path / "a.json")


def test_a_record_of_the_first_edition_has_no_version_and_is_read(whole: EcgRecord, tmp_path: Path) -> None:
    write_json(whole, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    del document["format_version"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert read_json(tmp_path / "a.json").leads == whole.leads
