"""Rounds of a federated training on the server's side; a server that was killed resumes at the round."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from safetensors.torch import save
from torch import Tensor

from ecglens.errors import TrainingError
from ecglens.federation.client import ARRAYS, COPIES, COUNTS, EXAMPLES, METRICS
from ecglens.federation.copies import match_fingerprints
from ecglens.federation.local import Order
from ecglens.federation.local_grid import CountingGrid
from ecglens.federation.weights import make_record, read_record
from ecglens.models.train.checkpoint import load_state, save_state

__all__ = ["STATE", "RoundFigures", "RoundPlan", "ask_sites", "check_replies", "find_copies", "run_rounds"]

STATE = "rounds.safetensors"

_log = logging.getLogger(__name__)
_OPTIMIZER = ("m_t", "v_t")
"""Moments of Flower's FedOpt."""


@dataclass(frozen=True, slots=True)
class RoundFigures:
    """Figures of one round.

    Attributes:
        round: Number of the round, from 1.
        sites: Number of sites whose weights were used.
        left_out: Reasons why replies were left out, each with the number of its node.
        sent: Bytes sent to all sites.
        received: Bytes received from all sites.
        seconds: Duration of the round, in s.
    """

    round: int
    sites: int
    left_out: tuple[str, ...]
    sent: int
    received: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures in plain types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """Rounds to run.

    Attributes:
        orders: Order of each round.
        min_sites: Number of sites that have to reply; with fewer, a round is repeated.
        timeout_s: Time in s after which the server does not wait for a site any more.
        attempts: Number of times that a round is tried before the training ends with an error.
    """

    orders: tuple[Order, ...]
    min_sites: int = 2
    timeout_s: float = 3600.0
    attempts: int = 3


def run_rounds(
    grid: Grid,
    strategy: Strategy,
    weights: Mapping[str, Tensor],
    plan: RoundPlan,
    folder: Path,
    *,
    start: Mapping[str, Tensor] | None = None,
    combine: Callable[[int, Grid, ArrayRecord, ConfigRecord], tuple[ArrayRecord | None, int]] | None = None,
    clock: Callable[[], float] = time.monotonic,
    on_round: Callable[[RoundFigures], None] = lambda figures: None,
) -> tuple[dict[str, Tensor], list[RoundFigures]]:
    """Run the rounds that are missing, and store the state after each.

    Args:
        grid: Flower grid to the sites.
        strategy: Flower strategy.
        weights: Weights to begin with, by name; those that are exchanged.
        plan: Rounds to run.
        folder: Folder of the state; an existing state is resumed.
        start: Weights that do not leave a site, which a site without own ones begins with.
        combine: Function that runs the messages of a round in place of the strategy, for secure aggregation; it
            returns the combined weights and the number of sites.
        clock: Function that returns the time in s.
        on_round: Function called after each round.

    Returns:
        The weights after the last round, and the figures of all rounds.

    Raises:
        TrainingError: Too few sites reply, or the state cannot be read or written.
    """
    current, figures = dict(weights), list[RoundFigures]()
    if (folder / STATE).exists():
        current, figures = _restore(folder / STATE, strategy)
    shapes = {name: tuple(value.shape) for name, value in current.items()}
    for order in plan.orders[len(figures) :]:
        for _ in range(plan.attempts):
            begun, config = clock(), _make_config(order, start)
            record = make_record(current)
            counting, left_out = CountingGrid(grid), list[str]()
            if combine is None:
                result, used, left_out = _run_strategy(counting, strategy, record, config, order, plan, shapes)
            else:
                result, used = combine(order.round, counting, record, config)
            if result is not None and used >= plan.min_sites:
                break
            _log.warning("Round %d had %d sites of %d; it is repeated.", order.round, used, plan.min_sites)
        else:
            raise TrainingError(
                f"Expected replies of at least {plan.min_sites} sites in round {order.round}, got {used} after "
                f"{plan.attempts} attempts; look into the logs of the sites, and start the server again to go on."
            )
        assert result is not None
        current = read_record(result)
        seconds = clock() - begun
        figures.append(RoundFigures(order.round, used, tuple(left_out), counting.sent, counting.received, seconds))
        _store(folder / STATE, strategy, current, figures)
        on_round(figures[-1])
    return current, figures


def check_replies(replies: Iterable[Message], shapes: Mapping[str, tuple[int, ...]]) -> tuple[list[Message], list[str]]:
    """Separate the replies that can be combined from those that cannot.

    Args:
        replies: Replies of the sites.
        shapes: Shape of each weight.

    Returns:
        The usable replies in the order of their nodes, so that sums do not depend on who replied first; and the reasons
        of the others.
    """
    usable, reasons = [], []
    for reply in sorted(replies, key=lambda message: message.metadata.src_node_id):
        reason = _find_fault(reply, shapes)
        if reason is None:
            usable.append(reply)
        else:
            reasons.append(f"node {reply.metadata.src_node_id}: {reason}")
    return usable, reasons


