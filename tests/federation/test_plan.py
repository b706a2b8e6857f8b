import pytest

from ecglens.errors import TrainingError
from ecglens.federation.plan import FederationPlan, make_orders, make_tuning_order
from ecglens.federation.strategies import StrategySettings
from ecglens.models.inputs import TraceCanvas
from ecglens.models.train.recipe import Optimization, Phase, Recipe


def recipe(**changes) -> Recipe:
    tiny = {"model": "compact_cnn", "title": "Tiny", "labels": ("a", "b"), "input": TraceCanvas(width=64)}
    return Recipe(**{**tiny, "optimization": Optimization(epochs=30, learning_rate=2e-3), **changes})


def test_rounds_give_the_epochs_of_the_recipe_and_its_schedule():
    orders = make_orders(recipe(), FederationPlan(epochs=2), seed=3)
    assert [order.round for order in orders] == list(range(1, 16))
    assert {order.epochs for order in orders} == {2}
    rates = [order.learning_rate for order in orders]
    assert max(rates) == pytest.approx(2e-3, rel=0.05)
    assert rates[0] < rates[2]
    assert rates[-1] < 0.05 * max(rates)


def test_phases_are_spread_over_the_rounds():
    phases = (Phase(epochs=10, trunk=0, learning_rate=1e-2), Phase(epochs=20))
    orders = make_orders(recipe(phases=phases), FederationPlan(rounds=6), seed=0)
    assert [order.trunk for order in orders] == [0, 0, 1, 1, 1, 1]
    assert max(order.learning_rate for order in orders[:2]) > 2e-3


def test_one_round_is_possible():
    assert len(make_orders(recipe(), FederationPlan(rounds=1), seed=0)) == 1


def test_the_fine_tuning_follows_the_last_round_with_a_tenth_of_the_rate():
    order = make_tuning_order(FederationPlan(tune_epochs=4), recipe().optimization, after=15, seed=0)
    assert (order.round, order.epochs, order.last_layers) == (16, 4, True)
    assert order.learning_rate == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (FederationPlan(rounds=0), "at least one round"),
        (FederationPlan(shared=1.0), "below 1"),
        (FederationPlan(shared=0.1, start="runs/one"), "got both"),
        (FederationPlan(secure=True, strategy=StrategySettings("krum")), "only the sum"),
        (FederationPlan(strategy=StrategySettings("mean")), "Expected a strategy out of fedavg"),
        (FederationPlan(strategy=StrategySettings("fedavg", noise=1.0)), "Expected the strategy fedbn"),
        (FederationPlan(strategy=StrategySettings(min_sites=0)), "at least one site"),
    ],
)
def test_settings_that_do_not_fit_are_refused(plan, message):
    with pytest.raises(TrainingError, match=message):
        plan.check()
