"""Model folders: everything that is needed to use a model and to judge it, in one place.

A folder contains ``model.json`` (a :class:`ModelCard`), ``model.onnx``, ``card.md`` for people, and the
``evaluation.json`` of the command that evaluated the model. ``model.json`` has the hash of the graph.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ecglens.documents import parse_json
from ecglens.errors import ModelError
from ecglens.faults import describe_struct_faults

__all__ = [
    "FINGERPRINTS_FILE",
    "GRAPH_FILE",
    "FeatureMap",
    "ModelCard",
    "SetLimits",
    "load_card",
    "save_card",
    "sha256_of",
]

CARD_FILE = "model.json"
GRAPH_FILE = "model.onnx"
_OLD_FIELDS = {"licence": "license"}  # codespell:ignore licence
FINGERPRINTS_FILE = "training_pages.npz"
"""Fingerprints of the pages that the model was trained on; see ``ecglens.datasets.duplicates.fingerprints``."""


Line = Annotated[str, Meta(pattern=r"\S", description="a text that is not blank")]
Temperature = Annotated[float, Meta(ge=0.01, le=100)]
"""Fitted temperatures are in [0.05, 20]; far beyond, logits overflow or vanish."""


class FeatureMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A last feature map among the graph's outputs, and its part in the logits.

    The map is averaged over cells, with overlaps where they do not divide it (as torch's adaptive pooling does), its
    maxima may follow, and the output of the linear layer times ``factor`` is added to the logits.

    Attributes:
        features: Output ``(rows, channels, height, width)``.
        weights: Output ``(labels, channels x cells)``, then as many columns as channels where there are maxima.
        cells: Number of cells, down and across.
        maximum: Whether the maximum of each channel is read too.
        factor: Weight of this map in the logits.
        step: From one unit of the map to the next, in pixels of the input ``page``, down and across.
        start: Center of the first unit, from the center of the input's first pixel.
    """

    features: str
    weights: str
    cells: tuple[int, int] = (1, 1)
    maximum: bool = False
    factor: float = 1.0
    step: tuple[float, float]
    start: tuple[float, float]


class SetLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a label's conformal set (Vovk et al., DOI 10.1007/b106715), fitted with those who have it and others.

    Attributes:
        yes_from: From this probability on, "yes" is in the set.
        no_to: Up to this probability, "no" is in the set.
    """

    yes_from: Annotated[float, Meta(ge=0, le=1)]
    no_to: Annotated[float, Meta(ge=0, le=1)]


class ModelCard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Description of a model and of its input.

    Attributes:
        name: Short name, as used on the command line.
        version: Version of the weights.
        title: Title of the model, one line.
        labels: Labels in the order of the graph's outputs.
        input: Recipe that turns a page into the graph's input; see ``ecglens.models.inputs``.
        temperature: The logits are divided by it before the softmax or the logistic function.
        several: Whether several labels may hold, each with its own probability; otherwise exactly one does.
        label_temperatures: One for each label in place of ``temperature``, for models of several labels.
        set_limits: Limits of each label's conformal set, for models of several labels.
        abstain_below: Below this highest probability the model abstains.
        parameters: Number of trained weights.
        trained_on: Data set and number of recordings.
        license: License of the weights.
        graph_sha256: Hash of ``model.onnx``.
        warnings: Sentences that are shown with every prediction.
        feature_maps: Last feature maps among the outputs of the graph, for class maps; the logits come from them alone.
            Empty where the model does not end in pooling and a linear layer.
        folder: Path of the model folder; not stored.
    """

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$",
            description="letters, digits, '_', '.', '+' and '-', a letter or digit first",
        ),
    ]
    version: Line
    title: Line
    labels: Annotated[tuple[Line, ...], Meta(min_length=2)]
    input: dict[str, Any]
    temperature: Temperature
    abstain_below: Annotated[float, Meta(ge=0, le=1)]
    parameters: Annotated[int, Meta(ge=0)]
    trained_on: Line
    license: Line
    graph_sha256: str
    warnings: tuple[str, ...] = ()
    feature_maps: tuple[FeatureMap, ...] = ()
    several: bool = False
    label_temperatures: tuple[Temperature, ...] = ()
    set_limits: tuple[SetLimits, ...] = ()
    folder: Path = Path()

    def __repr__(self) -> str:
        """Return the model in one line, for lists of models; its recipe and limits take pages."""
        return f"ModelCard({self.name} {self.version}: {', '.join(self.labels)})"

    def __post_init__(self) -> None:
        """Refuse labels that do not differ, and temperatures or limits that do not fit them.

        Raises:
            ValueError: They do not.
        """
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from each other")
        for name in ("label_temperatures", "set_limits"):
            if len(getattr(self, name)) not in {0, len(self.labels) if self.several else 0}:
                raise ValueError(f"{name} must be empty, or one for each label of a model of several")


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
    card = msgspec.structs.replace(_parse_card(content, f"The card {CARD_FILE} in '{folder}'"), folder=folder)
    if card.graph_sha256 != graph:
        raise ModelError(
            f"{GRAPH_FILE} in '{folder}' is not the graph that its card describes; export the model again."
        )
    return card


def save_card(card: ModelCard, folder: Path) -> None:
    """Write a model folder's card.

    Raises:
        ModelError: A field has a value that :func:`load_card` refuses.
    """
    document = {name: getattr(card, name) for name in card.__struct_fields__ if name != "folder"}
    content = json.dumps(document, indent=2, default=msgspec.to_builtins) + "\n"
    _parse_card(content.encode(), "The model's card")
    (folder / CARD_FILE).write_text(content, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parse_card(content: bytes, name: str) -> ModelCard:
    try:
        document = parse_json(content, allow_nan=False, allow_surrogates=False)
    except ValueError as error:
        raise ModelError(f"{name} cannot be used: it is damaged or no JSON; export the model again.") from error
    if isinstance(document, dict):
        document = {_OLD_FIELDS.get(name, name): value for name, value in document.items()}
    try:
        return msgspec.convert(document, ModelCard)
    except msgspec.ValidationError as error:
        raise ModelError(f"{name} cannot be used: {describe_struct_faults(document, ModelCard, error)}.") from error
