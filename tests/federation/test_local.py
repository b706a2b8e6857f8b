import numpy as np
import pytest
import torch
from tiny_sites import TinyTask

from ecglens.errors import TrainingError
from ecglens.federation.local import LocalWeights, Order, fit_site, open_network, recipe_of_round
from ecglens.federation.weights import get_arrays, list_shared
from ecglens.models.inputs import TraceCanvas
from ecglens.models.train.recipe import Optimization, Phase, Recipe, Selection

ORDER = Order(round=1, epochs=3, learning_rate=0.1)


def begin(task, *, local_norms=False):
    network = task.build()
    return get_arrays(network, list_shared(network, local_norms=local_norms))


def test_training_changes_the_weights_and_sends_those_that_came(tmp_path):
    task = TinyTask(20, seed=0)
    before = begin(task)
    after = fit_site(task, before, ORDER, tmp_path)
    assert list(after) == list(before)
    assert not torch.equal(after["0.weight"], before["0.weight"])


def test_the_proximal_term_holds_a_site_near_the_weights_that_came(tmp_path):
    task, before = TinyTask(20, seed=0), begin(TinyTask(20, seed=0))

    def distance(proximal):
        order = Order(round=1, epochs=20, learning_rate=0.1, proximal=proximal)
        after = fit_site(task, before, order, tmp_path / str(proximal))
        return sum(float((after[name] - before[name]).square().sum()) for name in ("0.weight", "3.weight"))

    assert distance(1.0) < 0.5 * distance(0.0)


def test_normalizations_stay_at_the_site_and_are_used_in_the_next_round(tmp_path):
    task = TinyTask(20, seed=0)
    sent = fit_site(task, begin(task, local_norms=True), ORDER, tmp_path)
    assert not any(name.startswith("1.") for name in sent)
    network = open_network(task, sent, 2, tmp_path)
    assert not torch.equal(network.state_dict()["1.running_mean"], torch.zeros(4))


def test_a_round_that_is_repeated_begins_with_the_weights_before_it(tmp_path):
    task = TinyTask(20, seed=0)
    first = fit_site(task, begin(task, local_norms=True), ORDER, tmp_path)
    second = fit_site(task, first, Order(round=2, epochs=3, learning_rate=0.1), tmp_path)
    again = fit_site(task, first, Order(round=2, epochs=3, learning_rate=0.1), tmp_path)
    assert all(torch.equal(second[name], again[name]) for name in second)


def test_a_new_site_begins_with_the_normalizations_of_the_server(tmp_path):
    task = TinyTask(20, seed=0)
    start = {"1.running_mean": torch.full((4,), 5.0)}
    network = open_network(task, begin(task, local_norms=True), 1, tmp_path, start=start)
    assert torch.equal(network.state_dict()["1.running_mean"], start["1.running_mean"])


def test_only_the_last_two_rounds_are_stored(tmp_path):
    weights = LocalWeights(tmp_path)
    for number in range(1, 6):
        weights.save(number, {"value": torch.tensor([float(number)])})
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert weights.load(5)["value"].item() == 4.0
    assert weights.load(6)["value"].item() == 5.0


def test_a_site_without_rows_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="at least 2 recordings to train on, got 1"):
        fit_site(TinyTask(1, seed=0), begin(TinyTask(1, seed=0)), ORDER, tmp_path)


def test_only_the_last_layers_change_in_fine_tuning(tmp_path):
    task = TinyTask(20, seed=0)
    before = begin(task)
    after = fit_site(task, before, Order(round=1, epochs=3, learning_rate=0.1, last_layers=True), tmp_path)
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["3.weight"], before["3.weight"])


def test_the_recipe_of_a_round_has_one_phase_with_its_rate_and_selects_no_epoch():
    recipe = Recipe(
        model="compact_cnn",
        title="Tiny",
        labels=("a", "b"),
        input=TraceCanvas(width=64),
        optimization=Optimization(epochs=30, batch_size=8),
        selection=Selection(fraction=0.2, keep="best"),
        phases=(Phase(epochs=10, trunk=0), Phase(epochs=20)),
    )
    of_round = recipe_of_round(recipe, Order(round=3, epochs=2, learning_rate=1e-4, trunk=0.5))
    assert of_round.course == (Phase(epochs=2, trunk=0.5),)
    assert of_round.optimization.schedule == "constant"
    assert of_round.optimization.learning_rate == 1e-4
    assert of_round.optimization.batch_size == 8
    assert of_round.selection == Selection()


def test_counts_of_answers_are_those_of_the_rows():
    task = TinyTask(20, seed=0)
    counts = task.count_answers(task.build())
    assert counts.sum() == 20
    assert counts.sum(axis=1).tolist() == np.bincount(task.targets.numpy()).tolist()
