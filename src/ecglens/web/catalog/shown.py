"""Models as the pages show them: figures in words, tables by rows, drawings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from ecglens.models.cards import ModelCard
from ecglens.web.catalog.card_html import to_html
from ecglens.web.catalog.drawings import (
    Drawing,
    coverage_drawing,
    forest,
    reliability_drawing,
    roc_drawing,
)
from ecglens.web.catalog.evaluations import (
    Evaluation,
    Explained,
    as_published_of,
    evaluation_of,
    explained_of,
    text_of,
)
from ecglens.web.readings.titles import title_of

__all__ = [
    "Cell",
    "Compared",
    "Figure",
    "Fitted",
    "Shown",
    "Sketch",
    "compared",
    "show",
    "sketch",
]

_NOT_KNOWN = "–"
_HEADLINES = ("accuracy", "macro_f1", "macro_auroc", "expected_calibration_error", "right_at_coverage")
_ON_CARDS = _HEADLINES[:4]
_FIGURES: dict[str, tuple[str | Promise, str | Promise]] = {
    "accuracy": (gettext_lazy("Accuracy"), gettext_lazy("Share of pages whose likeliest label is right.")),
    "macro_f1": (gettext_lazy("Macro F1"), gettext_lazy("Precision and recall in one, each label counting the same.")),
    "macro_auroc": (
        gettext_lazy("Macro AUROC"),
        gettext_lazy("How well each label's pages are ranked above the others; 0.5 is chance."),
    ),
    "expected_calibration_error": (
        gettext_lazy("Calibration error"),
        gettext_lazy("How far probabilities are from what comes true; 0 is best."),
    ),
    "right_at_coverage": (
        gettext_lazy("Right among the surest"),
        gettext_lazy("Share right among the pages that it is surest about."),
    ),
}
_REFERENCES: dict[str, str | Promise] = {
    "majority label": gettext_lazy("The commonest label, always"),
    "printed rate alone, 15 nearest": gettext_lazy("The printed heart rate alone"),
}
_INPUTS: dict[str, str | Promise] = {
    "trace_canvas": gettext_lazy("The traces, cut out of the page and drawn side by side"),
    "page_image": gettext_lazy("The page as a picture"),
    "lead_crops": gettext_lazy("Each lead cut out on its own"),
    "lead_signals": gettext_lazy("The signals in mV that were read from the page"),
    "page_and_signal": gettext_lazy("The page and the signals that were read from it"),
}
_METHODS: dict[str, str | Promise] = {
    "class_map": gettext_lazy("Class map"),
    "occlusion_lead": gettext_lazy("Leads covered one by one"),
    "occlusion_patch": gettext_lazy("Patches covered one by one"),
}
_TINTS = 10
_BEST_IS_LOW = frozenset({"expected_calibration_error"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one model.

    Attributes:
        title: What it is called.
        hint: What it says.
        mean: Over seeds.
        spread: From least to most over seeds; empty with one seed.
        interval: Of the first seed.
        references: The same figure of what it has to beat, in their order.
        line: Places of the figure and its interval on a short line, for a drawing.
    """

    title: str
    hint: str
    mean: str
    spread: str
    interval: str
    references: tuple[str, ...] = ()
    line: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """Of a confusion matrix."""

    count: int
    share: str
    tint: int
    right: bool


@dataclass(frozen=True, slots=True)
class Sketch:
    """A model on a card in the list."""

    card: ModelCard
    labels: tuple[str, ...]
    parameters: str
    default: bool
    figures: tuple[Figure, ...]
    recordings: int | None
    protocol: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """Figures under one protocol, beside each other in one table."""

    title: str
    figures: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A model on its own page."""

    card: ModelCard
    labels: tuple[str, ...]
    parameters: str
    input: str
    default: bool
    evaluation: Evaluation | None
    figures: tuple[Figure, ...]
    references: tuple[str, ...]
    by_label: tuple[tuple[str, int, tuple[str, ...]], ...]
    confusion: tuple[tuple[str, tuple[Cell, ...]], ...]
    protocols: tuple[Fitted, ...]
    headings: tuple[str, ...]
    answered: str
    right_when_answered: str
    roc: Drawing | None
    roc_is_curve: bool
    coverage: Drawing | None
    reliability: Drawing | None
    explained: Explained | None
    checks: tuple[tuple[str, bool, tuple[tuple[str, bool, str], ...]], ...]
    changes: tuple[tuple[str, str, str, str], ...]
    text: str
    data_text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Models side by side.

    Attributes:
        models: In the order asked for.
        rows: Of each figure its title, hint, and one figure a model.
        facts: Of each fact its title, one text a model, and their language where that is not the reader's.
        recalls: Of each label the recall and its pages, one text a model.
        same_data: Whether all were scored on as many recordings and groups of each label, under one protocol.
    """

    models: tuple[Sketch, ...]
    rows: tuple[tuple[str, str, tuple[Figure, ...]], ...]
    facts: tuple[tuple[str, tuple[str, ...], str], ...]
    recalls: tuple[tuple[str, tuple[str, ...]], ...]
    same_data: bool


