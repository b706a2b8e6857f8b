"""Inputs of the commands that read: files, folders and standard input, and the pages of a file."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from ecglens.arguments import folder_name
from ecglens.cli.names import name_skipped, own_stem, printable, replace_bytes
from ecglens.errors import EcgLensError
from ecglens.records import NotFound

if TYPE_CHECKING:
    from ecglens.corrections import Corrections
    from ecglens.records import Page

__all__ = [
    "CorrectionsFile",
    "InputFile",
    "Kind",
    "PageNumber",
    "PageResult",
    "Quiet",
    "load_corrections",
    "open_inputs",
    "read_pages",
    "read_record_as_page",
]

T = TypeVar("T")

PageNumber = Annotated[
    int | None,
    typer.Option("--page", help="Number of a page in a PDF or TIFF; all pages by default.", show_default=False, min=1),
]

CorrectionsFile = Annotated[
    Path | None,
    typer.Option(
        "--corrections", help="File of corrections by hand of the page, as by ecglens correct.", show_default=False
    ),
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]

_STANDARD_INPUT = "-"
"""Argument that stands for a file on standard input."""
_STANDARD_INPUT_NAME = "stdin"
"""Name of what is written of a file on standard input."""


class Kind(StrEnum):
    """Files that a command reads."""

    ANY = "pages or digital ECGs"
    PAGES = "pages"
    RECORDS = "digital ECGs"


@dataclass(frozen=True)
class InputFile:
    """A file to read.

    Attributes:
        argument: Path as the user gave it, or below the folder that was given; ``-`` for standard input.
        path: Where the file is.
        stem: Name for files that are written, different for each input.
    """

    argument: str
    path: Path
    stem: str

    @property
    def file(self) -> str:
        """The path as it was given, for JSON and tables, which can have every letter."""
        return replace_bytes(self.argument)

    @property
    def name(self) -> str:
        """The path for text, without characters that could control a terminal."""
        return printable(self.argument)

    @cached_property
    def content(self) -> bytes:
        """The whole file, which is read once.

        Raises:
            EcgReadError: The file is missing, empty, too large or may not be read.
        """
        from ecglens.pages.read import load_file

        return load_file(self.path)[0]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file; of a WFDB record, of its header followed by the files that it names."""
        if not self.is_record:
            return hashlib.sha256(self.content).hexdigest()
        from ecglens.formats.wfdb_files import digest_file

        return digest_file(self.path)

    @property
    def _header(self) -> Path:
        """Header of a WFDB record that is named without its ending."""
        return self.path.with_name(f"{self.path.name}.hea")

    @cached_property
    def is_record(self) -> bool:
        """Whether the file is a digital ECG by its content, whatever its ending."""
        from ecglens.datasets.sources import is_picture
        from ecglens.formats.files import detect_format

        if not (self.path.is_file() or self._header.is_file()) or is_picture(self.path):
            return False

        return detect_format(self.path) is not None


@dataclass(frozen=True, slots=True)
class PageResult(Generic[T]):
    """The result of a page, or the error that it ended with.

    Attributes:
        file: Path of the file as it was given, for JSON.
        stem: Name for files that are written.
        number: Number of the page, from 1.
        count: Number of pages of the file.
        value: Result; ``None`` with an ``error``.
        error: Error; ``None`` with a ``value``.
    """

    file: str
    stem: str
    number: int = 1
    count: int = 1
    value: T | None = None
    error: Exception | None = None

    @property
    def name(self) -> str:
        """Path of the file for text, with the number of the page where there are several, and it is one of them."""
        file = printable(self.file)
        is_one_of_several = self.number <= self.count != 1
        return f"{file}, page {self.number} of {self.count}" if is_one_of_several else file


def load_corrections(
    path: Path | None, inputs: Sequence[str], page: int | None
) -> tuple["Corrections | None", int | None]:
    """Read the file of corrections, and check that they are of the one page that is read.

    Args:
        path: File of the corrections; ``None`` for none.
        inputs: Files that are read, as they were given.
        page: Number of the page that was given.

    Returns:
        The corrections, and the number of the page to read.

    Raises:
        EcgLensError: There are several inputs, or the corrections are of another page or file.
    """
    if path is None:
        return None, page
    from ecglens.corrections import check_file, read_corrections

    corrections = read_corrections(path)
    if len(inputs) != 1 or Path(inputs[0]).is_dir():
        raise EcgLensError("--corrections: expected one page, got several; read each page with its own file.")
    if page not in (None, corrections.page):
        raise EcgLensError(
            f"--corrections: expected --page {corrections.page}, of which the file is, got {page}; leave it out."
        )
    if inputs[0] != _STANDARD_INPUT:
        check_file(corrections, Path(inputs[0]))
    return corrections, corrections.page


def read_record_as_page(source: InputFile, read: Callable[["Page", str], T]) -> PageResult[T]:
    """Read a digital ECG as the page that is drawn of it.

    Args:
        source: The file.
        read: As for :func:`read_pages`.

    Returns:
        Result or error.
    """
    from ecglens.cli.time_limits import read_record_in_time
    from ecglens.record_pages import draw_record

    result: PageResult[T] = PageResult(source.file, source.stem)
    try:
        record = read_record_in_time(source.path, source.file)
        return replace(result, value=read(draw_record(record, source.path.name), source.stem))
    except Exception as error:
        return replace(result, error=error)


