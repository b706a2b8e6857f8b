"""Explaining: why a model answered as it did on a page, from the very arrays that the answer was computed from."""

import os
from typing import Any

from ecglens.errors import EcgReadError
from ecglens.layouts import STANDARD_SPEED_MM_S
from ecglens.models.explain import default_methods, explain_scene
from ecglens.models.explain.scene import Scene
from ecglens.models.runtime import Runtime
from ecglens.pages.read import Source, read_chosen_page
from ecglens.reading import examine_page, is_auto, load_runtime, load_signal_model, read_located
from ecglens.records import Explanation, Layout, Page, Reading
from ecglens.settings import load_settings

__all__ = ["answer_page", "build_scene", "explain", "explain_page"]


def explain(
    source: Source,
    *,
    model: str | os.PathLike[str] | None = None,
    method: str | None = None,
    label: str | None = None,
    page: int = 1,
    module: Any = None,
    checks: bool = True,
) -> Explanation:
    """Read one ECG page, and explain the model's answer.

    Args:
        source: As for :func:`ecglens.read`.
        model: As for :func:`ecglens.read`.
        method: One of ``ecglens.models.explain.METHODS``; the class map where the model has one, else occlusion by
            lead, when ``None``.
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
    decoded = read_chosen_page(source, page=page, max_megapixels=load_settings().max_megapixels)
    reading, runtime = answer_page(decoded, model)
    return explain_page(reading, runtime, method=method, label=label, module=module, checks=checks)


def answer_page(page: Page, model: str | os.PathLike[str] | None = None) -> tuple[Reading, Runtime]:
    """Read a page with the model that answers for it.

    Args:
        page: From :func:`ecglens.pages.read_page`.
        model: As for :func:`ecglens.read`; with ``"auto"``, the signal model answers for pages that the page model
            cannot read.

    Returns:
        The reading, and the model that made its prediction.

    Raises:
        ModelError: The model cannot be used.
    """
    runtime = load_runtime(model)
    reading = examine_page(page, runtime)
    if reading.prediction.probabilities or not is_auto(model):
        return reading, runtime
    other = load_signal_model()
    second = read_located(reading.located, other)
    is_by_signals = second.prediction.probabilities is not None or page.drawing is not None
    return (second, other) if is_by_signals else (reading, runtime)


def explain_page(
    reading: Reading,
    runtime: Runtime,
    *,
    method: str | None = None,
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
    scene = build_scene(reading, runtime, label)
    if scene is None:
        abstention = reading.prediction.abstention
        reason = abstention.reason if abstention else "It gave no probabilities."
        raise EcgReadError(
            code=None if reading.layout else "no_leads",
            source=reading.page.source,
            detail=f"expected a page that the model answers for. {reason}",
        )
    chosen = method or default_methods(runtime.card)[0]
    return explain_scene(scene, reading.prediction, chosen, module=module, checks=checks, seed=seed)


def build_scene(reading: Reading, runtime: Runtime, label: str | None = None) -> Scene | None:
    """Put the page before the model as it was when it answered; ``None`` where it gave no probabilities.

    Args:
        reading: From :func:`ecglens.reading.examine_page`.
        runtime: Model that made the prediction.
        label: Label whose log-odds are explained; the most probable one where it is ``None``.
    """
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
