"""A Keras classifier becomes a model folder (extra ``keras``).

Keras runs on torch here, so that its model is exported as every other is. A file's own code is never run: the layers
are looked through before Keras sees them, and Keras loads in its safe mode.
"""

import json
import os
import shutil
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ecglens.errors import ModelError
from ecglens.extras import require
from ecglens.models.cards import GRAPH_FILE, ModelCard, save_card, sha256_of
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import InputRecipe, LeadCrops, PageImage, parse_recipe

__all__ = ["import_keras"]

_SUFFIXES = (".keras", ".h5", ".hdf5")
_LAYERS_OF_CODE = {"Lambda", "TFOpLambda", "SlicingOpLambda", "__lambda__"}
_PARTS = {
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "models",
    "quantizers",
    "random",
    "regularizers",
}
_DEFAULTS_GONE: dict[str, dict[str, Any]] = {
    "DepthwiseConv2D": {"groups": 1},
    "GRU": {"time_major": False},
    "LSTM": {"time_major": False},
}
"""Arguments of layers that Keras 2 wrote and Keras 3 does not know, with the only value that it still means."""
_CONFIG = "config.json"
_CAUSE = "Exception encountered: "
_PROBES = 4
_LEAST = 1e-37
_UNMEASURED = "ecglens did not measure or calibrate this model; its probabilities are as its authors left them."


def import_keras(
    file: Path,
    folder: Path,
    *,
    labels: Sequence[str],
    title: str,
    licence: str,
    recipe: Mapping[str, Any],
    flip_colors: bool = False,
    version: str = "1.0",
    trained_on: str = "not told",
    notes: Sequence[str] = (),
) -> ModelCard:
    """Turn a classifier that Keras saved into a model folder; an older one in it is replaced.

    Args:
        file: ``.keras``, or HDF5 with the whole model, of Keras 2 or 3.
        folder: Where to write; its name is the model's.
        labels: In the order of the model's outputs.
        title: One line for people.
        licence: Of the weights.
        recipe: Of kind ``page_image`` or ``lead_crops``; width, height and channels are the model's where left out.
        flip_colors: The model reads blue first, as the ImageNet weights of Keras' ResNet50 and VGG16 do; ``mean`` and
            ``std`` are still those of red, green and blue.
        version: Of the weights.
        trained_on: One sentence on the data.
        notes: Sentences that stand beside every answer.

    Returns:
        The card of the folder.

    Raises:
        ModelError: The file is no such classifier, holds code, or does not fit the recipe or the labels.
        MissingExtraError: Keras is not installed.
    """
    config = _config(file)
    _check_code(config, file)
    with _keras().device("cpu"):
        model = _load(file, config)
        size, channels_first = _input_of(model, file)
        chosen = parse_recipe({**size, **recipe})
        if not isinstance(chosen, PageImage | LeadCrops):
            raise ModelError(f"Expected an input recipe of kind page_image or lead_crops, but got {chosen.kind}.")
        _check_size(chosen, size)
        classifier = _Classifier(model, chosen, channels_first=channels_first, flip_colors=flip_colors)
        _check_answers(classifier, chosen, labels)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
            part = Path(name)
            write_graph(classifier, chosen.shapes, part / GRAPH_FILE)
            check_graph(classifier, part / GRAPH_FILE, {"page": _probes(chosen).numpy()})
            card = _card(folder.name, part, chosen, model, labels, title, licence, version, trained_on, notes)
            save_card(card, part)
            (part / "card.md").write_text(_card_text(card, file.name), encoding="utf-8")
            folder.mkdir(exist_ok=True)
            for path in part.iterdir():
                os.replace(path, folder / path.name)
    return card.model_copy(update={"folder": folder})


