"""Training recipes: one TOML file says everything that a run depends on."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecglens.errors import TrainingError
from ecglens.models.inputs import TraceCanvas

__all__ = ["Augmentation", "Optimization", "Recipe", "load_recipe"]


class Augmentation(BaseModel):
    """What a training page may be changed by; every amount is drawn evenly between minus and plus its value.

    Attributes:
        shift_right: Share of half the width.
        shift_down: Share of half the height.
        stretch: Of time; 0.05 is 5 % slower or faster.
        grow: Of amplitude.
        shear: Of the page.
        contrast: Of the ink.
        noise: Standard deviation of the noisiest pages, in units of the input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift_right: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shift_down: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    grow: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shear: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    contrast: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    noise: Annotated[float, Field(ge=0)] = 0.0


class Optimization(BaseModel):
    """AdamW with one cycle of the learning rate (Smith and Topin, arXiv 1708.07120)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    bfloat16: bool = True


class Recipe(BaseModel):
    """A model, its input and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    title: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    options: dict[str, Any] = {}
    input: TraceCanvas = TraceCanvas()
    optimization: Optimization = Optimization()
    augmentation: Augmentation = Augmentation()


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; all that is wrong in it is reported at once.

    Raises:
        TrainingError: The file cannot be read or a value cannot be used.
    """
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TrainingError(f"Expected a recipe file, but '{path}' cannot be read.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise TrainingError(f"The recipe '{path.name}' cannot be used: {faults}.") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise TrainingError(f"The recipe '{path.name}' is not TOML: {error}.") from error
