"""Training recipes: one TOML file describes everything that the training of a model depends on."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ecglens.documents import check_depth, parse_toml
from ecglens.errors import ModelError, TrainingError
from ecglens.faults import describe_fault
from ecglens.models.inputs import InputRecipe, TraceCanvas, dump_recipe, parse_recipe
from ecglens.render import DAMAGES

__all__ = [
    "Augmentation",
    "Damage",
    "Optimization",
    "Phase",
    "Recipe",
    "Selection",
    "change_recipe",
    "format_recipe",
    "load_recipe",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _parse_input(value: object) -> InputRecipe:
    if isinstance(value, InputRecipe):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("input", "expected a table with a kind")
    try:
        return parse_recipe(value)
    except ModelError as error:
        raise PydanticCustomError("input", "{reason}", {"reason": error.detail}) from error


class Augmentation(_Section):
    """Random changes of training pages; every amount is sampled uniformly between minus and plus its value.

    Attributes:
        rotate_deg: Rotation, in degrees.
        shift_right: Horizontal shift, as a share of half the width.
        shift_down: Vertical shift, as a share of half the height.
        stretch: Stretch of the time axis; 0.05 is 5 % slower or faster.
        grow: Stretch of the amplitude.
        shear: Shear of the page.
        brightness: Added brightness, as a share of the range from black to white.
        contrast: Change of the ink's contrast.
        noise: Standard deviation of the noise on the noisiest pages, in units of the input.
    """

    rotate_deg: Annotated[float, Field(ge=0, le=45)] = 0.0
    shift_right: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shift_down: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    grow: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shear: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    brightness: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    contrast: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    noise: Annotated[float, Field(ge=0)] = 0.0


class Damage(_Section):
    """Paper damage from ``ecglens.render``: more copies of each training page, which are stored in the cache.

    Attributes:
        copies: Number of copies of each page.
        kinds: Kinds of damage; each copy gets one of them.
        strength: Largest strength; the strength of each copy is sampled up to it.
    """

    copies: Annotated[int, Field(ge=0, le=20)] = 0
    kinds: tuple[str, ...] = ("rotation", "uneven-light", "blur", "noise", "jpeg")
    strength: Annotated[float, Field(gt=0, le=1)] = 0.3

    @field_validator("kinds")
    @classmethod
    def _kinds_exist(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [kind for kind in kinds if kind not in DAMAGES]
        if unknown or not kinds:
            raise ValueError(f"expected kinds out of {', '.join(DAMAGES)}, got {', '.join(unknown) or 'none'}")
        return kinds


class Optimization(_Section):
    """Settings of the optimization.

    Attributes:
        optimizer: ``"adamw"``, ``"adam"`` or ``"sgd"`` (with Nesterov momentum 0.9).
        schedule: Schedule of the learning rate: ``"one_cycle"`` (Smith and Topin, arXiv 1708.07120), ``"cosine"`` to
            zero, or ``"constant"``.
        epochs: Number of passes over the training pages.
        batch_size: Rows per step, over all processes together; a page is one row, or one row per lead for models that
            read leads.
        learning_rate: Highest learning rate.
        weight_decay: Decoupled weight decay for AdamW, an L2 penalty otherwise.
        warmup: Share of the steps in which the learning rate rises, for ``"one_cycle"``.
        label_smoothing: Share of each target that is spread over all labels.
        clip_norm: Largest norm of the gradient; longer gradients are scaled down to it.
        precision: Number type of the forward pass; ``"auto"`` is bfloat16 if the device has instructions for it and
            float32 elsewhere, ``"float16"`` needs a GPU.
        balance: Compensation for rare labels: ``"class_weights"`` weights the loss, ``"sampling"`` samples all labels
            equally often, ``"repeat"`` repeats rows of rarer labels until all labels have the same number (each
            repetition is augmented differently). All affect the training side only.
    """

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    schedule: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    balance: Literal["none", "class_weights", "sampling", "repeat"] = "none"


class Selection(_Section):
    """Inner split of the training side, by which a run stops early and selects its weights.

    Attributes:
        fraction: Share of the training side that is held out; 0 selects nothing and trains all epochs.
        metric: Metric to monitor: the loss, where lower is better, or an accuracy, where higher is better.
        patience: Epochs without a better value after which the training stops; ``None`` never stops.
        keep: Epoch whose weights are used: the ``"best"`` or the ``"last"`` one.
    """

    fraction: Annotated[float, Field(ge=0, lt=0.6)] = 0.0
    metric: Literal["loss", "accuracy", "balanced_accuracy"] = "loss"
    patience: Annotated[int, Field(ge=1)] | None = None
    keep: Literal["best", "last"] = "last"

    @model_validator(mode="after")
    def _has_pages_to_choose_by(self) -> "Selection":
        if self.fraction == 0 and (self.patience is not None or self.keep == "best"):
            raise ValueError("stopping early and keeping the best epoch need a fraction above 0")
        return self


class Phase(_Section):
    """Phase of a training run that changes which weights are trained, such as a frozen backbone at first.

    Attributes:
        epochs: Number of epochs of this phase.
        trunk: Share of the backbone's weight tensors that are trained, counted from its end: 0 freezes it, 1 trains
            all.
        learning_rate: Highest learning rate; the recipe's if it is missing.
    """

    epochs: Annotated[int, Field(ge=1)]
    trunk: Annotated[float, Field(ge=0, le=1)] = 1.0
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class Recipe(_Section):
    """Recipe of a training run: model, input and training.

    Attributes:
        model: Name of a model in the zoo or in timm.
        title: One-line description.
        labels: Labels in the order of the model's outputs.
        options: Keyword arguments of the model.
        start: Model or run whose weights the training starts from; random or pretrained ones where it is empty.
        test_fraction: Share of the files that the as-published protocol holds out.
        input: Input recipe, from page to array.
        optimization: Settings of the optimization.
        selection: Selection of an epoch.
        phases: Phases in place of ``optimization.epochs``, if the training has several.
        augmentation: Random changes, sampled each time that a row is used.
        damage: Damaged copies of training pages.
    """

    model: str
    title: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    options: dict[str, Any] = {}
    start: str = ""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    input: Annotated[InputRecipe, PlainValidator(_parse_input), PlainSerializer(dump_recipe)] = TraceCanvas()
    optimization: Optimization = Optimization()
    selection: Selection = Selection()
    phases: tuple[Phase, ...] = ()
    augmentation: Augmentation = Augmentation()
    damage: Damage = Damage()

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if not all(label.strip() for label in labels):
            raise ValueError("expected labels that are not blank, got one that is")
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"expected labels that differ from each other, got '{twice}' twice; leave one out")
        return labels

    @property
    def course(self) -> tuple[Phase, ...]:
        """Phases, or the single phase that the optimization describes."""
        return self.phases or (Phase(epochs=self.optimization.epochs),)


def load_recipe(path: Path, *, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe; all errors in it are reported at once.

    Args:
        path: TOML file.
        changes: Changes such as ``optimization.epochs=5``, with a dotted key and a TOML value; a value that is not TOML
            is read as text.

    Raises:
        TrainingError: The file cannot be read or a value cannot be used.
    """
    try:
        document = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"Expected a recipe file, but '{path}' cannot be read.") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise TrainingError(f"The recipe '{path.name}' cannot be read as TOML: {error}.") from error
    for change in changes:
        _apply_change(document, change)
    return _validate(document, f"'{path.name}'")


