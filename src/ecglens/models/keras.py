"""Import a Keras classifier as a model folder (extra ``keras``).

Keras runs on torch here, so its models are exported in the same way as all others. Code in a file is never run: the
layers are checked before Keras loads them, and Keras loads in its safe mode.
"""

import json
import os
import shutil
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from ecglens.documents import parse_json
from ecglens.errors import ModelError
from ecglens.extras import require
from ecglens.models.cards import GRAPH_FILE, ModelCard, save_card, sha256_of
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import InputRecipe, LeadCrops, PageImage, dump_recipe, parse_recipe
from ecglens.models.memory import limit_memory

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
_REMOVED_DEFAULTS: dict[str, dict[str, Any]] = {
    "DepthwiseConv2D": {"groups": 1},
    "GRU": {"time_major": False},
    "LSTM": {"time_major": False},
}
"""Layer arguments that Keras 2 wrote and Keras 3 no longer has, with the only value that Keras 3 supports."""
_CONFIG = "config.json"
_CAUSE = "Exception encountered: "
_MAX_CONFIG_BYTES = 20_000_000
"""Size of a configuration; that of Keras' largest application is 1 MB."""
_MAX_LAYERS = 1500
"""Keras' application with the most layers, NASNetLarge, has 1,041. Keras takes a minute to build 3,000."""
_MEMORY_MB = 500.0
"""Memory for four pages and the largest layer without weights, in MB."""
_MEMORY_PER_FILE = 5.0
"""Memory for weights, as a multiple of the file's size: as Keras loads them, and as half precision is stored."""
_PROBES = 4
_LEAST = 1e-37
_NOT_EVALUATED = "ecglens did not evaluate or calibrate this model; its probabilities are those of the original model."


def import_keras(
    file: Path,
    folder: Path,
    *,
    labels: Sequence[str],
    title: str,
    license: str,
    recipe: Mapping[str, Any],
    flip_colors: bool = False,
    version: str = "1.0",
    trained_on: str = "not specified",
    notes: Sequence[str] = (),
) -> ModelCard:
    """Write a model folder from a classifier that Keras saved; an older model in it is replaced.

    Args:
        file: ``.keras`` file, or HDF5 file with the whole model, of Keras 2 or 3.
        folder: Folder to write; its name is the model's name.
        labels: Labels in the order of the model's outputs.
        title: One-line description of the model.
        license: License of the weights.
        recipe: Input recipe of kind ``page_image`` or ``lead_crops``; width, height and channels default to those of
            the model.
        flip_colors: Whether the model reads the channels in the order blue, green, red, as the ImageNet weights of
            Keras' ResNet50 and VGG16 do; ``mean`` and ``std`` are always in the order red, green, blue.
        version: Version of the weights.
        trained_on: One sentence about the training data.
        notes: Sentences that are shown with every prediction.

    Returns:
        The card of the folder.

    Raises:
        ModelError: The file is not such a classifier, contains code, or does not fit the recipe or the labels.
        MissingExtraError: Keras is not installed.
    """
    config = _read_config(file)
    _check_code(config, file)
    with _keras().device("cpu"):
        with _limited_memory(file):
            model = _load(file, config)
            size, channels_first = _read_input_size(model, file)
            chosen = parse_recipe({**size, **recipe})
            if not isinstance(chosen, PageImage | LeadCrops):
                raise ModelError(f"Expected an input recipe of kind page_image or lead_crops, got {chosen.kind}.")
            _check_size(chosen, size)
            classifier = _Classifier(model, chosen, channels_first=channels_first, flip_colors=flip_colors)
            _check_label_count(classifier, chosen, labels)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
            part = Path(name)
            write_graph(classifier, chosen.shapes, part / GRAPH_FILE)
            check_graph(classifier, part / GRAPH_FILE, {"page": _probes(chosen).numpy()})
            card = _card(folder.name, part, chosen, model, labels, title, license, version, trained_on, notes)
            save_card(card, part)
            (part / "card.md").write_text(_card_text(card, file.name), encoding="utf-8")
            folder.mkdir(exist_ok=True)
            for path in part.iterdir():
                os.replace(path, folder / path.name)
    return replace(card, folder=folder)


