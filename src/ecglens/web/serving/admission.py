"""A bounded queue in front of the work, in which every caller has the same share."""

import asyncio
from collections import Counter, OrderedDict, deque

__all__ = ["Busy", "FairQueue"]


class Busy(Exception):
    """Too many requests wait already.

    Args:
        is_own: Whether these are the caller's own requests, and not those of others.
    """

    def __init__(self, *, is_own: bool) -> None:
        super().__init__()
        self.is_own = is_own


class FairQueue:
    """Requests that wait for a free place; the callers' turns alternate, whoever sent more.

    Args:
        places: Number of requests that are worked on at once.
        waiting: Number of requests that may wait.
        waiting_each: Number of requests of one caller that may wait.
        places_each: Number of requests of one caller that are worked on at once, so that one caller's slow requests
            leave a place for others; all places by default.
    """

    def __init__(self, places: int, waiting: int, waiting_each: int, places_each: int | None = None) -> None:
        self._free, self._waiting, self._waiting_each = places, waiting, waiting_each
        self._places_each = places if places_each is None else places_each
        self._at_work: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Waiting requests of each caller; the next turn is that of the first caller who may have a place."""

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    async def enter(self, caller: str) -> None:
        """Wait for a place; who has one calls :meth:`leave` at the end.

        Args:
            caller: Whose request it is.

        Raises:
            Busy: Too many requests wait already.
        """
        if self._free and self._at_work[caller] < self._places_each:
            self._take_place(caller)
            return
        line = self._lines.setdefault(caller, deque())
        if len(line) >= self._waiting_each:
            raise Busy(is_own=True)
        if len(self) >= self._waiting:
            self._drop_if_empty(caller)
            raise Busy(is_own=False)
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await asyncio.shield(turn)
        except asyncio.CancelledError:
            if turn.done():  # its turn came at the moment in which it was given up
                self.leave(caller)
            else:
                self._lines[caller].remove(turn)
                self._drop_if_empty(caller)
            raise

    def leave(self, caller: str) -> None:
        """Give the place of a caller to the next one who may have it, or free it."""
        self._free += 1
        self._at_work[caller] -= 1
        self._at_work += Counter()  # drops callers without requests
        following = next((name for name in self._lines if self._at_work[name] < self._places_each), None)
        if following is None:
            return
        line = self._lines.pop(following)
        turn = line.popleft()
        if line:
            self._lines[following] = line
        self._take_place(following)
        turn.set_result(None)

    def _take_place(self, caller: str) -> None:
        self._free -= 1
        self._at_work[caller] += 1

    def _drop_if_empty(self, caller: str) -> None:
        if not self._lines[caller]:
            del self._lines[caller]
