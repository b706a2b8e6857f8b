"""Running a model folder with ONNX Runtime: arrays in, calibrated probabilities out."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.models.aggregate import Aggregation, aggregate
from ecglens.models.cards import GRAPH_FILE, ModelCard
from ecglens.models.inputs import (
    InputRecipe,
    LeadCrops,
    known_share,
    make_input,
    needs_record,
    parse_recipe,
    unsuitable,
)
from ecglens.records import Abstention, EcgRecord, Layout, Page, Prediction

__all__ = ["Runtime"]

_LEAST_KNOWN = 0.5
"""Below this share of known samples a signal model answers on what it does not see."""


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
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        if shapes != self.recipe.shapes:
            raise ModelError(
                f"Model '{self.card.name}' reads {_shown(self.recipe.shapes)}, but got {_shown(shapes) or 'nothing'}."
            )
        feed = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
        (out,) = self._session.run(["logits"], feed)
        result = np.asarray(out, dtype=np.float32)
        if not np.isfinite(result).all():
            raise ModelError(f"Model '{self.card.name}' gave no finite answer on this page.")
        return result

    def predict(self, page: Page, layout: Layout, record: EcgRecord | None = None) -> Prediction:
        """Answer for one page, or abstain.

        Args:
            page: As it came.
            layout: Where its leads were found.
            record: The page's signals, for a model that reads them; ``None`` where they could not be read.
        """
        reason = unsuitable(layout, self.recipe)
        if reason is None and record is None and needs_record(self.recipe):
            reason = "The model reads signals, and those of this page could not be read."
        if reason is not None:
            return self._unfamiliar(page, layout, reason)
        arrays = make_input(page, layout, self.recipe, record)
        if "signal" in arrays and known_share(arrays["signal"][0]) < _LEAST_KNOWN:
            return self._unfamiliar(
                page, layout, f"The model reads signals, and less than {_LEAST_KNOWN:.0%} of those it needs were read."
            )
        logits = self.logits(arrays).astype(np.float64) / self.card.temperature
        probabilities = self._by_label(aggregate(logits[None], _how(self.recipe))[0])
        likeliest = max(probabilities, key=lambda label: probabilities[label])
        abstention = None
        if probabilities[likeliest] < self.card.abstain_below:
            abstention = Abstention(
                "uncertain",
                f"No label is sure enough: the likeliest has {probabilities[likeliest]:.1%}, "
                f"and this model answers from {self.card.abstain_below:.1%} on.",
            )
        return Prediction(
            label=None if abstention else likeliest,
            probabilities=probabilities,
            abstention=abstention,
            lead_probabilities=self._by_lead(logits),
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=(*page.warnings, *layout.warnings, *self.card.warnings),
        )

    def _unfamiliar(self, page: Page, layout: Layout, reason: str) -> Prediction:
        return Prediction(
            label=None,
            probabilities=None,
            abstention=Abstention("unfamiliar", reason),
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
        if set(inputs) != set(shapes) or set(outputs) != {"logits"}:
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


def _how(recipe: InputRecipe) -> Aggregation:
    return recipe.aggregate if isinstance(recipe, LeadCrops) else "mean_log"


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
