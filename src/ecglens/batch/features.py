"""Compute the features of many files, a row for each page or record."""

import math
from collections.abc import Iterable
from pathlib import Path

from ecglens.datasets.sources import IMAGE_SUFFIXES
from ecglens.digitizing import digitize
from ecglens.errors import EcgLensError
from ecglens.formats.files import detect_format, read_record
from ecglens.measuring.features import FEATURES, compute_features
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord

__all__ = ["compute_feature_row", "count_skipped", "list_files"]

_PARTS_OF_RECORDS = frozenset({".dat", ".atr", ".xws"})
"""Files that belong to a WFDB header beside them."""


def list_files(sources: Iterable[Path]) -> list[Path]:
    """List pages and records, in order and each once.

    Args:
        sources: Files, which are listed as they are, and folders, whose pages and records are listed recursively.

    Raises:
        EcgLensError: A source does not exist, or a folder contains no page and no record.
    """
    paths: list[Path] = []
    for source in sources:
        if source.is_dir():
            below = [path for path in sorted(source.rglob("*")) if _is_page_or_record(path)]
            if not below:
                raise EcgLensError(f"Expected pages or records below {source.name or source}, got none.")
            paths += below
        elif source.is_file():
            paths.append(source)
        else:
            raise EcgLensError(f"Expected a file or folder, got nothing at {source}.")
    return list(dict.fromkeys(paths))


def count_skipped(sources: Iterable[Path], table: Path) -> int:
    """Count the files below folders that are no pages and no records.

    Args:
        sources: As for :func:`list_files`.
        table: Table of features, which does not count; nor do the files that belong to a WFDB header.
    """
    below = {path for source in sources if source.is_dir() for path in source.rglob("*") if path.is_file()}
    return sum(
        not _is_page_or_record(path)
        and path.resolve() != table.resolve()
        and not (path.suffix.lower() in _PARTS_OF_RECORDS and path.with_suffix(".hea") in below)
        for path in below
    )


def compute_feature_row(path: Path) -> dict[str, float | str]:
    """Compute the features of a page or record.

    Args:
        path: A page, or a digital ECG in one of ``ecglens.formats.files.RECORD_TITLES``.

    Returns:
        ``file``, ``layout`` (empty for a record), ``error`` (empty if there is none), then every name of
        ``FEATURES``. A feature that could not be determined is NaN.
    """
    row: dict[str, float | str] = {"file": path.as_posix(), "layout": "", "error": ""}
    row |= dict.fromkeys(FEATURES, math.nan)
    try:
        record, row["layout"] = _record(path)
        features = compute_features(record)
        if all(math.isnan(value) for value in features.values()):
            row["error"] = " ".join(measure(record).warnings) or "Expected beats, got none."
        return {**row, **features}
    except EcgLensError as error:
        return {**row, "error": error.detail}
    except OSError as error:
        return {**row, "error": f"The file cannot be read: {error.strerror or error}."}
    # A bug may cost the file that triggers it, but not those after it.
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return {**row, "error": f"This file triggers an error in the program: {words}"}


def _record(path: Path) -> tuple[EcgRecord, str]:
    if detect_format(path) is not None:
        return read_record(path), ""
    tracing = digitize(path)
    if tracing.record is None:
        reasons = " ".join(tracing.warnings) or "The scale of the page could not be determined."
        raise EcgLensError(source=path.name, detail=reasons)
    return tracing.record, tracing.layout.name


def _is_page_or_record(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in _PARTS_OF_RECORDS:
        return False
    return path.suffix.lower() in IMAGE_SUFFIXES or detect_format(path) is not None
