import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_model

from ecglens.batch.results import open_result
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.datasets.sources import from_ptbxl, read_rules
from ecglens.datasets.splits import Split
from ecglens.documents import MAX_DEPTH, dump_document, parse_json, parse_toml
from ecglens.errors import DatasetError, EcgLensError, TrainingError
from ecglens.formats import files as formats
from ecglens.models.cards import load_card
from ecglens.models.explain.stored import read_checks
from ecglens.models.keras import import_keras
from ecglens.models.train.folder import load_run
from ecglens.models.train.recipe import load_recipe
from ecglens.models.train.search import load_space
from ecglens.records import EcgRecord
from ecglens.reproduce.results import load_result

RECIPES = Path(__file__).parents[1] / "recipes"


def test_what_is_no_text_becomes_the_replacement_character_wherever_it_is():
    content = {"a\udcff": ["b\udcff", {"c": ("d\ud800",)}], "real": "\U0001f493 \\ud800"}
    text = dump_document("ecglens-audit", content)

    assert text.isascii()
    document = json.loads(text)
    assert document["a\ufffd"] == ["b\ufffd", {"c": ["d\ufffd"]}]
    assert document["real"] == "\U0001f493 \\ud800"


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_document("ecglens-audit", {"value": float("nan")})


def nest(levels, kind):
    """Return JSON or TOML of lists or tables in each other."""
    if kind == "lists":
        return "[" * levels + "]" * levels
    if kind == "tables":
        return '{"a": ' * levels + "1" + "}" * levels
    return "a = " + "[" * levels + "]" * levels if kind == "TOML lists" else ".".join("a" * levels) + " = 1"


@pytest.mark.parametrize("kind", ["lists", "tables"])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 100_000])
def test_json_that_is_nested_too_deep_is_refused(kind, levels):
    with pytest.raises(ValueError, match="^it is nested in more than 100 levels$"):
        parse_json(nest(levels, kind))


@pytest.mark.parametrize("levels", [MAX_DEPTH, 900])
def test_toml_that_is_nested_too_deep_is_refused(levels):
    for kind in ("TOML lists", "TOML tables"):
        with pytest.raises(ValueError, match="^it is nested in more than 100 levels$"):
            parse_toml(nest(levels + 1, kind))


def test_as_many_levels_as_allowed_are_read():
    assert json.dumps(parse_json(nest(MAX_DEPTH, "lists"))) == nest(MAX_DEPTH, "lists")
    assert json.dumps(parse_json(nest(MAX_DEPTH, "tables"))) == nest(MAX_DEPTH, "tables")
    assert parse_toml(nest(MAX_DEPTH, "TOML tables"))["a"]["a"]
    assert parse_json("5") == 5


def test_numbers_that_are_not_finite_are_read_only_where_they_are_allowed():
    assert parse_json("[Infinity, 1.5]") == [math.inf, 1.5]
    assert parse_json("[1.5, 1e3, 2]", allow_nan=False) == [1.5, 1000.0, 2]
    for text in ("NaN", "-Infinity", "1e999"):
        with pytest.raises(ValueError, match=f"{text} is no finite number"):
            parse_json(text, allow_nan=False)


