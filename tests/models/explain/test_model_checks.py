"""Checks over pages, on a model whose answer is known, and how a model's folder keeps them."""

import json

import numpy as np
import pytest
from msgspec.structs import replace
from tiny_explained import weighing

from ecglens.errors import ModelError
from ecglens.models.explain.model_checks import check_page, correlate_ranks, correlate_without_weights, summarize_checks
from ecglens.models.explain.stored import CHECKS_FILE, load_checks, load_method_checks, read_checks, save_checks
from ecglens.records import ModelChecks

METHODS = ("occlusion_lead", "occlusion_patch")


@pytest.fixture(scope="module")
def scene(page, layout):
    """Return the scene of a model that predicts mi where there is more than half of the ink of V2."""
    scene = weighing(page, layout, "V2")
    own, bare = scene.log_odds([{}, {"page": np.ones_like(scene.regions["page"], bool)}])
    scene.model.more = -(own + bare) / 2
    return scene


@pytest.fixture(scope="module")
def line(page, scene):
    """Check a page with a model that predicts for it and its saved copy, and abstains on all other pages."""

    def look(changed_page):
        same = np.abs(changed_page.pixels.astype(float) - page.pixels).mean() < 5.0
        return scene if same else None

    return check_page(page, look, METHODS, rng=np.random.default_rng(0))


def test_a_page_is_measured_in_plain_types(line, scene):
    assert json.loads(json.dumps(line)) == line
    assert line["label"] == "mi"
    assert line["methods"]["occlusion_lead"]["shares"]["V2"] > 0.8
    assert line["methods"]["occlusion_lead"]["saved_again"] == pytest.approx(1.0)
    assert "near" in line["methods"]["occlusion_patch"]
    assert "near" not in line["methods"]["occlusion_lead"]
    assert line["flipped_page"] is None
    assert len(line["random_maps"]) == 4


def test_a_page_that_is_refused_is_not_measured(page):
    assert check_page(page, lambda _: None, METHODS, rng=np.random.default_rng(0)) is None


def test_the_answer_changes_with_the_one_lead_that_the_model_looks_at(line, scene):
    assert line["blank_leads"] == pytest.approx(1 / len(scene.leads))
    everything = {"page": np.ones_like(scene.regions["page"], bool)}
    assert scene.top_labels([{}, everything]) == ["mi", "normal"]


def test_a_method_that_knows_passes_and_says_so_in_words(line, scene):
    checks = summarize_checks([line, line], scene.model.card, left={"occlusion_lead": 0.02, "occlusion_patch": 0.7})
    by_name = {check.name: check for check in checks.methods["occlusion_lead"]}
    assert [by_name[name].passed for name in ("deletion", "insertion", "repeatability", "shuffled weights")] == [
        True
    ] * 4
    left = next(check for check in checks.methods["occlusion_patch"] if check.name == "shuffled weights")
    assert left.passed is False
    assert checks.pages == 2
    assert checks.changes["page top to bottom"] == {"stays": 0.0, "another": 0.0, "refused": 1.0}
    title, rows = next(checks.tables())
    assert title == "Explanations, checked on 2 pages"
    assert [row[:2] for row in rows[1:]] == [["occlusion_lead", "passed"], ["occlusion_patch", "failed"]]


def test_a_method_that_random_maps_beat_fails(line, scene):
    bad = {**line, "random_maps": [[-99.0, 99.0]] * 4}
    checks = summarize_checks([line, bad], scene.model.card)
    deletion, insertion, *_ = checks.methods["occlusion_lead"]
    assert (deletion.passed, insertion.passed) == (False, False)
    assert deletion.figures == {"better": 0.5}


def test_shares_that_tell_no_leads_apart_are_like_no_others():
    assert correlate_ranks({"I": 0.5, "II": 0.5}, {"I": 0.1, "II": 0.9}) == 0.0
    assert correlate_ranks({"I": 0.4, "II": 0.6, "V1": 0}, {"I": 0.1, "II": 0.9}) == pytest.approx(1.0)


def test_checks_are_stored_in_the_model_folder_and_belong_to_one_graph(line, scene, tmp_path):
    (tmp_path / "card.md").write_text("# linear 1.0\n\nText.\n\n## Explanations\n\nold\n", encoding="utf-8")
    card = replace(scene.model.card, folder=tmp_path)
    assert load_checks(card) is None
    assert load_method_checks(card, "occlusion_lead") == ()

    checks = summarize_checks([line], card)
    save_checks(checks, tmp_path)
    again = load_checks(card)
    assert isinstance(again, ModelChecks)
    assert again.to_dict() == checks.to_dict()
    assert [check.name for check in load_method_checks(card, "occlusion_lead")] == [
        "deletion",
        "insertion",
        "repeatability",
    ]
    text = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert text.startswith(
        "# linear 1.0\n\nText.\n\n## Explanations\n\nExplanations, checked on 1 pages:\n\n| method |"
    )
    assert "old" not in text

    assert load_checks(replace(card, graph_sha256="another")) is None
    (tmp_path / CHECKS_FILE).write_text('{"model": 1}', encoding="utf-8")
    assert load_checks(card) is None


def test_weights_are_shuffled_only_where_there_is_a_graph(scene):
    assert correlate_without_weights([scene], METHODS, np.random.default_rng(0)) == {}


def test_checks_that_cannot_be_read_are_reported_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match="without it; .*check-explanations' writes it"):
        read_checks(tmp_path)
    (tmp_path / CHECKS_FILE).write_text("[1]", encoding="utf-8")
    with pytest.raises(ModelError, match="got something else"):
        read_checks(tmp_path)
