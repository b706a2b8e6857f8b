"""Strategies by name, with their settings: how the server combines what sites send."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideFixedClipping,
    FedAdam,
    FedAvg,
    FedProx,
    FedTrimmedAvg,
    FedYogi,
    MultiKrum,
    Strategy,
)

from ecglens.errors import TrainingError
from ecglens.federation.client import EXAMPLES

__all__ = ["STRATEGIES", "StrategyLimits", "StrategySettings", "make_strategy"]

STRATEGIES = {
    "fedavg": "Mean of the sites' weights by their number of recordings (McMahan et al., arXiv 1602.05629)",
    "fedprox": "The mean, and sites are held near the server's weights (Li et al., arXiv 1812.06127)",
    "fedadam": "Adam on the mean of the sites' updates (Reddi et al., arXiv 2003.00295)",
    "fedyogi": "Yogi on the mean of the sites' updates (Reddi et al., arXiv 2003.00295)",
    "fedbn": "The mean; batch normalizations stay at each site (Li et al., arXiv 2102.07623)",
    "trimmed-mean": "Mean of each weight without its largest and smallest values (Yin et al., arXiv 1803.01498)",
    "krum": "Mean of the updates that are nearest to their neighbors (Blanchard et al., arXiv 1703.02757)",
}
"""Strategies by name, each with what it does and its source."""


@dataclass(frozen=True, slots=True)
class StrategyLimits:
    """Settings of the strategies that are our own choice; the table in ``benchmarks/federated.md`` was made with them.

    Attributes:
        proximal: Weight of the distance from the server's weights (FedProx); larger values hold sites nearer.
        server_rate: Learning rate of the server's Adam and Yogi, per weight and round. Weights of the compact CNN move
            by about 0.01 in a round; larger rates than that diverge, smaller ones need more rounds.
        tau: Floor of the server's second moment, against divisions by tiny numbers.
        trim: Share of the sites that the trimmed mean leaves out at each end; it resists as many poisoned sites.
        poisoned: Number of poisoned sites that Krum resists.
    """

    proximal: float = 0.1
    server_rate: float = 0.01
    tau: float = 1e-3
    trim: float = 0.2
    poisoned: int = 1


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """Strategy with its settings.

    Attributes:
        name: Key of :data:`STRATEGIES`.
        min_sites: Number of sites that have to be connected for a round to begin, and that have to reply for its
            result to count.
        limits: Settings of the strategies.
        noise: Standard deviation of the noise for differential privacy, in clipping norms; 0 adds none.
        clip: Largest norm of a site's update, for differential privacy.
    """

    name: str = "fedavg"
    min_sites: int = 2
    limits: StrategyLimits = field(default_factory=StrategyLimits)
    noise: float = 0.0
    clip: float = 1.0

    @property
    def local_norms(self) -> bool:
        """Whether batch normalizations stay at each site."""
        return self.name == "fedbn"

    def to_dict(self) -> dict[str, Any]:
        """Return the settings in plain types."""
        return asdict(self)

    def check(self) -> None:
        """Check that the settings can be used together.

        Raises:
            TrainingError: They cannot.
        """
        if self.name not in STRATEGIES:
            raise TrainingError(f"Expected a strategy out of {', '.join(STRATEGIES)}, got '{self.name}'.")
        if not 0 <= self.limits.trim < 0.5:
            raise TrainingError(f"Expected a share to trim of at least 0 and below 0.5, got {self.limits.trim}.")
        if self.min_sites < 1:
            raise TrainingError(f"Expected at least one site, got {self.min_sites}.")
        if self.noise and not self.local_norms:
            raise TrainingError(
                f"Expected the strategy fedbn with differential privacy, got '{self.name}': noise on the statistics of "
                "batch normalizations makes them useless, so they have to stay at the sites."
            )


def make_strategy(settings: StrategySettings, parameters: frozenset[str], *, sites: int) -> Strategy:
    """Make the Flower strategy.

    Args:
        settings: Name and settings.
        parameters: Names of the weights that gradients train. FedAdam and FedYogi step these; statistics are averaged,
            because a step could make a variance negative.
        sites: Number of sites, by which the noise of differential privacy is scaled.

    Raises:
        TrainingError: The settings cannot be used together.
    """
    settings.check()
    limits = settings.limits
    common: dict[str, Any] = {
        "fraction_evaluate": 1.0,
        "min_train_nodes": settings.min_sites,
        "min_evaluate_nodes": settings.min_sites,
        "min_available_nodes": settings.min_sites,
        "weighted_by_key": EXAMPLES,
    }
    adaptive = {"parameters": parameters, "eta": limits.server_rate, "tau": limits.tau, **common}
    if settings.name == "fedadam":
        return _StatisticsAveragedAdam(**adaptive)
    if settings.name == "fedyogi":
        return _StatisticsAveragedYogi(**adaptive)
    if settings.name == "fedprox":
        return FedProx(**common, proximal_mu=limits.proximal)
    if settings.name == "trimmed-mean":
        return FedTrimmedAvg(**common, beta=limits.trim)
    if settings.name == "krum":
        select = max(1, sites - 2 * limits.poisoned - 1)
        return MultiKrum(**common, num_malicious_nodes=limits.poisoned, num_nodes_to_select=select)
    if settings.noise:
        equal = _EqualAverage(**common)
        return DifferentialPrivacyClientSideFixedClipping(equal, settings.noise, settings.clip, sites)
    return FedAvg(**common)


class _EqualAverage(FedAvg):
    """Flower's FedAvg with one weight for all sites, so that clipping bounds what a site adds to the mean."""

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Combine the replies of a round."""
        received = list(replies)
        for reply in received:
            for record in reply.content.metric_records.values():
                record[EXAMPLES] = 1
        return super().aggregate_train(server_round, received)


class _StatisticsAveragedAdam(FedAdam):
    """Flower's FedAdam, which steps parameters and averages statistics."""

    def __init__(self, *, parameters: frozenset[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._parameters = parameters

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Combine the replies of a round."""
        received = list(replies)
        arrays, metrics = super().aggregate_train(server_round, received)
        return _average_statistics(self, self._parameters, arrays, received, server_round), metrics


class _StatisticsAveragedYogi(FedYogi):
    """Flower's FedYogi, which steps parameters and averages statistics."""

    def __init__(self, *, parameters: frozenset[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._parameters = parameters

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Combine the replies of a round."""
        received = list(replies)
        arrays, metrics = super().aggregate_train(server_round, received)
        return _average_statistics(self, self._parameters, arrays, received, server_round), metrics


def _average_statistics(
    strategy: FedAvg, parameters: frozenset[str], arrays: ArrayRecord | None, replies: list[Message], number: int
) -> ArrayRecord | None:
    if arrays is None:
        return None
    means, _ = FedAvg.aggregate_train(strategy, number, replies)
    assert means is not None  # the same replies gave arrays
    chosen = {name: arrays[name] if name in parameters else means[name] for name in arrays}
    return ArrayRecord({name: type(array)(np.asarray(array.numpy(), np.float32)) for name, array in chosen.items()})
