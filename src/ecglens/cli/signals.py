"""End a command that runs until somebody stops it."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

__all__ = ["run_until_signal"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that stop a command; Windows has not all of them."""


def run_until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Run a coroutine, which a signal cancels so that it can end what it does, and return the exit code.

    Returns:
        0 at the end of the coroutine; 128 and the number of the signal, as shells report it.
    """
    stopped: list[int] = []

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(number: int) -> None:
            stopped.append(number)
            if task is not None:
                task.cancel()

        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_IGN:  # as nohup sets it
                continue
            with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
                loop.add_signal_handler(number, stop, number)
        await work

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        if not stopped:
            raise
    except KeyboardInterrupt:
        stopped.append(signal.SIGINT)
    return 128 + stopped[0] if stopped else 0
