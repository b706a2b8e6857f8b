"""Methods that follow gradients through a torch module (extra ``explain``): Grad-CAM, Grad-CAM++, integrated gradients.

Grad-CAM and integrated gradients come from captum; Grad-CAM++ is implemented here. The module takes its arrays in the
order of the input recipe and returns logits. All three methods explain the log-odds of the label.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.extras import require
from ecglens.models.cards import FeatureMap, ModelCard
from ecglens.models.explain.class_map import spread_map
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.inputs import InputRecipe, parse_recipe
from ecglens.models.runtime import Runtime

__all__ = ["ModuleRuntime", "grad_cam", "grad_cam_pp", "has_unit_positions", "integrated_gradients"]

_STEPS = 32


class ModuleRuntime(Runtime):
    """Torch module in place of a graph, for runs that were not exported.

    Args:
        card: Card with labels, input recipe, temperature and name; its folder is not read.
        module: Module in evaluation mode that takes arrays in the order of the recipe's shapes and returns logits
            ``(rows, labels)``.
    """

    def __init__(self, card: ModelCard, module: Any) -> None:
        self.card = card
        self.recipe: InputRecipe = parse_recipe(card.input)
        self.module = module

    def logits(self, arrays: Any) -> NDArray[np.float32]:
        """Compute logits as :meth:`ecglens.models.runtime.Runtime.logits` does."""
        torch = require("torch", extra="explain")
        with torch.inference_mode():
            inputs = [torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in self.recipe.shapes]
            return np.asarray(self.module(*inputs).numpy(), dtype=np.float32)


def grad_cam(scene: Scene, module: Any) -> Planes:
    """Compute the heat of Grad-CAM (Selvaraju et al., DOI 10.1109/ICCV.2017.74) over the last feature maps, by captum.

    Args:
        scene: The page and its model.
        module: The model as a torch module in evaluation mode.

    Raises:
        MissingExtraError: captum is not installed.
        ModelError: The module has no feature map of its page.
    """
    attr = require("captum.attr", extra="explain")
    inputs = _inputs(scene)
    maps = []
    for layer in _last_maps(scene, module):
        cam = attr.LayerGradCam(_score(scene, module), layer)
        maps.append(cam.attribute(inputs, relu_attributions=True).detach().numpy()[:, 0])
    return _spread_maps(scene, maps)


def grad_cam_pp(scene: Scene, module: Any) -> Planes:
    """Compute the heat of Grad-CAM++ (Chattopadhay et al., DOI 10.1109/WACV.2018.00097) over the last feature maps.

    If the class score is the exponential of the log-odds, its higher derivatives are powers of the gradient g. The
    weight of a channel with activations A is then the sum over units of relu(g) g^2 / (2 g^2 + g^3 sum A).

    Args:
        scene: As for :func:`grad_cam`.
        module: As for :func:`grad_cam`.

    Raises:
        ModelError: As for :func:`grad_cam`.
    """
    torch = require("torch", extra="explain")
    maps = []
    for layer in _last_maps(scene, module):
        outputs: list[Any] = []
        hook = layer.register_forward_hook(lambda _module, _inputs, out, outputs=outputs: outputs.append(out))
        try:
            (gradient,) = torch.autograd.grad(_score(scene, module)(*_inputs(scene)).sum(), outputs)
        finally:
            hook.remove()
        units = outputs[0].detach()
        denominator = 2 * gradient**2 + gradient**3 * units.sum(dim=(2, 3), keepdim=True)
        share = gradient**2 / torch.where(denominator == 0, torch.ones_like(denominator), denominator)
        weights = (share * gradient.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
        maps.append((weights * units).sum(dim=1).clamp(min=0).numpy())
    return _spread_maps(scene, maps)


def integrated_gradients(scene: Scene, module: Any) -> Planes:
    """Compute the heat of integrated gradients (Sundararajan et al., arXiv 1703.01365), by captum.

    The baseline is bare paper.

    Args:
        scene: As for :func:`grad_cam`.
        module: As for :func:`grad_cam`.

    Returns:
        Values whose sum is the log-odds of the page minus those of bare paper, up to the error of 32 steps.

    Raises:
        MissingExtraError: captum is not installed.
    """
    torch = require("torch", extra="explain")
    attr = require("captum.attr", extra="explain")
    inputs, paper = (
        tuple(torch.from_numpy(np.ascontiguousarray(arrays[name]))[None] for name in scene.model.recipe.shapes)
        for arrays in (scene.arrays, scene.paper)
    )
    method = attr.IntegratedGradients(_score(scene, module, whole=True))
    attributions = method.attribute(inputs, baselines=paper, n_steps=_STEPS, internal_batch_size=8)
    planes: Planes = {}
    for name, heat in zip(scene.model.recipe.shapes, attributions, strict=True):
        values = heat[0].numpy().astype(np.float32)
        planes[name] = values.sum(axis=1) if name == "page" else values
    return planes


def has_unit_positions(scene: Scene) -> bool:
    """Return whether the model folder gives the positions of the units of its last maps."""
    return bool(scene.model.card.feature_maps)


def _inputs(scene: Scene) -> tuple[Any, ...]:
    torch = require("torch", extra="explain")
    return tuple(torch.from_numpy(np.ascontiguousarray(scene.arrays[name])) for name in scene.model.recipe.shapes)


def _score(scene: Scene, module: Any, *, whole: bool = False) -> Callable[..., Any]:
    """Return a function from a page's rows, or with ``whole`` from ``(pages, rows, ...)``, to the label's log-odds."""
    torch = require("torch", extra="explain")
    index, temperature = scene.index, scene.model.card.temperature

    def score(*arrays: Any) -> Any:
        pages = arrays[0].shape[0] if whole else 1
        flat = [array.flatten(0, 1) for array in arrays] if whole else arrays
        logits = (module(*flat) / temperature).reshape(pages, -1, len(scene.model.card.labels)).mean(dim=1)
        others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
        return logits[:, index] - torch.logsumexp(others, dim=1)

    return score


def _last_maps(scene: Scene, module: Any) -> list[Any]:
    """List the outermost modules whose output is a feature map that no other such module reads."""
    torch = require("torch", extra="explain")
    maps: list[tuple[str, Any, Any]] = []
    read: set[int] = set()

    def note(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(one: Any, inputs: Any, out: Any) -> None:
            if torch.is_tensor(out) and out.ndim == 4 and min(out.shape[2:]) > 1:
                read.update(id(tensor) for tensor in inputs)
                maps.append((name, one, out))

        return hook

    hooks = [one.register_forward_hook(note(name)) for name, one in module.named_modules() if name]
    try:
        with torch.no_grad():
            module(*_inputs(scene))
    finally:
        for hook in hooks:
            hook.remove()
    names = {name for name, _, _ in maps}
    outer = [
        (one, out)
        for name, one, out in maps
        if not any(name.startswith(f"{other}.") for other in names) and id(out) not in read
    ]
    if not outer:
        raise ModelError(f"Model '{scene.model.card.name}' has no feature map of its page; use integrated_gradients.")
    return [one for one, _ in outer]


def _spread_maps(scene: Scene, maps: list[NDArray[np.float32]]) -> Planes:
    planes = scene.planes()
    size = planes["page"].shape[1:]
    for units in maps:
        place = _describe_units(scene.model.card, units.shape[1:], size)
        planes["page"] += np.stack([spread_map(one, place, size) for one in units])
    return planes


def _describe_units(card: ModelCard, units: tuple[int, ...], size: tuple[int, ...]) -> FeatureMap:
    """Describe the positions of a map's units: from the model folder, or evenly spread over the input."""
    if card.feature_maps:
        return card.feature_maps[0]
    down, across = size[0] / units[0], size[1] / units[1]
    return FeatureMap(features="", weights="", step=(down, across), start=(down / 2 - 0.5, across / 2 - 0.5))
