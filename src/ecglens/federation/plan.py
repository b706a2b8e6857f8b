"""Plan of a federated training, as its settings and as the order of each round."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.federation.local import Order
from ecglens.federation.sites import SitePlan
from ecglens.federation.strategies import StrategyLimits, StrategySettings
from ecglens.models.train.fitter import compute_learning_rates
from ecglens.models.train.recipe import Optimization, Recipe

__all__ = ["FederationPlan", "make_orders", "make_tuning_order", "parse_plan"]


@dataclass(frozen=True, slots=True)
class FederationPlan:
    """Settings of a federated training.

    Attributes:
        sites: Way to divide a table among simulated sites.
        strategy: How the server combines what sites send.
        rounds: Number of rounds; ``None`` takes as many as give the epochs of the recipe.
        epochs: Passes over a site's rows in each round.
        tune_epochs: Passes over a site's rows after the last round, in which each site fits the last layers of its own
            model; 0 leaves the common model as it is.
        shared: Share of the training recordings that all sites have in common, on which the model is trained before
            the first round; 0 starts from random weights.
        start: Run folder whose final weights are the initial ones, or ``None``.
        secure: Whether sites send masked updates of which the server only learns the sum (SecAgg+).
        timeout_s: Time in s after which the server does not wait for a site any more.
        compare_pages: Whether a deployment stops if several sites have the same page, by keyed fingerprints.
    """

    sites: SitePlan = field(default_factory=lambda: SitePlan("batch"))
    strategy: StrategySettings = field(default_factory=StrategySettings)
    rounds: int | None = None
    epochs: int = 1
    tune_epochs: int = 0
    shared: float = 0.0
    start: str | None = None
    secure: bool = False
    timeout_s: float = 3600.0
    compare_pages: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the plan in plain types."""
        return asdict(self)

    def check(self) -> None:
        """Check that the settings can be used together.

        Raises:
            TrainingError: They cannot.
        """
        self.strategy.check()
        if (self.rounds is not None and self.rounds < 1) or self.epochs < 1 or self.tune_epochs < 0:
            raise TrainingError(
                f"Expected at least one round and one epoch, got {self.rounds} rounds, {self.epochs} epochs and "
                f"{self.tune_epochs} epochs of fine-tuning."
            )
        if not 0 <= self.shared < 1:
            raise TrainingError(f"Expected a shared part of at least 0 and below 1, got {self.shared}.")
        if self.shared and self.start is not None:
            raise TrainingError("Expected a warm start from a run or from shared recordings, got both; leave one out.")
        if self.secure and (self.strategy.name not in ("fedavg", "fedbn") or self.strategy.noise):
            raise TrainingError(
                f"Expected the strategy fedavg or fedbn without noise for secure aggregation, got "
                f"'{self.strategy.name}': the server sees only the sum of the updates."
            )


def parse_plan(text: str) -> FederationPlan:
    """Parse what ``json.dumps(plan.to_dict())`` wrote.

    Raises:
        TrainingError: The text is no such plan.
    """
    try:
        fields = dict(parse_json(text))
        strategy = dict(fields.pop("strategy"))
        limits = StrategyLimits(**strategy.pop("limits"))
        settings = StrategySettings(**strategy, limits=limits)
        return FederationPlan(**{**fields, "sites": SitePlan(**fields["sites"]), "strategy": settings})
    except (ValueError, TypeError, KeyError) as error:
        raise TrainingError("Expected the settings of a federated training as JSON, got something else.") from error


def make_orders(recipe: Recipe, plan: FederationPlan, *, seed: int) -> tuple[Order, ...]:
    """Make the order of each round.

    The schedule of the learning rate and the phases of the recipe are spread over the rounds; within a round the rate
    is constant, and each site begins with a new state of its optimizer.

    Args:
        recipe: Recipe to train.
        plan: Settings of the federated training.
        seed: Random seed.
    """
    epochs = sum(phase.epochs for phase in recipe.course)
    rounds = plan.rounds or max(1, round(epochs / plan.epochs))
    orders: list[Order] = []
    for place, phase in enumerate(recipe.course):
        end = round(sum(each.epochs for each in recipe.course[: place + 1]) / epochs * rounds)
        count = end - len(orders)
        rates = compute_learning_rates(
            recipe.optimization, phase.learning_rate or recipe.optimization.learning_rate, max(2, count)
        )
        orders += [
            Order(round=len(orders) + step + 1, epochs=plan.epochs, learning_rate=rate, trunk=phase.trunk, seed=seed)
            for step, rate in enumerate(rates[:count])
        ]
    return tuple(orders)


def make_tuning_order(plan: FederationPlan, optimization: Optimization, *, after: int, seed: int) -> Order:
    """Make the order of the fine-tuning after the last round: the last layers, at a tenth of the learning rate."""
    return Order(
        round=after + 1,
        epochs=plan.tune_epochs,
        learning_rate=optimization.learning_rate / 10,
        seed=seed,
        last_layers=True,
    )