def read_pages(
    source: InputFile, page: int | None, read: Callable[["Page", str], T], on_left_out: Callable[[str], None]
) -> Iterator[PageResult[T]]:
    """Read the pages of a file, or one of them; pages that show no trace are left out where others show one.

    Args:
        source: The file.
        page: Number of the page, from 1; all pages when ``None``.
        read: Reads a page; is called with it and with a name for files that are written.
        on_left_out: Called with a sentence where pages were left out.

    Yields:
        Result or error of each page, of the whole file where that cannot be read: one that fails, even by a bug, does
        not cost those after it.
    """
    from ecglens.pages.read import count_pages, read_page
    from ecglens.settings import load_settings

    try:
        count = count_pages(source.content)
    except EcgLensError as error:
        yield PageResult(source.file, source.stem, error=error)
        return
    left_out: list[PageResult[T]] = []
    for number in range(1, count + 1) if page is None else [page]:
        stem = source.stem if count == 1 else f"{source.stem}-page{number}"
        result: PageResult[T] = PageResult(source.file, stem, number, count)
        decoded = None
        try:
            decoded = read_page(source.content, page=number, max_megapixels=load_settings().max_megapixels)
            decoded = replace(decoded, source=source.path.name)
            result = replace(result, value=read(decoded, result.stem))
        except Exception as error:
            result = replace(result, error=error)
        is_one_of_several = page is None and count > 1
        if is_one_of_several and decoded is not None and _is_refused(result) and _shows_no_trace(decoded):
            left_out.append(result)
        else:
            yield result
    if left_out and len(left_out) == count:
        yield left_out.pop(0)
    if left_out:
        on_left_out(_say_left_out(source, [result.number for result in left_out]))


def _is_refused(result: PageResult[Any]) -> bool:
    """Return whether the leads of a page were not found."""
    layout = getattr(result.value, "layout", None)
    return isinstance(layout, NotFound) or getattr(result.error, "code", "") == "no_leads"


def _shows_no_trace(page: "Page") -> bool:
    from ecglens.pages.contents import shows_no_trace

    return shows_no_trace(page)


def _say_left_out(source: InputFile, numbers: Sequence[int]) -> str:
    """Return a sentence for the pages of a file that were left out.

    >>> _say_left_out(InputFile("a.pdf", Path("a.pdf"), "a"), [1, 4])
    'a.pdf: no trace is seen on pages 1 and 4, which were left out.'
    """
    *firsts, last = map(str, numbers)
    pages = f"pages {', '.join(firsts)} and {last}, which were" if firsts else f"page {last}, which was"
    return f"{source.name}: no trace is seen on {pages} left out."


@contextmanager
def open_inputs(
    arguments: Sequence[str], note: Callable[[str], None], kind: Kind = Kind.ANY
) -> Iterator[list[InputFile]]:
    """List the files that were given; of a folder, the pages and digital ECGs in it and in its folders, by name.

    Args:
        arguments: Paths of files and folders, or ``-`` for standard input, which is stored until the end.
        note: Called with a sentence for each folder that has other files too.
        kind: Kind of files that are listed of folders.

    Raises:
        EcgLensError: A folder holds none, or standard input is a terminal, is too large or is given twice.
    """
    from ecglens.formats.files import strip_ending

    stems: set[str] = set()
    inputs = []
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        for each in arguments:
            if each == _STANDARD_INPUT:
                named = [(each, _store_standard_input(Path(folder) / _STANDARD_INPUT_NAME))]
            elif os.path.isdir(each):
                named = [(str(path), path) for path in _list_folder(Path(each), kind, note)]
            else:
                named = [(each, Path(each))]
            inputs += [InputFile(name, path, own_stem(strip_ending(path.name), stems)) for name, path in named]
        yield inputs


def _store_standard_input(path: Path) -> Path:
    from ecglens.pages.read import MAX_FILE_BYTES

    if path.exists():
        raise EcgLensError("Expected - for standard input once, got it twice; leave one out.")
    if sys.stdin is None or sys.stdin.isatty():
        raise EcgLensError("Expected a file on standard input, got a terminal; give it with < FILE, or name the file.")
    path.write_bytes(sys.stdin.buffer.read(MAX_FILE_BYTES + 1))
    return path


def _list_folder(folder: Path, kind: Kind, note: Callable[[str], None]) -> list[Path]:
    from ecglens.batch.features import list_files, list_skipped
    from ecglens.datasets.sources import is_record

    paths = list_files([folder])
    if kind is not Kind.ANY:
        paths = [path for path in paths if is_record(path) == (kind is Kind.RECORDS)]
    if not paths:
        raise EcgLensError(f"Expected {kind} below {folder_name(folder)}, got none.")
    skipped = [path.name for path in list_skipped([folder])]
    if skipped:
        files = name_skipped(skipped, len(skipped))
        note(f"{printable(str(folder))}: skipped {files}: hidden, or neither a page nor a digital ECG.")
    return paths
