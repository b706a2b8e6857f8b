from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import RECIPE, LineListener, run_context, write_recordings

from ecglens.datasets.recordings import Recordings
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation import local
from ecglens.federation.plan import FederationPlan
from ecglens.federation.simulate import Faults, calibrate_run, check_federation, simulate, start_federation
from ecglens.federation.sites import SitePlan
from ecglens.federation.strategies import StrategySettings
from ecglens.models.cards import load_card
from ecglens.models.export import evaluate_run, export
from ecglens.models.train.folder import Plan, start_run
from ecglens.models.train.recipe import change_recipe
from ecglens.models.train.run import load_answers, load_final

PLAN = FederationPlan(sites=SitePlan("clinic"), rounds=3)
HONEST = Plan(folds=2)
HOUSES = ("north", "north", "south", "south")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Recordings:
    """Return 16 pages of two clinics, with a copy of the first."""
    table = write_recordings(tmp_path_factory.mktemp("pages"), pages=16)
    rows = [
        replace(row, extra=MappingProxyType({"clinic": HOUSES[number % 4] if number < 16 else "north"}))
        for number, row in enumerate(table)
    ]
    return Recordings(tuple(rows))


def run(recordings, out, plan=PLAN, *, protocol=HONEST, listener=None, **options):
    start_run(recordings, RECIPE, out, protocol)
    simulate(recordings, RECIPE, out, protocol, plan, seeds=[0], context=run_context(out, listener), **options)
    return out


def weights(out):
    return [load_file(path) for path in sorted(out.rglob("rounds.safetensors"))]


def same(first, second):
    return all(torch.equal(one[key], other[key]) for one, other in zip(first, second, strict=True) for key in one)


@pytest.fixture(scope="module")
def whole_run(recordings, tmp_path_factory):
    return run(recordings, tmp_path_factory.mktemp("runs") / "whole")


def test_each_recording_is_answered_once_by_a_model_that_was_not_trained_on_it(recordings, whole_run):
    answers = load_answers(recordings, whole_run, seed=0)
    assert answers.rows.tolist() == list(range(16))
    assert np.isfinite(answers.logits).all()


def test_a_site_trains_on_its_own_rows_of_the_training_side(recordings, whole_run):
    split = parse_json((whole_run / "seed0" / "split.json").read_bytes())
    for number, fold in enumerate(split["folds"]):
        sites = parse_json((whole_run / "seed0" / f"fold{number}" / "sites.json").read_bytes())
        assert [site["name"] for site in sites] == ["north", "south"]
        assert sorted(file for site in sites for file in site["files"]) == sorted(fold["train"])
        clinics = dict(zip(recordings.keys(), recordings.column("clinic"), strict=True))
        assert all(clinics[file] == site["name"] for site in sites for file in site["files"])


