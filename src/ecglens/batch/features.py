"""The features of many files: each a page or a record, a row each."""

import math
from collections.abc import Iterable
from pathlib import Path

from ecglens.datasets.sources import IMAGE_SUFFIXES
from ecglens.digitizing import digitize
from ecglens.errors import EcgLensError
from ecglens.formats.files import FORMATS, read_record
from ecglens.measuring.features import FEATURES, compute_features
from ecglens.measuring.measure import measure
from ecglens.records import EcgRecord

__all__ = ["feature_row", "files_below"]

_ENDINGS_BELOW = (*sorted(IMAGE_SUFFIXES), ".hea", ".dcm", ".csv", ".fhir.json")
"""What is taken from a folder; other JSON there is too often something else than a record."""


def files_below(sources: Iterable[Path]) -> list[Path]:
    """Pages and records: files as they are given, folders by what is in them and below, in order and each once.

    Raises:
        EcgLensError: A source is not there, or a folder holds neither.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            below = [path for path in sorted(source.rglob("*")) if _is_wanted(path)]
            if not below:
                raise EcgLensError(f"Expected pages or records below {source.name or source}, found none.")
            found += below
        elif source.is_file():
            found.append(source)
        else:
            raise EcgLensError(f"Expected a file or folder, found nothing at {source}.")
    return list(dict.fromkeys(found))


def feature_row(path: Path) -> dict[str, float | str]:
    """The features of a page or record.

    Args:
        path: A page, or a record in one of ``ecglens.formats.files.FORMATS``.

    Returns:
        ``file``, ``layout`` (empty for a record), ``error`` (empty where there is none), then every name of
        ``FEATURES``; NaN where it is not known.
    """
    row: dict[str, float | str] = {"file": path.as_posix(), "layout": "", "error": ""}
    row |= dict.fromkeys(FEATURES, math.nan)
    try:
        record, row["layout"] = _record(path)
    except EcgLensError as error:
        return {**row, "error": error.detail}
    except OSError as error:
        return {**row, "error": f"The file cannot be read: {error.strerror or error}."}
    found = compute_features(record)
    if all(math.isnan(value) for value in found.values()):
        row["error"] = " ".join(measure(record).warnings) or "Expected beats, found none."
    return {**row, **found}


def _record(path: Path) -> tuple[EcgRecord, str]:
    if any(path.name.lower().endswith(form.ending) for form in FORMATS.values()):
        return read_record(path), ""
    tracing = digitize(path)
    if tracing.record is None:
        reasons = " ".join(tracing.warnings) or "Nothing on the page tells its scale."
        raise EcgLensError(source=path.name, detail=reasons)
    return tracing.record, tracing.layout.name


def _is_wanted(path: Path) -> bool:
    return path.name.lower().endswith(_ENDINGS_BELOW) and path.is_file()
