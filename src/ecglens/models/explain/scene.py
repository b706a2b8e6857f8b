"""What every method needs: a page as a model reads it, what it would read of bare paper, and where both lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.layouts import RHYTHM
from ecglens.models.aggregate import aggregate
from ecglens.models.cards import ModelCard
from ecglens.models.inputs import InputRecipe, LeadCrops, View, make_input, views
from ecglens.records import Box, Layout, Page

__all__ = ["LogitModel", "Planes", "Scene", "Stretch"]

Planes = dict[str, NDArray[np.float32]]
"""A value for each place of a model's arrays: by the graph's input ``(rows, height, width)``; of a signal model
``(rows, signals and masks, samples)``."""

STRETCH_S = 0.5
"""Length of the stretches that leads are cut into: about one beat with its ST segment at 100 beats a minute."""
_AT_ONCE = 8
_LEAST_VOTE = 1e-3


class LogitModel(Protocol):
    """What a method asks of a model; ``ecglens.models.runtime.Runtime`` is one."""

    card: ModelCard
    recipe: InputRecipe

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Raw outputs, ``(rows, labels)``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a lead on the upright page."""

    lead: str
    start_s: float
    end_s: float
    box: Box


@dataclass(frozen=True, eq=False)
class Scene:
    """A page in front of a model.

    Attributes:
        page: As it came.
        layout: Where its leads stand.
        model: Who answers.
        label: Whose log-odds are explained.
        arrays: What the model reads, ``(rows, ...)`` by the graph's input.
        views: Where parts of them lie on the upright page.
        stretches: The leads in pieces of about half a second, in the layout's order.
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
        speed_mm_s: float = 25.0,
    ) -> "Scene":
        """Build what the model reads of a page.

        Args:
            page: As it came.
            layout: Where its leads were found.
            model: Who answers.
            label: One of the model's.
            arrays: Arrays that the model read when it answered; made from the page where they are ``None``.
            speed_mm_s: Paper speed.

        Raises:
            ModelError: The model has no such label, or cannot read the page.
        """
        if label not in model.card.labels:
            raise ModelError(
                f"Expected a label of model '{model.card.name}' ({', '.join(model.card.labels)}), found '{label}'."
            )
        arrays = make_input(page, layout, model.recipe) if arrays is None else arrays
        where = views(page, layout, model.recipe, speed_mm_s=speed_mm_s)
        return cls(page, layout, model, label, arrays, where, _stretches(layout, speed_mm_s))

    @property
    def index(self) -> int:
        """Of the label among the model's."""
        return self.model.card.labels.index(self.label)

    @cached_property
    def leads(self) -> tuple[str, ...]:
        """Names of the leads in the layout's order."""
        return tuple(dict.fromkeys(stretch.lead for stretch in self.stretches))

    @cached_property
    def paper(self) -> dict[str, NDArray[np.float32]]:
        """What the model would read of bare paper: the median of each image and channel; signals that are not known."""
        return {
            name: np.broadcast_to(np.median(array, axis=(2, 3), keepdims=True), array.shape)
            if name == "page"
            else np.zeros_like(array)
            for name, array in self.arrays.items()
        }

    @cached_property
    def regions(self) -> dict[str, NDArray[np.intp]]:
        """Which stretch each place of the arrays belongs to, ``(rows, height, width)``; -1 for none."""
        boxes = [stretch.box for stretch in self.stretches]
        found = {name: np.full(_plane(array), -1, np.intp) for name, array in self.arrays.items()}
        for name, parts in self.views.items():
            for view in parts:
                rows, columns = slice(view.top, view.top + view.height), slice(view.left, view.left + view.width)
                found[name][view.row, rows, columns] = view.regions(boxes)
        return found

    def planes(self) -> Planes:
        """Zeros."""
        return {name: np.zeros(_plane(array), np.float32) for name, array in self.arrays.items()}

    def spread(self, values: NDArray[np.floating]) -> Planes:
        """Values of the stretches as planes: each spread evenly over the places of its stretch."""
        counts = sum(np.bincount(part.ravel() + 1, minlength=len(values) + 1) for part in self.regions.values())
        even = np.concatenate([[0.0], np.asarray(values) / np.maximum(1, np.asarray(counts)[1:])])
        return {name: even[part + 1].astype(np.float32) for name, part in self.regions.items()}

    def own_log_odds(self) -> float:
        """Of the label on the page as it is."""
        return float(self.log_odds([{}])[0])

    def log_odds(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        """Of the label, with parts of the arrays replaced by bare paper.

        Args:
            masks: One for each answer: True in planes like :attr:`regions` where paper is put; what has no mask stays.

        Returns:
            ``(answers,)``, log p - log(1 - p) of the calibrated probability.
        """
        return self._answers(masks)[:, self.index]

    def top_labels(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> list[str]:
        """Labels that are likeliest with parts of the arrays replaced by bare paper; masks as for :meth:`log_odds`."""
        return [self.model.card.labels[number] for number in self._answers(masks).argmax(axis=1)]

    def _answers(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        step = max(1, _AT_ONCE // len(self.model.recipe.rows))
        return np.concatenate([self._asked(masks[first : first + step]) for first in range(0, len(masks), step)])

    def _asked(self, masks: Sequence[Mapping[str, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        arrays = {name: np.concatenate([self._masked(name, mask) for mask in masks]) for name in self.arrays}
        logits = self.model.logits(arrays).astype(np.float64) / self.model.card.temperature
        return compute_log_odds(logits.reshape(len(masks), -1, logits.shape[1]), self.model.recipe)

    def _masked(self, name: str, mask: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.float32]:
        array = self.arrays[name]
        if name not in mask:
            return array
        where = mask[name][:, None] if name == "page" else mask[name]
        return np.where(where, self.paper[name], array)


def compute_log_odds(logits: NDArray[np.float64], recipe: InputRecipe) -> NDArray[np.float64]:
    """Log-odds of every label for pages.

    Args:
        logits: ``(pages, rows, labels)``, calibrated.
        recipe: Says how rows become a page's answer.

    Returns:
        ``(pages, labels)``; a vote of all rows counts as 0.999, so that it stays finite.
    """
    if isinstance(recipe, LeadCrops) and recipe.aggregate == "majority":
        share = np.clip(aggregate(logits, "majority"), _LEAST_VOTE, 1 - _LEAST_VOTE)
        return np.asarray(np.log(share) - np.log1p(-share))
    mean = logits.mean(axis=1)
    others = np.where(np.eye(mean.shape[1], dtype=bool), -np.inf, mean[:, None, :])
    return np.asarray(mean - np.logaddexp.reduce(others, axis=2))


def _plane(array: NDArray[np.float32]) -> tuple[int, int, int]:
    return array.shape[0], array.shape[-2], array.shape[-1]


def _stretches(layout: Layout, speed_mm_s: float) -> tuple[Stretch, ...]:
    px_per_s = speed_mm_s * layout.px_per_mm[1]
    found = []
    for lead in layout.leads:
        name, seconds = lead.lead + RHYTHM if lead.rhythm else lead.lead, lead.box.width / px_per_s
        edges = np.linspace(0.0, seconds, max(1, round(seconds / STRETCH_S)) + 1)
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            left, right = lead.box.left + start * px_per_s, lead.box.left + end * px_per_s
            found.append(Stretch(name, start, end, Box(lead.box.top, left, lead.box.bottom, right)))
    return tuple(found)
