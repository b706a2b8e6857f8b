"""Folder of a run: recipe, plan, data, origin and results.

::

    RUN/recipe.json  plan.json          recipe and protocol
    RUN/lock                            locked while a process trains in the folder
    RUN/started.jsonl                   each start with its command, git state and versions
    RUN/recordings.csv                  each file with its label, recording, group and the hash of its content
    RUN/seed0/split.json                the folds
    RUN/seed0/fold3/history.csv         figures of each epoch, with curves.png
    RUN/seed0/fold3/last.safetensors    weights, and best.safetensors if the recipe selects an epoch
    RUN/seed0/fold3/answers.npz         the model's logits for its test pages
    RUN/final/...                       the same for the model that is fitted on all recordings

Parts that exist are not computed again.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ecglens.datasets.recordings import Recordings
from ecglens.documents import parse_json
from ecglens.errors import TrainingError
from ecglens.models.cards import sha256_of
from ecglens.models.train.checkpoint import write_whole
from ecglens.models.train.origin import describe_origin
from ecglens.models.train.recipe import Recipe
from ecglens.tables import parse_cell, write_rows

__all__ = [
    "Plan",
    "check_labels",
    "list_digests",
    "list_rows",
    "list_seeds",
    "load_run",
    "lock_run",
    "start_run",
    "table_hash",
]

_COLUMNS = ("file", "label", "recording", "group")


@dataclass(frozen=True, slots=True)
class Plan:
    """Evaluation protocol of a run.

    Attributes:
        protocol: ``"honest"``, ``"as-published"``, ``"given"``, ``"leave-one-out:COLUMN"`` or the path of a
            saved split.
        folds: Number of folds of the honest protocol.
    """

    protocol: str = "honest"
    folds: int = 5


def start_run(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    plan: Plan | None = None,
    *,
    command: str = "",
    resume: bool = True,
) -> None:
    """Create a run folder, or check that an existing one belongs to this recipe and these recordings.

    Args:
        recordings: Table with one row per file.
        recipe: Recipe to train.
        out: Run folder.
        plan: Evaluation protocol.
        command: Command line, for the record.
        resume: Whether an existing run may be resumed.

    Raises:
        TrainingError: The folder contains another run, or one that may not be resumed.
    """
    plan = plan or Plan()
    texts = {"recipe.json": recipe.model_dump_json(indent=1), "plan.json": json.dumps(asdict(plan))}
    if (out / "recipe.json").exists():
        for name, text in texts.items():
            _check_same(out / name, text)
        if _read_table(out) != list_rows(recordings):
            raise TrainingError(f"'{out}' contains a run on other recordings; choose another folder.")
        if not resume:
            raise TrainingError(
                f"'{out}' already contains a run; add --resume to continue it, or choose another folder."
            )
        if (out / "recordings.csv").read_bytes() != _format_table(recordings):
            raise TrainingError(f"Pages have changed since the run in '{out}' began; choose another folder.")
    else:
        write_whole(out / "recordings.csv", _format_table(recordings))
        for name, text in reversed(texts.items()):
            write_whole(out / name, text.encode())
    with (out / "started.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(describe_origin(command)) + "\n")


@contextmanager
def lock_run(out: Path) -> Iterator[None]:
    """Lock a run folder, because two processes would overwrite each other's checkpoints.

    Raises:
        TrainingError: Another process trains in the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / "lock", blocking=False)
    try:
        with lock:
            try:
                yield
            finally:
                if [path.name for path in out.iterdir()] == ["lock"]:  # refused before any work
                    (out / "lock").unlink()
                    out.rmdir()
    except Timeout as error:
        raise TrainingError(f"Another process trains in '{out}'; wait for it, or choose another folder.") from error


def load_run(recordings: Recordings, out: Path) -> tuple[Recipe, Plan]:
    """Load the recipe and the plan of a run folder that was created for these recordings.

    Raises:
        TrainingError: The folder contains no run, or one of other recordings.
    """
    try:
        recipe = Recipe.model_validate_json((out / "recipe.json").read_bytes())
        plan = Plan(**parse_json((out / "plan.json").read_bytes()))
        table = _read_table(out)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"Expected a run folder of ecglens train, but '{out}' cannot be read as one.") from error
    if table != list_rows(recordings):
        raise TrainingError(
            f"The run in '{out}' was trained on other recordings; use the table that it was trained on."
        )
    return recipe, plan


