"""What a model's folder says of its worth, read with care: the folder may come from anywhere.

``evaluation.json`` is as ``ecglens export`` writes it, ``as_published.json`` may hold the same of a run under the
as-published protocol, and ``explanations.json`` is as ``ecglens explain`` writes it. A file that is not there or cannot
be read is ``None``; nothing is put in its place.
"""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ecglens.models.cards import ModelCard

__all__ = [
    "Calibration",
    "Changed",
    "Check",
    "Curves",
    "Data",
    "Evaluation",
    "Explained",
    "LabelFigures",
    "Seed",
    "Spread",
    "as_published_of",
    "evaluation_of",
    "explained_of",
    "text_of",
]

_LIMIT_BYTES = 8 * 1024**2
_Told = TypeVar("_Told", bound=BaseModel)


def _square(counts: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    if any(len(row) != len(counts) for row in counts):
        raise ValueError("a confusion matrix must be square")
    return counts


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]


class Data(_Part):
    """What was scored."""

    files: int
    recordings: int
    groups: int
    labels: dict[str, int] = {}


class Spread(_Part):
    """Of a figure over seeds."""

    mean: float | None
    least: float | None
    most: float | None


class LabelFigures(_Part):
    """Of one label against the others."""

    pages: int
    precision: float | None = None
    recall: float | None = None
    specificity: float | None = None
    f1: float | None = None
    auroc: float | None = None


class Curves(_Part):
    """Points of curves, where the file has them.

    Attributes:
        roc: By label the false positive rate and the recall.
        reliability: By bin of confidence the pages, mean confidence and share right.
        coverage: Share answered and share right, surest pages first.
    """

    roc: dict[str, tuple[tuple[Share, Share], ...]] = {}
    reliability: tuple[tuple[int, Share, Share], ...] = ()
    coverage: tuple[tuple[Share, Share], ...] = ()


class Seed(_Part):
    """Figures of one seed, all folds together."""

    accuracy: float | None = None
    macro_f1: float | None = None
    macro_auroc: float | None = None
    expected_calibration_error: float | None = None
    right_at_coverage: float | None = None
    coverage: Share | None = None
    by_label: dict[str, LabelFigures] = {}
    confusion: Annotated[tuple[tuple[int, ...], ...], AfterValidator(_square)] = ()
    intervals: dict[str, tuple[float, float] | None] = {}
    curves: Curves = Curves()


class Calibration(_Part):
    """What the shipped threshold leaves."""

    temperature: float
    abstain_below: float
    answered: Share
    right_when_answered: Share


class Evaluation(_Part):
    """How the model did on recordings that it has not seen, under ``honest``; another protocol says otherwise."""

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
        """Of the seed whose intervals, labels and confusion matrix are shown."""
        return next(iter(self.seeds.values()))


class Check(_Part):
    """One check of an explanation method."""

    name: str
    passed: bool
    text: str


class Changed(_Part):
    """What becomes of the likeliest label on changed pages, as shares of pages."""

    stays: Share
    another: Share
    refused: Share


class Explained(_Part):
    """How the model's explanations did."""

    pages: int
    graph_sha256: str = ""
    methods: dict[str, tuple[Check, ...]] = {}
    changes: dict[str, Changed] = {}
    agreement: dict[str, dict[str, float]] = {}


def evaluation_of(card: ModelCard) -> Evaluation | None:
    """The model's evaluation."""
    return _read(card.folder / "evaluation.json", Evaluation)


def as_published_of(card: ModelCard) -> Evaluation | None:
    """The model's evaluation on files split at random, copies and all, which only shows what such figures mean."""
    found = _read(card.folder / "as_published.json", Evaluation)
    return found if found is not None and found.protocol == "as-published" else None


def explained_of(card: ModelCard) -> Explained | None:
    """How the model's explanations did, where that was checked on these very weights."""
    found = _read(card.folder / "explanations.json", Explained)
    return found if found is not None and found.graph_sha256 in ("", card.graph_sha256) else None


def text_of(card: ModelCard, name: str) -> str:
    """A text of the model's folder, empty where there is none that can be read."""
    path = card.folder / name
    try:
        return "" if path.stat().st_size > _LIMIT_BYTES else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _read(path: Path, kind: type[_Told]) -> _Told | None:
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            return None
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
