"""Search for the hyperparameters of a recipe with Optuna, without using test pages; a study can be resumed.

A trial trains on one part of the training side and is evaluated on the other, both of the inner split. If the resulting
recipe is evaluated under the honest protocol on the same recordings, search on the training side of one fold only
(``fold``). Otherwise the recipe was chosen on the pages on which it is evaluated.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ecglens.datasets import splits
from ecglens.datasets.recordings import Recordings
from ecglens.datasets.splits import Fold
from ecglens.documents import parse_toml
from ecglens.errors import TrainingError
from ecglens.extras import require
from ecglens.faults import describe_fault
from ecglens.models.train.checkpoint import write_whole
from ecglens.models.train.folder import check_labels, list_rows
from ecglens.models.train.loop import train
from ecglens.models.train.prepared import Prepared
from ecglens.models.train.recipe import Recipe, change_recipe, format_recipe
from ecglens.models.train.run import RunContext, build_model, prepare_rows

__all__ = ["Range", "SearchResult", "Space", "load_space", "search"]

_BEST, _STUDY = "best.toml", "study.db"
_FIXED = ("input", "labels", "damage")


class Range(BaseModel):
    """Range of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: float | int
    high: float | int
    log: bool = False

    @model_validator(mode="after")
    def _ends_in_order(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be less than high, and above 0 where log is true")
        return self


Space = Mapping[str, Range | list[Any]]
"""Numbers or values to try, by dotted key of a recipe."""

_SPACE: TypeAdapter[dict[str, Range | Annotated[list[Any], Field(min_length=1)]]] = TypeAdapter(
    dict[str, Range | Annotated[list[Any], Field(min_length=1)]]
)
DEFAULT_SPACE: Space = {
    "optimization.learning_rate": Range(low=1e-4, high=1e-2, log=True),
    "optimization.weight_decay": Range(low=1e-4, high=1e-1, log=True),
    "optimization.label_smoothing": Range(low=0.0, high=0.2),
    "optimization.batch_size": [8, 16, 32],
}


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of a search.

    Attributes:
        trials: Number of finished trials.
        value: Metric of the best trial, averaged over the inner splits.
        changes: Values of the best trial by dotted key.
    """

    trials: int
    value: float
    changes: Mapping[str, Any]


def load_space(path: Path) -> Space:
    """Read a search space: a TOML file of dotted keys, each with a list of values or ``{low=, high=, log=}``.

    Raises:
        TrainingError: The file cannot be read or is not a search space.
    """
    try:
        return _SPACE.validate_python(_flat(parse_toml(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise TrainingError(f"Expected a file with a search space, but '{path}' cannot be read.") from error
    except (ValidationError, ValueError) as error:
        first = describe_fault(error.errors()[0]) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise TrainingError(
            f"Expected lines such as 'optimization.learning_rate = {{low = 1e-4, high = 1e-2, log = true}}' or "
            f"'optimization.batch_size = [8, 16]' in '{path.name}', but: {first}."
        ) from error


def search(
    recordings: Recordings,
    recipe: Recipe,
    out: Path,
    *,
    context: RunContext,
    space: Space = DEFAULT_SPACE,
    trials: int = 20,
    repeats: int = 2,
    metric: Literal["loss", "accuracy", "balanced_accuracy"] = "loss",
    seed: int = 0,
    fold: tuple[int, int] | None = None,
) -> SearchResult:
    """Search for the best values of a recipe; an existing study in the folder is continued up to the number of trials.

    Args:
        recordings: Table with one row per file; copies are left out.
        recipe: Recipe to change.
        out: Folder of the study; ``best.toml`` in it is the recipe with the best values.
        context: Devices, cache and listener of the run.
        space: Values to try.
        trials: Total number of trials.
        repeats: Number of inner splits on which each trial is trained and evaluated.
        metric: Metric to optimize, on the inner splits.
        seed: Seed of the sampler, the splits and the weights.
        fold: ``(seed, number)`` of the only fold of the honest protocol whose training side is used.

    Returns:
        The best values.

    Raises:
        TrainingError: The folder contains another study, or no trial finished.
    """
    optuna = require("optuna", extra="train")
    fixed = [key for key in space if key.partition(".")[0] in _FIXED]
    if fixed:
        raise TrainingError(f"Expected settings of the training to search, but '{fixed[0]}' changes the training data.")
    optuna.logging.set_verbosity(logging.WARNING)
    check_labels(recordings, recipe)
    change_recipe(
        recipe, {key: choices.low if isinstance(choices, Range) else choices[0] for key, choices in space.items()}
    )
    rows = recordings.canonical_indices()
    if fold is not None:
        folds = splits.honest(recordings, seed=fold[0])
        if not 0 <= fold[1] < len(folds):
            raise TrainingError(f"Expected a fold from 0 to {len(folds) - 1}, got {fold[1]}.")
        rows = folds[fold[1]].train
    parts = [_inner(recordings, recipe, Fold(rows, np.empty(0, np.intp)), seed=seed + n) for n in range(repeats)]
    settings = {
        "recipe": recipe.model_dump(mode="json"),
        "recordings": hashlib.sha256(json.dumps(list_rows(recordings)).encode()).hexdigest(),
        "space": _plain(space),
        "metric": metric,
        "repeats": repeats,
        "fold": fold,
    }
    out.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="ecglens",
        storage=f"sqlite:///{out / _STUDY}",
        direction="minimize" if metric == "loss" else "maximize",
        load_if_exists=True,
    )
    _check_same(study, settings, out)
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.trials)
    )  # the same seed would propose the same values again
    prepared = prepare_rows(recordings, recipe, rows, context)

    def value(trial: Any) -> float:
        trial_recipe = change_recipe(recipe, _suggest_values(trial, space))
        values = []
        for number, part in enumerate(parts):
            context.listener.stage(f"trial {trial.number + 1} of {trials}, part {number + 1} of {repeats}")
            try:
                values.append(_value(prepared, trial_recipe, part, metric, context, seed=seed + number))
            except TrainingError as error:
                context.listener.line(f"trial {trial.number + 1} failed: {error}")
                raise optuna.TrialPruned from error
        mean = float(np.mean(values))
        context.listener.line(f"trial {trial.number + 1}: {metric} {mean:.4f} with {json.dumps(trial.params)}")
        return mean

    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(done) < trials:
        study.optimize(value, n_trials=trials - len(done))
    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if not done:
        raise TrainingError(
            f"None of the trials in '{out}' finished; narrow the search space, such as the learning rate."
        )
    write_whole(out / _BEST, format_recipe(change_recipe(recipe, study.best_params)).encode())
    return SearchResult(len(done), float(study.best_value), dict(study.best_params))


def _inner(recordings: Recordings, recipe: Recipe, fold: Fold, *, seed: int) -> Fold:
    learn, choose = splits.inner(recordings, fold, seed=seed, fraction=recipe.selection.fraction or 0.2)
    return Fold(learn, choose)


def _value(prepared: Prepared, recipe: Recipe, part: Fold, metric: str, context: RunContext, *, seed: int) -> float:
    """Train on one side and evaluate on the other: the last epoch, or the best one if the recipe selects it."""
    model = build_model(recipe, seed=seed).to(context.world.device)
    learn, choose = prepared.samples(part.train, damaged=True), prepared.samples(part.test)
    with TemporaryDirectory() as folder:
        history = train(
            model,
            learn,
            choose,
            recipe,
            seed=seed,
            folder=Path(folder),
            world=context.world,
            on_step=context.listener.steps,
        )
    values = [float(row[f"validation_{metric}"] or 0.0) for row in history]
    if recipe.selection.keep == "last":
        return values[-1]
    return min(values) if metric == "loss" else max(values)


def _suggest_values(trial: Any, space: Space) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, choices in space.items():
        if not isinstance(choices, Range):
            values[key] = trial.suggest_categorical(key, choices)
        elif isinstance(choices.low, int) and isinstance(choices.high, int):
            values[key] = trial.suggest_int(key, choices.low, choices.high, log=choices.log)
        else:
            values[key] = trial.suggest_float(key, choices.low, choices.high, log=choices.log)
    return values


def _check_same(study: Any, settings: Mapping[str, Any], out: Path) -> None:
    text = json.dumps(settings, sort_keys=True)
    stored = study.user_attrs.get("asked")
    if stored is None:
        study.set_user_attr("asked", text)
    elif stored != text:
        raise TrainingError(
            f"'{out}' contains a study of another recipe, table, search space or metric; choose another folder."
        )


def _plain(space: Space) -> dict[str, Any]:
    return {key: choices.model_dump() if isinstance(choices, Range) else choices for key, choices in space.items()}


def _flat(document: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict) and not {"low", "high"} <= set(value):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[before + key] = value
    return flat