class _Classifier(nn.Module):
    """Keras model that reads rows in the shape of ecglens and returns logits."""

    def __init__(self, model: Any, recipe: InputRecipe, *, channels_first: bool, flip_colors: bool) -> None:
        super().__init__()
        self.model = model
        self.channels_first, self.flip_colors = channels_first, flip_colors
        self.outputs, self.shares = 0, False
        self.eval()
        with torch.inference_mode():
            self._inspect_outputs(_probes(recipe))

    def forward(self, page: Tensor) -> Tensor:
        answers = self._outputs(page)
        if not self.shares:
            return answers
        if self.outputs == 1:
            answers = torch.cat([1 - answers, answers], dim=1)
        return torch.log(answers.clamp_min(_LEAST))

    def _outputs(self, page: Tensor) -> Tensor:
        pixels = page.flip(1) if self.flip_colors else page
        answers: Tensor = self.model(pixels if self.channels_first else pixels.permute(0, 2, 3, 1), training=False)
        return answers

    def _inspect_outputs(self, probes: Tensor) -> None:
        """Determine whether the outputs are probabilities (one sigmoid or a softmax) or logits."""
        answers = self._outputs(probes)
        if answers.ndim != 2:
            raise ModelError(
                f"Expected a classifier with one output per label, but the outputs have shape {tuple(answers.shape)}."
            )
        self.outputs = answers.shape[1]
        sums = answers.sum(dim=1)
        shared = self.outputs == 1 or bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
        self.shares = bool(answers.min() >= 0 and answers.max() <= 1) and shared


@contextmanager
def _limited_memory(file: Path) -> Iterator[None]:
    """Refuse a model that takes far more memory than its file: weights are stored, and layers state any size.

    Raises:
        ModelError: It does.
    """
    megabytes = _MEMORY_MB + _MEMORY_PER_FILE * file.stat().st_size / 1e6
    try:
        with limit_memory(megabytes):
            yield
    except ModelError:
        raise
    # torch and Keras answer a lack of memory, and layers that do not fit each other, with whatever it leads to.
    except Exception as error:
        raise ModelError(
            f"Expected a model that runs within {megabytes:,.0f} MB, but '{file.name}' does not: {_first_line(error)}."
        ) from error


def _check_code(config: Any, file: Path) -> None:
    """Refuse a file with layers that are not part of Keras, or with more of them than any model has."""
    if _count_layers(config) > _MAX_LAYERS:
        raise ModelError(f"Expected a model of at most {_MAX_LAYERS} layers, but '{file.name}' has more.")
    for name, kind, module in _objects(config):
        if kind in _LAYERS_OF_CODE or not _is_builtin(module):
            raise ModelError(
                f"'{file.name}' contains its own code ({kind} '{name}'), which is not run; build the model from Keras' "
                "own layers and save it again."
            )


def _read_config(file: Path) -> Any:
    """Read the model's configuration from the file."""
    if file.suffix.lower() not in _SUFFIXES:
        raise ModelError(f"Expected a Keras file ({', '.join(_SUFFIXES)}), got '{file.name}'.")
    h5py = require("h5py", extra="keras")
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                with archive.open(_CONFIG) as packed:
                    text = packed.read(_MAX_CONFIG_BYTES + 1)
                if len(text) > _MAX_CONFIG_BYTES:
                    raise ValueError("the configuration is larger than that of any model")
                return parse_json(text)
        with h5py.File(file, "r") as stored:
            config = stored.attrs.get("model_config")
            if config is not None:
                return parse_json(config)
    # RuntimeError is what zipfile raises for encrypted members and unknown methods.
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise ModelError(f"Expected a model that Keras saved, but '{file.name}' cannot be read as one.") from error
    raise ModelError(f"'{file.name}' contains weights without their model; save the whole model with model.save.")


def _objects(config: Any) -> Iterator[tuple[str, str, str]]:
    """Yield name, class and module of every object that a configuration builds, except those for training."""
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


def _count_layers(config: Any) -> int:
    """Count the layers of a configuration, also those of models within it."""
    if isinstance(config, list):
        return sum(map(_count_layers, config))
    if not isinstance(config, dict):
        return 0
    layers = config.get("layers")
    return (len(layers) if isinstance(layers, list) else 0) + sum(map(_count_layers, config.values()))


def _is_builtin(module: str) -> bool:
    if module == "builtins":
        return True
    package, *parts = module.split(".")
    return package == "keras" and (parts[1:2] if parts[:1] == ["src"] else parts[:1] or ["models"])[0] in _PARTS


