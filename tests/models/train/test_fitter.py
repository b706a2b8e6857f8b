import pytest
import torch
from torch import nn

from ecglens.models.train.devices import ALONE
from ecglens.models.train.fitter import Fitter, compute_learning_rates
from ecglens.models.train.recipe import Optimization, Phase


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_the_computed_rates_are_those_of_a_training(schedule):
    plan = Optimization(schedule=schedule, learning_rate=1e-2, precision="float32")
    fitter = Fitter(nn.Linear(2, 2), plan, Phase(epochs=1), steps=12, world=ALONE)
    rates = []
    for _ in range(12):
        (answers,) = fitter.answers(torch.ones(1, 2))
        fitter.step(answers.sum())
        rates.append(fitter.learning_rate)
    assert compute_learning_rates(plan, 1e-2, 12) == pytest.approx(rates)
