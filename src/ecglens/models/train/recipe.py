"""Training recipes: one TOML file says everything that a model's training depends on."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ecglens.errors import TrainingError
from ecglens.models.inputs import InputRecipe, TraceCanvas
from ecglens.render import DAMAGES

__all__ = [
    "Augmentation",
    "Damage",
    "Optimization",
    "Phase",
    "Recipe",
    "Selection",
    "change_recipe",
    "load_recipe",
    "format_recipe",
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Augmentation(_Section):
    """What a training page may be changed by; every amount is drawn evenly between minus and plus its value.

    Attributes:
        rotate_deg: Turn, in degrees.
        shift_right: Share of half the width.
        shift_down: Share of half the height.
        stretch: Of time; 0.05 is 5 % slower or faster.
        grow: Of amplitude.
        shear: Of the page.
        brightness: Added, as a share of the range from black to white.
        contrast: Of the ink.
        noise: Standard deviation of the noisiest pages, in units of the input.
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
    """Paper damage from ``ecglens.render``: further copies of each training page, made once and kept in the cache.

    Attributes:
        copies: How many of each page.
        kinds: Of damage; each copy gets one of them.
        strength: The strongest; each copy draws its own up to it.
    """

    copies: Annotated[int, Field(ge=0, le=20)] = 0
    kinds: tuple[str, ...] = ("rotation", "uneven-light", "blur", "noise", "jpeg")
    strength: Annotated[float, Field(gt=0, le=1)] = 0.3

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [kind for kind in kinds if kind not in DAMAGES]
        if unknown or not kinds:
            raise ValueError(f"expected kinds out of {', '.join(DAMAGES)}, got {', '.join(unknown) or 'none'}")
        return kinds


class Optimization(_Section):
    """How the weights are fitted.

    Attributes:
        optimizer: ``"adamw"``, ``"adam"`` or ``"sgd"`` (with Nesterov momentum 0.9).
        schedule: Of the learning rate: ``"one_cycle"`` (Smith and Topin, arXiv 1708.07120), ``"cosine"`` to zero, or
            ``"constant"``.
        epochs: How often each training page is seen.
        batch_size: Rows a step, over all processes together; a page is one row, or one a lead for per-lead models.
        learning_rate: The highest.
        weight_decay: Decoupled for AdamW, a penalty otherwise.
        warmup: Share of the steps in which the rate rises, for ``"one_cycle"``.
        label_smoothing: Share of each target that is spread over all labels.
        clip_norm: Longer gradients are cut to this length.
        precision: Of the forward pass; ``"auto"`` is bfloat16 where the device has instructions for it and float32
            elsewhere, ``"float16"`` needs a GPU.
        balance: Against rare labels: ``"class_weights"`` weighs the loss, ``"sampling"`` draws each label as often as
            the others, ``"repeat"`` shows rows of rarer labels again until all have as many (each time augmented
            anew). All concern the training side only.
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
    """The inner split of the training side, by which a run stops early and chooses its weights.

    Attributes:
        fraction: Share of the training side that is held out for it; 0 chooses nothing and trains all epochs.
        metric: What is followed: the loss, which falls, or a share of right answers, which rises.
        patience: Epochs without a better value after which the training stops; ``None`` never stops.
        keep: The weights of the ``"best"`` epoch or of the ``"last"``.
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
    """One stretch of a training that changes what is learnt, such as a frozen backbone first.

    Attributes:
        epochs: Of this phase.
        trunk: Share of the backbone's weight tensors that learn, counted from its end: 0 freezes it, 1 trains all.
        learning_rate: The highest; the recipe's where it is missing.
    """

    epochs: Annotated[int, Field(ge=1)]
    trunk: Annotated[float, Field(ge=0, le=1)] = 1.0
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class Recipe(_Section):
    """A model, its input and how it is trained.

    Attributes:
        model: Name in the zoo, or of a timm model.
        title: One line for people.
        labels: In the order of the model's outputs.
        options: Of the model.
        test_fraction: Share of the files that the as-published protocol holds out.
        input: From page to array.
        optimization: How the weights are fitted.
        selection: How the run chooses among its epochs.
        phases: In place of ``optimization.epochs``, where the training has several.
        augmentation: Drawn anew each time that a row is seen.
        damage: Further copies of training pages.
    """

    model: str
    title: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    options: dict[str, Any] = {}
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    input: InputRecipe = TraceCanvas()
    optimization: Optimization = Optimization()
    selection: Selection = Selection()
    phases: tuple[Phase, ...] = ()
    augmentation: Augmentation = Augmentation()
    damage: Damage = Damage()

    @property
    def course(self) -> tuple[Phase, ...]:
        """The phases, or the one that the optimization describes."""
        return self.phases or (Phase(epochs=self.optimization.epochs),)


def load_recipe(path: Path, *, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe; all that is wrong in it is reported at once.

    Args:
        path: A TOML file.
        changes: ``KEY=VALUE`` each, the key dotted as in ``optimization.epochs=5``, the value as TOML writes it; a
            value that is no TOML is taken as text.

    Raises:
        TrainingError: The file cannot be read or a value cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"Expected a recipe file, but '{path}' cannot be read.") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise TrainingError(f"The recipe '{path.name}' is not TOML: {error}.") from error
    for change in changes:
        _set(document, change)
    return _valid(document, f"'{path.name}'")


def change_recipe(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with other values.

    Args:
        recipe: It stays as it is.
        values: By dotted key, such as ``optimization.epochs``.

    Raises:
        TrainingError: A value cannot be used.
    """
    document = recipe.model_dump()
    for key, value in values.items():
        _put(document, key, value)
    return _valid(document, "that was changed")


def format_recipe(recipe: Recipe) -> str:
    """A recipe as TOML."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))


def _valid(document: dict[str, Any], name: str) -> Recipe:
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_fault([str(part) for part in fault["loc"]], fault["msg"]) for fault in error.errors())
        raise TrainingError(f"The recipe {name} cannot be used: {faults}.") from error


def _fault(place: list[str], message: str) -> str:
    """Where it is and what is wrong; for a key that nothing knows, the one that is spelled most like it."""
    *sections, key = place
    if message == "Extra inputs are not permitted":
        known = _keys_of(sections)
        near = difflib.get_close_matches(key, known, n=1)
        message = f"there is no such key; did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
    return f"{'.'.join(place)}: {message}"


def _keys_of(sections: Sequence[str]) -> list[str]:
    kinds: dict[str, type[BaseModel]] = {
        "optimization": Optimization,
        "selection": Selection,
        "augmentation": Augmentation,
        "damage": Damage,
        "phases": Phase,
        **{kind.model_fields["kind"].default: kind for kind in get_args(get_args(InputRecipe)[0])},
    }
    named = [kinds[section] for section in sections if section in kinds]
    return list((named[-1] if named else Recipe).model_fields)


def _set(document: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise TrainingError(f"Expected a change as KEY=VALUE, such as optimization.epochs=5, but got '{change}'.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        value = text
    _put(document, key.strip(), value)


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = document
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise TrainingError(f"Expected sections before '{last}' in '{key}', but '{section}' holds a value.")
    place[last] = value
