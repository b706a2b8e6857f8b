"""``ecglens batch``: many pages in, one result out."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from ecglens.cli.answers import DISCLAIMER, INTERRUPTED, error_line
from ecglens.cli.names import printable

if TYPE_CHECKING:
    from ecglens.batch import Progress as Told
    from ecglens.batch import Result

__all__ = ["command"]

_LINE_SECONDS = 5.0
"""Between two lines of progress where nobody watches."""


def command(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, pattern in quotes, CSV with a column path, ZIP, TAR, or an address such as s3://bucket/pages.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the result.", show_default=False)],
    what: Annotated[str, typer.Option(help="Any of label,measurements,signals,explanation.")] = "label",
    model: Annotated[str | None, typer.Option(help="Name or folder of a model.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read; one a core otherwise.", show_default=False)
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler, such as tcp://host:8786, whose workers read.", show_default=False
        ),
    ] = None,
    signal_format: Annotated[str, typer.Option(help="Of signals: parquet or wfdb.")] = "parquet",
    memory: Annotated[int, typer.Option(help="MB that a process that reads may take.")] = 600,
    page_seconds: Annotated[float, typer.Option(help="Seconds that a page may take.")] = 120.0,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Leave the pictures of pages out of the summary.")
    ] = False,
) -> None:
    """Read many pages, each once: a table, signals on request, failures with reasons, a summary to look at.

    A run that was stopped in any way goes on when it is started again. Other options, another model or another source
    start another result. Progress goes to stderr: a bar in a terminal, JSON lines otherwise.
    """
    from ecglens.batch import Options, run

    options = Options(
        what=tuple(part.strip() for part in what.split(",") if part.strip()),
        model=model,
        signal_format=signal_format,
        memory_mb=memory,
        page_seconds=page_seconds,
    )
    err = Console(stderr=True, highlight=False)
    try:
        with _progress(err) as listener:
            found = run(
                source,
                out,
                options=options,
                workers=workers,
                scheduler=scheduler,
                listener=listener,
                pictures=not no_pictures,
            )
    except KeyboardInterrupt:
        error_line(err, "Stopped. The same command goes on; ecglens report DIR tells what was read so far.")
        raise typer.Exit(INTERRUPTED) from None
    _print(found, out)


def _print(found: "Result", out: Path) -> None:
    pages, files = _counted(found.pages, "page"), _counted(found.files, "file")
    told = [f"{pages} of {files}, {found.failures or 'none'} without an answer."]
    if found.copies:
        told.append(
            f"Without a row of their own, since they hold the same as another: {_counted(found.copies, 'file')}."
        )
    if found.failures:
        told.append(f"Reasons: {found.failures_file}")
    if found.passed_over:
        told.append(f"Not taken for pages by their names: {_counted(found.passed_over, 'other file')}.")
    if found.folder != out:
        told.append(f"{out} holds the result of another run, so this one has a folder of its own.")
    console = Console(highlight=False)
    for line in [*told, f"Summary: {found.summary}"]:
        console.print(printable(line), soft_wrap=True, markup=False)
    console.print(DISCLAIMER, style="dim")


def _counted(number: int, what: str) -> str:
    """Such as ``1 page`` or ``2,000 pages``.

    >>> _counted(2000, "page")
    '2,000 pages'
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@contextmanager
def _progress(console: Console) -> Iterator[Callable[["Told"], None]]:
    """A bar in a terminal, JSON lines otherwise."""
    if not console.is_terminal:
        yield _lines()
        return
    parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*parts, console=console, transient=True) as progress:
        task = progress.add_task("Listing", total=None, told="")

        def show(told: "Told") -> None:
            total = None if told.state == "listing" else told.files
            progress.update(
                task, description=told.state.capitalize(), completed=told.done, total=total, told=_said(told)
            )

        yield show


def _said(told: "Told") -> str:
    if told.state == "listing":
        return f"{told.files:,} files"
    parts = [f"{told.done:,} of {told.files:,} files"]
    if told.pages_per_s is not None:
        parts.append(f"{told.pages_per_s:.1f} pages/s")
    if told.seconds_left is not None:
        parts.append(f"{_clock(told.seconds_left)} left")
    parts.append(f"{told.failures:,} failed")
    return ", ".join(parts)


def _lines() -> Callable[["Told"], None]:
    """A line when the state changes, and every few seconds between."""
    last: tuple[str, float] = ("", 0.0)

    def show(told: "Told") -> None:
        nonlocal last
        now = time.monotonic()
        if told.state != last[0] or now - last[1] >= _LINE_SECONDS:
            print(json.dumps(told.to_dict()), file=sys.stderr, flush=True)
            last = (told.state, now)

    return show


def _clock(seconds: float) -> str:
    """Such as ``2:05`` for minutes and seconds, ``1:02:05`` with hours.

    >>> _clock(125.0)
    '2:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
