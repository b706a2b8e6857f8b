import numpy as np
import pytest
import torch
from tiny_sites import TinyTask, tiny_runner

from ecglens.errors import TrainingError
from ecglens.federation import rounds as rounds_module
from ecglens.federation.local import Order
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.rounds import STATE, RoundPlan, ask_sites, run_rounds
from ecglens.federation.strategies import STRATEGIES, StrategySettings, make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared, load_tensors

SITES = 5
ORDERS = tuple(Order(round=number, epochs=2, learning_rate=0.1, seed=7) for number in range(1, 5))


def tasks(count=SITES):
    return [TinyTask(16 + 4 * number, seed=number) for number in range(count)]


def begin(settings, count=SITES):
    network = TinyTask(2, seed=0).build()
    strategy = make_strategy(settings, list_parameters(network), sites=count)
    return network, strategy, get_arrays(network, list_shared(network, local_norms=settings.local_norms))


def train(folder, name="fedavg", *, orders=ORDERS, runner=None, min_sites=2, silent=(), **options):
    settings = StrategySettings(name, min_sites=min_sites)
    network, strategy, weights = begin(settings)
    grid = LocalGrid(runner or tiny_runner(tasks(), folder), SITES, silent=silent)
    plan = RoundPlan(orders, min_sites=min_sites, timeout_s=60)
    weights, figures = run_rounds(grid, strategy, weights, plan, folder, **options)
    load_tensors(network, weights)
    return network, weights, figures


def accuracy(network):
    task = TinyTask(400, seed=99)
    counts = task.count_answers(network)
    return counts.trace() / counts.sum()


def spoil(runner, site, change):
    """Return a runner whose site sends changed weights."""

    def run(index, message):
        reply = runner(index, message)
        if index == site:
            record = reply.content.array_records["arrays"]
            for name, array in list(record.items()):
                record[name] = type(array)(change(array.numpy()))
        return reply

    return run


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "fedbn"])
def test_every_strategy_learns_over_sites(tmp_path, name):
    orders = tuple(Order(round=number, epochs=5, learning_rate=0.1) for number in range(1, 21))
    network, _, figures = train(tmp_path, name, orders=orders)
    assert accuracy(TinyTask(2, seed=0).build()) < 0.7
    assert accuracy(network) > 0.85
    assert [each.sites for each in figures] == [SITES] * 20


def test_with_local_normalizations_each_site_answers_by_its_own(tmp_path):
    orders = tuple(Order(round=number, epochs=5, learning_rate=0.1) for number in range(1, 21))
    _, weights, _ = train(tmp_path, "fedbn", orders=orders)
    _, strategy, _ = begin(StrategySettings("fedbn"))
    grid = LocalGrid(tiny_runner(tasks(), tmp_path), SITES)
    counts = sum(ask_sites(grid, strategy, weights, orders[-1], timeout_s=60, labels=2).values())
    assert counts.trace() / counts.sum() > 0.85


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_killed_server_resumes_at_the_round_and_gives_the_same_weights(tmp_path, name):
    _, whole, _ = train(tmp_path / "whole", name)

    def stop(figures):
        if figures.round == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", name, on_round=stop)
    trained = []
    runner = tiny_runner(tasks(), tmp_path / "parts")
    _, resumed, figures = train(
        tmp_path / "parts", name, runner=lambda index, message: trained.append(index) or runner(index, message)
    )
    assert len(trained) == 2 * SITES
    assert [each.round for each in figures] == [1, 2, 3, 4]
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.mark.parametrize("name", ["fedavg", "fedbn"])
def test_a_server_that_is_killed_within_a_round_repeats_the_round(tmp_path, name):
    _, whole, _ = train(tmp_path / "whole", name)
    runner, calls = tiny_runner(tasks(), tmp_path / "parts"), []

    def die_in_round_3(index, message):
        calls.append(index)
        if len(calls) == 2 * SITES + 3:
            raise KeyboardInterrupt
        return runner(index, message)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", name, runner=die_in_round_3)
    _, resumed, _ = train(tmp_path / "parts", name)
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_the_mean_weights_a_site_by_its_recordings(tmp_path):
    runner = tiny_runner(tasks(), tmp_path)
    sizes = {}

    def constant(index, message):
        reply = runner(index, message)
        record = reply.content.array_records["arrays"]
        for key, array in list(record.items()):
            record[key] = type(array)(np.full_like(array.numpy(), index))
        sizes[index] = reply.content["metrics"]["num-examples"]
        return reply

    _, weights, _ = train(tmp_path, runner=constant, orders=ORDERS[:1])
    expected = sum(index * size for index, size in sizes.items()) / sum(sizes.values())
    assert sizes == {0: 16, 1: 20, 2: 24, 3: 28, 4: 32}
    torch.testing.assert_close(weights["0.weight"], torch.full((4, 2), expected))


