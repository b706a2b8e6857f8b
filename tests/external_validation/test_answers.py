from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError
from ecglens.evaluation.report import guidelines_section
from ecglens.external_validation import Refusal, answer_pages, gallery
from ecglens.external_validation.answers import TRAINED_ON

DATA = Path(__file__).resolve().parents[1] / "data"
TRUE = {"Normal_1": "normal", "MI_26": "mi", "PMI_18": "history_mi", "HB_1": "abnormal_heartbeat"}


def test_every_page_is_answered_or_refused_with_its_reason(answers):
    predictions = answers.predictions
    assert predictions.recordings == tuple(TRUE)
    assert [predictions.labels[n] for n in predictions.probabilities.argmax(axis=1)] == list(TRUE.values())
    assert [refused.row for refused in answers.refused] == [4, 5]
    assert all(refused.reason.endswith(".") for refused in answers.refused)
    rows = dict(row[:2] for row in answers.section().rows[1:])
    assert rows["requested"] == "6"
    assert rows["refused"] == "2"


def test_refused_pages_are_named_and_the_same_reasons_are_counted_together(answers, table):
    reasons_of = dict(answers.refusals(table).rows[1:])
    assert set(reasons_of) == {"paper.png", "broken.jpg"}
    assert "a whole JPEG file" in reasons_of["broken.jpg"]
    reasons = tuple(
        Refusal(row, f"No regular grid was seen (strength 1.{row}, at least 3.00 needed).") for row in (4, 5)
    )
    rows = dict(row[:2] for row in replace(answers, refused=reasons).section().rows[1:])
    assert rows["refused: No regular grid was seen."] == "2"


def test_pages_that_the_model_was_trained_on_are_reported(answers, table, runtime):
    assert answers.trained_on == (4, 0)
    assert set(answers.predictions.extra[TRAINED_ON]) == {"yes"}
    assert answers.notes()[0].startswith("4 of the 6 pages are copies of pages that the model was trained on")


def test_copies_in_a_folder_are_one_group_and_are_reported(table, runtime, tmp_path):
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(table[0].path.read_bytes())
    rows = (*table.subset([0, 1]), Recording(copy, "normal", "copy", "copy"))
    answers = answer_pages(Recordings(rows), runtime)
    assert answers.copies == 1
    assert len(set(answers.predictions.groups)) == 2
    assert "1 of the answered pages is the same file as another" in answers.notes()[1]


def test_guidelines_are_covered_only_by_sections_that_cover_them(answers, runtime, table):
    pictures = gallery(answers.predictions, [row.path for row in table][:4], rng=np.random.default_rng(0))
    covered = {row[:2] for row in guidelines_section((answers.section(), *pictures)).rows}
    assert ("CLAIM", "33") in covered
    assert ("CLAIM", "32") not in covered  # the model was trained on all of them
    assert ("CLAIM", "31") not in covered  # nothing was explained
    new = replace(answers, trained_on=(0, 0))
    assert ("CLAIM", "32") in {row[:2] for row in guidelines_section((new.section(),)).rows}
    assert not {("CLAIM", "33")} & {row[:2] for row in guidelines_section(pictures).rows}


def test_a_model_without_fingerprints_says_that_it_is_not_known(table, runtime, monkeypatch):
    monkeypatch.setattr("ecglens.external_validation.answers.FINGERPRINTS_FILE", "gone.npz")
    answers = answer_pages(table.subset([0]), runtime)
    assert answers.trained_on is None
    assert TRAINED_ON not in answers.predictions.extra
    assert "is not known" in answers.notes()[0]


def test_labels_that_the_model_does_not_know_are_refused(runtime):
    table = Recordings((Recording(DATA / "HB_1.jpg", "arrhythmia", "a", "a"),))
    with pytest.raises(DatasetError, match=r"Expected labels out of normal, .* got 'arrhythmia'; .* --labels"):
        answer_pages(table, runtime)


def test_a_table_without_a_page_is_refused(table, runtime):
    with pytest.raises(DatasetError, match="The model answers for none of the 2 pages. The first: "):
        answer_pages(table.subset([4, 5]), runtime)
