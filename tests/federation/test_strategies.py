"""Strategies on known numbers; that each of them learns is tested in test_rounds."""

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from ecglens.errors import TrainingError
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.strategies import StrategyLimits, StrategySettings, make_strategy

BEFORE = {"weight": 1.0, "variance": 4.0}


def combine(settings, replies):
    """Return what a strategy makes of the numbers that sites send."""
    strategy = make_strategy(settings, frozenset({"weight"}), sites=len(replies))
    grid = LocalGrid(lambda index, message: message, len(replies))
    record = ArrayRecord({name: Array(np.array([value], np.float32)) for name, value in BEFORE.items()})
    messages = list(strategy.configure_train(1, record, ConfigRecord(), grid))
    answers = []
    for message, (weight, variance, examples) in zip(messages, replies, strict=True):
        arrays = ArrayRecord(
            {"weight": Array(np.array([weight], np.float32)), "variance": Array(np.array([variance], np.float32))}
        )
        content = RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": examples})})
        answers.append(Message(content, reply_to=message))
    result, _ = strategy.aggregate_train(1, answers)
    return {name: float(array.numpy()[0]) for name, array in result.items()}


def test_fedavg_is_the_mean_by_recordings():
    assert combine(StrategySettings("fedavg"), [(0, 1, 10), (4, 5, 30)]) == {"weight": 3.0, "variance": 4.0}


def test_a_large_site_counts_no_more_than_others_under_differential_privacy():
    settings = StrategySettings("fedbn", noise=1e-9, clip=100.0)
    assert combine(settings, [(0, 1, 1), (4, 5, 1000)])["weight"] == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
def test_the_server_steps_parameters_and_averages_statistics(name):
    settings = StrategySettings(name, limits=StrategyLimits(server_rate=0.01))
    result = combine(settings, [(0, 0.5, 10), (0, 0.1, 10)])
    assert result["variance"] == pytest.approx(0.3)
    assert 0.9 < result["weight"] < 1.0


def test_the_trimmed_mean_leaves_out_the_extremes():
    replies = [(number, 1, 10) for number in (0, 1, 2, 3, 1000)]
    assert combine(StrategySettings("trimmed-mean"), replies)["weight"] == 2.0


def test_krum_takes_the_updates_that_are_near_others():
    replies = [(number, 1, 10) for number in (1.0, 1.1, 1.2, 0.9, 1000)]
    assert combine(StrategySettings("krum"), replies)["weight"] == pytest.approx(1.05, abs=0.1)


def test_fedprox_sends_the_weight_of_its_term():
    strategy = make_strategy(StrategySettings("fedprox"), frozenset(), sites=2)
    grid = LocalGrid(lambda index, message: message, 2)
    (message, _) = strategy.configure_train(1, ArrayRecord({}), ConfigRecord(), grid)
    assert message.content["config"]["proximal-mu"] == StrategyLimits().proximal


@pytest.mark.parametrize("trim", [-0.1, 0.5])
def test_a_share_that_leaves_nothing_is_refused(trim):
    with pytest.raises(TrainingError, match="below 0.5"):
        StrategySettings("trimmed-mean", limits=StrategyLimits(trim=trim)).check()
