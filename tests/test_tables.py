import csv
import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecglens.batch.sources import list_entries
from ecglens.datasets.recordings import Recording, Recordings
from ecglens.evaluation.predictions import Predictions, read_predictions, write_predictions
from ecglens.formats.csv import read_csv, write_csv
from ecglens.formats.table import write_table
from ecglens.models.train.folder import load_run, start_run
from ecglens.models.train.recipe import load_recipe
from ecglens.records import EcgRecord
from ecglens.tables import format_cell, parse_cell, read_table, write_rows

RECIPES = Path(__file__).parents[1] / "recipes"


def test_quoted_line_breaks_and_separators_belong_to_their_cell(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b'\xef\xbb\xbfname;note\r\nx;"two\nlines; one cell"\r\n ; \r\n\r\ny;\xe2\x80\xa8z\r\n'
    )
    header, rows = read_table(tmp_path / "a.csv")
    assert header == ["name", "note"]
    assert rows == [["x", "two\nlines; one cell"], ["y", "\u2028z"]]


def test_blank_lines_before_the_header_and_empty_columns_at_the_end_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text("\n\nname;note;;\nx;1;;\ny;2;;\n")
    assert read_table(tmp_path / "a.csv") == (["name", "note"], [["x", "1"], ["y", "2"]])


def test_an_empty_file_has_no_header(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    assert read_table(tmp_path / "a.csv") == ([], [])


@pytest.mark.parametrize(
    ("data", "message"), [(b"\xff\xfea", "letters are not"), (b"n\xe4me,x\n", "save it as CSV UTF-8")]
)
def test_bytes_that_are_no_text_are_refused(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "a.csv")


HOSTILE = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\n=1+1",
    " =1+1",
    "\t=1+1",
    "\r\n =1+1",
    "\u00a0\ufeff=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "\u3000＝1",
    "'=1",
    "a;=1+1",
    'a; "=1+1"',
    "a\t=1+1",
    "a\n=1+1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_begins_like_a_formula_gets_an_apostrophe_and_loses_it_again(text):
    cell = format_cell(text)

    assert len(cell) == len(text) + 1
    assert cell.replace("'", "") == text.replace("'", "")
    assert parse_cell(cell) == text


@pytest.mark.parametrize("value", ["page.jpg", "a = b", "I+II", "2-3", "", "-0.5", "+1.5e-3", "-.5", -0.5, -3, None])
def test_other_text_and_numbers_stay_as_they_are(value):
    assert format_cell(value) == value
    assert parse_cell(str(value)) == str(value)


def test_numbers_are_those_of_ascii_digits_alone():
    for text in ("-1,5", "-0x10", "-1_0", "-inf", "+٣", "-5 "):
        assert format_cell(text) == f"'{text}"


@given(st.text(alphabet="=+-@＝＋－＠'\" \t\r\n;,a0.\u00a0\u3000", max_size=12))
def test_no_cell_that_any_separator_makes_begins_like_a_formula(text):
    stream = io.StringIO(newline="")
    write_rows(stream, [["name", text, "end"]])
    raw = stream.getvalue()

    assert next(csv.reader(io.StringIO(raw, newline="")))[1] == format_cell(text)
    assert parse_cell(format_cell(text)) == text
    if format_cell(text) != text or text[:1] not in ("+", "-"):
        for cell in [*re.split(r"[;\t\r\n]", raw), format_cell(text)]:
            assert not re.match(r"[\s\"']*(?<!')[=+\-@＝＋－＠]", cell), raw


def test_long_cells_of_blanks_take_no_long_time():
    text = "\n" * 1_000_000
    started = time.process_time()
    assert format_cell(text) == text
    assert time.process_time() - started < 1


def test_a_table_of_ours_is_read_back_with_the_same_names(tmp_path):
    rows = [["file", "=note"], *([name, " " + name] for name in HOSTILE)]
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as stream:
        write_rows(stream, rows)

    header, body = read_table(tmp_path / "a.csv")

    assert [header, *body] == rows


def test_names_that_begin_like_formulas_come_back_from_each_table_of_ours(tmp_path):
    name = "=HYPERLINK(1); -x"
    extra = {"=note": name, "age": "-0.5"}
    rows = (Recording(tmp_path / f"{name}.jpg", name, name, name, source="s", extra=extra),)
    predictions = Predictions(
        (name,), (name,), ("a", name), np.array([1]), np.array([[0.0, 1.0]]), np.array([0]), {"=note": (name,)}
    )
    Recordings(rows).to_csv(tmp_path / "recordings.csv")
    write_predictions(predictions, tmp_path / "predictions.csv")
    write_table([{"file": name, "=x": -0.5}], tmp_path / "features.csv")

    assert Recordings.from_csv(tmp_path / "recordings.csv").rows == rows
    read = read_predictions(tmp_path / "predictions.csv")
    assert (read.recordings, read.groups, read.labels, read.extra) == ((name,), (name,), ("a", name), predictions.extra)
    assert read_table(tmp_path / "features.csv") == (["file", "=x"], [[name, "-0.5"]])
    for file in tmp_path.glob("*.csv"):
        cells = [cell for row in csv.reader(io.StringIO(file.read_text("utf-8"))) for cell in row]
        assert [cell for cell in cells if re.match(r"\s*[=+@]", cell)] == []


def test_leads_that_begin_like_formulas_come_back_and_the_lead_minus_avr_is_written_as_it_is(tmp_path):
    leads = ("-aVR", "-aVR-rhythm", "=x", "V1")
    write_csv(EcgRecord(np.zeros((4, 4), np.float32), 250.0, leads), tmp_path / "record.csv")

    assert (tmp_path / "record.csv").read_text().startswith("time_s,-aVR_mV,-aVR-rhythm_mV,'=x_mV,V1_mV\n")
    assert read_csv(tmp_path / "record.csv").leads == leads


def test_a_run_folder_belongs_to_recordings_whose_names_begin_like_formulas(tmp_path):
    page = tmp_path / "=a.jpg"
    page.write_bytes(b"page")
    recordings = Recordings((Recording(page, "normal", "=a", "=a"),))
    (tmp_path / "run").mkdir()
    start_run(recordings, load_recipe(RECIPES / "compact_cnn.toml"), tmp_path / "run")

    assert "\n'=a.jpg,normal,'=a,'=a," in (tmp_path / "run" / "recordings.csv").read_text()
    assert load_run(recordings, tmp_path / "run")[0].model


def test_the_pages_of_a_table_of_ours_are_found_whatever_their_names(tmp_path):
    page = tmp_path / "=a.jpg"
    page.write_bytes(b"page")
    Recordings((Recording(page, "normal", "1", "1"),)).to_csv(tmp_path / "recordings.csv")

    (entry,) = list_entries(str(tmp_path / "recordings.csv"), on_skip=print)
    assert Path(entry.address).samefile(page)
