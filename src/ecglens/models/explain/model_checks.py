"""Whether methods of explaining mean anything on a model: their checks over many pages.

Page by page: deletion and insertion curves against random maps, where the heat lies, how the leads' shares change when
the page is saved again (and the method draws anew), and what the answer does when the header is white, a lead is blank
or the page stands on its head. Over all pages: how like the heat is to that of the model with its weights shuffled.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from ecglens.extras import is_installed
from ecglens.models.cards import GRAPH_FILE, ModelCard
from ecglens.models.explain import METHODS, compute_heat
from ecglens.models.explain.checks import LEAST_NEAR, MOST_OUTSIDE, compute_curves, locate_heat, make_random_map
from ecglens.models.explain.projection import project
from ecglens.models.explain.scene import Planes, Scene
from ecglens.models.explain.weight_shuffling import shuffle_layers
from ecglens.pages.read import read_page
from ecglens.records import Check, ModelChecks, Page

__all__ = ["LEAST_BETTER", "summarize_checks", "check_page", "correlate_ranks", "shuffled", "correlate_without_weights"]

Look = Callable[[Page], Scene | None]
"""Reads a page, for the label that is likeliest there; ``None`` where the model does not answer."""

RANDOM_MAPS = 4
LEAST_BETTER, LEAST_REPEATED, MOST_LEFT = 0.95, 0.8, 0.5
"""Shares of pages better than random maps; rank correlations of shares said again, and of heat without the weights."""
_SAVED_QUALITY = 75
_ABOVE_TRACES_PX = 4
_EVERY = 8  # place of a plane is compared
_CHANGES = {
    "header": "header white",
    "flipped_page": "page top to bottom",
    "flipped_input": "model's input top to bottom",
}


def check_page(
    page: Page, look: Look, methods: Sequence[str], *, rng: np.random.Generator, module: Any = None
) -> dict[str, Any] | None:
    """What is measured on one page, in plain types.

    Args:
        page: As it came.
        look: Reads it, and the page changed.
        methods: Out of ``METHODS``.
        rng: Draws random maps.
        module: The model as a torch module, for methods that follow gradients.

    Returns:
        ``None`` where the model does not answer for the page.
    """
    scene = look(page)
    if scene is None:
        return None
    found: dict[str, Any] = {"label": scene.label, "methods": {}}
    for method in methods:
        planes = compute_heat(scene, method, module=module)
        curves, laid = compute_curves(scene, planes), project(scene, planes)
        told: dict[str, Any] = {"deletion": curves.deletion, "insertion": curves.insertion, "shares": laid.shares}
        if METHODS[method].places:
            place = locate_heat(scene, laid.heat)
            told |= {"near": place.near, "outside": place.outside}
        found["methods"][method] = told
    drawn = [compute_curves(scene, make_random_map(scene, rng)) for _ in range(RANDOM_MAPS)]
    found["random_maps"] = [[one.deletion, one.insertion] for one in drawn]
    for method, value in _saved_again(scene, look, found["methods"], module).items():
        found["methods"][method]["saved_again"] = value
    return found | _changed(scene, look)


def summarize_checks(
    lines: Sequence[Mapping[str, Any]], card: ModelCard, *, left: Mapping[str, float] | None = None
) -> ModelChecks:
    """Sum up what was measured page by page.

    Args:
        lines: From :func:`check_page`, all of the same methods; at least one.
        card: Of the model.
        left: By method, how like the heat is to that of the model with all its weights shuffled.
    """
    methods = list(lines[0]["methods"])
    labels = [line["label"] for line in lines]
    changes = {
        title: _became([line[name] for line in lines], labels)
        for name, title in _CHANGES.items()
        if all(name in line for line in lines)
    }
    blank = float(np.mean([line["blank_leads"] for line in lines]))
    changes["one lead blank"] = {"stays": 1.0 - blank, "another": blank, "refused": 0.0}
    return ModelChecks(
        model=card.name,
        model_version=card.version,
        graph_sha256=card.graph_sha256,
        pages=len(lines),
        methods={method: tuple(_checks(lines, method, (left or {}).get(method))) for method in methods},
        changes=changes,
        agreement={
            one: {other: _agreement(lines, one, other) for other in methods if other != one} | {one: 1.0}
            for one in methods
        },
    )


def shuffled(
    scenes: Sequence[Scene], method: str, rng: np.random.Generator
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """How like a method's heat stays while weights are shuffled from the answer down.

    Args:
        scenes: Pages before a model of a folder.
        method: One that needs no torch module.
        rng: Shuffles.

    Yields:
        How many layers were shuffled, and mean rank correlations: of the heat place by place without signs, of the heat
        with signs, of the leads' shares.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    before = [compute_heat(scene, method) for scene in scenes]
    for layers, model in shuffle_layers(scenes[0].model.card, rng):
        found = []
        for scene, planes in zip(scenes, before, strict=True):
            after = compute_heat(replace(scene, model=model), method)
            here, there = _sampled(planes), _sampled(after)
            shares = correlate_ranks(project(scene, planes).shares, project(scene, after).shares)
            found.append((_ranked(np.abs(here), np.abs(there)), _ranked(here, there), shares))
        bare, signed, of_leads = (float(np.mean(values)) for values in zip(*found, strict=True))
        yield layers, (bare, signed, of_leads)


