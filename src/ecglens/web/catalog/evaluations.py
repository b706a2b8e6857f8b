"""The evaluation in a model's folder, read with care: the folder may come from anywhere.

``ecglens export`` writes ``evaluation.json``; ``as_published.json`` may contain the same for a run under the
as-published protocol; ``ecglens explain`` writes ``explanations.json``. A file that is missing or cannot be read is
``None``; nothing replaces it.
"""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ecglens.models.cards import ModelCard

__all__ = [
    "Calibration",
    "Check",
    "Curves",
    "Data",
    "Evaluation",
    "ExplanationEvaluation",
    "LabelFigures",
    "PageChange",
    "Seed",
    "Spread",
    "load_as_published",
    "load_evaluation",
    "load_explanation_evaluation",
    "load_text",
]

_LIMIT_BYTES = 8 * 1024**2
_Content = TypeVar("_Content", bound=BaseModel)


def _check_square(counts: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    if any(len(row) != len(counts) for row in counts):
        raise ValueError("a confusion matrix must be square")
    return counts


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]


class Data(_Part):
    """The evaluated data."""

    files: int
    recordings: int
    groups: int
    labels: dict[str, int] = {}


class Spread(_Part):
    """Mean and range of a metric over seeds."""

    mean: float | None
    least: float | None
    most: float | None


class LabelFigures(_Part):
    """Metrics of one label against the others."""

    pages: int
    precision: float | None = None
    recall: float | None = None
    specificity: float | None = None
    f1: float | None = None
    auroc: float | None = None


class Curves(_Part):
    """Points of curves, if the file has them.

    Attributes:
        roc: For each label, the false positive rate and the recall.
        reliability: For each bin of confidence, the number of pages, the mean confidence and the accuracy.
        coverage: Coverage and accuracy, most confident pages first.
    """

    roc: dict[str, tuple[tuple[Share, Share], ...]] = {}
    reliability: tuple[tuple[int, Share, Share], ...] = ()
    coverage: tuple[tuple[Share, Share], ...] = ()


class Seed(_Part):
    """Metrics of one seed, all folds together."""

    accuracy: float | None = None
    macro_f1: float | None = None
    macro_auroc: float | None = None
    expected_calibration_error: float | None = None
    right_at_coverage: float | None = None
    coverage: Share | None = None
    by_label: dict[str, LabelFigures] = {}
    confusion: Annotated[tuple[tuple[int, ...], ...], AfterValidator(_check_square)] = ()
    intervals: dict[str, tuple[float, float] | None] = {}
    curves: Curves = Curves()


class Calibration(_Part):
    """Coverage and accuracy at the shipped threshold."""

    temperature: float
    abstain_below: float
    answered: Share
    right_when_answered: Share


class Evaluation(_Part):
    """Evaluation of the model: under the protocol ``honest``, on recordings that it was not trained on."""

    protocol: str
    command: str = ""
    data: Data | None = None
    labels: tuple[str, ...] = ()
    summary: dict[str, Spread] = {}
    references: dict[str, dict[str, float | None]] = {}
    seeds: Annotated[dict[str, Seed], Field(min_length=1)]
    calibration: Calibration | None = None

    @property
    def first(self) -> Seed:
        """The seed whose intervals, labels and confusion matrix are displayed."""
        return next(iter(self.seeds.values()))


class Check(_Part):
    """One check of an explanation method."""

    name: str
    passed: bool
    text: str


class PageChange(_Part):
    """Effect of a change of the pages on the top label, as shares of pages."""

    stays: Share
    another: Share
    refused: Share


class ExplanationEvaluation(_Part):
    """Evaluation of the model's explanations."""

    pages: int
    graph_sha256: str = ""
    methods: dict[str, tuple[Check, ...]] = {}
    changes: dict[str, PageChange] = {}
    agreement: dict[str, dict[str, float]] = {}


def load_evaluation(card: ModelCard) -> Evaluation | None:
    """Load the model's evaluation."""
    return _load(card.folder / "evaluation.json", Evaluation)


def load_as_published(card: ModelCard) -> Evaluation | None:
    """Load the model's evaluation on files split at random, with copies, for comparison with published figures."""
    evaluation = _load(card.folder / "as_published.json", Evaluation)
    return evaluation if evaluation is not None and evaluation.protocol == "as-published" else None


def load_explanation_evaluation(card: ModelCard) -> ExplanationEvaluation | None:
    """Load the evaluation of the model's explanations, if it was made with these weights."""
    evaluation = _load(card.folder / "explanations.json", ExplanationEvaluation)
    if evaluation is None or evaluation.graph_sha256 not in ("", card.graph_sha256):
        return None
    return evaluation


def load_text(card: ModelCard, name: str) -> str:
    """Load a text of the model's folder; empty if there is none that can be read."""
    path = card.folder / name
    try:
        return "" if path.stat().st_size > _LIMIT_BYTES else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _load(path: Path, kind: type[_Content]) -> _Content | None:
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return None
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
