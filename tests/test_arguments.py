"""Arguments of other types or beyond their limits are refused in one sentence, with an error of the tree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ecglens
from ecglens.arguments import folder_name, is_number_in
from ecglens.errors import ArgumentError, EcgLensError
from ecglens.formats.files import detect_format, write_record
from ecglens.render import damage, render_page

PAGE = Path(__file__).resolve().parent / "data" / "MI_26.jpg"
RECORD = ecglens.EcgRecord(np.zeros((1, 5000), np.float32), 500.0, ("II",))
ANY: Any = object()  # of a type that no function takes

CALLS: dict[str, Callable[[], object]] = {
    "an age before a birth": lambda: ecglens.examine(PAGE, age=-5),
    "an age in words": lambda: ecglens.examine(PAGE, age=ANY),
    "an age that is no number": lambda: ecglens.examine(PAGE, age=float("nan")),
    "another word for the sex": lambda: ecglens.examine(PAGE, sex="m"),
    "the sex of a record": lambda: ecglens.examine_record(RECORD, sex=ANY),
    "the age of a record": lambda: ecglens.examine_record(RECORD, age=ANY),
    "a path where a record belongs": lambda: ecglens.examine_record("ecg.hea"),  # type: ignore[arg-type]
    "a record of another type": lambda: ecglens.read_record(ANY),
    "a model of a record": lambda: ecglens.examine_record(RECORD, model=ANY),
    "a model of a page": lambda: ecglens.read(PAGE, model=ANY),
    "a model to explain": lambda: ecglens.explain(PAGE, model=ANY),
    "a model of many pages": lambda: ecglens.read_many([PAGE], model=ANY),
    "a model to load": lambda: ecglens.load_model(ANY),
    "a name of a network": lambda: ecglens.create_model(ANY),
    "corrections to read": lambda: ecglens.read(PAGE, corrections=ANY),
    "corrections to digitize": lambda: ecglens.digitize(PAGE, corrections=ANY),
    "boxes": lambda: ecglens.digitize(PAGE, boxes=ANY),
    "a box": lambda: ecglens.digitize(PAGE, boxes={"V1": ANY}),
    "no pages": lambda: ecglens.read_many(None),  # type: ignore[arg-type]
    "pages of another type": lambda: ecglens.read_many([ANY]),
    "one page where several belong": lambda: ecglens.load_model("compact_cnn").predict_proba(ANY),
    "a record for a model": lambda: ecglens.load_model("any_recorder").read_record(ANY),
    "a record to render": lambda: render_page(ANY),
    "a style": lambda: render_page(RECORD, layout="1x1", style=ANY),
    "a record to write": lambda: write_record(ANY, "ecg", "csv"),
    "a path to write to": lambda: write_record(RECORD, ANY, "csv"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_arguments_are_refused_in_a_sentence(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError, match=r"^Expected [^\n]+, got [^\n]+[;,] [^\n]+\.$") as refused:
        call()
    assert refused.value.code == "invalid_argument"
    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value, ValueError)


NUMBERS: dict[str, Callable[[], object]] = {
    "layout": lambda: ecglens.digitize(PAGE, layout=ANY),
    "layouts": lambda: ecglens.digitize(PAGE, layout=["6x2"]),  # type: ignore[arg-type]
    "speed": lambda: ecglens.digitize(PAGE, speed_mm_s=ANY),
    "gain": lambda: ecglens.digitize(PAGE, gain_mm_mv=ANY),
    "rate": lambda: ecglens.digitize(PAGE, fs_hz=ANY),
    "no rate": lambda: ecglens.digitize(PAGE, fs_hz=None),  # type: ignore[arg-type]
    "rate of two pages": lambda: ecglens.digitize_joined(PAGE, fs_hz=5.0),
    "corners": lambda: ecglens.digitize(PAGE, corners=ANY),
    "page": lambda: ecglens.read(PAGE, page=ANY),
    "page of corrections": lambda: ecglens.Corrections(page=ANY),
    "speed of corrections": lambda: ecglens.Corrections(speed_mm_s=ANY),
    "megapixels": lambda: next(ecglens.iterate_pages(PAGE, max_megapixels=ANY)),
    "rate of a record": lambda: ecglens.EcgRecord(RECORD.signals_mv, ANY, ("II",)),
    "dpi": lambda: render_page(RECORD, layout="1x1", dpi=ANY),
    "layout to render": lambda: render_page(RECORD, layout=ANY),
    "strength of a damage": lambda: damage(render_page(RECORD, layout="1x1", dpi=100), "blur", ANY, 0),
    "format to write": lambda: write_record(RECORD, "ecg", ANY),
    "processes": lambda: ecglens.read_many([PAGE], workers=ANY),
    "a page with the character NUL": lambda: ecglens.read("a\0b"),
    "pages with the character NUL": lambda: next(ecglens.iterate_pages("a\0b")),
    "a record with the character NUL": lambda: ecglens.read_record("a\0b"),
    "a file with the character NUL whose format is detected": lambda: detect_format(Path("a\0b")),
    "a model with the character NUL": lambda: ecglens.load_model("a\0b"),
}


@pytest.mark.parametrize("call", NUMBERS.values(), ids=NUMBERS)
def test_values_of_arguments_are_refused_with_the_error_of_their_function(call: Callable[[], object]) -> None:
    with pytest.raises(EcgLensError, match=r"(?i)^[^\n\0]*expected [^\n\0]+\.$"):
        call()


@pytest.mark.parametrize("value", ["25", None, True, float("nan"), float("inf"), 10**400, 4, 201, np.array([25.0])])
def test_what_is_no_number_within_limits(value: object) -> None:
    assert not is_number_in(value, 5, 200)


@pytest.mark.parametrize("value", [5, 200.0, np.float32(25), np.int64(25)])
def test_numbers_within_limits(value: object) -> None:
    assert is_number_in(value, 5, 200)


def test_the_working_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_name(Path()) == folder_name(tmp_path / "pages" / "..") == tmp_path.name
