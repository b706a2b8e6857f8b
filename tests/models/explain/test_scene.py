import numpy as np
import pytest
from tiny_explained import Linear, weighing

from ecglens.errors import ModelError
from ecglens.models.explain.scene import Scene, compute_log_odds
from ecglens.models.inputs import LeadCrops, TraceCanvas

RECIPE = {"kind": "trace_canvas", "width": 256, "height": 152}


def test_log_odds_are_those_of_the_softmax():
    logits = np.array([[[1.0, 2.0, -1.0]], [[0.0, 900.0, 0.0]]])
    log_odds = compute_log_odds(logits, TraceCanvas())
    p = np.exp(logits[0, 0]) / np.exp(logits[0, 0]).sum()
    assert log_odds[0] == pytest.approx(np.log(p / (1 - p)))
    assert np.isfinite(log_odds).all()


def test_a_vote_of_all_rows_stays_finite():
    log_odds = compute_log_odds(
        np.array([[[3.0, 1.0]] * 4]), LeadCrops(leads=("I", "II", "III", "V1"), aggregate="majority")
    )
    assert log_odds[0] == pytest.approx([np.log(999), -np.log(999)])


def test_stretches_cover_their_leads_and_know_their_seconds(page, layout):
    scene = weighing(page, layout, "V2")
    assert scene.leads == (*(lead.lead for lead in layout.leads if not lead.rhythm), "II-rhythm")
    for lead in layout.leads:
        own = [one for one in scene.stretches if one.lead == (lead.lead + "-rhythm" if lead.rhythm else lead.lead)]
        assert own[0].box.left == lead.box.left
        assert own[-1].box.right == pytest.approx(lead.box.right)
        assert [one.start_s for one in own[1:]] == [one.end_s for one in own[:-1]]
        assert own[-1].end_s == pytest.approx(lead.box.width / layout.px_per_mm[1] / 25)
        assert len(own) == (20 if lead.rhythm else 5)


def test_what_is_masked_is_paper_and_nothing_else_changes(page, layout):
    scene = weighing(page, layout, "V2")
    whole = {"page": np.ones_like(scene.regions["page"], dtype=bool)}
    paper = np.median(scene.arrays["page"])
    expected = [
        float((scene.model.weights * scene.arrays["page"][0]).sum()),
        float((scene.model.weights * paper).sum()),
    ]
    assert scene.log_odds([{}, whole]) == pytest.approx(expected, rel=1e-4)


def test_an_unknown_label_is_refused(page, layout):
    with pytest.raises(ModelError, match=r"label of model 'linear' \(normal, mi\), got 'flu'"):
        Scene.of(page, layout, Linear(RECIPE, 0.0), "flu")


def test_values_of_stretches_keep_their_sum_as_planes(page, layout):
    scene = weighing(page, layout, "V2")
    values = np.random.default_rng(0).normal(size=len(scene.stretches))
    planes = scene.spread(values)
    own = np.bincount(scene.regions["page"].ravel() + 1, weights=planes["page"].ravel())
    assert own[1:] == pytest.approx(values, rel=1e-3)
    assert own[0] == 0