def test_a_round_goes_on_without_a_dead_a_late_and_a_broken_site(tmp_path):
    sites = tasks()
    sites[1].fails = "disk full at /data/patients/smith.jpg"
    runner = spoil(tiny_runner(sites, tmp_path), 3, lambda values: values * np.nan)
    _, weights, figures = train(tmp_path, runner=runner, silent=[0])
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert [each.sites for each in figures] == [2, 2, 2, 2]
    assert figures[0].left_out == (
        "node 2: The site could not do this round; its own log has the reason.",
        "node 4: weights that are not finite",
        "node 1: no reply",
    )


def test_a_site_that_sends_another_model_is_left_out(tmp_path):
    runner = spoil(tiny_runner(tasks(), tmp_path), 2, lambda values: np.zeros((3, 3), np.float32))
    _, _, figures = train(tmp_path, runner=runner, orders=ORDERS[:1])
    assert figures[0].left_out == ("node 3: other weights than those of the model",)


@pytest.mark.parametrize("name", ["trimmed-mean", "krum"])
def test_a_robust_strategy_resists_a_poisoned_site_that_spoils_the_mean(tmp_path, name):
    def poison(values):
        return np.full_like(values, 1000.0)

    def distance(strategy, change):
        runner = tiny_runner(tasks(), tmp_path / strategy / change.__name__)
        _, weights, _ = train(tmp_path / strategy / change.__name__, strategy, runner=spoil(runner, 2, change))
        return weights

    def keep(values):
        return values

    clean, poisoned, spoiled = distance(name, keep), distance(name, poison), distance("fedavg", poison)
    assert float((clean["3.weight"] - poisoned["3.weight"]).abs().max()) < 1.0
    assert float(spoiled["3.weight"].abs().max()) > 100.0


def test_too_few_sites_end_the_training_and_the_state_is_not_changed(tmp_path):
    train(tmp_path, orders=ORDERS[:1])
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(TrainingError, match="at least 4 sites in round 2, got 3 after 3 attempts"):
        train(tmp_path, silent=[0, 1], min_sites=4)
    assert (tmp_path / STATE).read_bytes() == before


def test_the_order_of_replies_does_not_change_the_weights(tmp_path, monkeypatch):
    _, first, _ = train(tmp_path / "one")
    monkeypatch.setattr(rounds_module.CountingGrid, "send_and_receive", _reversed_replies)
    _, second, _ = train(tmp_path / "other")
    assert all(torch.equal(first[key], second[key]) for key in first)


def _reversed_replies(self, messages, *, timeout=None):
    return list(self._grid.send_and_receive(list(messages), timeout=timeout))[::-1]


def test_bytes_are_those_of_the_weights(tmp_path):
    _, weights, figures = train(tmp_path, orders=ORDERS[:1])
    size = sum(value.numel() * 4 for value in weights.values())
    assert SITES * size < figures[0].sent < SITES * (4 * size + 2000)
    assert SITES * size < figures[0].received < SITES * (4 * size + 2000)


def test_sites_count_their_answers(tmp_path):
    settings = StrategySettings("fedavg")
    _, strategy, weights = begin(settings)
    grid = LocalGrid(tiny_runner(tasks(), tmp_path), SITES)
    counts = ask_sites(grid, strategy, weights, ORDERS[-1], timeout_s=60, labels=2)
    assert {node: int(value.sum()) for node, value in counts.items()} == {1: 16, 2: 20, 3: 24, 4: 28, 5: 32}