class _Classifier(nn.Module):
    """A Keras model that reads a row of ecglens and answers logits."""

    def __init__(self, model: Any, recipe: InputRecipe, *, channels_first: bool, flip_colors: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_first, self.flip_colors = channels_first, flip_colors
        self.outputs, self.shares = 0, False
        self.eval()
        with torch.inference_mode():
            self._learn_answers(_probes(recipe))

    def forward(self, page: Tensor) -> Tensor:
        answers = self._answers(page)
        if not self.shares:
            return answers
        if self.outputs == 1:
            answers = torch.cat([1 - answers, answers], dim=1)
        return torch.log(answers.clamp_min(_LEAST))

    def _answers(self, page: Tensor) -> Tensor:
        pixels = page.flip(1) if self.flip_colors else page
        answers: Tensor = self.model(pixels if self.channels_first else pixels.permute(0, 2, 3, 1), training=False)
        return answers

    def _learn_answers(self, probes: Tensor) -> None:
        """Whether the answers are probabilities, as one sigmoid or as a softmax; logits otherwise."""
        answers = self._answers(probes)
        if answers.ndim != 2:
            raise ModelError(f"Expected a classifier with one answer a label, but it answers {tuple(answers.shape)}.")
        self.outputs = answers.shape[1]
        sums = answers.sum(dim=1)
        shared = self.outputs == 1 or bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
        self.shares = bool(answers.min() >= 0 and answers.max() <= 1) and shared


def _check_code(config: Any, file: Path) -> None:
    """Refuse a file whose layers are not all Keras' own."""
    for name, kind, module in _objects(config):
        if kind in _LAYERS_OF_CODE or not _is_kerass_own(module):
            raise ModelError(
                f"'{file.name}' holds code of its own ({kind} '{name}'), which is not run; build the model from Keras' "
                "own layers and save it again."
            )


def _config(file: Path) -> Any:
    """The model's description as the file holds it."""
    if file.suffix.lower() not in _SUFFIXES:
        raise ModelError(f"Expected a Keras file ({', '.join(_SUFFIXES)}), but got '{file.name}'.")
    h5py = require("h5py", extra="keras")
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return json.loads(archive.read(_CONFIG))
        with h5py.File(file, "r") as stored:
            config = stored.attrs.get("model_config")
            if config is not None:
                return json.loads(config)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"Expected a model that Keras saved, but '{file.name}' cannot be read as one.") from error
    raise ModelError(f"'{file.name}' holds weights without their model; save the whole model with model.save.")


def _objects(config: Any) -> Iterator[tuple[str, str, str]]:
    """Name, class and module of everything that a description builds, its training aside."""
    if isinstance(config, list):
        for part in config:
            yield from _objects(part)
    elif isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            inner = config.get("config")
            name = config.get("name") or (inner.get("name") if isinstance(inner, dict) else inner) or ""
            yield str(name), config["class_name"], str(config.get("module") or "keras")
        for key, part in config.items():
            if key != "compile_config":
                yield from _objects(part)


def _is_kerass_own(module: str) -> bool:
    if module == "builtins":
        return True
    package, *parts = module.split(".")
    return package == "keras" and (parts[1:2] if parts[:1] == ["src"] else parts[:1] or ["models"])[0] in _PARTS