def list_seeds(run: Path) -> list[int]:
    """List the seeds that a run was started with.

    Raises:
        TrainingError: The run has none.
    """
    names = (path.name.removeprefix("seed") for path in run.glob("seed*") if path.is_dir())
    seeds = sorted(int(name) for name in names if name.isdecimal())
    if not seeds:
        raise TrainingError(f"Expected a run folder of ecglens train with folds of a seed, got '{run}'.")
    return seeds


def list_digests(run: Path) -> frozenset[str]:
    """List the SHA-256 of each file that a run was made from.

    Raises:
        TrainingError: The folder contains no run.
    """
    try:
        with (run / "recordings.csv").open(newline="", encoding="utf-8") as stream:
            return frozenset(row["sha256"] for row in csv.DictReader(stream))
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise TrainingError(f"Expected a run folder of ecglens train, but '{run}' cannot be read as one.") from error


def check_labels(recordings: Recordings, recipe: Recipe) -> None:
    """Check that the table and the recipe have the same labels.

    Raises:
        TrainingError: One of them has a label that the other does not have.
    """
    unknown = sorted(set(recordings.labels) - set(recipe.labels))
    if unknown:
        raise TrainingError(
            f"The recordings have the label '{unknown[0]}', which is missing in the recipe; it has "
            f"{', '.join(recipe.labels)}. Change one of them."
        )
    missing = [label for label in recipe.labels if label not in recordings.labels]
    if missing:
        raise TrainingError(
            f"The recipe has the label '{missing[0]}', but no recording has it; leave it out with --set labels=[...]."
        )


def table_hash(recordings: Recordings) -> str:
    """Compute a hash of the table and of every file in it, independent of their folder.

    Raises:
        TrainingError: A file cannot be read.
    """
    return hashlib.sha256(_format_table(recordings)).hexdigest()[:16]


def _check_same(path: Path, text: str) -> None:
    """Check that a run's file has the requested content, or raise an error that names the differences."""
    stored = path.read_text(encoding="utf-8") if path.exists() else "{}"
    if stored == text:
        return
    try:
        before, now = _flat(parse_json(stored)), _flat(parse_json(text))
    except ValueError as error:
        raise TrainingError(f"'{path}' cannot be read; choose another folder.") from error
    changed_keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if not changed_keys:
        return
    differences = [
        f"{key} was {before.get(key, 'missing')} and is now {now.get(key, 'missing')}" for key in changed_keys[:4]
    ]
    more = f"; and {len(changed_keys) - 4} more" if len(changed_keys) > 4 else ""
    raise TrainingError(
        f"'{path.parent}' contains a run with another {path.stem} ({'; '.join(differences)}{more}); choose another "
        "folder."
    )


def _flat(document: dict[str, Any], before: str = "") -> dict[str, str]:
    """Return the values as text, by dotted key."""
    flat: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[before + key] = json.dumps(value)
    return flat


def list_rows(recordings: Recordings) -> list[tuple[str, ...]]:
    """List the rows of a table as a run stores them: each file's relative path, label, recording and group."""
    return [(key, row.label, row.recording, row.group) for key, row in zip(recordings.keys(), recordings, strict=True)]


def _format_table(recordings: Recordings) -> bytes:
    stream = io.StringIO()
    rows = zip(list_rows(recordings), recordings, strict=True)
    write_rows(stream, [(*_COLUMNS, "sha256"), *((*line, _hash(row.path)) for line, row in rows)])
    return stream.getvalue().encode()


def _read_table(out: Path) -> list[tuple[str, ...]]:
    with (out / "recordings.csv").open(newline="", encoding="utf-8") as stream:
        return [tuple(parse_cell(row[name]) for name in _COLUMNS) for row in csv.DictReader(stream)]


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise TrainingError(f"Expected the page '{path}', but it cannot be read: {error.strerror}.") from error
