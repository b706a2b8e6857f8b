"""``ecglens batch``: read many pages into one result."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from ecglens.cli.answers import DISCLAIMER, INTERRUPTED, error_line
from ecglens.cli.choices import complete_from, complete_models
from ecglens.cli.inputs import Quiet
from ecglens.cli.names import name_skipped, printable

if TYPE_CHECKING:
    from ecglens.batch import Progress as RunProgress
    from ecglens.batch import Result

__all__ = ["command"]

_LINE_SECONDS = 5.0
"""Time between two lines of progress in s if stderr is no terminal."""


def command(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder, pattern in quotes, CSV with a column path, ZIP, TAR, or an address such as s3://bucket/pages.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the result.", show_default=False)],
    parts: Annotated[
        str,
        typer.Option(
            "--what",
            help="Any of label,measurements,signals,explanation, separated by commas.",
            autocompletion=complete_from("ecglens.batch.job:PARTS", is_list=True),
        ),
    ] = "label",
    model: Annotated[
        str | None, typer.Option(help="Name or folder of a model.", show_default=False, autocompletion=complete_models)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes that read; one for each core by default.", show_default=False),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a Dask scheduler, such as tcp://host:8786, whose workers read.", show_default=False
        ),
    ] = None,
    signal_format: Annotated[
        str,
        typer.Option(
            help="File format of the signals: parquet or wfdb.",
            autocompletion=complete_from("ecglens.batch.job:SIGNAL_FORMATS"),
        ),
    ] = "parquet",
    memory: Annotated[int, typer.Option(help="Memory limit of a reading process, in MB.")] = 600,
    page_seconds: Annotated[float, typer.Option(help="Time limit for a page, in s.")] = 120.0,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Write the summary without pictures of pages.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Read many pages, each once: a table, signals on request, reasons for failures and an HTML summary.

    A run that was stopped in any way resumes when it is started again. Other options, another model or another source
    start another result. The progress is shown on stderr: as a bar in a terminal, as JSON lines otherwise.
    """
    from ecglens.batch import Options, run

    options = Options(
        parts=tuple(part.strip() for part in parts.split(",") if part.strip()),
        model=model,
        signal_format=signal_format,
        memory_mb=memory,
        page_seconds=page_seconds,
    )
    err = Console(stderr=True, highlight=False)
    try:
        with nullcontext() if quiet else _show_progress(err) as listener:
            result = run(
                source,
                out,
                options=options,
                workers=workers,
                scheduler=scheduler,
                listener=listener,
                pictures=not no_pictures,
            )
    except KeyboardInterrupt:
        error_line(err, "Stopped. The same command resumes; ecglens report DIR summarizes what was read so far.")
        raise typer.Exit(INTERRUPTED) from None
    if not quiet:
        _print(result, out)


def _print(result: "Result", out: Path) -> None:
    pages, files = _format_count(result.pages, "page"), _format_count(result.files, "file")
    lines = [f"{pages} of {files}, {result.failures or 'none'} failed."]
    if result.copies:
        copies = _format_count(result.copies, "file")
        lines.append(f"Without a row of their own, because another file has the same bytes: {copies}.")
    if result.failures:
        lines.append(f"Reasons: {result.failures_file}")
    if result.skipped_files:
        lines.append(f"Skipped because of their names: {name_skipped(result.skipped_names, result.skipped_files)}.")
    if result.folder != out:
        lines.append(f"{out} holds the result of another run, so this one has a folder of its own.")
    console = Console(highlight=False)
    for line in [*lines, f"Summary: {result.summary}"]:
        console.print(printable(line), soft_wrap=True, markup=False)
    console.print(DISCLAIMER, style="dim")


def _format_count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one.

    >>> _format_count(2000, "page")
    '2,000 pages'
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def _show_progress(console: Console) -> Iterator[Callable[["RunProgress"], None]]:
    """Show a bar in a terminal, or print JSON lines otherwise."""
    if not console.is_terminal:
        yield _print_lines()
        return
    parts = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[details]}"))
    with Progress(*parts, console=console, transient=True) as bar:
        task = bar.add_task("Listing", total=None, details="")

        def show(progress: "RunProgress") -> None:
            total = None if progress.state == "listing" else progress.files
            title, details = progress.state.capitalize(), _describe(progress)
            bar.update(task, description=title, completed=progress.done, total=total, details=details)

        yield show


def _describe(progress: "RunProgress") -> str:
    if progress.state == "listing":
        return f"{progress.files:,} files"
    parts = [f"{progress.done:,} of {progress.files:,} files"]
    if progress.pages_per_s is not None:
        parts.append(f"{progress.pages_per_s:.1f} pages/s")
    if progress.seconds_left is not None:
        parts.append(f"{_format_time(progress.seconds_left)} left")
    parts.append(f"{progress.failures:,} failed")
    return ", ".join(parts)


def _print_lines() -> Callable[["RunProgress"], None]:
    """Return a listener that prints a line when the state changes, and every few seconds in between."""
    last: tuple[str, float] = ("", 0.0)

    def show(progress: "RunProgress") -> None:
        nonlocal last
        now = time.monotonic()
        if progress.state != last[0] or now - last[1] >= _LINE_SECONDS:
            print(json.dumps(progress.to_dict()), file=sys.stderr, flush=True)
            last = (progress.state, now)

    return show


def _format_time(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours if there are any.

    >>> _format_time(125.0), _format_time(3725.0)
    ('2:05', '1:02:05')
    """
    minutes, remaining = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{remaining:02}" if hours else f"{minutes}:{remaining:02}"