def test_a_run_that_was_killed_gives_the_same_weights(recordings, whole_run, tmp_path, monkeypatch):
    calls, fit_site = [], local.fit_site

    def die(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fit_site(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("ecglens.federation.client.fit_site", die)
        with pytest.raises(KeyboardInterrupt):
            run(recordings, tmp_path / "parts")
    run(recordings, tmp_path / "parts")
    assert same(weights(whole_run), weights(tmp_path / "parts"))


@pytest.mark.nightly
def test_worker_processes_give_the_same_weights(recordings, whole_run, tmp_path):
    run(recordings, tmp_path / "two", workers=2)
    assert same(weights(whole_run), weights(tmp_path / "two"))


def test_a_finished_run_is_not_trained_again(recordings, whole_run, monkeypatch):
    monkeypatch.setattr("ecglens.federation.client.fit_site", None)
    run(recordings, whole_run)


def test_a_run_with_other_settings_is_refused(recordings, whole_run):
    with pytest.raises(TrainingError, match="other settings"):
        run(recordings, whole_run, replace(PLAN, epochs=2))


def test_the_model_of_all_recordings_can_be_loaded(recordings, tmp_path):
    out = run(recordings, tmp_path / "fit", replace(PLAN, rounds=1), fit=True)
    assert not load_final(RECIPE, out).training


@pytest.mark.parametrize(
    "plan",
    [
        replace(PLAN, strategy=StrategySettings("fedbn")),
        replace(PLAN, tune_epochs=1),
        replace(PLAN, shared=0.3),
        replace(PLAN, secure=True),
        replace(PLAN, sites=SitePlan(None, 1.0, 2)),
    ],
    ids=["fedbn", "tuned", "shared", "secure", "skew"],
)
def test_every_kind_of_plan_answers_all_pages(recordings, tmp_path, plan):
    out = run(recordings, tmp_path / "run", replace(plan, rounds=1))
    assert len(load_answers(recordings, out, seed=0).rows) == 16


def test_fine_tuning_changes_the_answers_of_a_site(recordings, whole_run, tmp_path):
    out = run(recordings, tmp_path / "tuned", replace(PLAN, tune_epochs=2))
    common, tuned = (load_answers(recordings, folder, seed=0).logits for folder in (whole_run, out))
    assert same(weights(whole_run), weights(out))
    assert not np.allclose(common, tuned)


def test_a_site_can_be_left_out(recordings, tmp_path):
    three = Recordings(
        tuple(
            replace(row, extra=MappingProxyType({"clinic": "east" if number % 8 > 5 else row.extra["clinic"]}))
            for number, row in enumerate(recordings)
        )
    )
    listener = LineListener()
    protocol = Plan("leave-one-out:clinic")
    out = run(three, tmp_path / "left-out", replace(PLAN, rounds=1), protocol=protocol, listener=listener)
    assert len(load_answers(three, out, seed=0).rows) == 16
    assert sum("has 0 recordings to train on and is left out of" in line for line in listener.lines) == 3


def test_local_parts_cannot_answer_a_site_that_is_left_out(recordings):
    plan = replace(PLAN, strategy=StrategySettings("fedbn"))
    with pytest.raises(TrainingError, match="other than fedbn"):
        check_federation(recordings, RECIPE, Plan("leave-one-out:clinic"), plan)


def test_a_warm_start_begins_with_the_weights_of_a_run(recordings, tmp_path):
    first = run(recordings, tmp_path / "first", replace(PLAN, rounds=1), fit=True)
    frozen = change_recipe(RECIPE, {"optimization.learning_rate": 1e-9})
    out = tmp_path / "warm"
    start_run(recordings, frozen, out, HONEST)
    plan = replace(PLAN, rounds=1, start=str(first))
    simulate(recordings, frozen, out, HONEST, plan, seeds=[0], context=run_context(out))
    before, after = load_final(RECIPE, first).state_dict(), weights(out)[0]
    torch.testing.assert_close(after["weights/place.classify.1.weight"], before["place.classify.1.weight"])


def test_a_dead_and_a_poisoned_site_do_not_stop_a_run(recordings, tmp_path):
    settings = StrategySettings("trimmed-mean", min_sites=1)
    plan = replace(PLAN, sites=SitePlan(None, 100.0, 4), strategy=settings, rounds=1)
    out = run(recordings, tmp_path / "faults", plan, faults=Faults(dead=(0,), late=(1,), poisoned=(2,)))
    (figures,) = parse_json((out / "seed0" / "fold0" / "rounds.json").read_bytes())
    assert len(figures["left_out"]) == 2


def test_settings_are_stored_with_the_run(tmp_path):
    start_federation(tmp_path, PLAN)
    start_federation(tmp_path, PLAN)
    with pytest.raises(TrainingError, match="other settings"):
        start_federation(tmp_path, replace(PLAN, secure=True))


@pytest.mark.slow
def test_a_federated_run_is_evaluated_and_exported_as_any_other(recordings, tmp_path):
    out = run(recordings, tmp_path / "run", replace(PLAN, rounds=1), fit=True)
    evaluation = evaluate_run(recordings, out, seeds=[0], command="ecglens export run", draws=20)
    export(
        recordings,
        out,
        tmp_path / "tiny",
        evaluation=evaluation,
        seeds=[0],
        version="1",
        trained_on="16 made-up pages at two sites",
        license="CC0-1.0",
    )
    card = load_card(tmp_path / "tiny")
    assert card.labels == RECIPE.labels
    assert card.trained_on == "16 made-up pages at two sites"


def test_calibration_by_site_is_stored_with_the_run(recordings, whole_run):
    figures = calibrate_run(recordings, RECIPE, whole_run, PLAN, seed=0)
    assert [(each.site, each.pages) for each in figures] == [("north", 8), ("south", 8)]
    stored = parse_json((whole_run / "seed0" / "calibration.json").read_bytes())
    assert stored == [each.to_dict() for each in figures]
