"""Methods that follow gradients through a torch module (extra ``explain``): Grad-CAM, Grad-CAM++, integrated gradients.

captum has the first and the last; Grad-CAM++ is written out here. The module answers as the model does: its arrays in
the order of the input recipe, raw logits out. All three explain the log-odds of the label.
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

__all__ = ["ModuleRuntime", "grad_cam", "grad_cam_pp", "integrated_gradients", "has_unit_positions"]

_STEPS = 32


class ModuleRuntime(Runtime):
    """A torch module in the place of a graph, for runs that were not exported.

    Args:
        card: Labels, input recipe, temperature and name; its folder is not looked at.
        module: In evaluation mode; takes arrays in the order of the recipe's shapes, returns logits ``(rows, labels)``.
    """

    def __init__(self, card: ModelCard, module: Any) -> None:
        self.card = card
        self.recipe: InputRecipe = parse_recipe(card.input)
        self.module = module

    def logits(self, arrays: Any) -> NDArray[np.float32]:
        """As :meth:`ecglens.models.runtime.Runtime.logits`."""
        torch = require("torch", extra="explain")
        with torch.inference_mode():
            given = [torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in self.recipe.shapes]
            return np.asarray(self.module(*given).numpy(), dtype=np.float32)


def grad_cam(scene: Scene, module: Any) -> Planes:
    """Heat of Grad-CAM (Selvaraju et al., DOI 10.1109/ICCV.2017.74) over the last feature maps, by captum.

    Args:
        scene: The page and its model.
        module: The model as a torch module in evaluation mode.

    Raises:
        MissingExtraError: captum is not installed.
        ModelError: The module has no feature map of its page.
    """
    attr = require("captum.attr", extra="explain")
    inputs = _inputs(scene)
    found = []
    for layer in _last_maps(scene, module):
        cam = attr.LayerGradCam(_score(scene, module), layer)
        found.append(cam.attribute(inputs, relu_attributions=True).detach().numpy()[:, 0])
    return _spread(scene, found)


def grad_cam_pp(scene: Scene, module: Any) -> Planes:
    """Heat of Grad-CAM++ (Chattopadhay et al., DOI 10.1109/WACV.2018.00097) over the last feature maps.

    With the score's exponential as the class's answer, its higher derivatives are powers of the gradient g, and the
    weight of a channel with activations A is the sum over units of relu(g) g^2 / (2 g^2 + g^3 sum A).

    Args:
        scene: As for :func:`grad_cam`.
        module: As for :func:`grad_cam`.

    Raises:
        ModelError: As for :func:`grad_cam`.
    """
    torch = require("torch", extra="explain")
    found = []
    for layer in _last_maps(scene, module):
        kept: list[Any] = []
        hook = layer.register_forward_hook(lambda _module, _given, out, kept=kept: kept.append(out))
        try:
            (gradient,) = torch.autograd.grad(_score(scene, module)(*_inputs(scene)).sum(), kept)
        finally:
            hook.remove()
        units = kept[0].detach()
        below = 2 * gradient**2 + gradient**3 * units.sum(dim=(2, 3), keepdim=True)
        share = gradient**2 / torch.where(below == 0, torch.ones_like(below), below)
        weights = (share * gradient.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
        found.append((weights * units).sum(dim=1).clamp(min=0).numpy())
    return _spread(scene, found)


def integrated_gradients(scene: Scene, module: Any) -> Planes:
    """Heat of integrated gradients (Sundararajan et al., arXiv 1703.01365) from bare paper to the page, by captum.

    Args:
        scene: As for :func:`grad_cam`.
        module: As for :func:`grad_cam`.

    Returns:
        Values whose sum is the log-odds of the page less those of bare paper, but for the error of 32 steps.

    Raises:
        MissingExtraError: captum is not installed.
    """
    torch = require("torch", extra="explain")
    attr = require("captum.attr", extra="explain")
    given, paper = (
        tuple(torch.from_numpy(np.ascontiguousarray(arrays[name]))[None] for name in scene.model.recipe.shapes)
        for arrays in (scene.arrays, scene.paper)
    )
    method = attr.IntegratedGradients(_score(scene, module, whole=True))
    found = method.attribute(given, baselines=paper, n_steps=_STEPS, internal_batch_size=8)
    planes: Planes = {}
    for name, heat in zip(scene.model.recipe.shapes, found, strict=True):
        values = heat[0].numpy().astype(np.float32)
        planes[name] = values.sum(axis=1) if name == "page" else values
    return planes


def has_unit_positions(scene: Scene) -> bool:
    """Whether the model folder tells where the units of its last maps lie."""
    return bool(scene.model.card.feature_maps)


def _inputs(scene: Scene) -> tuple[Any, ...]:
    torch = require("torch", extra="explain")
    return tuple(torch.from_numpy(np.ascontiguousarray(scene.arrays[name])) for name in scene.model.recipe.shapes)


def _score(scene: Scene, module: Any, *, whole: bool = False) -> Callable[..., Any]:
    """Log-odds of the label for a page's rows; with ``whole`` for pages, ``(pages, rows, ...)``."""
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
    """Outermost modules whose output is a feature map that no other such module reads."""
    torch = require("torch", extra="explain")
    made: list[tuple[str, Any, Any]] = []
    read: set[int] = set()

    def note(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(one: Any, given: Any, out: Any) -> None:
            if torch.is_tensor(out) and out.ndim == 4 and min(out.shape[2:]) > 1:
                read.update(id(tensor) for tensor in given)
                made.append((name, one, out))

        return hook

    hooks = [one.register_forward_hook(note(name)) for name, one in module.named_modules() if name]
    try:
        with torch.no_grad():
            module(*_inputs(scene))
    finally:
        for hook in hooks:
            hook.remove()
    names = {name for name, _, _ in made}
    outer = [
        (one, out)
        for name, one, out in made
        if not any(name.startswith(f"{other}.") for other in names) and id(out) not in read
    ]
    if not outer:
        raise ModelError(f"Model '{scene.model.card.name}' has no feature map of its page; use integrated_gradients.")
    return [one for one, _ in outer]


def _spread(scene: Scene, maps: list[NDArray[np.float32]]) -> Planes:
    planes = scene.planes()
    size = planes["page"].shape[1:]
    for units in maps:
        place = _place(scene.model.card, units.shape[1:], size)
        planes["page"] += np.stack([spread_map(one, place, size) for one in units])
    return planes


def _place(card: ModelCard, units: tuple[int, ...], size: tuple[int, ...]) -> FeatureMap:
    """Where a map's units lie: as the model folder tells, or evenly over the input."""
    if card.feature_maps:
        return card.feature_maps[0]
    down, across = size[0] / units[0], size[1] / units[1]
    return FeatureMap(features="", weights="", step=(down, across), start=(down / 2 - 0.5, across / 2 - 0.5))
