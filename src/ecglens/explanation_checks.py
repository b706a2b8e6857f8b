"""Checks of a model's explanations over many pages: whether they carry any information."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ecglens.errors import EcgReadError
from ecglens.explaining import build_scene
from ecglens.leads.layout import find_layout
from ecglens.models.explain import default_methods
from ecglens.models.explain.model_checks import check_page, correlate_without_weights, summarize_checks
from ecglens.models.explain.scene import Scene
from ecglens.models.runtime import Runtime
from ecglens.reading import read_located
from ecglens.records import Located, ModelChecks, Page

__all__ = ["check_explanations", "make_scene_builder"]

_PAGES_WITH_SHUFFLED_WEIGHTS = 4
"""Pages on which explanations are compared with those of shuffled weights; each takes seconds."""


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
        module: As for :func:`ecglens.explaining.explain`.
        seed: Random seed of the checks.

    Raises:
        EcgReadError: The model answers for none of the pages.
        ModelError: A method cannot explain this model.
        MissingExtraError: A method needs an extra that is not installed.
    """
    chosen = methods or default_methods(runtime.card)
    build, rng = make_scene_builder(runtime), np.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    scenes: list[Scene] = []
    for page in pages:
        line = check_page(page, build, chosen, rng=rng, module=module)
        if line is None:
            continue
        lines.append(line)
        if len(scenes) < _PAGES_WITH_SHUFFLED_WEIGHTS and (scene := build(page)) is not None:
            scenes.append(scene)
    if not lines:
        raise EcgReadError("Expected pages that the model answers for, got none; give pages of the print it reads.")
    return summarize_checks(lines, runtime.card, left=correlate_without_weights(scenes, chosen, rng))


def make_scene_builder(runtime: Runtime) -> Callable[[Page], Scene | None]:
    """Return a function that reads a page and prepares its explanation for the most probable label.

    The function returns ``None`` for a page that the model does not answer for. It reads the page as it is, without
    trying other views, because checks measure how an answer changes when a page is turned or cut.
    """

    def build(page: Page) -> Scene | None:
        return build_scene(read_located(Located(page, find_layout(page)), runtime), runtime)

    return build