def _load(file: Path, config: Any) -> Any:
    """The model, from a copy in today's terms where an older Keras wrote the file."""
    keras = _keras()
    modern = _modern(config)
    with TemporaryDirectory() as name:
        source = file if modern == config else _rewritten(file, modern, Path(name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return keras.saving.load_model(source, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its layers do
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            told = [line.partition(_CAUSE)[2] for line in lines if line.startswith(_CAUSE)] or lines[:1]
            raise ModelError(
                f"Expected a model that Keras {keras.__version__} can load, but '{file.name}' is none: "
                f"{(told or [type(error).__name__])[-1].rstrip('.')}."
            ) from error


def _keras() -> Any:
    """Keras on torch."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras: Any = require("keras", extra="keras")
    if keras.backend.backend() != "torch":
        raise ModelError(
            f"Expected Keras on torch, but it runs on {keras.backend.backend()} here; import the model in a process of "
            "its own."
        )
    return keras


def _modern(config: Any) -> Any:
    """A model's description without what Keras 2 wrote and Keras 3 does not read."""
    if isinstance(config, list):
        return [_modern(part) for part in config]
    if not isinstance(config, dict):
        return config
    kind = config.get("class_name")
    parts = {key: _modern(part) for key, part in config.items()}
    if isinstance(kind, str) and isinstance(parts.get("config"), dict):
        gone = _DEFAULTS_GONE.get(kind, {})
        kept = {key: value for key, value in parts["config"].items() if key not in gone or value != gone[key]}
        if kind == "BatchNormalization" and isinstance(kept.get("axis"), list) and len(kept["axis"]) == 1:
            kept["axis"] = kept["axis"][0]
        for ends in ("input_layers", "output_layers"):  # a list of one end is a model of lists to Keras 3
            if isinstance(kept.get(ends), list) and len(kept[ends]) == 1 and isinstance(kept[ends][0], list):
                kept[ends] = kept[ends][0]
        parts["config"] = kept
    return parts


def _rewritten(file: Path, config: Any, folder: Path) -> Path:
    """A copy of the file with another description."""
    copy = folder / file.name
    text = json.dumps(config)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
            for name in old.namelist():
                new.writestr(name, text if name == _CONFIG else old.read(name))
        return copy
    shutil.copyfile(file, copy)
    with require("h5py", extra="keras").File(copy, "r+") as stored:
        stored.attrs["model_config"] = text
    return copy


def _input_of(model: Any, file: Path) -> tuple[dict[str, int], bool]:
    """Width, height and channels that the model reads, those it leaves open aside, and whether channels come first."""
    shape = model.input_shape
    if isinstance(shape, tuple) and len(shape) == 4:
        for channels_first, (channels, height, width) in ((False, (shape[3], *shape[1:3])), (True, shape[1:])):
            if channels in {1, 3}:
                sizes = {"width": width, "height": height, "channels": channels}
                return {name: value for name, value in sizes.items() if value is not None}, channels_first
    raise ModelError(f"Expected a model of one image of 1 or 3 channels, but '{file.name}' reads {shape}.")


def _check_size(recipe: PageImage | LeadCrops, size: Mapping[str, int]) -> None:
    made = {name: getattr(recipe, name) for name in size}
    if made != size:
        raise ModelError(
            f"The model reads {_sizes(size)}, but the input recipe makes {_sizes(made)}; leave them out of the recipe."
        )


def _sizes(size: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in size.items())


def _check_answers(classifier: _Classifier, recipe: InputRecipe, labels: Sequence[str]) -> None:
    with torch.inference_mode():
        answers = classifier(_probes(recipe))
    if answers.shape[1] != len(labels):
        raise ModelError(f"The model answers for {answers.shape[1]} labels, but {len(labels)} are named.")


def _probes(recipe: InputRecipe) -> Tensor:
    """Images of noise in the recipe's units."""
    mean, std = recipe.scaling("page")
    pixels = np.random.default_rng(0).integers(0, 256, (_PROBES, *recipe.shapes["page"]))
    return torch.from_numpy(((pixels - mean) / std).astype(np.float32))


def _card(
    name: str,
    part: Path,
    recipe: InputRecipe,
    model: Any,
    labels: Sequence[str],
    title: str,
    licence: str,
    version: str,
    trained_on: str,
    notes: Sequence[str],
) -> ModelCard:
    try:
        return ModelCard(
            name=name,
            version=version,
            title=title,
            labels=tuple(labels),
            input=recipe.model_dump(mode="json"),
            temperature=1.0,
            abstain_below=0.0,
            parameters=model.count_params(),
            trained_on=trained_on,
            licence=licence,
            graph_sha256=sha256_of(part / GRAPH_FILE),
            warnings=(*notes, _UNMEASURED),
            folder=part,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(f"The model's card cannot be made of what was given: {where}: {first['msg']}.") from error


def _card_text(card: ModelCard, file: str) -> str:
    return "\n".join(
        [
            f"# {card.name} {card.version}",
            "",
            f"{card.title}; {card.parameters:,} weights. For research and teaching; not a medical device.",
            "",
            f"- Imported from the Keras file {file}",
            f"- Trained on: {card.trained_on}",
            f"- Labels, in the order of the outputs: {', '.join(card.labels)}",
            f"- Licence of the weights: {card.licence}",
            *(f"- {warning}" for warning in card.warnings),
            "",
        ]
    )