def change_recipe(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return a copy of a recipe with other values.

    Args:
        recipe: Recipe to copy.
        values: New values by dotted key, such as ``optimization.epochs``.

    Raises:
        TrainingError: A value cannot be used.
    """
    document = recipe.model_dump()
    for key, value in values.items():
        _set_value(document, key, value)
    return _validate(document, "with these changes")


def format_recipe(recipe: Recipe) -> str:
    """Format a recipe as TOML."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


def _validate(document: dict[str, Any], name: str) -> Recipe:
    try:
        check_depth(document)  # changes by dotted key may make it deeper than its file
        return Recipe.model_validate(document)
    except ValueError as error:
        faults = "; ".join(map(_describe_error, error.errors())) if isinstance(error, ValidationError) else str(error)
        raise TrainingError(f"The recipe {name} cannot be used: {faults}.") from error


def _describe_error(fault: Mapping[str, Any]) -> str:
    """Describe an error and its location; for an unknown key, suggest the most similar one."""
    place = [str(part) for part in fault["loc"]]
    message = describe_fault(fault)
    if fault["type"] == "extra_forbidden":
        *sections, key = place
        keys = _keys_of(sections)
        similar_keys = difflib.get_close_matches(key, keys, n=1)
        message = (
            f"there is no such key; did you mean {similar_keys[0]}?"
            if similar_keys
            else f"expected one of {', '.join(keys)}"
        )
    return f"{'.'.join(place)}: {message}" if place else message


def _keys_of(sections: Sequence[str]) -> list[str]:
    kinds: dict[str, type[BaseModel]] = {
        "optimization": Optimization,
        "selection": Selection,
        "augmentation": Augmentation,
        "damage": Damage,
        "phases": Phase,
    }
    named = [kinds[section] for section in sections if section in kinds]
    return list((named[-1] if named else Recipe).model_fields)


def _apply_change(document: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise TrainingError(f"Expected a change as KEY=VALUE, such as optimization.epochs=5, got '{change}'.")
    try:
        value = parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = text
    _set_value(document, key.strip(), value)


def _set_value(document: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise TrainingError(f"Expected sections before '{last}' in '{key}', but '{section}' is a value.")
    place[last] = value