def _load(file: Path, config: Any) -> Any:
    """Load the model, from a modernized copy if an older Keras wrote the file."""
    keras = _keras()
    modern = _modernize(config)
    with TemporaryDirectory() as name:
        source = file if modern == config else _copy_with_config(file, modern, Path(name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return keras.saving.load_model(source, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its layers do
            raise ModelError(
                f"Expected a model that Keras {keras.__version__} can load, but '{file.name}' cannot be loaded: "
                f"{_first_line(error)}."
            ) from error


def _first_line(error: Exception) -> str:
    """Return what an error of Keras says, without the layers around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.partition(_CAUSE)[2] for line in lines if line.startswith(_CAUSE)] or lines[:1]
    return (causes or [type(error).__name__])[-1].rstrip(".")


def _keras() -> Any:
    """Import Keras with torch as its backend."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras: Any = require("keras", extra="keras")
    if keras.backend.backend() != "torch":
        raise ModelError(
            f"Expected Keras on torch, but it runs on {keras.backend.backend()} here; import the model in a separate "
            "process."
        )
    return keras


def _modernize(config: Any) -> Any:
    """Return a configuration without the arguments that Keras 2 wrote and Keras 3 does not read."""
    if isinstance(config, list):
        return [_modernize(part) for part in config]
    if not isinstance(config, dict):
        return config
    kind = config.get("class_name")
    parts = {key: _modernize(part) for key, part in config.items()}
    if isinstance(kind, str) and isinstance(parts.get("config"), dict):
        removed = _REMOVED_DEFAULTS.get(kind, {})
        arguments = {
            key: value for key, value in parts["config"].items() if key not in removed or value != removed[key]
        }
        if kind == "BatchNormalization" and isinstance(arguments.get("axis"), list) and len(arguments["axis"]) == 1:
            arguments["axis"] = arguments["axis"][0]
        for ends in (
            "input_layers",
            "output_layers",
        ):  # Keras 3 reads a list with one element as a model whose inputs are lists
            if (
                isinstance(arguments.get(ends), list)
                and len(arguments[ends]) == 1
                and isinstance(arguments[ends][0], list)
            ):
                arguments[ends] = arguments[ends][0]
        parts["config"] = arguments
    return parts


def _copy_with_config(file: Path, config: Any, folder: Path) -> Path:
    """Write a copy of the file with another configuration and return its path."""
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


def _read_input_size(model: Any, file: Path) -> tuple[dict[str, int], bool]:
    """Return the width, height and channels that the model fixes, and whether channels come first."""
    shape = model.input_shape
    if isinstance(shape, tuple) and len(shape) == 4:
        for channels_first, (channels, height, width) in ((False, (shape[3], *shape[1:3])), (True, shape[1:])):
            if channels in {1, 3}:
                sizes = {"width": width, "height": height, "channels": channels}
                return {name: value for name, value in sizes.items() if value is not None}, channels_first
    raise ModelError(f"Expected a model of one image of 1 or 3 channels, but '{file.name}' reads {shape}.")


def _check_size(recipe: PageImage | LeadCrops, size: Mapping[str, int]) -> None:
    expected = {name: getattr(recipe, name) for name in size}
    if expected != size:
        raise ModelError(
            f"The model reads {_sizes(size)}, but the input recipe produces {_sizes(expected)}; leave them out of "
            "the recipe."
        )


def _sizes(size: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in size.items())


def _check_label_count(classifier: _Classifier, recipe: InputRecipe, labels: Sequence[str]) -> None:
    with torch.inference_mode():
        answers = classifier(_probes(recipe))
    if answers.shape[1] != len(labels):
        raise ModelError(
            f"Expected one label for each of the model's {answers.shape[1]} outputs, got {len(labels)} labels."
        )


def _probes(recipe: InputRecipe) -> Tensor:
    """Return images of random pixels, scaled as the recipe says, ``(4, channels, height, width)``."""
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
    license: str,
    version: str,
    trained_on: str,
    notes: Sequence[str],
) -> ModelCard:
    if len(set(labels)) != len(labels):
        raise ModelError(f"Expected labels that differ, got {', '.join(labels)}.")
    return ModelCard(
        name=name,
        version=version,
        title=title,
        labels=tuple(labels),
        input=dump_recipe(recipe),
        temperature=1.0,
        abstain_below=0.0,
        parameters=model.count_params(),
        trained_on=trained_on,
        license=license,
        graph_sha256=sha256_of(part / GRAPH_FILE),
        warnings=(*notes, _NOT_EVALUATED),
        folder=part,
    )


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
            f"- License of the weights: {card.license}",
            *(f"- {warning}" for warning in card.warnings),
            "",
        ]
    )