def write(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def read_card(folder, deep):
    write_model(folder / "model")
    write(folder / "model", "model.json", deep)
    load_card(folder / "model")


def read_checks_of_explanations(folder, deep):
    read_checks(write(folder, "explanations.json", deep))


def read_record(folder, deep):
    formats.read_record(write(folder, "record.json", deep))


def read_observation(folder, deep):
    formats.read_record(write(folder, "record.fhir.json", deep))


def read_split(folder, deep):
    Split.load(write(folder, "split.json", deep), Recordings((Recording(folder, "a", "1", "1"),)))


def read_result(folder, deep):
    open_result(write(folder, "run.json", deep).parent)


def read_note(folder, deep):
    load_result(write(folder, "row.json", deep).with_suffix(".csv"))


def read_run(folder, deep):
    write(folder, "recipe.json", (RECIPES / "compact_cnn.toml").read_text())
    load_run(Recordings((Recording(folder, "a", "1", "1"),)), write(folder, "plan.json", deep).parent)


def read_keras(folder, deep):
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("config.json", deep)
    import_keras(folder / "model.keras", folder / "model", labels=("a", "b"), title="", license="", recipe={})


@pytest.mark.parametrize("levels", [500, 100_000])
@pytest.mark.parametrize("kind", ["lists", "tables"])
@pytest.mark.parametrize(
    "read",
    [
        read_card,
        read_checks_of_explanations,
        read_record,
        read_observation,
        read_split,
        read_result,
        read_note,
        read_run,
        read_keras,
    ],
)
def test_a_json_file_that_is_nested_too_deep_is_an_error_of_ours(tmp_path, read, kind, levels):
    with pytest.raises(EcgLensError, match=r"\.(json|keras)|run folder|note"):
        read(tmp_path, nest(levels, kind))


@pytest.mark.parametrize("kind", ["TOML lists", "TOML tables"])
@pytest.mark.parametrize("read", [load_recipe, load_space, read_rules])
def test_a_toml_file_that_is_nested_too_deep_is_an_error_of_ours(tmp_path, read, kind):
    with pytest.raises(EcgLensError, match="deep.toml.*it is nested in more than 100 levels"):
        read(write(tmp_path, "deep.toml", nest(900, kind)))


def test_a_change_of_a_recipe_that_is_nested_too_deep_is_an_error_of_ours():
    with pytest.raises(TrainingError, match="cannot be used: it is nested in more than 100 levels"):
        load_recipe(RECIPES / "compact_cnn.toml", changes=[f"options.{nest(900, 'TOML tables')}"])


def test_codes_of_ptb_xl_that_are_nested_too_deep_are_an_error_of_ours(tmp_path):
    write(tmp_path, "scp_statements.csv", ",diagnostic_class\nNORM,NORM\n")
    for codes in (nest(5000, "tables"), "-" * 5000 + "1", "1+" * 60_000 + "1", "[]", "{'NORM'"):
        table = f'ecg_id,patient_id,scp_codes,filename_hr\n7,1,"{codes.replace(chr(34), chr(39))}",a\n'
        write(tmp_path, "ptbxl_database.csv", table)
        with pytest.raises(DatasetError, match="in the column scp_codes of record 7, got something else"):
            from_ptbxl(tmp_path)


def test_dicom_whose_sequences_are_nested_too_deep_is_an_error_of_ours(tmp_path):
    path = tmp_path / "record.dcm"
    formats.write_record(EcgRecord(np.zeros((1, 500), np.float32), 500.0, ("I",)), tmp_path / "record", "dicom")
    sequence, item = b"\xe1\x7f\x10\x10SQ\0\0" + b"\xff" * 4, b"\xfe\xff\x00\xe0" + b"\xff" * 4
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(path.read_bytes() + (sequence + item) * 900 + ends * 900)

    with pytest.raises(DatasetError, match="Expected a DICOM file with an ECG at record.dcm"):
        formats.read_record(path)


def test_a_key_of_toml_with_thousands_of_parts_is_refused_before_it_is_read():
    for part in ("a", '"a b"'):
        with pytest.raises(ValueError, match="nested in more than 100 levels"):
            parse_toml(".".join([part] * 100_000) + " = 1")
    assert parse_toml("a.b = 'a." + "a" * 100_000 + "'") == {"a": {"b": "a." + "a" * 100_000}}


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udc00": 1}', r'{"a": ["\ud83d"]}'])
def test_halves_of_characters_are_refused_where_a_document_comes_from_outside(text):
    assert parse_json(text)
    with pytest.raises(ValueError, match="halves of characters"):
        parse_json(text, allow_surrogates=False)
    assert parse_json(r'"\ud83d\ude00"', allow_surrogates=False) == "\N{GRINNING FACE}"
