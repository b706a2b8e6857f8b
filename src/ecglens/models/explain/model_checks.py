"""Check the methods of explanation on a model, over many pages.

For each page: deletion and insertion curves compared with random maps, the location of the heat, how the leads' shares
change when the page is saved again (and the method samples again), and how the prediction changes when the header is
white, a lead is blank or the page is upside down. Over all pages: the correlation of the heat with that of the model
with shuffled weights.
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

__all__ = [
    "LEAST_BETTER",
    "check_page",
    "correlate_by_layer",
    "correlate_ranks",
    "correlate_without_weights",
    "summarize_checks",
]

Look = Callable[[Page], Scene | None]
"""Function that reads a page for its top label; ``None`` if the model abstains."""

RANDOM_MAPS = 4
LEAST_BETTER, LEAST_REPEATED, MOST_LEFT = 0.95, 0.8, 0.5
"""Least share of pages better than random maps, least rank correlation of the shares when a page is read again, and
largest rank correlation with the heat of shuffled weights."""
_SAVED_QUALITY = 75
_ABOVE_TRACES_PX = 4
_EVERY = 8  # columns of a plane, one is compared
_CHANGES = {
    "header": "header white",
    "flipped_page": "page top to bottom",
    "flipped_input": "model's input top to bottom",
}


def check_page(
    page: Page, look: Look, methods: Sequence[str], *, rng: np.random.Generator, module: Any = None
) -> dict[str, Any] | None:
    """Check methods on one page.

    Args:
        page: Page as it was read.
        look: Function that reads the page and changed versions of it.
        methods: Names out of ``METHODS``.
        rng: Random generator for the random maps.
        module: Model as a torch module, for methods that follow gradients.

    Returns:
        Figures in plain types, or ``None`` if the model abstains on the page.
    """
    scene = look(page)
    if scene is None:
        return None
    figures: dict[str, Any] = {"label": scene.label, "methods": {}}
    for method in methods:
        planes = compute_heat(scene, method, module=module)
        curves, on_page = compute_curves(scene, planes), project(scene, planes)
        values: dict[str, Any] = {"deletion": curves.deletion, "insertion": curves.insertion, "shares": on_page.shares}
        if METHODS[method].places:
            place = locate_heat(scene, on_page.heat)
            values |= {"near": place.near, "outside": place.outside}
        figures["methods"][method] = values
    random_curves = [compute_curves(scene, make_random_map(scene, rng)) for _ in range(RANDOM_MAPS)]
    figures["random_maps"] = [[one.deletion, one.insertion] for one in random_curves]
    for method, value in _saved_again(scene, look, figures["methods"], module).items():
        figures["methods"][method]["saved_again"] = value
    return figures | _predict_changed(scene, look)


def summarize_checks(
    lines: Sequence[Mapping[str, Any]], card: ModelCard, *, left: Mapping[str, float] | None = None
) -> ModelChecks:
    """Summarize the checks of many pages.

    Args:
        lines: Results of :func:`check_page`, all of the same methods; at least one.
        card: Card of the model.
        left: By method, the rank correlation of the heat with that of the model with all weights shuffled.
    """
    methods = list(lines[0]["methods"])
    labels = [line["label"] for line in lines]
    changes = {
        title: _count_changes([line[name] for line in lines], labels)
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


def correlate_by_layer(
    scenes: Sequence[Scene], method: str, rng: np.random.Generator
) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Correlate a method's heat with that after more and more layers were shuffled, beginning at the logits.

    Args:
        scenes: Pages with a model from a folder.
        method: Method that needs no torch module.
        rng: Random generator for the shuffling.

    Yields:
        Number of shuffled layers, and mean rank correlations: of the absolute heat of all places, of the heat with
        signs, and of the leads' shares.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    before = [compute_heat(scene, method) for scene in scenes]
    for layers, model in shuffle_layers(scenes[0].model.card, rng):
        correlations = []
        for scene, planes in zip(scenes, before, strict=True):
            after = compute_heat(replace(scene, model=model), method)
            here, there = _subsample(planes), _subsample(after)
            shares = correlate_ranks(project(scene, planes).shares, project(scene, after).shares)
            correlations.append(
                (_rank_correlation(np.abs(here), np.abs(there)), _rank_correlation(here, there), shares)
            )
        unsigned, signed, of_leads = (float(np.mean(values)) for values in zip(*correlations, strict=True))
        yield layers, (unsigned, signed, of_leads)


def correlate_without_weights(
    scenes: Sequence[Scene], methods: Sequence[str], rng: np.random.Generator
) -> dict[str, float]:
    """Compute the rank correlation of each method's heat with that of the model with all weights shuffled.

    Methods that follow gradients or sample are left out. The result is empty if onnx is not installed.
    """
    if not is_installed("onnx") or not scenes or not (scenes[0].model.card.folder / GRAPH_FILE).is_file():
        return {}
    tried = [method for method in methods if not METHODS[method].gradients and not METHODS[method].random]
    return {method: list(correlate_by_layer(scenes, method, rng))[-1][1][1] for method in tried}


def correlate_ranks(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Compute the rank correlation of the shares of the leads that both have; 0 if all shares of one are equal."""
    leads = [lead for lead in one if lead in other]
    return _rank_correlation(np.array([one[lead] for lead in leads]), np.array([other[lead] for lead in leads]))


