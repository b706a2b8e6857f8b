"""Summaries of results."""

import json

import pytest
from simulated_results import labeled_row, write_result

from ecglens.batch.results import open_result
from ecglens.batch.summary import summarize, write_summary
from ecglens.errors import BatchError

ROWS = [
    labeled_row("a", "normal", 0.95, warnings=["1 of 12 leads is weak."]),
    labeled_row("b <i>", "mi", 0.7, warnings=["3 of 12 leads is weak.", "The scale is a guess."]),
    {"file": "c", "abstention": "uncertain", "confidence": 0.6, "probability_mi": 0.6, "probability_normal": 0.4},
    {"file": "d", "abstention": "no_layout"},
    {"file": "e", "failure": "memory", "reason": "Expected a page within 600 MB, got more."},
    {"file": "f", "failure": "not_a_page", "reason": "Expected 100 px, got 20 px."},
    {"file": "g", "failure": "not_a_page", "reason": "Expected 100 px, got 30 px."},
]


def test_a_summary_counts_labels_abstentions_failures_by_reason_and_warnings(tmp_path):
    summary = summarize(write_result(tmp_path / "out", ROWS)).to_dict()
    assert (summary["pages"], summary["labels"]) == (7, {"normal": 1, "mi": 1})
    assert summary["abstentions"] == {"uncertain": 1, "no_layout": 1}
    assert summary["failures"] == [
        {"failure": "not_a_page", "reason": "Expected … px, got … px.", "pages": 2},
        {"failure": "memory", "reason": "Expected a page within 600 MB, got more.", "pages": 1},
    ]
    assert summary["warnings"] == {"… of … leads is weak.": 2, "The scale is a guess.": 1}
    assert summary["least_certain"] == ["c", "b <i>", "a"]
    json.dumps(summary)


def test_a_summary_s_page_shows_all_of_that_and_no_markup_of_others(tmp_path):
    html = write_summary(write_result(tmp_path / "out", ROWS), pictures=False).read_text()
    for text in ("Not recognized as an ECG page", "It needs more memory", "… of … leads is weak.", "b &lt;i&gt;"):
        assert text in html
    assert "<i>" not in html
    assert "Myocardial infarction 60.0 %, no label given" in html
    assert "not a medical device" in html


def test_a_result_of_another_schema_or_none_is_refused(tmp_path):
    folder = write_result(tmp_path / "out", ROWS[:1])
    run_info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run_info, "schema_version": 99}))
    with pytest.raises(BatchError, match="Expected a result of schema 1, got 99"):
        open_result(folder)
    (folder / "run.json").write_text("{}")
    with pytest.raises(BatchError, match="Expected the description of a run"):
        open_result(folder)
