import numpy as np
import pytest
import torch
from flwr.common import bytes_to_ndarray
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key
from flwr.common.serde import message_to_proto
from tiny_sites import TinyTask, tiny_runner

from ecglens.errors import TrainingError
from ecglens.federation.local import Order
from ecglens.federation.local_grid import LocalGrid
from ecglens.federation.privacy import client_mods, compute_epsilon, make_secure_combination
from ecglens.federation.rounds import RoundPlan, run_rounds
from ecglens.federation.strategies import StrategySettings, make_strategy
from ecglens.federation.weights import get_arrays, list_parameters, list_shared

ORDERS = tuple(Order(round=number, epochs=2, learning_rate=0.1) for number in (1, 2))


def train(folder, *, secure, sizes=(20, 30, 40), silent=(), log=None, min_sites=2, fails=None):
    tasks = [TinyTask(size, seed=number, fails=fails or "") for number, size in enumerate(sizes)]
    settings = StrategySettings("fedbn")
    mods = client_mods(secure=secure, clips=False)
    network = tasks[0].build()
    weights = get_arrays(network, list_shared(network, local_norms=True))
    grid = LocalGrid(tiny_runner(tasks, folder, mods=tuple(mods), secure=secure, log=log), len(sizes), silent=silent)
    return run_rounds(
        grid,
        make_strategy(settings, list_parameters(network), sites=len(sizes)),
        weights,
        RoundPlan(ORDERS, min_sites=min_sites, attempts=1),
        folder,
        combine=make_secure_combination(60) if secure else None,
    )


def test_secure_aggregation_gives_the_mean_that_plain_messages_give(tmp_path):
    plain, _ = train(tmp_path / "plain", secure=False)
    masked, figures = train(tmp_path / "secure", secure=True)
    assert [each.sites for each in figures] == [3, 3]
    assert figures[0].received > 0
    for name, value in plain.items():
        torch.testing.assert_close(masked[name], value, atol=2e-3, rtol=0)


def test_the_server_gets_no_update_of_a_site_in_secure_aggregation(tmp_path):
    log = []
    plain, _ = train(tmp_path / "plain", secure=False, log=log)
    updates = {index: reply.content["arrays"] for index, _, reply in log[:3]}
    masked = []
    train(tmp_path / "secure", secure=True, log=masked)
    assert len(masked) == 3 * 4 * 2
    for index, _, reply in masked:
        content = message_to_proto(reply).SerializeToString()
        assert not any(reply.content.array_records[name] for name in reply.content.array_records)
        for array in updates[index].values():
            assert array.numpy().tobytes() not in content
    (sent,) = [reply for index, _, reply in masked[: 3 * 4] if index == 0 and _find_masked(reply)]
    bits = np.unpackbits(np.concatenate([array.ravel() for array in _find_masked(sent)]).astype("<u4").view(np.uint8))
    assert abs(bits.mean() - 0.5) < 0.1


def _find_masked(reply):
    """Return the masked arrays of a reply; none in the exchanges of keys."""
    values = reply.content.config_records[RECORD_KEY_CONFIGS].get(Key.MASKED_PARAMETERS, [])
    return [bytes_to_ndarray(value) for value in values]


def test_a_site_that_dies_in_secure_aggregation_does_not_stop_the_round(tmp_path):
    _, figures = train(tmp_path, secure=True, sizes=(20, 30, 40, 50, 60), silent=[1])
    assert [each.sites for each in figures] == [4, 4]


def test_a_site_with_more_recordings_than_the_rounding_allows_stops(tmp_path):
    with pytest.raises(TrainingError, match="at least 3 sites in round 1"):
        train(tmp_path, secure=True, sizes=(20, 30, 1001), min_sites=3)


def test_clipping_and_noise_hide_a_site(tmp_path):
    def run(noise, clip):
        tasks = [TinyTask(20, seed=number) for number in range(3)]
        settings = StrategySettings("fedbn", noise=noise, clip=clip)
        network = tasks[0].build()
        weights = get_arrays(network, list_shared(network, local_norms=True))
        folder, log = tmp_path / f"{noise}-{clip}", []
        mods = tuple(client_mods(secure=False, clips=True))
        grid = LocalGrid(tiny_runner(tasks, folder, mods=mods, log=log), 3)
        strategy = make_strategy(settings, list_parameters(network), sites=3)
        result, _ = run_rounds(grid, strategy, weights, RoundPlan(ORDERS[:1]), folder)
        sent = [
            sum(float(np.square(array.numpy() - weights[name].numpy()).sum()) for name, array in arrays.items()) ** 0.5
            for arrays in (reply.content["arrays"] for _, _, reply in log)
        ]
        distance = sum(float((result[name] - weights[name]).square().sum()) for name in weights) ** 0.5
        return sent, distance

    sent, distance = run(1e-6, 0.01)
    assert max(sent) == pytest.approx(0.01, rel=1e-3)
    assert distance < 0.011
    _, noisy = run(30.0, 0.01)
    assert noisy > 5 * distance


def test_epsilon_is_that_of_the_gaussian_mechanism():
    """One round of the analytic Gaussian mechanism has a smaller epsilon than this bound by Renyi differences."""
    one, many = compute_epsilon(4.0, 1, delta=1e-5), compute_epsilon(4.0, 20, delta=1e-5)
    assert 1.0 < one < np.sqrt(2 * np.log(1.25e5)) / 4.0 + 0.4
    assert many > 2 * one
