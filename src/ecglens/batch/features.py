"""Compute the features of many files, a row for each page or record."""

import math
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from ecglens.arguments import folder_name
from ecglens.datasets.sources import IMAGE_SUFFIXES, is_record
from ecglens.datasets.visible_files import is_hidden, list_visible
from ecglens.digitizing import digitize
from ecglens.errors import EcgLensError
from ecglens.formats.files import detect_format, read_record
from ecglens.formats.wfdb_files import HEADER_ENDING, PART_ENDINGS, digest_file
from ecglens.measuring.features import FEATURES, compute_features
from ecglens.measuring.measure import measure
from ecglens.pages.contents import shows_no_trace
from ecglens.pages.read import count_pages, load_file, read_page
from ecglens.records import EcgRecord

__all__ = ["compute_feature_rows", "list_files", "list_skipped"]

_MOST_NAMED = 3
"""Sources that an error names."""


def list_files(sources: Iterable[Path]) -> list[Path]:
    """List pages and records, in order and each once.

    Args:
        sources: Files, which are listed as they are, and folders, whose pages and records are listed recursively,
            except hidden ones. One that does not exist is listed too where others do, so that it costs no more than its
            own row.

    Raises:
        EcgLensError: No source exists, or a folder contains no page and no record.
    """
    paths: list[Path] = []
    sources = list(sources)
    if not any(source.exists() for source in sources):
        raise EcgLensError(f"Expected a file or folder, got nothing at {', '.join(map(str, sources[:_MOST_NAMED]))}.")
    for source in sources:
        if source.is_dir():
            below = [path for path in list_visible(source) if _is_page_or_record(path)]
            if not below:
                raise EcgLensError(f"Expected pages or records below {folder_name(source)}, got none.")
            paths += below
        else:
            paths.append(source)
    return list(dict.fromkeys(paths))


def list_skipped(sources: Iterable[Path], table: Path | None = None) -> list[Path]:
    """List the files below folders that :func:`list_files` leaves out: no pages and no records, or hidden.

    Args:
        sources: As for :func:`list_files`.
        table: Table of features, which does not count; nor do files that belong to a WFDB header, nor what is in
            hidden folders.
    """
    skipped: list[Path] = []
    for folder in filter(Path.is_dir, sources):
        below = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        visible = {path for path in below if not is_hidden(path.relative_to(folder).parent)}
        skipped += [path for path in below if path in visible and _is_left_out(path, visible)]
    return [path for path in dict.fromkeys(skipped) if table is None or path.resolve() != table.resolve()]


def compute_feature_rows(path: Path) -> Iterator[dict[str, float | str]]:
    """Compute the features of a record, or of each page of a file that shows traces.

    Args:
        path: Pages, or a digital ECG in one of ``ecglens.formats.files.RECORD_TITLES``.

    Yields:
        ``file``, ``page`` (1 for a record), ``sha256`` of the file (of a WFDB record, of its header
        followed by the files that it names), ``layout`` (empty for a record), ``error`` (empty
        if there is none), then every name of ``FEATURES``. A feature that could not be determined is NaN.
    """
    left_out: list[dict[str, float | str]] = []
    count, sha256 = _count_pages(path), _digest(path)
    for number in range(1, count + 1):
        row: dict[str, float | str] = {"file": path.as_posix(), "page": number, "sha256": sha256}
        row |= {"layout": "", "error": ""}
        row |= dict.fromkeys(FEATURES, math.nan)
        try:
            features, row["layout"], row["error"] = _compute(path, number)
            row |= features
        except EcgLensError as error:
            row["error"] = error.detail
            if error.code == "no_leads" and count > 1 and shows_no_trace(read_page(path, page=number)):
                left_out.append(row)
                continue
        except OSError as error:
            row["error"] = f"The file cannot be read: {error.strerror or error}."
        # A bug may cost the page that triggers it, but not those after it.
        except Exception as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())
            row["error"] = f"This file triggers an error in the program: {words}"
        yield row
    if len(left_out) == count:
        yield left_out[0]


def _digest(path: Path) -> str:
    """Compute the SHA-256 of a file, ``""`` where it cannot be read."""
    try:
        return digest_file(path)
    except (OSError, EcgLensError):
        return ""


def _count_pages(path: Path) -> int:
    """Count the pages of a file; 1 for a record, and for a file that cannot be read."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return 1
    try:
        return count_pages(load_file(path)[0])
    except EcgLensError:
        return 1


def _compute(path: Path, number: int) -> tuple[dict[str, float], str, str]:
    """Return the features of a record or page, its layout, and the reason where there are none."""
    record, layout = _record(path, number)
    features = compute_features(record)
    is_empty = all(math.isnan(value) for value in features.values())
    return features, layout, (" ".join(measure(record).warnings) or "Expected beats, got none.") if is_empty else ""


def _record(path: Path, number: int) -> tuple[EcgRecord, str]:
    if detect_format(path) is not None:
        return read_record(path), ""
    tracing = digitize(path, page=number)
    if tracing.record is None:
        reasons = " ".join(tracing.warnings) or "The scale of the page could not be determined."
        raise EcgLensError(source=path.name, detail=reasons)
    return tracing.record, tracing.layout.name


def _is_left_out(path: Path, below: Container[Path]) -> bool:
    """Return whether a file is hidden, or neither a page nor a record nor one that belongs to a header beside it."""
    is_part = path.suffix.lower() in PART_ENDINGS and path.with_suffix(HEADER_ENDING) in below
    return is_hidden(path.name) or not (is_part or _is_page_or_record(path))


def _is_page_or_record(path: Path) -> bool:
    return path.is_file() and (path.suffix.lower() in IMAGE_SUFFIXES or is_record(path))