def sketch(card: ModelCard, default: str) -> Sketch:
    """A model in a few lines."""
    evaluation = evaluation_of(card)
    data = evaluation.data if evaluation is not None else None
    return Sketch(
        card,
        tuple(map(title_of, card.labels)),
        _grouped(card.parameters),
        card.name == default,
        _figures(evaluation, _ON_CARDS) if evaluation is not None else (),
        data.recordings if data is not None else None,
        evaluation.protocol if evaluation is not None else "",
    )


def show(card: ModelCard, default: str) -> Shown:
    """A model with everything that its folder tells."""
    evaluation, explained = evaluation_of(card), explained_of(card)
    published = as_published_of(card)
    names = {label: title_of(label) for label in card.labels}
    return Shown(
        card=card,
        labels=tuple(names.values()),
        parameters=_grouped(card.parameters),
        input=str(_INPUTS.get(str(card.input.get("kind")), card.input.get("kind", _NOT_KNOWN))),
        default=card.name == default,
        evaluation=evaluation,
        figures=_figures(evaluation, _HEADLINES) if evaluation is not None else (),
        references=tuple(str(_REFERENCES.get(name, name)) for name in evaluation.references) if evaluation else (),
        by_label=_by_label(evaluation),
        confusion=_confusion(evaluation),
        protocols=(
            Fitted(_("Honest: one page a recording, no group on two sides"), _means(evaluation, "honest")),
            Fitted(_("As published: files split at random, copies and all"), _means(published, "as-published")),
        ),
        headings=tuple(str(_FIGURES[key][0]) for key in _ON_CARDS),
        answered=_calibrated(evaluation, "answered"),
        right_when_answered=_calibrated(evaluation, "right_when_answered"),
        roc=roc_drawing(evaluation, names) if evaluation else None,
        roc_is_curve=bool(evaluation and evaluation.first.curves.roc),
        coverage=coverage_drawing(evaluation) if evaluation else None,
        reliability=reliability_drawing(evaluation.first) if evaluation else None,
        explained=explained,
        checks=_checks(explained),
        changes=_changes(explained),
        text=to_html(text_of(card, "card.md")),
        data_text=to_html(text_of(card, "data.md")),
    )


def compared(cards: Sequence[ModelCard], default: str) -> Compared:
    """Models side by side, from what their folders tell."""
    evaluations = [evaluation_of(card) for card in cards]
    labels = tuple(dict.fromkeys(label for card in cards for label in card.labels))
    rows = []
    for key in _HEADLINES:
        title, hint = (str(text) for text in _FIGURES[key])
        start, end = _scale(key, evaluations)
        rows.append((title, hint, tuple(_figure(key, one, start=start, end=end) for one in evaluations)))
    facts: list[tuple[str, list[str], str]] = [
        (_("Version"), [card.version for card in cards], ""),
        (_("Parameters"), [_grouped(card.parameters) for card in cards], ""),
        (_("Labels"), [", ".join(map(title_of, card.labels)) for card in cards], ""),
        (_("Learnt from"), [card.trained_on for card in cards], "en"),
        (_("Scored on"), [_scored_on(one) for one in evaluations], ""),
        (_("Cannot tell below"), [f"{card.abstain_below:.3f}" for card in cards], ""),
        (_("Pages answered at that"), [_calibrated(one, "answered") for one in evaluations], ""),
        (_("Right when it answers"), [_calibrated(one, "right_when_answered") for one in evaluations], ""),
        (_("Licence"), [card.licence for card in cards], "en"),
    ]
    return Compared(
        models=tuple(sketch(card, default) for card in cards),
        rows=tuple(rows),
        facts=tuple((title, tuple(texts), lang) for title, texts, lang in facts),
        recalls=tuple((title_of(label), tuple(_recall(one, label) for one in evaluations)) for label in labels),
        same_data=len({_scored(one) for one in evaluations}) == 1 and None not in evaluations,
    )


def _figures(evaluation: Evaluation, keys: Sequence[str]) -> tuple[Figure, ...]:
    found = [_figure(key, evaluation, start=0.0, end=1.0) for key in keys if key in evaluation.summary]
    return tuple(found)


