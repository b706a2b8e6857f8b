"""Comparisons of two results over the same pages."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_results import LABELED, labeled_row, write_result

from ecglens.batch import compare
from ecglens.errors import BatchError

DATA = Path(__file__).resolve().parents[1] / "data"
MEASURED = replace(LABELED, parts=("label", "measurements"))


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    """Five pages in both, and one more in each; the second result is of another model."""
    failed = {"file": "bad", "failure": "not_a_page", "reason": "Expected a page, got a word; scan it."}
    first = [
        labeled_row("same", "normal", 0.9, rate_bpm=60.0),
        labeled_row("<b>moved", "normal", 0.8, rate_bpm=70.0, path=DATA / "MI_26.jpg"),
        labeled_row("surer", "mi", 0.95),
        labeled_row("abstains", "mi", 0.7, path="/nowhere"),
        failed,
        labeled_row("first only", "normal", 0.5),
    ]
    second = [
        labeled_row("same", "normal", 0.6, rate_bpm=61.0),
        labeled_row("<b>moved", "mi", 0.8, rate_bpm=73.0),
        labeled_row("surer", "normal", 0.99),
        {"file": "abstains", "abstention": "uncertain", "confidence": 0.55},
        failed,
        labeled_row("second only", "normal", 0.5),
    ]
    other = replace(MEASURED, model_name="second", model_version="2.0", labels=("mi", "normal"))
    return write_result(tmp_path / "a", first, job=MEASURED), write_result(tmp_path / "b", second, job=other)


def test_a_comparison_counts_what_agrees_and_lists_what_changed(results):
    comparison = compare(*results)
    assert comparison.agreement == {
        ("normal", "normal"): 1,
        ("normal", "mi"): 1,
        ("mi", "normal"): 1,
        ("mi", "uncertain"): 1,
        ("failed", "failed"): 1,
    }
    assert (comparison.pages, comparison.only, comparison.failed) == (5, (1, 1), 1)
    assert [row["file"] for row in comparison.moved] == ["surer", "<b>moved", "abstains"]
    assert comparison.measurements == {"rate_bpm": (2, 2.0, pytest.approx(2.9))}


def test_a_comparison_is_written_for_people_and_programs_with_pictures_of_what_changed(results, tmp_path):
    page = compare(*results).write(tmp_path / "out")
    html = page.read_text()
    assert "first 1.0" in html
    assert "second 2.0" in html
    assert "Pages left out: 1 only in the first result, 1 only in the second" in html
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
    other = write_result(tmp_path / "c", [labeled_row("elsewhere", "mi", 0.9)])
    with pytest.raises(BatchError, match="Expected two results over the same pages, got none in both"):
        compare(results[0], other)
    with pytest.raises(BatchError, match=r"got no run\.json in"):
        compare(results[0], tmp_path)
    (other / "pages.parquet").unlink()
    with pytest.raises(BatchError, match="Expected a finished result"):
        compare(results[0], other)