def _checks(lines: Sequence[Mapping[str, Any]], method: str, left: float | None) -> Iterator[Check]:
    own = [line["methods"][method] for line in lines]
    random = np.array([line["random_maps"] for line in lines]).mean(axis=1)
    for number, (name, sign, word) in enumerate((("deletion", -1, "lower"), ("insertion", 1, "higher"))):
        better = float(np.mean(sign * np.array([one[name] for one in own]) > sign * random[:, number]))
        text = (
            f"On {better:.1%} of {len(lines)} pages, {name} gives {word} log-odds than random maps; it should on "
            f"{LEAST_BETTER:.0%}."
        )
        yield Check(name, better >= LEAST_BETTER, text, {"better": better})
    if METHODS[method].places:
        near, outside = (float(np.mean([one[name] for one in own])) for name in ("near", "outside"))
        text = (
            f"Over {len(lines)} pages, {near:.0%} of the heat lies within 5 mm of a trace; at least {LEAST_NEAR:.0%} "
            f"should. {outside:.1%} lies outside the grid; at most {MOST_OUTSIDE:.0%} should."
        )
        yield Check(
            "location",
            near >= LEAST_NEAR and outside <= MOST_OUTSIDE,
            text,
            {"near_trace": near, "outside_grid": outside},
        )
    yield _check_repeatability(own)
    if left is not None:
        text = (
            f"With all weights shuffled, the heat's rank correlation with the original heat is {left:.2f}; it should "
            f"be below {MOST_LEFT:g}."
        )
        yield Check("shuffled weights", abs(left) < MOST_LEFT, text, {"left": left})


def _check_repeatability(own: Sequence[Mapping[str, Any]]) -> Check:
    """Check that the leads' shares hardly change when the page is saved again."""
    values = [one["saved_again"] for one in own if one["saved_again"] is not None]
    if not values:
        return Check("repeatability", None, "The model gave no label for any page that was saved again.")
    median = float(np.median(values))
    text = (
        f"When the page is saved as JPEG again, the median rank correlation of the leads' shares is {median:.2f}; it "
        f"should be at least {LEAST_REPEATED:g}."
    )
    return Check("repeatability", median >= LEAST_REPEATED, text, {"saved_again": median})


def _saved_again(
    scene: Scene, look: Look, methods: Mapping[str, Mapping[str, Any]], module: Any
) -> dict[str, float | None]:
    """Correlate the leads' shares with those of the page saved as JPEG again, with another seed."""
    stream = io.BytesIO()
    Image.fromarray(scene.page.pixels).save(stream, "JPEG", quality=_SAVED_QUALITY)
    again = look(read_page(stream.getvalue()))
    if again is None:
        return dict.fromkeys(methods)
    again = replace(again, label=scene.label)
    return {
        method: correlate_ranks(
            figures["shares"], project(again, compute_heat(again, method, module=module, seed=1)).shares
        )
        for method, figures in methods.items()
    }


def _predict_changed(scene: Scene, look: Look) -> dict[str, Any]:
    """Predict the label after something is removed or flipped; ``None`` if the model abstains."""
    page = scene.page
    blank_header = page.pixels.copy()
    blank_header[: max(0, int(scene.layout.trace_area.top) - _ABOVE_TRACES_PX)] = 255
    number = {lead: index for index, lead in enumerate(scene.leads)}
    lead_of_stretch = np.array([number[stretch.lead] for stretch in scene.stretches] + [-1])
    masks = [
        {name: lead_of_stretch[part] == index for name, part in scene.regions.items()} for index in number.values()
    ]
    labels = {
        "header": _label(look(replace(page, pixels=blank_header))),
        "blank_leads": float(np.mean([label != scene.label for label in scene.top_labels(masks)])),
        "flipped_page": _label(look(replace(page, pixels=np.ascontiguousarray(page.pixels[::-1])))),
    }
    if list(scene.arrays) == ["page"]:
        flipped = {"page": np.ascontiguousarray(scene.arrays["page"][:, :, ::-1])}
        labels["flipped_input"] = replace(scene, arrays=flipped).top_labels([{}])[0]
    return labels


def _label(scene: Scene | None) -> str | None:
    return None if scene is None else scene.label


def _count_changes(after: Sequence[str | None], before: Sequence[str]) -> dict[str, float]:
    stays = float(np.mean([one == other for one, other in zip(after, before, strict=True)]))
    refused = float(np.mean([one is None for one in after]))
    return {"stays": stays, "another": 1.0 - stays - refused, "refused": refused}


def _agreement(lines: Sequence[Mapping[str, Any]], one: str, other: str) -> float:
    each = (line["methods"] for line in lines)
    return float(np.median([correlate_ranks(figures[one]["shares"], figures[other]["shares"]) for figures in each]))


def _subsample(planes: Planes) -> NDArray[np.float32]:
    return np.concatenate([plane[..., ::_EVERY].ravel() for plane in planes.values()])


def _rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
