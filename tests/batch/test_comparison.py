"""What changed between two results over the same pages."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_results import LABELLED, labelled, write_result

from ecglens.batch import compare
from ecglens.errors import BatchError

DATA = Path(__file__).resolve().parents[1] / "data"
MEASURED = replace(LABELLED, what=("label", "measurements"))


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    """Five pages in both, one more in each; the second result has another model and other names."""
    failed = {"file": "bad", "failure": "not_a_page", "reason": "Expected a page, found a word; scan it."}
    first = [
        labelled("same", "normal", 0.9, rate_bpm=60.0),
        labelled("<b>moved", "normal", 0.8, rate_bpm=70.0, path=DATA / "MI_26.jpg"),
        labelled("surer", "mi", 0.95),
        labelled("abstains", "mi", 0.7, path="/nowhere"),
        failed,
        labelled("first only", "normal", 0.5),
    ]
    second = [
        labelled("same", "normal", 0.6, rate_bpm=61.0),
        labelled("<b>moved", "mi", 0.8, rate_bpm=73.0),
        labelled("surer", "normal", 0.99),
        {"file": "abstains", "abstention": "uncertain", "confidence": 0.55},
        failed,
        labelled("second only", "normal", 0.5),
    ]
    other = replace(MEASURED, model_name="second", model_version="2.0", labels=("mi", "normal"))
    return write_result(tmp_path / "a", first, job=MEASURED), write_result(tmp_path / "b", second, job=other)


def test_a_comparison_counts_what_agrees_and_lists_what_moved(results):
    found = compare(*results)
    assert found.agreement == {
        ("normal", "normal"): 1,
        ("normal", "mi"): 1,
        ("mi", "normal"): 1,
        ("mi", "uncertain"): 1,
        ("failed", "failed"): 1,
    }
    assert (found.pages, found.only, found.failed) == (5, (1, 1), 1)
    assert [row["file"] for row in found.moved] == ["surer", "<b>moved", "abstains"]
    assert found.figures == {"rate_bpm": (2, 2.0, pytest.approx(2.9))}


def test_a_comparison_is_written_for_people_and_programs_with_pictures_of_what_moved(results, tmp_path):
    page = compare(*results).write(tmp_path / "out")
    html = page.read_text()
    assert "first 1.0" in html
    assert "second 2.0" in html
    assert "only the first has, 1, and only the second, 1" in html
    assert html.count("data:image/jpeg;base64,") == 1
    assert html.count("no picture") == 2
    assert "&lt;b&gt;moved" in html
    assert "<b>moved" not in html
    assert "<script" not in html
    with (tmp_path / "out" / "moved.csv").open(newline="") as stream:
        moved = {row["file"]: (row["first"], row["second"]) for row in csv.DictReader(stream)}
    assert moved == {"surer": ("mi", "normal"), "<b>moved": ("normal", "mi"), "abstains": ("mi", "uncertain")}
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["moved"] == 3


def test_results_that_cannot_be_compared_are_refused(results, tmp_path):
    other = write_result(tmp_path / "c", [labelled("elsewhere", "mi", 0.9)])
    with pytest.raises(BatchError, match="Expected two results over the same pages, found none in both"):
        compare(results[0], other)
    with pytest.raises(BatchError, match=r"found no run\.json in"):
        compare(results[0], tmp_path)
    (other / "pages.parquet").unlink()
    with pytest.raises(BatchError, match="Expected a finished result"):
        compare(results[0], other)
