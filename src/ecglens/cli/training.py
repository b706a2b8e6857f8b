"""How far a training is, in a terminal or in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ecglens.cli.answers import INTERRUPTED, error_line
from ecglens.models.train.history import Figures
from ecglens.models.train.run import Listener

__all__ = ["told"]


@contextmanager
def told(shown: bool, *, again: str = "The same command goes on.") -> Iterator[Listener]:
    """A listener that shows a bar with the time left, and a line for each thing that is finished.

    Args:
        shown: Whether this process speaks.
        again: What a user who stops the work is told.
    """
    if not shown:
        yield Listener()
        return
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Shown(progress)
    except KeyboardInterrupt:
        error_line(console, f"Stopped. {again}")
        raise typer.Exit(INTERRUPTED) from None


class _Shown(Listener):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, note="")

    def stage(self, title: str) -> None:
        self._progress.reset(self._task, description=title, total=None, note="")

    def pages(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def steps(self, done: int, total: int, loss: float) -> None:
        self._progress.update(self._task, completed=done, total=total, note=f"loss {loss:.3f}")

    def epoch(self, figures: Figures) -> None:
        if not self._progress.console.is_terminal:
            measured = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items() if value is not None]
            self.line(", ".join(measured))

    def line(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)
