"""Model folders: everything that is needed to use a model and to know what it is worth, in one place.

A folder holds ``model.json`` (this module's :class:`ModelCard`), ``model.onnx``, ``card.md`` for people and
``evaluation.json`` as the command that measured it wrote it. The hash of the graph stands in ``model.json``.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ecglens.errors import ModelError

__all__ = ["GRAPH_FILE", "SEEN_FILE", "FeatureMap", "ModelCard", "load_card", "save_card", "sha256_of"]

CARD_FILE = "model.json"
GRAPH_FILE = "model.onnx"
SEEN_FILE = "training_pages.npz"
"""Fingerprints of the pages that the model has learnt; see ``ecglens.datasets.duplicates.fingerprints``."""


class FeatureMap(BaseModel):
    """A last feature map among the graph's outputs, and how the logits come from it.

    The map is averaged over cells, with overlaps where they do not divide it (as torch's adaptive pooling does), its
    maxima may follow, and the linear layer's answer times ``factor`` is the map's part in the logits.

    Attributes:
        features: Output ``(rows, channels, height, width)``.
        weights: Output ``(labels, channels x cells)``, then as many columns as channels where there are maxima.
        cells: Down and across.
        maximum: Whether the maximum of each channel is read too.
        factor: Of this map's answer in the logits.
        step: From one unit of the map to the next, in pixels of the input ``page``, down and across.
        start: Centre of the first unit, from the centre of the input's first pixel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: str
    weights: str
    cells: tuple[int, int] = (1, 1)
    maximum: bool = False
    factor: float = 1.0
    step: tuple[float, float]
    start: tuple[float, float]


class ModelCard(BaseModel):
    """What a model is and how it is fed.

    Attributes:
        name: Short name, as used on the command line.
        version: Version of the weights.
        title: One line for people.
        labels: In the order of the graph's outputs.
        input: Recipe that turns a page into the graph's input; see ``ecglens.models.inputs``.
        temperature: The logits are divided by it before the softmax.
        abstain_below: Below this highest probability the answer is "cannot tell".
        parameters: Number of trained weights.
        trained_on: Data set and number of recordings.
        license: License of the weights.
        graph_sha256: Hash of ``model.onnx``.
        warnings: Sentences that stand beside every answer.
        feature_maps: Last feature maps that the graph tells beside its logits, for class maps; all of the answer comes
            from them. Empty where the model does not end in pooling and a linear layer.
        folder: Where the folder is; not stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]
    version: str
    title: str
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    input: dict[str, Any]
    temperature: Annotated[float, Field(gt=0)]
    abstain_below: Annotated[float, Field(ge=0, le=1)]
    parameters: int
    trained_on: str
    license: str
    graph_sha256: str
    warnings: tuple[str, ...] = ()
    feature_maps: tuple[FeatureMap, ...] = ()
    folder: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _labels_differ(self) -> "ModelCard":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from each other")
        return self


def load_card(folder: Path) -> ModelCard:
    """Read a model folder's card and check that the graph is the one that it describes.

    Raises:
        ModelError: A file is missing or not what it should be.
    """
    try:
        content = (folder / CARD_FILE).read_bytes()
        graph = sha256_of(folder / GRAPH_FILE)
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise ModelError(
            f"Expected a model folder with {CARD_FILE} and {GRAPH_FILE}, but {missing} cannot be read in '{folder}'."
        ) from error
    try:
        card = ModelCard.model_validate({**json.loads(content), "folder": folder})
    except (ValidationError, ValueError, TypeError) as error:
        raise ModelError(f"The card {CARD_FILE} in '{folder}' cannot be used: {_first_line(error)}.") from error
    if card.graph_sha256 != graph:
        raise ModelError(
            f"{GRAPH_FILE} in '{folder}' is not the graph that its card describes; export the model again."
        )
    return card


def save_card(card: ModelCard, folder: Path) -> None:
    """Write a model folder's card."""
    (folder / CARD_FILE).write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'content'}: {first['msg']}"
    return str(error).splitlines()[0]