def ask_sites(
    grid: Grid, strategy: Strategy, weights: Mapping[str, Tensor], order: Order, *, timeout_s: float, labels: int
) -> dict[int, np.ndarray[Any, np.dtype[np.int64]]]:
    """Let every site answer its test rows, and return its counts ``(labels, labels)`` by the number of its node."""
    messages = strategy.configure_evaluate(order.round, make_record(dict(weights)), _make_config(order, None), grid)
    counts = {}
    for reply in grid.send_and_receive(messages, timeout=timeout_s):
        record = None if reply.has_error() else reply.content.metric_records.get(METRICS)
        values = None if record is None else record.get(COUNTS)
        if isinstance(values, list) and len(values) == labels**2:
            counts[reply.metadata.src_node_id] = np.array(values, np.int64).reshape(labels, labels)
    return counts


def find_copies(grid: Grid, *, timeout_s: float) -> list[dict[str, object]]:
    """Ask every site for the keyed fingerprints of its pages, and return those of pages at several sites."""
    nodes = list(grid.get_node_ids())
    messages = [Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY) for node in nodes]
    prints: dict[int, list[bytes]] = {}
    for reply in grid.send_and_receive(messages, timeout=timeout_s):
        record = None if reply.has_error() else reply.content.config_records.get(COPIES)
        values = None if record is None else record.get("fingerprints")
        prints[reply.metadata.src_node_id] = [value for value in values or [] if isinstance(value, bytes)]  # type: ignore[union-attr]  # a list by agreement
    return match_fingerprints(prints)


def _run_strategy(
    grid: Grid,
    strategy: Strategy,
    record: ArrayRecord,
    config: ConfigRecord,
    order: Order,
    plan: RoundPlan,
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[ArrayRecord | None, int, list[str]]:
    """Send the order of a round, and combine the replies that can be used."""
    messages = list(strategy.configure_train(order.round, record, config, grid))
    nodes = {message.metadata.dst_node_id for message in messages}
    replies = list(grid.send_and_receive(messages, timeout=plan.timeout_s))
    silent = sorted(nodes - {reply.metadata.src_node_id for reply in replies})
    # for a site that is away, Flower's SuperLink itself replies with an error
    usable, reasons = check_replies((reply for reply in replies if reply.metadata.src_node_id in nodes), shapes)
    left_out = [*reasons, *(f"node {node}: no reply" for node in silent)]
    if len(usable) < plan.min_sites:
        return None, len(usable), left_out
    result, _ = strategy.aggregate_train(order.round, usable)
    return result, len(usable), left_out


def _find_fault(reply: Message, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    if reply.has_error():
        return reply.error.reason or "error"
    arrays, metrics = reply.content.array_records.get(ARRAYS), reply.content.metric_records.get(METRICS)
    if arrays is None or metrics is None or {name: tuple(array.shape) for name, array in arrays.items()} != shapes:
        return "other weights than those of the model"
    examples = metrics.get(EXAMPLES)
    if not isinstance(examples, int) or examples < 1:
        return "no number of recordings"
    if not all(np.isfinite(array.numpy()).all() for array in arrays.values()):
        return "weights that are not finite"
    return None


def _make_config(order: Order, start: Mapping[str, Tensor] | None) -> ConfigRecord:
    values = order.to_dict()
    fields = {name: values[name] for name in ("epochs", "learning_rate", "trunk", "seed", "last_layers")}
    if start:
        fields["start"] = save({name: value.contiguous() for name, value in start.items()})
    return ConfigRecord({**fields, "server-round": order.round})


def _store(path: Path, strategy: Strategy, weights: Mapping[str, Tensor], figures: list[RoundFigures]) -> None:
    moments = {
        name: {key: torch.from_numpy(np.asarray(value)) for key, value in (getattr(strategy, name, None) or {}).items()}
        for name in _OPTIMIZER
    }
    save_state(path, {"rounds": [each.to_dict() for each in figures]}, {"weights": weights, **moments})


def _restore(path: Path, strategy: Strategy) -> tuple[dict[str, Tensor], list[RoundFigures]]:
    plain, tensors = load_state(path)
    for name in _OPTIMIZER:
        if tensors.get(name):
            setattr(strategy, name, {key: value.numpy() for key, value in tensors[name].items()})
    figures = [RoundFigures(**{**each, "left_out": tuple(each["left_out"])}) for each in plain["rounds"]]
    return tensors["weights"], figures
