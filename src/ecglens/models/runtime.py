"""Running a model folder with ONNX Runtime: arrays in, calibrated probabilities out."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.models.abstention import incomplete_signals, uncertain_answer, unfamiliar_layout
from ecglens.models.aggregate import Aggregation, aggregate
from ecglens.models.cards import GRAPH_FILE, FeatureMap, ModelCard
from ecglens.models.inputs import InputRecipe, LeadCrops, make_input, parse_recipe
from ecglens.records import Abstention, EcgRecord, Layout, Page, Prediction

__all__ = ["Runtime", "compute_class_map"]


class Runtime:
    """A loaded model; safe to share between threads.

    Args:
        card: Of the folder to load.
        threads: How many cores one answer may use.

    Raises:
        ModelError: The graph cannot be loaded or does not fit its card.
    """

    def __init__(self, card: ModelCard, *, threads: int = 1) -> None:
        self.card = card
        self.recipe: InputRecipe = parse_recipe(card.input)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(card.folder / GRAPH_FILE), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a family of errors without a public common base
            raise ModelError(f"The graph of model '{card.name}' cannot be loaded; export the model again.") from error
        self._check_ends()

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Raw outputs.

        Args:
            arrays: By the graph's input, ``(rows, *recipe.shapes[name])`` float32; see ``models.inputs.make_input``.

        Returns:
            ``(rows, labels)`` float32.

        Raises:
            ModelError: The shapes do not fit or the answer is not a number.
        """
        (result,) = self._run(["logits"], arrays)
        if not np.isfinite(result).all():
            raise ModelError(f"Model '{self.card.name}' gave no finite answer on this page.")
        return result

    def class_maps(
        self, arrays: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Raw outputs, and what each unit of the last feature maps adds to them.

        Args:
            arrays: As for :meth:`logits`.

        Returns:
            Logits ``(rows, labels)``; for each of ``card.feature_maps``, ``(rows, labels, height, width)`` float32. All
            maps' sums over height and width are the logits but for a constant of each label.
        """
        maps = self.card.feature_maps
        logits, *found = self._run(["logits", *(name for one in maps for name in (one.features, one.weights))], arrays)
        return logits, [
            one.factor * compute_class_map(features, weights, one)
            for one, features, weights in zip(maps, found[::2], found[1::2], strict=True)
        ]

    def _run(self, outputs: list[str], arrays: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        if shapes != self.recipe.shapes:
            raise ModelError(
                f"Model '{self.card.name}' reads {_shown(self.recipe.shapes)}, but got {_shown(shapes) or 'nothing'}."
            )
        feed = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
        return [np.asarray(out, dtype=np.float32) for out in self._session.run(outputs, feed)]

    def predict(self, page: Page, layout: Layout, record: EcgRecord | None = None) -> Prediction:
        """Answer for one page, or abstain.

        Args:
            page: As it came.
            layout: Where its leads were found.
            record: The page's signals, for a model that reads them; ``None`` where they could not be read.
        """
        abstention = unfamiliar_layout(layout, self.recipe, record)
        if abstention is not None:
            return self._without_answer(page, layout, abstention)
        arrays = make_input(page, layout, self.recipe, record)
        abstention = incomplete_signals(arrays)
        if abstention is not None:
            return self._without_answer(page, layout, abstention)
        logits = self.logits(arrays).astype(np.float64) / self.card.temperature
        probabilities = self._by_label(aggregate(logits[None], _how(self.recipe))[0])
        likeliest = max(probabilities, key=lambda label: probabilities[label])
        abstention = uncertain_answer(probabilities[likeliest], self.card.abstain_below)
        return Prediction(
            label=None if abstention else likeliest,
            probabilities=probabilities,
            abstention=abstention,
            lead_probabilities=self._by_lead(logits),
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=(*page.warnings, *layout.warnings, *self.card.warnings),
            inputs=arrays,
        )

    def _without_answer(self, page: Page, layout: Layout, abstention: Abstention) -> Prediction:
        return Prediction(
            label=None,
            probabilities=None,
            abstention=abstention,
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=(*page.warnings, *layout.warnings),
        )

    def _check_ends(self) -> None:
        """Compare what goes into the graph and comes out of it with the card."""
        name, labels, shapes = self.card.name, len(self.card.labels), self.recipe.shapes
        inputs, outputs = (
            {end.name: end.shape for end in ends} for ends in (self._session.get_inputs(), self._session.get_outputs())
        )
        told = {name for one in self.card.feature_maps for name in (one.features, one.weights)}
        if set(inputs) != set(shapes) or set(outputs) != {"logits", *told}:
            wanted = "' and '".join(shapes)
            raise ModelError(
                f"Expected a graph from '{wanted}' to 'logits' in model '{name}', but it goes from "
                f"'{', '.join(inputs)}' to '{', '.join(outputs)}'; export the model again."
            )
        for end, shape in shapes.items():
            if tuple(inputs[end][1:]) != shape:
                raise ModelError(
                    f"The input recipe of model '{name}' makes {shape}, but its graph reads "
                    f"{tuple(inputs[end][1:])}; export the model again."
                )
        if len(outputs["logits"]) != 2 or outputs["logits"][1] != labels:
            raise ModelError(
                f"Model '{name}' names {labels} labels, but its graph answers {outputs['logits']}; export it again."
            )

    def _by_label(self, probabilities: NDArray[np.float64]) -> Mapping[str, float]:
        return dict(zip(self.card.labels, probabilities.tolist(), strict=True))

    def _by_lead(self, logits: NDArray[np.float64]) -> Mapping[str, Mapping[str, float]] | None:
        """Each lead's own probabilities, where the model answers for each lead."""
        if not isinstance(self.recipe, LeadCrops):
            return None
        own = aggregate(logits[:, None], "mean_log")
        return {lead: self._by_label(row) for lead, row in zip(self.recipe.leads, own, strict=True)}


def compute_class_map(
    features: NDArray[np.float32], weights: NDArray[np.float32], described: FeatureMap
) -> NDArray[np.float32]:
    """What each unit of a feature map adds to a linear layer's answer (Zhou et al., DOI 10.1109/CVPR.2016.319).

    Where the map is averaged over cells, a unit has the weights of its cells; a channel's maximum belongs to the unit
    that holds it.

    Args:
        features: ``(rows, channels, height, width)``.
        weights: ``(labels, inputs)``.
        described: How the one is pooled for the other.

    Returns:
        ``(rows, labels, height, width)`` float32; the sum over height and width is the answer without its bias.
    """
    rows, channels, height, width = features.shape
    down, across = described.cells
    averaged = weights[:, : channels * down * across].reshape(-1, channels, down, across)
    spread = np.einsum("lcij,iy,jx->lcyx", averaged, _cells(down, height), _cells(across, width), optimize=True)
    found = np.einsum("rcyx,lcyx->rlyx", features, spread, optimize=True)
    if described.maximum:
        flat = features.reshape(rows, channels, -1)
        where = np.zeros_like(flat)
        np.put_along_axis(where, flat.argmax(axis=2)[..., None], flat.max(axis=2, keepdims=True), axis=2)
        highest = np.einsum("rcu,lc->rlu", where, weights[:, channels * down * across :])
        found = found + highest.reshape(found.shape)
    return np.asarray(found, dtype=np.float32)


def _cells(cells: int, size: int) -> NDArray[np.float32]:
    """Weight of each of ``size`` units in the mean of each cell, ``(cells, size)``, as torch's adaptive pooling."""
    weights = np.zeros((cells, size), np.float32)
    for cell in range(cells):
        first, last = cell * size // cells, -(-(cell + 1) * size // cells)
        weights[cell, first:last] = 1.0 / (last - first)
    return weights


def _how(recipe: InputRecipe) -> Aggregation:
    return recipe.aggregate if isinstance(recipe, LeadCrops) else "mean_log"


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