def _figure(key: str, evaluation: Evaluation | None, *, start: float, end: float) -> Figure:
    title, hint = (str(text) for text in _FIGURES[key])
    spread = evaluation.summary.get(key) if evaluation is not None else None
    if evaluation is None or spread is None:
        return Figure(title, hint, _("not run"), "", "")
    interval = evaluation.first.intervals.get(key)
    if key == "right_at_coverage" and evaluation.first.coverage is not None:
        title = _("Right among the surest %(share)s") % {"share": f"{evaluation.first.coverage:.0%}"}
    return Figure(
        title,
        hint,
        _told(spread.mean),
        _range(spread.least, spread.most) if len(evaluation.seeds) > 1 else "",
        _range(*interval) if interval is not None else "",
        tuple(_told(reference.get(key)) for reference in evaluation.references.values()),
        forest(spread.mean, interval, start=start, end=end),
    )


def _scale(key: str, evaluations: Sequence[Evaluation | None]) -> tuple[float, float]:
    """Ends of the line on which a figure of several models is drawn: all of their intervals, to the best there is."""
    values: list[float] = []
    for one in evaluations:
        if one is not None and (spread := one.summary.get(key)) is not None and spread.mean is not None:
            values += [spread.mean, *(one.first.intervals.get(key) or ())]
    if not values:
        return 0.0, 1.0
    if key in _BEST_IS_LOW:
        return 0.0, min(1.0, max(values) * 1.25) or 1.0
    return max(0.0, min(values) - 0.25 * (1 - min(values)) - 0.01), 1.0


def _by_label(evaluation: Evaluation | None) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    if evaluation is None:
        return ()
    return tuple(
        (
            title_of(label),
            one.pages,
            tuple(_told(value) for value in (one.precision, one.recall, one.specificity, one.f1, one.auroc)),
        )
        for label, one in evaluation.first.by_label.items()
    )


def _confusion(evaluation: Evaluation | None) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """Rows are the true labels; each cell is tinted by its share of the row."""
    if evaluation is None or len(evaluation.first.confusion) != len(evaluation.labels):
        return ()
    rows = []
    for number, (label, counts) in enumerate(zip(evaluation.labels, evaluation.first.confusion, strict=True)):
        shares = [count / max(1, sum(counts)) for count in counts]
        cells = tuple(
            Cell(count, f"{share:.0%}", round(share * _TINTS), column == number)
            for column, (count, share) in enumerate(zip(counts, shares, strict=True))
        )
        rows.append((title_of(label), cells))
    return tuple(rows)


def _means(evaluation: Evaluation | None, protocol: str) -> tuple[str, ...] | None:
    if evaluation is None or evaluation.protocol != protocol:
        return None
    found = (evaluation.summary.get(key) for key in _ON_CARDS)
    return tuple(_told(spread.mean if spread is not None else None) for spread in found)


def _checks(explained: Explained | None) -> tuple[tuple[str, bool, tuple[tuple[str, bool, str], ...]], ...]:
    if explained is None:
        return ()
    return tuple(
        (
            str(_METHODS.get(name, name.replace("_", " "))),
            all(check.passed for check in checks),
            tuple((_(check.name), check.passed, check.text) for check in checks),
        )
        for name, checks in explained.methods.items()
    )


def _changes(explained: Explained | None) -> tuple[tuple[str, str, str, str], ...]:
    if explained is None:
        return ()
    return tuple(
        (_(name), f"{one.stays:.1%}", f"{one.another:.1%}", f"{one.refused:.1%}")
        for name, one in explained.changes.items()
    )


def _scored(evaluation: Evaluation | None) -> Any:
    if evaluation is None or evaluation.data is None:
        return None
    data = evaluation.data
    return evaluation.protocol, data.recordings, data.groups, tuple(sorted(data.labels.items()))


def _scored_on(evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.data is None:
        return _("not run")
    told = {
        "recordings": evaluation.data.recordings,
        "groups": evaluation.data.groups,
        "seeds": len(evaluation.seeds),
        "protocol": _(evaluation.protocol),
    }
    return _("%(recordings)d recordings of %(groups)d groups, %(protocol)s, %(seeds)d seeds") % told


def _calibrated(evaluation: Evaluation | None, key: str) -> str:
    if evaluation is None or evaluation.calibration is None:
        return _NOT_KNOWN
    return f"{getattr(evaluation.calibration, key):.1%}"


def _recall(evaluation: Evaluation | None, label: str) -> str:
    found = evaluation.first.by_label.get(label) if evaluation is not None else None
    if found is None:
        return _NOT_KNOWN
    return _("%(recall)s of %(pages)d pages") % {"recall": _told(found.recall), "pages": found.pages}


def _grouped(number: int) -> str:
    """With the language's mark between thousands; a point would read as a decimal one, which figures here keep."""
    return f"{number:,}".replace(",", pgettext("between thousands", ","))


def _range(low: float | None, high: float | None) -> str:
    return f"{_told(low)}–{_told(high)}"


def _told(value: float | None) -> str:
    return _NOT_KNOWN if value is None else f"{value:.3f}"
