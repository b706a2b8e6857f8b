"""A result on disk: a table of predictions, and a note of their origin.

::

    RESULTS/compact-cnn/honest/seed0.csv     predictions on test pages, as ``ecglens evaluate`` reads them
    RESULTS/compact-cnn/honest/seed0.json    the note: recipe, data, code, machine, time
    RESULTS/compact-cnn/speed.json           parameters and ms a page, which do not depend on the protocol
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecglens.documents import parse_json
from ecglens.errors import DatasetError
from ecglens.evaluation.predictions import Predictions, read_predictions, write_predictions
from ecglens.models.train.recipe import Recipe

__all__ = ["UNGROUPED", "Result", "has_no_groups", "load_result", "recipe_hash", "result_path", "save_result"]

UNGROUPED = (
    "Each file is a recording and a group of its own in this table: where files are copies of each other, or show one "
    "person, the honest protocol cannot keep them apart. ecglens audit finds copies, and writes the columns recording "
    "and group."
)
"""Warning about figures from a table without groups."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Predictions of one model under one protocol with one seed.

    Attributes:
        predictions: Predictions on test pages.
        note: Origin of the predictions, in plain types.
    """

    predictions: Predictions
    note: Mapping[str, Any]


def has_no_groups(files: int, groups: int) -> bool:
    """Return whether nothing in a table groups files."""
    return groups == files


def result_path(results: Path, row: str, protocol: str, seed: int) -> Path:
    """Return the path of the table of predictions; the note lies beside it."""
    return results / row / protocol / f"seed{seed}.csv"


def recipe_hash(recipe: Recipe) -> str:
    """Hash everything that a training depends on besides its pages."""
    return hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:16]


def save_result(path: Path, result: Result) -> None:
    """Write a result; its note comes last, so that a result with a note is complete."""
    write_predictions(result.predictions, path)
    path.with_suffix(".json").write_text(json.dumps(dict(result.note), indent=1) + "\n", encoding="utf-8")


def load_result(path: Path) -> Result | None:
    """Load a result, or return ``None`` where there is none yet.

    Raises:
        DatasetError: One of its files cannot be read.
    """
    note = path.with_suffix(".json")
    if not note.is_file():
        return None
    try:
        note_values = parse_json(note.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"The note '{note}' cannot be read; remove it and compute the row again.") from error
    return Result(read_predictions(path), note_values)
