"""Tests that weights and counts leave a site, and nothing else does."""

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord
from flwr.common.serde import message_to_proto
from tiny_sites import TinyTask, tiny_runner

from ecglens.errors import TrainingError
from ecglens.federation.local import Order
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.rounds import RoundPlan, ask_sites, run_rounds
from ecglens.federation.strategies import StrategySettings, make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared

SECRET = "/data/patients/smith-1970.jpg"
ORDERS = (Order(round=1, epochs=1, learning_rate=0.1),)


def exchange(folder, *, mods=(), name="fedavg"):
    """Return every message of a round and of the answers, with the weights before it."""
    log = []
    tasks = [TinyTask(20, seed=0), TinyTask(20, seed=1), TinyTask(20, seed=2, fails=SECRET)]
    network, settings = tasks[0].build(), StrategySettings(name)
    weights = get_arrays(network, list_shared(network, local_norms=settings.local_norms))
    strategy = make_strategy(settings, list_parameters(network), sites=3)
    grid = LocalGrid(tiny_runner(tasks, folder, mods=mods, log=log), 3)
    run_rounds(grid, strategy, weights, RoundPlan(ORDERS), folder)
    ask_sites(grid, strategy, weights, ORDERS[0], timeout_s=60, labels=2)
    return log, weights, tasks


@pytest.mark.parametrize("name", ["fedavg", "fedbn"])
def test_only_weights_and_counts_leave_a_site(tmp_path, name):
    log, weights, _ = exchange(tmp_path, name=name)
    assert len(log) == 6
    for index, message, reply in log:
        if index == 2 and message.metadata.message_type == "train":
            assert reply.has_error()
            continue
        training = message.metadata.message_type == "train"
        assert set(reply.content) == ({"arrays", "metrics"} if training else {"metrics"})
        assert set(reply.content["metrics"]) == ({"num-examples"} if training else {"num-examples", "counts"})
        assert all(isinstance(value, int | list) for value in reply.content["metrics"].values())
        if training:
            arrays = reply.content["arrays"]
            assert {key: tuple(array.shape) for key, array in arrays.items()} == {
                key: tuple(value.shape) for key, value in weights.items()
            }


def test_no_row_of_a_site_is_in_its_messages(tmp_path):
    log, _, tasks = exchange(tmp_path)
    for index, _, reply in log:
        content = message_to_proto(reply).SerializeToString()
        for row in tasks[index].inputs.numpy():
            assert row.tobytes() not in content


def test_the_text_of_an_error_stays_at_the_site(tmp_path, caplog):
    log, _, _ = exchange(tmp_path)
    (reply,) = [reply for _, _, reply in log if reply.has_error()]
    assert SECRET not in message_to_proto(reply).SerializeToString().decode("latin-1")
    assert reply.error.reason == "The site could not do this round; its own log has the reason."
    assert SECRET in caplog.text


@pytest.mark.parametrize(
    ("place", "record"),
    [
        ("notes", ConfigRecord({"file": SECRET})),
        ("metrics", MetricRecord({"num-examples": 20, "loss": 0.25})),
        ("arrays", ArrayRecord({"page": Array(np.zeros(4))})),
    ],
)
def test_a_reply_with_anything_else_is_not_sent(tmp_path, place, record):
    def add(message, context, call_next):
        reply = call_next(message, context)
        reply.content[place] = record
        return reply

    log = []
    runner = tiny_runner([TinyTask(20, seed=0)], tmp_path, mods=(add,), log=log)
    network = TinyTask(2, seed=0).build()
    strategy = make_strategy(StrategySettings(min_sites=1), list_parameters(network), sites=1)
    grid = LocalGrid(runner, 1)
    weights = get_arrays(network, list_shared(network))
    with pytest.raises(TrainingError, match="at least 1 sites in round 1, got 0"):
        run_rounds(grid, strategy, weights, RoundPlan(ORDERS, min_sites=1, attempts=1), tmp_path)
    assert [reply.has_error() for _, _, reply in log] == [True]


def test_two_sites_get_different_random_seeds(tmp_path):
    seeds = []

    class Seeded(TinyTask):
        def fit(self, network, order, folder, penalty):
            seeds.append(order.seed)
            return super().fit(network, order, folder, penalty)

    runner = tiny_runner([Seeded(20, seed=0), Seeded(20, seed=0)], tmp_path)
    network = TinyTask(2, seed=0).build()
    strategy = make_strategy(StrategySettings(), list_parameters(network), sites=2)
    orders = (*ORDERS, Order(round=2, epochs=1, learning_rate=0.1))
    weights = get_arrays(network, list_shared(network))
    run_rounds(LocalGrid(runner, 2), strategy, weights, RoundPlan(orders), tmp_path)
    assert len(set(seeds)) == 4
