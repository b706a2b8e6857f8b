"""Show the progress of training in a terminal or a log."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ecglens.cli.answers import INTERRUPTED, error_line
from ecglens.models.train.history import Figures
from ecglens.models.train.run import Listener

__all__ = ["show_training"]


@contextmanager
def show_training(is_visible: bool, *, resume_hint: str = "The same command resumes.") -> Iterator[Listener]:
    """Yield a listener that shows a bar with the remaining time, and a line for each finished step.

    Args:
        is_visible: Whether this process shows the progress.
        resume_hint: Sentence to print when the user stops the training.
    """
    if not is_visible:
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
            yield _BarListener(progress)
    except KeyboardInterrupt:
        error_line(console, f"Stopped. {resume_hint}")
        raise typer.Exit(INTERRUPTED) from None


class _BarListener(Listener):
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
