"""The shipped model on the four public pages of the tests, which it was trained on."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.errors import DatasetError
from ecglens.evaluation.report import guidelines_section
from ecglens.external_validation import Refused, answer_pages, damage_pages, damage_section, gallery
from ecglens.external_validation.answers import LEARNT
from ecglens.reading import load_runtime

DATA = Path(__file__).resolve().parents[1] / "data"
TRUE = {"Normal_1": "normal", "MI_26": "mi", "PMI_18": "history_mi", "HB_1": "abnormal_heartbeat"}


@pytest.fixture(scope="module")
def runtime():
    return load_runtime("compact_cnn")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The four pages, a page of paper and a broken file."""
    folder = tmp_path_factory.mktemp("pages")
    cv2.imwrite(str(folder / "paper.png"), np.full((900, 1200, 3), 250, np.uint8))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    rows = [Recording(DATA / f"{name}.jpg", label, name, name) for name, label in TRUE.items()]
    rows += [Recording(folder / name, "normal", name, name) for name in ("paper.png", "broken.jpg")]
    return Recordings(tuple(rows))


@pytest.fixture(scope="module")
def answered(table, runtime):
    return answer_pages(table, runtime)


def test_every_page_is_answered_or_refused_with_its_reason(answered):
    predictions = answered.predictions
    assert predictions.recordings == tuple(TRUE)
    assert [predictions.labels[n] for n in predictions.probabilities.argmax(axis=1)] == list(TRUE.values())
    assert [refused.row for refused in answered.refused] == [4, 5]
    assert all(refused.reason.endswith(".") for refused in answered.refused)
    rows = dict(row[:2] for row in answered.section().rows[1:])
    assert rows["asked"] == "6"
    assert rows["refused"] == "2"


def test_refused_pages_are_named_and_alike_reasons_are_one(answered, table):
    told = dict(answered.refusals(table).rows[1:])
    assert set(told) == {"paper.png", "broken.jpg"}
    assert "a whole JPEG file" in told["broken.jpg"]
    reasons = tuple(
        Refused(row, f"No regular grid was seen (strength 1.{row}, at least 3.00 needed).") for row in (4, 5)
    )
    rows = dict(row[:2] for row in replace(answered, refused=reasons).section().rows[1:])
    assert rows["refused: No regular grid was seen."] == "2"


def test_pages_that_the_model_has_learnt_are_told(answered, table, runtime):
    assert answered.learnt == (4, 0)
    assert set(answered.predictions.extra[LEARNT]) == {"yes"}
    assert answered.notes()[0].startswith("4 of the 6 pages are copies of pages that the model was trained on")


def test_copies_in_a_folder_are_one_group_and_told(table, runtime, tmp_path):
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(table[0].path.read_bytes())
    rows = (*table.subset([0, 1]), Recording(copy, "normal", "copy", "copy"))
    answered = answer_pages(Recordings(rows), runtime)
    assert answered.copies == 1
    assert len(set(answered.predictions.groups)) == 2
    assert "1 of the answered pages is the same file as another" in answered.notes()[1]


def test_guidelines_are_said_to_be_covered_only_where_they_are(answered, runtime, table):
    told = gallery(answered.predictions, [row.path for row in table][:4], rng=np.random.default_rng(0))
    covered = {row[:2] for row in guidelines_section((answered.section(), *told)).rows}
    assert ("CLAIM", "33") in covered
    assert ("CLAIM", "32") not in covered  # all of them were learnt
    assert ("CLAIM", "31") not in covered  # nothing was explained
    new = replace(answered, learnt=(0, 0))
    assert ("CLAIM", "32") in {row[:2] for row in guidelines_section((new.section(),)).rows}
    assert not {("CLAIM", "33")} & {row[:2] for row in guidelines_section(told).rows}


def test_a_model_without_fingerprints_says_that_it_is_not_known(table, runtime, monkeypatch):
    monkeypatch.setattr("ecglens.external_validation.answers.SEEN_FILE", "gone.npz")
    answered = answer_pages(table.subset([0]), runtime)
    assert answered.learnt is None
    assert LEARNT not in answered.predictions.extra
    assert "is not known" in answered.notes()[0]


def test_labels_that_the_model_does_not_know_are_refused(runtime):
    table = Recordings((Recording(DATA / "HB_1.jpg", "arrhythmia", "a", "a"),))
    with pytest.raises(DatasetError, match=r"Expected labels out of normal, .* but found 'arrhythmia'; .* --labels"):
        answer_pages(table, runtime)


def test_a_table_without_a_page_is_refused(table, runtime):
    with pytest.raises(DatasetError, match="The model answers for none of the 2 pages. The first: "):
        answer_pages(table.subset([4, 5]), runtime)


def test_damage_is_counted_from_none_to_the_most(table, runtime):
    found = damage_pages(
        table, runtime, pages=2, rng=np.random.default_rng(0), kinds=("noise", "fold"), strengths=(1.0,)
    )
    assert [(one.kind, one.strength, one.pages) for one in found] == [
        ("noise", 0.0, 2),
        ("noise", 1.0, 2),
        ("fold", 0.0, 2),
        ("fold", 1.0, 2),
    ]
    assert all(one.right == 2 for one in found if one.strength == 0)
    assert found[3].right + found[3].wrong + found[3].refused == 2
    section = damage_section(found)
    assert section.rows[1][:2] == ("noise", "1.00 (0.16 to 1.00), 0.00")
    assert section.pictures["damage"].startswith(b"\x89PNG")


def test_damaged_pages_of_one_group_have_no_interval(table, runtime):
    alone = Recordings((replace(table[0], group="g"),))
    found = damage_pages(alone, runtime, pages=5, rng=np.random.default_rng(0), kinds=("noise",), strengths=(0.5,))
    assert [(one.pages, one.interval) for one in found] == [(1, None), (1, None)]
    assert damage_section(found).rows[1][1] == "1.00 (-), 0.00"
    assert damage_pages(alone, runtime, pages=0, rng=np.random.default_rng(0)) == ()


def test_wrong_pages_are_shown_with_what_spoke_for_the_answer(answered, table, runtime):
    turned = answered.predictions.subset(np.arange(4))
    turned.targets[1] = 0  # as if the second page were normal
    paths = [table[int(row)].path for row in answered.rows]
    explained, plain = (
        gallery(turned, paths, rng=np.random.default_rng(0), runtime=asked)[0] for asked in (runtime, None)
    )
    assert [picture.caption for picture in explained.gallery] == [
        f"MI_26: Normal, answered Myocardial infarction with {turned.probabilities[1].max():.0%}"
    ]
    pictures = [
        cv2.imdecode(np.frombuffer(section.gallery[0].data, np.uint8), cv2.IMREAD_COLOR)
        for section in (explained, plain)
    ]
    assert pictures[0].shape == pictures[1].shape
    colour = [int((np.ptp(picture.astype(int), axis=2) > 60).sum()) for picture in pictures]
    assert colour[0] > 500
    assert gallery(turned, paths, rng=np.random.default_rng(0))[1].gallery


def test_a_file_that_is_gone_keeps_its_caption(answered, table):
    paths = [path.with_name("gone.jpg") for path in (row.path for row in table)][:4]
    section = gallery(answered.predictions, paths, rng=np.random.default_rng(0))[1]
    assert all(picture.data == b"" and "gone.jpg" in picture.caption for picture in section.gallery)
