"""Secure aggregation and differential privacy, by Flower's protocols and Opacus' accountant.

With secure aggregation (SecAgg+; Bell et al., doi:10.1145/3372297.3417885), sites mask their updates so that the server
learns the sum only. With differential privacy of sites (McMahan et al., arXiv 1710.06963), each site clips its update
and the server adds noise to the mean.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.clientapp.mod import fixedclipping_mod
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.compat.common import recorddict_compat as compat
from flwr.compat.common.parameter import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common.typing import Code, FitRes, Status
from flwr.server import ServerConfig, SimpleClientManager
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.serverapp import Grid

from ecglens.errors import TrainingError
from ecglens.extras import require
from ecglens.federation.client import ARRAYS, CONFIG, EXAMPLES, METRICS
from ecglens.federation.local_grid import CountingGrid

__all__ = ["SecureLimits", "client_mods", "compute_epsilon", "make_secure_combination"]

_ORDERS = [*(1 + step / 100 for step in range(1, 1000)), *range(11, 513)]
"""Orders of the Renyi divergence, the best of which gives the epsilon; little noise needs orders near 1."""
_NAMES = "names"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SecureLimits:
    """Settings of the secure aggregation.

    Attributes:
        recordings: Largest number of recordings of a site; the larger it is, the coarser updates are rounded.
        clip: Largest change of a weight in a round. With 50 recordings of 1,000, a change is rounded to 8 / 2**21 * 20
            = 8e-5, a hundredth of what weights of the compact CNN move in a round.
        shares: Share of the sites that hold a part of a site's key.
        threshold: Share of these that have to be there to take the mask of a site off that was lost in a round.
    """

    recordings: int = 1000
    clip: float = 8.0
    shares: float = 1.0
    threshold: float = 0.6


SECURE_LIMITS = SecureLimits()


def client_mods(*, secure: bool, clips: bool) -> list[Mod]:
    """Return the Flower mods of a site for the requested protection: masks of updates, or their clipping."""
    if secure:
        return [secaggplus_mod, _translate]
    return [fixedclipping_mod] if clips else []


def make_secure_combination(
    timeout_s: float, limits: SecureLimits = SECURE_LIMITS
) -> Callable[[int, Grid, ArrayRecord, ConfigRecord], tuple[ArrayRecord | None, int]]:
    """Make a function that runs the four exchanges of SecAgg+ in a round and returns the weights and number of sites.

    Args:
        timeout_s: Time in s after which the server does not wait for a site any more, in each exchange.
        limits: Settings of the secure aggregation.
    """
    workflow = SecAggPlusWorkflow(
        limits.shares,
        limits.threshold,
        max_weight=float(limits.recordings),
        clipping_range=limits.clip,
        timeout=timeout_s,
    )

    def combine(number: int, grid: Grid, arrays: ArrayRecord, config: ConfigRecord) -> tuple[ArrayRecord | None, int]:
        nodes = list(grid.get_node_ids())
        result, used, answered = _run_exchanges(workflow, number, grid, arrays, config, nodes)
        if result is None and 2 <= len(answered) < len(nodes):
            # Flower's protocol replaces sites that are lost after their keys were shared, but none before
            result, used, _ = _run_exchanges(workflow, number, grid, arrays, config, sorted(answered))
        return result, used

    return combine


def _run_exchanges(
    workflow: SecAggPlusWorkflow,
    number: int,
    grid: Grid,
    arrays: ArrayRecord,
    config: ConfigRecord,
    nodes: list[int],
) -> tuple[ArrayRecord | None, int, set[int]]:
    """Run the exchanges with some sites; return weights, number of sites, and the sites that sent their keys."""
    names = list(arrays)
    strategy, manager = _SumStrategy({**config, _NAMES: "\n".join(names)}), SimpleClientManager()
    for node in nodes:
        manager.register(GridClientProxy(node, grid, 1))
    context = LegacyContext(
        Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={}),
        config=ServerConfig(),
        strategy=strategy,
        client_manager=manager,
    )
    context.state.config_records["config"] = ConfigRecord({"current_round": number})
    start = [array.numpy() for array in arrays.values()]
    context.state.array_records["parameters"] = compat.parameters_to_arrayrecord(
        ndarrays_to_parameters(start), keep_input=True
    )
    noted = _FirstReplies(grid)
    workflow(noted, context)
    if strategy.mean is None:
        return None, 0, noted.answered
    changed = (value + change for value, change in zip(start, strategy.mean, strict=True))
    weights = {
        name: Array(np.asarray(value, np.float32).reshape(old.shape))
        for name, value, old in zip(names, changed, start, strict=True)
    }
    return ArrayRecord(weights), strategy.sites, noted.answered


def compute_epsilon(noise: float, rounds: int, *, delta: float) -> float:
    """Compute the epsilon of all rounds, where every site takes part in each round.

    Args:
        noise: Standard deviation of the noise on the sum, in clipping norms.
        rounds: Number of rounds.
        delta: Probability with which the guarantee may fail.
    """
    accountant = require("opacus.accountants", extra="federate").RDPAccountant()
    accountant.history = [(noise, 1.0, rounds)]
    return float(accountant.get_epsilon(delta, alphas=_ORDERS))


class _FirstReplies(CountingGrid):
    """Another grid, of which it is noted which sites answered the first messages."""

    def __init__(self, grid: Grid) -> None:
        super().__init__(grid)
        self.answered: set[int] = set()

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send messages and return the replies."""
        replies = list(super().send_and_receive(messages, timeout=timeout))
        if not self.answered:
            self.answered = {reply.metadata.src_node_id for reply in replies if not reply.has_error()}
        return replies


class _SumStrategy(FedAvg):
    """Strategy of Flower's older workflows that passes on the mean that SecAgg+ computed."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(min_fit_clients=2, min_available_clients=2, on_fit_config_fn=lambda number: dict(config))
        self.mean: list[np.ndarray[Any, Any]] | None = None
        self.sites = 0

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> tuple[None, dict[str, Any]]:
        """Take the mean, which is in every result."""
        if results:
            self.mean, self.sites = parameters_to_ndarrays(results[0][1].parameters), len(results)
        return None, {}


def _translate(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Run a ClientApp whose message and reply have the form of Flower's older workflows, with the change of weights."""
    order = compat.recorddict_to_fitins(message.content, keep_input=True)
    names = cast(str, order.config.pop(_NAMES)).split("\n")
    before = parameters_to_ndarrays(order.parameters)
    arrays = ArrayRecord({name: Array(value) for name, value in zip(names, before, strict=True)})
    content = RecordDict({ARRAYS: arrays, CONFIG: ConfigRecord(dict(order.config))})
    inner = Message(content, metadata=message.metadata)  # type: ignore[call-overload]  # as Flower itself does
    reply = call_next(inner, context)
    counts = cast(MetricRecord, reply.content[METRICS])
    examples = cast(int, counts[EXAMPLES])
    if examples > SECURE_LIMITS.recordings:
        raise TrainingError(
            f"Expected at most {SECURE_LIMITS.recordings} recordings for secure aggregation, got {examples}; leave "
            "some out, or train without it."
        )
    after = [array.numpy() for array in reply.content.array_records[ARRAYS].values()]
    change = [new - old for new, old in zip(after, before, strict=True)]
    result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters(change), examples, {})
    return Message(compat.fitres_to_recorddict(result, keep_input=False), reply_to=message)