def correlate_without_weights(
    scenes: Sequence[Scene], methods: Sequence[str], rng: np.random.Generator
) -> dict[str, float]:
    """By method, rank correlation of the heat, with signs, with that of the model with all its weights shuffled.

    Methods that follow gradients or draw are left out, and everything where onnx is not installed.
    """
    if not is_installed("onnx") or not scenes or not (scenes[0].model.card.folder / GRAPH_FILE).is_file():
        return {}
    tried = [method for method in methods if not METHODS[method].gradients and not METHODS[method].random]
    return {method: list(shuffled(scenes, method, rng))[-1][1][1] for method in tried}


def correlate_ranks(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Rank correlation of the shares of leads that both have; 0 where one of them tells no leads apart."""
    leads = [lead for lead in one if lead in other]
    return _ranked(np.array([one[lead] for lead in leads]), np.array([other[lead] for lead in leads]))


def _checks(lines: Sequence[Mapping[str, Any]], method: str, left: float | None) -> Iterator[Check]:
    own = [line["methods"][method] for line in lines]
    random = np.array([line["random_maps"] for line in lines]).mean(axis=1)
    for number, (name, sign, word) in enumerate((("deletion", -1, "less"), ("insertion", 1, "more"))):
        better = float(np.mean(sign * np.array([one[name] for one in own]) > sign * random[:, number]))
        text = (
            f"On {better:.1%} of {len(lines)} pages {name} leaves {word} than random maps; {LEAST_BETTER:.0%} should."
        )
        yield Check(name, better >= LEAST_BETTER, text, {"better": better})
    if METHODS[method].places:
        near, outside = (float(np.mean([one[name] for one in own])) for name in ("near", "outside"))
        text = (
            f"Over {len(lines)} pages {near:.0%} of the heat lies within 5 mm of a trace and {outside:.1%} outside of "
            f"the grid; at least {LEAST_NEAR:.0%} and at most {MOST_OUTSIDE:.0%} should."
        )
        yield Check(
            "location",
            near >= LEAST_NEAR and outside <= MOST_OUTSIDE,
            text,
            {"near_trace": near, "outside_grid": outside},
        )
    yield _repeated(own)
    if left is not None:
        text = (
            f"With all weights shuffled, the heat's rank correlation with what it was is {left:.2f}; less than "
            f"{MOST_LEFT:g} should be left."
        )
        yield Check("shuffled weights", abs(left) < MOST_LEFT, text, {"left": left})


def _repeated(own: Sequence[Mapping[str, Any]]) -> Check:
    """Whether the leads' shares are the same of the page saved again."""
    values = [one["saved_again"] for one in own if one["saved_again"] is not None]
    if not values:
        return Check("repeatability", None, "No page was answered again after it was saved again.")
    median = float(np.median(values))
    text = (
        f"The page saved as JPEG again gives leads' shares whose rank correlation with the first is {median:.2f} in "
        f"the median; at least {LEAST_REPEATED:g} should be."
    )
    return Check("repeatability", median >= LEAST_REPEATED, text, {"saved_again": median})


def _saved_again(
    scene: Scene, look: Look, methods: Mapping[str, Mapping[str, Any]], module: Any
) -> dict[str, float | None]:
    """Likeness of the leads' shares to those of the page saved as JPEG once more, drawn anew by methods that draw."""
    stream = io.BytesIO()
    Image.fromarray(scene.page.pixels).save(stream, "JPEG", quality=_SAVED_QUALITY)
    again = look(read_page(stream.getvalue()))
    if again is None:
        return dict.fromkeys(methods)
    again = replace(again, label=scene.label)
    return {
        method: correlate_ranks(
            told["shares"], project(again, compute_heat(again, method, module=module, seed=1)).shares
        )
        for method, told in methods.items()
    }


def _changed(scene: Scene, look: Look) -> dict[str, Any]:
    """What becomes of the label when something is taken away or turned; ``None`` where it is refused."""
    page = scene.page
    without = page.pixels.copy()
    without[: max(0, int(scene.layout.trace_area.top) - _ABOVE_TRACES_PX)] = 255
    number = {lead: index for index, lead in enumerate(scene.leads)}
    of_lead = np.array([number[stretch.lead] for stretch in scene.stretches] + [-1])
    masks = [{name: of_lead[part] == index for name, part in scene.regions.items()} for index in number.values()]
    found = {
        "header": _label(look(replace(page, pixels=without))),
        "blank_leads": float(np.mean([label != scene.label for label in scene.top_labels(masks)])),
        "flipped_page": _label(look(replace(page, pixels=np.ascontiguousarray(page.pixels[::-1])))),
    }
    if list(scene.arrays) == ["page"]:
        turned = {"page": np.ascontiguousarray(scene.arrays["page"][:, :, ::-1])}
        found["flipped_input"] = replace(scene, arrays=turned).top_labels([{}])[0]
    return found


def _label(scene: Scene | None) -> str | None:
    return None if scene is None else scene.label


def _became(after: Sequence[str | None], before: Sequence[str]) -> dict[str, float]:
    stays = float(np.mean([one == other for one, other in zip(after, before, strict=True)]))
    refused = float(np.mean([one is None for one in after]))
    return {"stays": stays, "another": 1.0 - stays - refused, "refused": refused}


def _agreement(lines: Sequence[Mapping[str, Any]], one: str, other: str) -> float:
    each = (line["methods"] for line in lines)
    return float(np.median([correlate_ranks(told[one]["shares"], told[other]["shares"]) for told in each]))


def _sampled(planes: Planes) -> NDArray[np.float32]:
    return np.concatenate([plane[..., ::_EVERY].ravel() for plane in planes.values()])


def _ranked(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
