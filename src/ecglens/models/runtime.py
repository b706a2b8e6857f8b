"""Running a model folder with ONNX Runtime: array in, calibrated probabilities out."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ecglens.errors import ModelError
from ecglens.models.cards import GRAPH_FILE, ModelCard
from ecglens.models.inputs import TraceCanvas, make_input, parse_recipe, unsuitable
from ecglens.records import Abstention, Layout, Page, Prediction

__all__ = ["Runtime"]


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
        self.recipe: TraceCanvas = parse_recipe(card.input)
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

    def logits(self, arrays: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw outputs.

        Args:
            arrays: ``(pages, *recipe.shape)`` float32.

        Returns:
            ``(pages, labels)`` float32.

        Raises:
            ModelError: The shape does not fit or the answer is not a number.
        """
        if arrays.shape[1:] != self.recipe.shape:
            raise ModelError(f"Model '{self.card.name}' reads {self.recipe.shape}, but got {arrays.shape[1:]}.")
        (out,) = self._session.run(["logits"], {"page": np.ascontiguousarray(arrays, dtype=np.float32)})
        result = np.asarray(out, dtype=np.float32)
        if not np.isfinite(result).all():
            raise ModelError(f"Model '{self.card.name}' gave no finite answer on this page.")
        return result

    def predict(self, page: Page, layout: Layout) -> Prediction:
        """Answer for one page, or abstain."""
        reason = unsuitable(layout, self.recipe)
        if reason is not None:
            return Prediction(
                label=None,
                probabilities=None,
                abstention=Abstention("unfamiliar", reason),
                model=self.card.name,
                model_version=self.card.version,
                layout=layout,
                warnings=(*page.warnings, *layout.warnings),
            )
        logits = self.logits(make_input(layout, self.recipe)[None])[0]
        probabilities = self._probabilities(logits)
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
            model=self.card.name,
            model_version=self.card.version,
            layout=layout,
            warnings=(*page.warnings, *layout.warnings, *self.card.warnings),
        )

    def _check_ends(self) -> None:
        """Compare what goes into the graph and comes out of it with the card."""
        name, labels = self.card.name, len(self.card.labels)
        inputs, outputs = (
            {end.name: end.shape for end in ends} for ends in (self._session.get_inputs(), self._session.get_outputs())
        )
        if set(inputs) != {"page"} or set(outputs) != {"logits"}:
            raise ModelError(
                f"Expected a graph from 'page' to 'logits' in model '{name}', but it goes from "
                f"'{', '.join(inputs)}' to '{', '.join(outputs)}'; export the model again."
            )
        if tuple(inputs["page"][1:]) != self.recipe.shape:
            raise ModelError(
                f"The input recipe of model '{name}' makes {self.recipe.shape}, but its graph reads "
                f"{tuple(inputs['page'][1:])}; export the model again."
            )
        if len(outputs["logits"]) != 2 or outputs["logits"][1] != labels:
            raise ModelError(
                f"Model '{name}' names {labels} labels, but its graph answers {outputs['logits']}; export it again."
            )

    def _probabilities(self, logits: NDArray[np.float32]) -> Mapping[str, float]:
        scaled = logits.astype(np.float64) / self.card.temperature
        odds = np.exp(scaled - scaled.max())
        return dict(zip(self.card.labels, (odds / odds.sum()).tolist(), strict=True))
