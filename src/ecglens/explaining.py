"""Explaining: why a model answered as it did on a page, from the very arrays that the answer was computed from."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ecglens.digitizing import STANDARD_SPEED_MM_S
from ecglens.errors import EcgReadError
from ecglens.leads.layout import find_layout
from ecglens.models.explain import default_methods, explain_scene
from ecglens.models.explain.measured import checks_of, page_figures, weights_left
from ecglens.models.explain.scene import Scene
from ecglens.models.runtime import Runtime
from ecglens.pages.read import Source, read_page
from ecglens.reading import examine_page, load_runtime, read_located
from ecglens.records import Explanation, Layout, Located, ModelChecks, Page, Reading
from ecglens.settings import load_settings

__all__ = ["check_explanations", "explain", "explain_page", "make_scene_builder"]

_PAGES_WITH_SHUFFLED_WEIGHTS = 4
"""Pages on which explanations are compared with those of shuffled weights; each takes seconds."""


def explain(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    method: str = "class_map",
    label: str | None = None,
    page: int = 1,
    module: Any = None,
    checks: bool = True,
) -> Explanation:
    """Read one ECG page, and explain the model's answer.

    Args:
        source: As for :func:`ecglens.read`.
        model: As for :func:`ecglens.read`.
        method: One of ``ecglens.models.explain.METHODS``.
        label: Label whose probability is explained; the most probable one where it is ``None``.
        page: As for :func:`ecglens.read`.
        module: The model as a torch module in evaluation mode, for methods that follow gradients.
        checks: Also check the explanation on this page, which runs the model some 70 times.

    Returns:
        Heat on the page, shares of the leads, the segments that matter most, and the results of the checks.

    Raises:
        EcgReadError: The file is not a page that can be read, or the model does not answer for it.
        ModelError: The model cannot be used or explained by this method, or has no such label.
        MissingExtraError: The method needs an extra that is not installed.
    """
    runtime = load_runtime(model)
    reading = examine_page(read_page(source, page=page, max_megapixels=load_settings().max_megapixels), runtime)
    return explain_page(reading, runtime, method=method, label=label, module=module, checks=checks)


def explain_page(
    reading: Reading,
    runtime: Runtime,
    *,
    method: str = "class_map",
    label: str | None = None,
    module: Any = None,
    checks: bool = True,
    seed: int = 0,
) -> Explanation:
    """Explain the prediction of a page that was read before.

    Args:
        reading: From :func:`ecglens.reading.examine_page`.
        runtime: Model that made the prediction.
        method: As for :func:`explain`.
        label: As for :func:`explain`.
        module: As for :func:`explain`.
        checks: As for :func:`explain`.
        seed: Random seed of methods and checks that sample.

    Raises:
        EcgReadError: The model gave no probabilities for the page.
        ModelError: As for :func:`explain`.
        MissingExtraError: As for :func:`explain`.
    """
    scene = _build_scene(reading, runtime, label)
    if scene is None:
        abstention = reading.prediction.abstention
        reason = abstention.reason if abstention else "It gave no probabilities."
        raise EcgReadError(f"{reading.page.source}: expected a page that the model answers for. {reason}")
    return explain_scene(scene, reading.prediction, method, module=module, checks=checks, seed=seed)


def check_explanations(
    pages: Iterable[Page],
    runtime: Runtime,
    *,
    methods: Sequence[str] | None = None,
    module: Any = None,
    seed: int = 0,
) -> ModelChecks:
    """Check over many pages whether explanations of a model carry information; takes some 1.5 s a page.

    Args:
        pages: Pages of the kind that the model reads; those that it does not answer for are left out.
        runtime: The model.
        methods: Names of ``ecglens.models.explain.METHODS``; where it is ``None``, class_map for a model with feature
            maps, and occlusion_lead.
        module: As for :func:`explain`.
        seed: Random seed of the checks.

    Raises:
        EcgReadError: The model answers for none of the pages.
        ModelError: A method cannot explain this model.
        MissingExtraError: A method needs an extra that is not installed.
    """
    chosen = methods or default_methods(runtime.card)
    build_scene, rng = make_scene_builder(runtime), np.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    scenes: list[Scene] = []
    for page in pages:
        line = page_figures(page, build_scene, chosen, rng=rng, module=module)
        if line is None:
            continue
        lines.append(line)
        if len(scenes) < _PAGES_WITH_SHUFFLED_WEIGHTS and (scene := build_scene(page)) is not None:
            scenes.append(scene)
    if not lines:
        raise EcgReadError("Expected pages that the model answers for, found none; give pages of the print it reads.")
    return checks_of(lines, runtime.card, left=weights_left(scenes, chosen, rng))


def make_scene_builder(runtime: Runtime) -> Callable[[Page], Scene | None]:
    """Return a function that reads a page and prepares its explanation for the most probable label.

    The function returns ``None`` for a page that the model does not answer for. It reads the page as it is, without
    trying other views, because checks measure how an answer changes when a page is turned or cut.
    """

    def build_scene(page: Page) -> Scene | None:
        return _build_scene(read_located(Located(page, find_layout(page)), runtime), runtime, None)

    return build_scene


def _build_scene(reading: Reading, runtime: Runtime, label: str | None) -> Scene | None:
    """Put the page before the model as it was when it answered; ``None`` where it gave no probabilities."""
    layout, prediction = reading.layout, reading.prediction
    if not prediction.probabilities or prediction.inputs is None or not isinstance(layout, Layout):
        return None
    speed_mm_s = STANDARD_SPEED_MM_S if reading.tracing is None else reading.tracing.speed_mm_s
    return Scene.of(
        reading.page,
        layout,
        runtime,
        label or max(prediction.probabilities, key=prediction.probabilities.__getitem__),
        arrays=prediction.inputs,
        speed_mm_s=speed_mm_s,
    )
