"""The apps of a deployment, within one process; test_deployment runs them over a network."""

import json
from dataclasses import replace

import pytest
from flwr.app import Context, RecordDict
from safetensors.torch import load_file
from tiny_runs import RECIPE, write_recordings

from ecglens.datasets.recordings import Recordings
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation.apps import _wait_for_sites, make_site_app, open_site, run_server
from ecglens.federation.deployment import check_site_data
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.plan import FederationPlan
from ecglens.federation.strategies import StrategySettings
from ecglens.models.train.recipe import change_recipe
from ecglens.models.train.run import load_final

PLAN = FederationPlan(rounds=1)


def config(out, plan=PLAN, recipe=RECIPE):
    return {
        "recipe": recipe.model_dump_json(),
        "plan": json.dumps(plan.to_dict()),
        "out": str(out),
        "name": "run",
        "seed": 0,
        "sites": 2,
    }


def site(folder, table, run_config, *, node=1, key=None):
    check_site_data(table, folder)
    settings = {"folder": str(folder)} | ({} if key is None else {"key": str(key)})
    return Context(1, node, settings, state=RecordDict(), run_config=run_config)


def grid(contexts, *, secure=False):
    app = make_site_app(secure=secure, noise=False)
    return LocalGrid(lambda index, message: app(message, contexts[index]), len(contexts))


@pytest.fixture
def tables(tmp_path):
    """Return the pages of two sites; the first page of both is the same."""
    return [write_recordings(tmp_path / f"pages{number}", pages=8 + 2 * number) for number in range(2)]


@pytest.mark.parametrize("secure", [False, True])
def test_the_server_stores_the_weights_and_the_counts_of_the_sites(tmp_path, tables, secure):
    out, plan = tmp_path / "server", replace(PLAN, secure=secure)
    contexts = [site(tmp_path / f"site{n}", table, config(out, plan), node=n + 1) for n, table in enumerate(tables)]
    run_server(grid(contexts, secure=secure), config(out, plan))
    (out / "recipe.json").write_text(RECIPE.model_dump_json())
    assert load_final(RECIPE, out).state_dict().keys() == load_file(out / "final" / "last.safetensors").keys()
    counts = parse_json((out / "answers.json").read_bytes())
    assert set(counts) == {"1", "2"}
    assert parse_json((out / "rounds.json").read_bytes())[0]["sites"] == 2


def test_the_server_does_not_wait_forever_for_a_site_that_never_comes(tmp_path, monkeypatch):
    ticks, pauses = iter(range(0, 1000, 10)), []
    monkeypatch.setattr("ecglens.federation.apps.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("ecglens.federation.apps.time.sleep", pauses.append)
    _wait_for_sites(LocalGrid(lambda index, message: message, 2), 3, 55.0)
    assert pauses == [1.0] * 5
    _wait_for_sites(LocalGrid(lambda index, message: message, 3), 3, 55.0)
    assert pauses == [1.0] * 5


def test_a_site_holds_out_whole_groups_and_trains_on_no_copy(tmp_path, tables):
    opened = open_site(site(tmp_path / "site", tables[0], config(tmp_path)))
    checked = Recordings.from_csv(tmp_path / "site" / "recordings.csv")
    learn, test = opened.task.learn.tolist(), opened.task.test.tolist()
    assert sorted([*learn, *test]) == checked.canonical_indices().tolist()
    assert len(learn) < 8
    groups = checked.column("group")
    assert not {groups[row] for row in learn} & {groups[row] for row in test}


def test_pages_that_changed_since_the_audit_are_refused(tmp_path, tables):
    context = site(tmp_path / "site", tables[0], config(tmp_path))
    tables[0][1].path.write_bytes(tables[0][0].path.read_bytes())
    with pytest.raises(TrainingError, match="changed since the audit"):
        open_site(context)


def test_a_site_without_an_audit_is_refused(tmp_path):
    context = Context(1, 1, {"folder": str(tmp_path)}, state=RecordDict(), run_config=config(tmp_path))
    with pytest.raises(TrainingError, match="ecglens federate site"):
        open_site(context)


def test_a_label_that_the_recipe_lacks_is_refused(tmp_path, tables):
    other = change_recipe(RECIPE, {"labels": ["mi", "history_mi"]})
    context = site(tmp_path / "site", tables[0], config(tmp_path, recipe=other))
    with pytest.raises(TrainingError, match="got 'normal'"):
        open_site(context)


def test_pages_at_two_sites_end_a_run_that_compares_them(tmp_path, tables):
    key = tmp_path / "shared.key"
    key.write_bytes(b"0" * 32)
    out, plan = tmp_path / "server", replace(PLAN, compare_pages=True)
    contexts = [
        site(tmp_path / f"site{n}", table, config(out, plan), node=n, key=key) for n, table in enumerate(tables)
    ]
    with pytest.raises(TrainingError, match="8 are at several"):
        run_server(grid(contexts), config(out, plan))
    copies = parse_json((out / "copies.json").read_bytes())
    assert {tuple(each["nodes"]) for each in copies} == {(1, 2)}


def test_sites_without_a_key_send_no_fingerprints(tmp_path, tables):
    out, plan = tmp_path / "server", replace(PLAN, compare_pages=True)
    contexts = [site(tmp_path / f"site{n}", table, config(out, plan), node=n) for n, table in enumerate(tables)]
    run_server(grid(contexts), config(out, plan))
    assert not (out / "copies.json").exists()


def test_local_normalizations_start_from_those_of_the_server(tmp_path, tables):
    out, plan = tmp_path / "server", replace(PLAN, strategy=StrategySettings("fedbn"))
    contexts = [site(tmp_path / f"site{n}", table, config(out, plan), node=n) for n, table in enumerate(tables)]
    run_server(grid(contexts), config(out, plan))
    assert not any("running_mean" in name for name in load_file(out / "rounds.safetensors"))
    assert list((tmp_path / "site0" / "run-run").glob("local-*.safetensors"))
