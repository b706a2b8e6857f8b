"""Run a model folder with ONNX Runtime: from arrays to calibrated probabilities."""

import threading
from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.arguments import check_type
from ecglens.errors import ModelError
from ecglens.models.abstention import (
    implausible_signals,
    incomplete_signals,
    list_missing_leads,
    uncertain_answer,
    unfamiliar_layout,
)
from ecglens.models.aggregate import Aggregation, aggregate
from ecglens.models.cards import GRAPH_FILE, FeatureMap, ModelCard
from ecglens.models.inputs import InputRecipe, LeadBeats, LeadCrops, make_beat_array, make_input, parse_recipe
from ecglens.models.memory import limit_memory
from ecglens.records import Abstention, EcgRecord, Layout, Page, Prediction

__all__ = ["Runtime", "compute_class_map"]

_LOAD_MB, _LOAD_PER_FILE = 500.0, 5.0
"""Memory for loading and trying out a graph: some MB, and a multiple of the size of its file for the weights."""
_RUN_SECONDS, _ROW_SECONDS = 5.0, 1.0
"""Time after which a graph is stopped: some seconds, and one for each row, of which the slowest model takes 0.2 s."""


class Runtime:
    """Loaded model; safe to share between threads.

    Args:
        card: Card of the model folder to load.
        threads: Number of cores that one prediction may use.

    Raises:
        ModelError: The graph cannot be loaded or does not fit its card.
    """

    def __init__(self, card: ModelCard, *, threads: int = 1) -> None:
        self.card = card
        self.recipe: InputRecipe = parse_recipe(card.input)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised
        graph = card.folder / GRAPH_FILE
        with limit_memory(_LOAD_MB + _LOAD_PER_FILE * graph.stat().st_size / 1e6):
            try:
                self._session = onnxruntime.InferenceSession(
                    str(graph), sess_options=options, providers=["CPUExecutionProvider"], enable_fallback=False
                )
            except Exception as error:  # the errors of onnxruntime have no public base class
                raise ModelError(
                    f"The graph of model '{card.name}' cannot be loaded; export the model again."
                ) from error
            self._check_ends()
            self._try_out()

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute the logits of some rows.

        Args:
            arrays: By the graph's input, ``(rows, *recipe.shapes[name])`` float32; see ``models.inputs.make_input``.

        Returns:
            ``(rows, labels)`` float32.

        Raises:
            ModelError: The shapes do not fit, or a logit is not finite.
        """
        (result,) = self._run(["logits"], arrays)
        if not np.isfinite(result).all():
            raise ModelError(f"Model '{self.card.name}' gave no finite logits for this page.")
        return result

    def class_maps(
        self, arrays: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Compute the logits, and what each unit of the last feature maps contributes to them.

        Args:
            arrays: As for :meth:`logits`.

        Returns:
            Logits ``(rows, labels)``; for each of ``card.feature_maps``, ``(rows, labels, height, width)`` float32. The
            sum of all maps over height and width equals the logits up to one constant per label.
        """
        maps = self.card.feature_maps
        logits, *tensors = self._run(
            ["logits", *(name for one in maps for name in (one.features, one.weights))], arrays
        )
        return logits, [
            one.factor * compute_class_map(features, weights, one)
            for one, features, weights in zip(maps, tensors[::2], tensors[1::2], strict=True)
        ]

    def _run(self, outputs: list[str], arrays: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        if shapes != self.recipe.shapes:
            raise ModelError(
                f"Expected {_format_shapes(self.recipe.shapes)} for model '{self.card.name}', got "
                f"{_format_shapes(shapes) or 'nothing'}."
            )
        feed = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
        options, rows = onnxruntime.RunOptions(), max(map(len, feed.values()))
        seconds = _RUN_SECONDS + _ROW_SECONDS * rows
        watch = threading.Timer(seconds, setattr, (options, "terminate", True))
        watch.daemon = True
        watch.start()
        try:
            results = self._session.run(outputs, feed, options)
        except Exception as error:  # as above
            if not options.terminate:
                raise
            raise ModelError(
                f"Expected model '{self.card.name}' to answer within {seconds:g} s, but its graph goes on; use another."
            ) from error
        finally:
            watch.cancel()
        return [np.asarray(out, dtype=np.float32) for out in results]

    def predict(self, page: Page, layout: Layout, record: EcgRecord | None = None) -> Prediction:
        """Predict the label of one page, or abstain.

        Args:
            page: Page as it was read, not yet rotated upright.
            layout: Positions of its leads.
            record: Signals of the page, for a model that reads them; ``None`` if they could not be read.
        """
        abstention = unfamiliar_layout(layout, self.recipe, record)
        if abstention is None and record is not None and isinstance(self.recipe, LeadBeats):
            abstention = implausible_signals(record)
        if abstention is not None:
            return self._abstain(layout, abstention, (*page.warnings, *layout.warnings))
        arrays = make_input(page, layout, self.recipe, record)
        return self._answer(arrays, layout, (*page.warnings, *layout.warnings))

    def predict_record(self, record: EcgRecord, *, is_scale_known: bool = True) -> Prediction:
        """Predict from the signals of a recording alone, for a model that reads nothing else.

        Args:
            record: Signals, which begin together.
            is_scale_known: Whether they are in mV; otherwise the model reads their shape alone.

        Raises:
            ModelError: The model reads pages.
            ArgumentError: It is no record.
        """
        check_type(record, EcgRecord, "a record, such as one from ecglens.read_record")
        if not isinstance(self.recipe, LeadBeats):
            raise ModelError(f"Expected a model of beats, got '{self.card.name}', which reads pages; use another.")
        abstention = implausible_signals(record, is_scale_known=is_scale_known)
        if abstention is not None:
            return self._abstain(None, abstention, record.warnings)
        array = make_beat_array(record, self.recipe, is_scale_known=is_scale_known)
        return self._answer({"signal": array[None]}, None, record.warnings)

    def calibrate(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute calibrated probabilities.

        Args:
            logits: ``(rows, labels)`` from :meth:`logits`.

        Returns:
            ``(labels,)`` float64.
        """
        if self.card.several:
            scaled = logits[0].astype(np.float64) / (self.card.label_temperatures or self.card.temperature)
            return np.asarray(1 / (1 + np.exp(-scaled)))
        scaled = logits.astype(np.float64) / self.card.temperature
        return np.asarray(aggregate(scaled[None], _aggregation(self.recipe))[0], dtype=np.float64)

    def _answer(
        self, arrays: Mapping[str, NDArray[np.float32]], layout: Layout | None, warnings: tuple[str, ...]
    ) -> Prediction:
        """Run the graph, unless too much of its input is missing."""
        abstention = incomplete_signals(arrays, self.recipe)
        if abstention is not None:
            return self._abstain(layout, abstention, warnings)
        if isinstance(self.recipe, LeadBeats) and (missing := list_missing_leads(arrays["signal"][0], self.recipe)):
            warnings += (f"The model read no signal of {', '.join(missing)}.",)
        logits = self.logits(arrays)
        probabilities = self._by_label(self.calibrate(logits))
        top_label = max(probabilities, key=lambda label: probabilities[label])
        abstention = uncertain_answer(probabilities[top_label], self.card.abstain_below)
        return Prediction(
            label=None if abstention else top_label,
            probabilities=probabilities,
            abstention=abstention,
            lead_probabilities=self._by_lead(logits.astype(np.float64) / self.card.temperature),
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=(*warnings, *self.card.warnings),
            inputs=arrays,
            holds=self._holds(probabilities),
        )

    def _holds(self, probabilities: Mapping[str, float]) -> Mapping[str, bool | None] | None:
        """Return whether each label holds by its conformal set; ``None`` where the set does not say."""
        if not self.card.set_limits:
            return None
        answers = {}
        for limits, (label, probability) in zip(self.card.set_limits, probabilities.items(), strict=True):
            yes, no = probability >= limits.yes_from, probability <= limits.no_to
            answers[label] = yes if yes != no else None
        return answers

    def _abstain(self, layout: Layout | None, abstention: Abstention, warnings: tuple[str, ...]) -> Prediction:
        return Prediction(
            label=None,
            probabilities=None,
            abstention=abstention,
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=warnings,
        )

    def _try_out(self) -> None:
        """Run the graph once on zeros: a small graph can ask for any amount of memory, or never end.

        Raises:
            ModelError: It does.
        """
        zeros = {name: np.zeros((1, *shape), np.float32) for name, shape in self.recipe.shapes.items()}
        try:
            self._run(["logits"], zeros)
        except ModelError:
            raise
        except Exception as error:  # as above
            raise ModelError(
                f"Expected a graph that runs in model '{self.card.name}', but it fails or takes more than "
                f"{_LOAD_MB:g} MB beside its weights; export the model again."
            ) from error

    def _check_ends(self) -> None:
        """Check that the graph's inputs and outputs are those of the card."""
        name, labels, shapes = self.card.name, len(self.card.labels), self.recipe.shapes
        inputs, outputs = (
            {end.name: end.shape for end in ends} for ends in (self._session.get_inputs(), self._session.get_outputs())
        )
        map_outputs = {name for one in self.card.feature_maps for name in (one.features, one.weights)}
        if set(inputs) != set(shapes) or "logits" not in outputs:
            expected = "' and '".join(shapes)
            raise ModelError(
                f"Expected a graph from '{expected}' to 'logits' in model '{name}', got one from "
                f"'{', '.join(inputs)}' to '{', '.join(outputs)}'; export the model again."
            )
        surplus, missing = set(outputs) - map_outputs - {"logits"}, map_outputs - set(outputs)
        if surplus or missing:
            raise ModelError(
                f"Expected the field feature_maps in the card of model '{name}' to describe the graph's outputs, got "
                + (f"none for {', '.join(sorted(surplus))}" if surplus else f"{', '.join(sorted(missing))} beside them")
                + "; restore the field, or export the model again."
            )
        for end, shape in shapes.items():
            if tuple(inputs[end][1:]) != shape:
                raise ModelError(
                    f"The input recipe of model '{name}' produces {shape}, but its graph reads "
                    f"{tuple(inputs[end][1:])}; export the model again."
                )
        if len(outputs["logits"]) != 2 or outputs["logits"][1] != labels:
            raise ModelError(
                f"Model '{name}' names {labels} labels, but its graph returns {outputs['logits']}; export it again."
            )

    def _by_label(self, probabilities: NDArray[np.float64]) -> Mapping[str, float]:
        return dict(zip(self.card.labels, probabilities.tolist(), strict=True))

    def _by_lead(self, logits: NDArray[np.float64]) -> Mapping[str, Mapping[str, float]] | None:
        """Return the probabilities of each lead, if the model predicts for each lead."""
        if not isinstance(self.recipe, LeadCrops):
            return None
        own = aggregate(logits[:, None], "mean_log")
        return {lead: self._by_label(row) for lead, row in zip(self.recipe.leads, own, strict=True)}


def compute_class_map(
    features: NDArray[np.float32], weights: NDArray[np.float32], described: FeatureMap
) -> NDArray[np.float32]:
    """Compute what each unit of a feature map adds to a linear layer's output (Zhou et al., DOI 10.1109/CVPR.2016.319).

    If the map is averaged over cells, a unit has the weights of its cells. A channel's maximum is attributed to the
    unit that has it.

    Args:
        features: ``(rows, channels, height, width)``.
        weights: ``(labels, inputs)``.
        described: How the map is pooled before the layer.

    Returns:
        ``(rows, labels, height, width)`` float32; the sum over height and width is the output without the bias.
    """
    rows, channels, height, width = features.shape
    down, across = described.cells
    averaged = weights[:, : channels * down * across].reshape(-1, channels, down, across)
    unit_weights = np.einsum("lcij,iy,jx->lcyx", averaged, _cells(down, height), _cells(across, width), optimize=True)
    contributions = np.einsum("rcyx,lcyx->rlyx", features, unit_weights, optimize=True)
    if described.maximum:
        flat = features.reshape(rows, channels, -1)
        maxima = np.zeros_like(flat)
        np.put_along_axis(maxima, flat.argmax(axis=2)[..., None], flat.max(axis=2, keepdims=True), axis=2)
        highest = np.einsum("rcu,lc->rlu", maxima, weights[:, channels * down * across :])
        contributions = contributions + highest.reshape(contributions.shape)
    return np.asarray(contributions, dtype=np.float32)


def _cells(cells: int, size: int) -> NDArray[np.float32]:
    """Return each unit's weight in each cell's mean, ``(cells, size)``, as in torch's adaptive pooling."""
    weights = np.zeros((cells, size), np.float32)
    for cell in range(cells):
        first, last = cell * size // cells, -(-(cell + 1) * size // cells)
        weights[cell, first:last] = 1.0 / (last - first)
    return weights


def _aggregation(recipe: InputRecipe) -> Aggregation:
    return recipe.aggregate if isinstance(recipe, LeadCrops) else "mean_log"


def _format_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
