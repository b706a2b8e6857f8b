"""Explain predictions: class maps and occlusion without torch, gradients with torch, all projected onto the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from ecglens.errors import ModelError
from ecglens.models.cards import ModelCard
from ecglens.models.explain.checks import check_location, check_order
from ecglens.models.explain.class_map import class_map
from ecglens.models.explain.gradients import (
    ModuleRuntime,
    grad_cam,
    grad_cam_pp,
    has_unit_positions,
    integrated_gradients,
)
from ecglens.models.explain.occlusion import occlusion_lead, occlusion_patch
from ecglens.models.explain.projection import project
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.explain.stored import load_method_checks
from ecglens.models.explain.surrogate import kernel_shap, lime
from ecglens.records import Explanation, Prediction

__all__ = ["METHODS", "Method", "ModuleRuntime", "compute_heat", "default_methods", "explain_scene"]


@dataclass(frozen=True, slots=True)
class Method:
    """Method that explains a prediction.

    Attributes:
        title: Title for users.
        done: One sentence that says what the method does.
        run: Function from a scene to heat in the model's arrays; takes ``rng`` if ``random`` and ``module`` if
            ``gradients``.
        random: Whether the method samples at random.
        gradients: Whether the method needs the model as a torch module.
        places: Whether the heat is finer than a whole stretch of a lead, so that its location can be checked.
    """

    title: str
    done: str
    run: Callable[..., Planes]
    random: bool = False
    gradients: bool = False
    places: bool = True


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "class_map": Method(
            "Class map",
            "What each unit of the model's last feature map adds to the label's log-odds, less what it adds on bare "
            "paper, laid on the ink that it sees.",
            class_map,
        ),
        "occlusion_lead": Method(
            "Occlusion by lead",
            "Each lead in turn was replaced by bare paper in what the model reads; its share is what that costs.",
            occlusion_lead,
            places=False,
        ),
        "occlusion_patch": Method(
            "Occlusion by patch",
            "Squares of 10 mm in steps of 5 mm were replaced by bare paper in what the model reads.",
            occlusion_patch,
        ),
        "lime": Method(
            "LIME",
            "A linear model fitted to 512 answers, each with half of the stretches of 0.5 s replaced by bare paper.",
            lime,
            random=True,
            places=False,
        ),
        "kernel_shap": Method(
            "KernelSHAP",
            "Shapley values of the leads' stretches of 0.5 s, estimated from 512 answers with some of them replaced by "
            "bare paper.",
            kernel_shap,
            random=True,
            places=False,
        ),
        "grad_cam": Method(
            "Grad-CAM",
            "Channels of the last feature map weighted by their mean gradient; what speaks against the label is left "
            "out.",
            grad_cam,
            gradients=True,
        ),
        "grad_cam_pp": Method(
            "Grad-CAM++",
            "Channels of the last feature map weighted by their positive gradients; what speaks against the label is "
            "left out.",
            grad_cam_pp,
            gradients=True,
        ),
        "integrated_gradients": Method(
            "Integrated gradients",
            "Gradients added up over 32 steps from bare paper to the page.",
            integrated_gradients,
            gradients=True,
        ),
    }
)
"""All methods by name."""

_ASSUMED_EVEN = (
    "The model folder does not give the positions of the units of its last feature map. They were assumed to be spread "
    "evenly over the input, which can be off by half a unit."
)


def compute_heat(scene: Scene, method: str, *, module: Any = None, seed: int = 0) -> Planes:
    """Compute the heat of a method in the model's arrays.

    Args:
        scene: The page and its model.
        method: One of :data:`METHODS`.
        module: Model as a torch module, for methods that follow gradients.
        seed: Random seed of methods that sample.

    Returns:
        A value for each place of the model's arrays.

    Raises:
        ModelError: There is no such method, or it cannot explain this model.
        MissingExtraError: The method needs an extra that is not installed.
    """
    chosen = METHODS.get(method)
    if chosen is None:
        raise ModelError(f"Expected a method out of {', '.join(METHODS)}, got '{method}'.")
    run = chosen.run
    if chosen.random:
        run = partial(run, rng=np.random.default_rng(seed))
    if chosen.gradients:
        if module is None:
            raise ModelError(
                f"The method {method} follows gradients through a torch module; give the run that made the model "
                "(--run), or use class_map or occlusion_lead."
            )
        run = partial(run, module=module)
    return run(scene)


def default_methods(card: ModelCard) -> tuple[str, ...]:
    """Return the methods that are fast and need no torch: the class map if the model has one, and occlusion by lead."""
    return ("class_map", "occlusion_lead") if card.feature_maps else ("occlusion_lead",)


def explain_scene(
    scene: Scene, prediction: Prediction, method: str, *, module: Any = None, checks: bool = True, seed: int = 0
) -> Explanation:
    """Explain a prediction by one method.

    Args:
        scene: The page and its model.
        prediction: The model's prediction for the page.
        method: One of :data:`METHODS`.
        module: As for :func:`compute_heat`.
        checks: Whether to check the explanation on this page, which runs the model about 70 times.
        seed: Random seed of methods that sample, and of the random maps of the checks.

    Raises:
        ModelError: As for :func:`compute_heat`.
        MissingExtraError: As for :func:`compute_heat`.
    """
    planes = compute_heat(scene, method, module=module, seed=seed)
    on_page, chosen, card = project(scene, planes), METHODS[method], scene.model.card
    results = check_order(scene, planes, np.random.default_rng(seed)) if checks else ()
    if checks and chosen.places:
        results = (*results, check_location(scene, on_page.heat))
    has_assumed_units = method in {"grad_cam", "grad_cam_pp"} and not has_unit_positions(scene)
    return Explanation(
        method=method,
        label=scene.label,
        probability=float((prediction.probabilities or {})[scene.label]),
        model=card.name,
        model_version=card.version,
        heat=on_page.heat,
        page_size_px=(scene.page.height, scene.page.width),
        shares=on_page.shares,
        elsewhere=on_page.elsewhere,
        segments=on_page.segments,
        done=chosen.done,
        lead_probabilities=prediction.lead_probabilities,
        checks=results,
        on_model=load_method_checks(card, method),
        warnings=(*prediction.warnings, *((_ASSUMED_EVEN,) if has_assumed_units else ())),
    )
