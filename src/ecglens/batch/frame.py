"""Read many pages into a data frame: a run of a batch whose result is returned and not stored."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecglens.arguments import check_type
from ecglens.batch.entries import Entry
from ecglens.batch.job import Options
from ecglens.batch.runs import Progress, run
from ecglens.batch.sources import list_paths
from ecglens.errors import BatchError
from ecglens.extras import require

__all__ = ["read_many"]


def read_many(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    model: str | os.PathLike[str] | None = None,
    measure: bool = False,
    workers: int | None = None,
    progress: bool | None = None,
) -> Any:
    """Read many pages in processes of their own into a ``pandas.DataFrame``, a row for each page.

    Each file is read once, under limits on memory and time: one that cannot be read has a row with the reason, and the
    others go on. To store results and resume, use ``ecglens batch``.

    Args:
        source: Folder, pattern, ZIP, TAR or CSV of paths, or the paths themselves.
        model: Name or folder of a model; the model of the settings when ``None``.
        measure: Also digitize and measure the pages.
        workers: Number of processes; one for each core if ``None``.
        progress: Show a bar on stderr; by default in a terminal only.

    Returns:
        The columns that ``ecglens batch`` writes to ``pages.parquet``, sorted by file and page. Of a list,
        ``file`` is the path as it was given.

    Raises:
        BatchError: There is no page, or the source cannot be used.
        ModelError: The model does not exist.
        ArgumentError: The source is no path and no paths, or the model is no name and no folder.
        MissingExtraError: The extras ``batch`` and ``table`` are not installed.
    """
    pandas = require("pandas", extra="table")
    require("pyarrow", extra="table")
    parts = ("label", "measurements") if measure else ("label",)
    pages = source if isinstance(source, str | os.PathLike) else _list_pages(source)
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        with _show_bar(sys.stderr.isatty() if progress is None else progress) as listener:
            result = run(
                pages,
                Path(folder) / "result",
                options=Options(parts=parts, model=model),
                workers=workers,
                listener=listener,
                pictures=False,
            )
        frame = pandas.read_parquet(result.folder / "pages.parquet")
    return frame.sort_values(["file", "page"], ignore_index=True)


def _list_pages(paths: Iterable[str | os.PathLike[str]]) -> list[Entry]:
    """List the pages of a run by their paths.

    Raises:
        BatchError: There are none.
        ArgumentError: They are no paths.
    """
    check_type(paths, Iterable, "a folder or file, or a list of paths")
    listed = list(paths)
    for path in listed:
        check_type(path, (str, os.PathLike), "paths in the list of pages")
    if not listed:
        raise BatchError("Expected paths of pages, got none.")
    return list(list_paths(listed))


@contextmanager
def _show_bar(is_visible: bool) -> Iterator[Callable[[Progress], None] | None]:
    if not is_visible:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def show(progress: Progress) -> None:
            total = None if progress.state == "listing" else progress.files
            bar.update(task, completed=progress.done, total=total)

        yield show
