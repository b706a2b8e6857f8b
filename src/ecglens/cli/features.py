"""``ecglens features``: compute a table of features of pages and records."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.text import Text

from ecglens.cli.answers import DISCLAIMER, INTERRUPTED, error_line
from ecglens.cli.inputs import Quiet
from ecglens.cli.names import name_skipped, printable, replace_bytes
from ecglens.errors import EcgLensError
from ecglens.extras import require
from ecglens.settings import load_settings

__all__ = ["command"]


def command(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders of pages and records, or single files.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Table to write, .parquet or .csv.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a table that exists.")] = False,
    quiet: Quiet = False,
) -> None:
    """Digitize and measure many pages or records into a table of features, a row for each page or record.

    A page or file that cannot be read has a row with the reason, and the exit code is 2. After Ctrl+C, the rows so far
    are written.
    """
    from ecglens.batch.features import compute_feature_rows, list_files, list_skipped
    from ecglens.formats.table import write_table

    _check(out, force=force)
    load_settings()  # what is wrong with them is said once, not for each file
    files = [path for path in list_files(sources) if path.resolve() != out.resolve()]
    err = Console(stderr=True, highlight=False)
    rows: list[dict[str, float | str]] = []
    stopped = False
    try:
        for path in files if quiet else _with_progress(files, err):
            rows += map(_without_bytes, compute_feature_rows(path))
    except KeyboardInterrupt:
        stopped = True
    finally:
        if rows:
            write_table(rows, out)
    bad = [row for row in rows if row["error"]]
    for row in bad:
        page = "" if row["page"] == 1 else f", page {row['page']}"
        error_line(err, printable(f"{row['file']}{page}: {row['error']}"))
    console = Console(highlight=False, quiet=quiet)
    read = len({row["file"] for row in rows})
    done = f"{read} of {len(files)} files" if stopped else _format_count(len(files), "file")
    pages = "" if len(rows) == read else f" with {len(rows)} pages"
    console.print(f"{done}{pages}, {len(bad)} without features; {printable(out.name) if rows else 'nothing'} written.")
    skipped = [path.name for path in list_skipped(sources, out)]
    if skipped:
        others = name_skipped(skipped, len(skipped))
        console.print(Text(f"Skipped, because they are hidden, or no pages and no records: {others}."), soft_wrap=True)
    console.print(DISCLAIMER, style="dim")
    if stopped or bad:
        raise typer.Exit(INTERRUPTED if stopped else 2)


def _check(out: Path, *, force: bool) -> None:
    """Check before hours of work that the table can be written."""
    if out.suffix.lower() not in {".parquet", ".csv"}:
        raise EcgLensError(f"--out: expected a table that ends in .parquet or .csv, got {printable(out.name)}.")
    if out.suffix.lower() == ".parquet":
        require("pyarrow", extra="table")
    if out.is_file() and not force:
        raise EcgLensError(f"Expected no {printable(out.name)}, but it exists; add --force to overwrite it.")
    folder = out.parent
    folder.mkdir(parents=True, exist_ok=True)
    if out.is_dir() or not os.access(out if out.exists() else folder, os.W_OK):
        raise EcgLensError(f"--out: expected a file that can be written, got {printable(str(out))}; name another.")


def _with_progress(files: Sequence[Path], console: Console) -> Iterator[Path]:
    if len(files) < 2 or not console.is_terminal:
        yield from files
    else:
        yield from track(files, description="Measuring", console=console, transient=True)


def _without_bytes(row: dict[str, float | str]) -> dict[str, float | str]:
    """Return a row whose names of files are text, which every table can have."""
    return {name: replace_bytes(value) if isinstance(value, str) else value for name, value in row.items()}


def _format_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
