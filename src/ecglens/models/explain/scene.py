"""Scene that every method explains: a page, the model's arrays of it and of bare paper, and their positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.layouts import RHYTHM, STANDARD_SPEED_MM_S
from ecglens.models.aggregate import aggregate
from ecglens.models.cards import ModelCard
from ecglens.models.inputs import InputRecipe, LeadCrops, View, make_input, make_views
from ecglens.records import Box, Layout, Page

__all__ = ["LogitModel", "Planes", "Scene", "Stretch"]

Planes = dict[str, NDArray[np.float32]]
"""Value of each place of a model's arrays: by the graph's input, ``(rows, height, width)``, or for signals
``(rows, signals and masks, samples)``."""

STRETCH_S = 0.5
"""Length of the stretches into which leads are divided: about one beat with its ST segment at 100 beats per minute."""
_AT_ONCE = 8
_LEAST_VOTE = 1e-3


class LogitModel(Protocol):
    """Model as methods use it; ``ecglens.models.runtime.Runtime`` implements it."""

    card: ModelCard
    recipe: InputRecipe

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the logits, ``(rows, labels)``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a lead on the upright page."""

    lead: str
    start_s: float
    end_s: float
    box: Box


@dataclass(frozen=True, eq=False)
class Scene:
    """Page and model of an explanation.

    Attributes:
        page: Page as it was read.
        layout: Positions of its leads.
        model: Model whose prediction is explained.
        label: Label whose log-odds are explained.
        arrays: Model's input, ``(rows, ...)`` by the graph's input.
        views: Positions of the arrays' parts on the upright page.
        stretches: Leads, divided into parts of about half a second, in the layout's order.
    """

    page: Page
    layout: Layout
    model: LogitModel
    label: str
    arrays: Mapping[str, NDArray[np.float32]]
    views: Mapping[str, tuple[View, ...]]
    stretches: tuple[Stretch, ...]

    @classmethod
    def of(
        cls,
        page: Page,
        layout: Layout,
        model: LogitModel,
        label: str,
        *,
        arrays: Mapping[str, NDArray[np.float32]] | None = None,
        speed_mm_s: float = STANDARD_SPEED_MM_S,
    ) -> "Scene":
        """Create the scene of a page.

        Args:
            page: Page as it was read.
            layout: Positions of its leads.
            model: Model whose prediction is explained.
            label: Label to explain, one of the model's.
            arrays: Arrays from which the prediction was computed; created from the page if they are ``None``.
            speed_mm_s: Paper speed in mm/s.

        Raises:
            ModelError: The model has no such label, or cannot read the page.
        """
        if label not in model.card.labels:
            raise ModelError(
                f"Expected a label of model '{model.card.name}' ({', '.join(model.card.labels)}), got '{label}'."
            )
        arrays = make_input(page, layout, model.recipe) if arrays is None else arrays
        positions = make_views(page, layout, model.recipe, speed_mm_s=speed_mm_s)
        return cls(page, layout, model, label, arrays, positions, _divide_leads(layout, speed_mm_s))

    @property
    def index(self) -> int:
        """Index of the label among the model's labels."""
        return self.model.card.labels.index(self.label)

    @cached_property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads in the layout's order."""
        return tuple(dict.fromkeys(stretch.lead for stretch in self.stretches))

    @cached_property
    def paper(self) -> dict[str, NDArray[np.float32]]:
        """Arrays of bare paper: the median of each image and channel; signals without a valid sample."""
        return {
            name: np.broadcast_to(np.median(array, axis=(2, 3), keepdims=True), array.shape)
            if name == "page"
            else np.zeros_like(array)
            for name, array in self.arrays.items()
        }

    @cached_property
    def regions(self) -> dict[str, NDArray[np.intp]]:
        """Index of the stretch to which each place of the arrays belongs, ``(rows, height, width)``; -1 for none."""
        boxes = [stretch.box for stretch in self.stretches]
        regions = {name: np.full(_plane(array), -1, np.intp) for name, array in self.arrays.items()}
        for name, parts in self.views.items():
            for view in parts:
                rows, columns = slice(view.top, view.top + view.height), slice(view.left, view.left + view.width)
                regions[name][view.row, rows, columns] = view.regions(boxes)
        return regions

    def planes(self) -> Planes:
        """Create planes of zeros."""
        return {name: np.zeros(_plane(array), np.float32) for name, array in self.arrays.items()}

    def spread(self, values: NDArray[np.floating]) -> Planes:
        """Create planes from values of the stretches: each value is spread evenly over the places of its stretch."""
        counts = sum(np.bincount(part.ravel() + 1, minlength=len(values) + 1) for part in self.regions.values())
        even = np.concatenate([[0.0], np.asarray(values) / np.maximum(1, np.asarray(counts)[1:])])
        return {name: even[part + 1].astype(np.float32) for name, part in self.regions.items()}

    def own_log_odds(self) -> float:
        """Compute the log-odds of the label on the unchanged page."""
        return float(self.log_odds([{}])[0])

    def log_odds(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        """Compute the log-odds of the label with parts of the arrays replaced by bare paper.

        Args:
            masks: One for each result, by the graph's input and shaped like :attr:`regions`: true where paper replaces
                the array. An array without a mask does not change.

        Returns:
            ``(masks,)``, log p - log(1 - p) of the calibrated probability.
        """
        return self._all_log_odds(masks)[:, self.index]

    def top_labels(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> list[str]:
        """Return the top labels with parts of the arrays replaced by bare paper; masks as for :meth:`log_odds`."""
        return [self.model.card.labels[number] for number in self._all_log_odds(masks).argmax(axis=1)]

    def _all_log_odds(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        step = max(1, _AT_ONCE // len(self.model.recipe.rows))
        return np.concatenate(
            [self._compute_batch(masks[first : first + step]) for first in range(0, len(masks), step)]
        )

    def _compute_batch(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        arrays = {name: np.concatenate([self._apply_mask(name, mask) for mask in masks]) for name in self.arrays}
        logits = self.model.logits(arrays).astype(np.float64) / self.model.card.temperature
        return compute_log_odds(logits.reshape(len(masks), -1, logits.shape[1]), self.model.recipe)

    def _apply_mask(self, name: str, mask: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.float32]:
        array = self.arrays[name]
        if name not in mask:
            return array
        is_paper = mask[name][:, None] if name == "page" else mask[name]
        return np.where(is_paper, self.paper[name], array)


def compute_log_odds(logits: NDArray[np.float64], recipe: InputRecipe) -> NDArray[np.float64]:
    """Compute the log-odds of every label for pages.

    Args:
        logits: ``(pages, rows, labels)``, calibrated.
        recipe: Input recipe, which says how rows are aggregated.

    Returns:
        ``(pages, labels)``; the vote of all rows counts as 0.999, so that the log-odds are finite.
    """
    if isinstance(recipe, LeadCrops) and recipe.aggregate == "majority":
        share = np.clip(aggregate(logits, "majority"), _LEAST_VOTE, 1 - _LEAST_VOTE)
        return np.asarray(np.log(share) - np.log1p(-share))
    mean = logits.mean(axis=1)
    others = np.where(np.eye(mean.shape[1], dtype=bool), -np.inf, mean[:, None, :])
    return np.asarray(mean - np.logaddexp.reduce(others, axis=2))


def _plane(array: NDArray[np.float32]) -> tuple[int, int, int]:
    return array.shape[0], array.shape[-2], array.shape[-1]


def _divide_leads(layout: Layout, speed_mm_s: float) -> tuple[Stretch, ...]:
    px_per_s = speed_mm_s * layout.px_per_mm[1]
    stretches = []
    for lead in layout.leads:
        name, seconds = lead.lead + RHYTHM if lead.rhythm else lead.lead, lead.box.width / px_per_s
        edges = np.linspace(0.0, seconds, max(1, round(seconds / STRETCH_S)) + 1)
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            left, right = lead.box.left + start * px_per_s, lead.box.left + end * px_per_s
            stretches.append(Stretch(name, start, end, Box(lead.box.top, left, lead.box.bottom, right)))
    return tuple(stretches)
