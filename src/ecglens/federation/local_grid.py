"""Flower grid within this process: sites run one after the other or in a bounded number of worker processes.

Flower's own simulation needs Ray; this grid needs nothing, holds one network at a time for each worker, and gives
replies in an order that does not depend on time.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from copy import deepcopy
from typing import Any
from uuid import uuid4

from flwr.app import ArrayRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

__all__ = ["CountingGrid", "LocalGrid", "count_message_bytes"]

_log = logging.getLogger(__name__)
_SERVER = 1


class LocalGrid(Grid):
    """Grid of simulated sites, whose node numbers are 1, 2, ...

    Args:
        run_site: Function that runs the ClientApp of a site, by its index from 0. With an executor it has to be a
            function of a module.
        sites: Number of sites.
        executor: Worker processes, or ``None`` to run sites one after the other.
        silent: Indices of sites that are connected but never reply.
        clock: Function that returns the time in s.
    """

    def __init__(
        self,
        run_site: Callable[[int, Message], Message],
        sites: int,
        *,
        executor: Executor | None = None,
        silent: Sequence[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_site, self._sites, self._executor, self._clock = run_site, sites, executor, clock
        self._silent = frozenset(silent)
        self._replies: dict[str, Message] = {}
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, _SERVER, 1

    def set_run(self, run: Run) -> None:
        """Accept any run, as there is one."""

    @property
    def run(self) -> Run:
        """The one run."""
        return Run.create_empty(1)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Create a message, for Flower's older workflows."""
        return Message(content, dst_node_id=dst_node_id, message_type=message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the numbers of the sites that are connected."""
        return [index + 1 for index in range(self._sites)]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Run the sites, and return the identifiers of the messages."""
        numbers = []
        for reply in self._deliver(list(messages)):
            self._replies[reply.metadata.reply_to_message_id] = reply
            numbers.append(reply.metadata.reply_to_message_id)
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to some messages, each once."""
        return [self._replies.pop(number) for number in message_ids if number in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Run the sites and return their replies, without those of a site that took longer than the timeout."""
        return list(self._deliver(list(messages), timeout))

    def _deliver(self, messages: list[Message], timeout: float | None = None) -> Iterator[Message]:
        # each site gets its own copy, as over a network: Flower's mods change the messages
        messages = [deepcopy(message) for message in messages if message.metadata.dst_node_id - 1 not in self._silent]
        for message in messages:
            message.metadata.__dict__["_message_id"] = str(uuid4())
        if self._executor is None:
            results: Iterable[tuple[Message, float]] = (
                _run_timed(self._run_site, message, self._clock) for message in messages
            )
        else:
            results = self._executor.map(
                _run_timed, [self._run_site] * len(messages), messages, [self._clock] * len(messages)
            )
        for reply, seconds in results:
            if timeout is not None and seconds > timeout:
                _log.warning("A site needed %.1f s, more than %.1f s; its reply is left out.", seconds, timeout)
            else:
                yield reply


class CountingGrid(Grid):
    """Another grid, whose messages are counted.

    Args:
        grid: Grid to the sites.

    Attributes:
        sent: Bytes of the contents sent.
        received: Bytes of the contents received.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid, self.sent, self.received = grid, 0, 0

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Create a message, for Flower's older workflows."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return the numbers of the sites that are connected."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages and return their identifiers."""
        outgoing = list(messages)
        self.sent += sum(map(count_message_bytes, outgoing))
        return self._grid.push_messages(outgoing)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to some messages."""
        replies = list(self._grid.pull_messages(message_ids))
        self.received += sum(map(count_message_bytes, replies))
        return replies

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Send messages and return the replies."""
        outgoing = list(messages)
        self.sent += sum(map(count_message_bytes, outgoing))
        replies = list(self._grid.send_and_receive(outgoing, timeout=timeout))
        self.received += sum(map(count_message_bytes, replies))
        return replies


def count_message_bytes(message: Message) -> int:
    """Count the bytes of a message's content: weights, counts and settings."""
    if message.has_error():
        return len(message.error.reason or "")
    total = 0
    for record in message.content.values():
        if isinstance(record, ArrayRecord):
            total += sum(len(array.data) for array in record.values())
        else:
            total += sum(len(name) + _count_bytes(value) for name, value in record.items())
    return total


def _count_bytes(value: Any) -> int:
    """Count the bytes of a setting or count: 8 for a number, as Flower sends it."""
    if isinstance(value, list):
        return sum(map(_count_bytes, value))
    return len(value) if isinstance(value, str | bytes) else 8


def _run_timed(
    run_site: Callable[[int, Message], Message], message: Message, clock: Callable[[], float]
) -> tuple[Message, float]:
    begun = clock()
    try:
        reply = run_site(message.metadata.dst_node_id - 1, message)
    except Exception:
        _log.exception("A site failed.")
        failure = Error(code=ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason="The site failed.")
        reply = Message(failure, reply_to=message)
    return reply, clock() - begun
