"""Models as the pages show them: metrics in words, rows of tables, plots."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from ecglens.models.cards import ModelCard
from ecglens.web.catalog.card_html import render_html
from ecglens.web.catalog.evaluations import (
    Evaluation,
    ExplanationEvaluation,
    load_as_published,
    load_evaluation,
    load_explanation_evaluation,
    load_text,
)
from ecglens.web.catalog.plots import Plot, plot_coverage, plot_reliability, plot_roc, project_interval
from ecglens.web.readings.titles import translate_label

__all__ = [
    "Cell",
    "Comparison",
    "Figure",
    "ModelSummary",
    "ModelView",
    "ProtocolRow",
    "compare_models",
    "present_model",
    "summarize_model",
]

_MISSING = "–"
_HEADLINES = ("accuracy", "macro_f1", "macro_auroc", "expected_calibration_error", "right_at_coverage")
_ON_CARDS = _HEADLINES[:4]
_FIGURES: dict[str, tuple[str | Promise, str | Promise]] = {
    "accuracy": (gettext_lazy("Accuracy"), gettext_lazy("Share of pages whose top label is correct.")),
    "macro_f1": (
        gettext_lazy("Macro F1"),
        gettext_lazy("Precision and recall combined, with equal weight for each label."),
    ),
    "macro_auroc": (
        gettext_lazy("Macro AUROC"),
        gettext_lazy("How well each label's pages are ranked above the others; 0.5 is chance."),
    ),
    "expected_calibration_error": (
        gettext_lazy("Calibration error"),
        gettext_lazy("How far probabilities are from observed frequencies; 0 is best."),
    ),
    "right_at_coverage": (
        gettext_lazy("Accuracy on the most confident"),
        gettext_lazy("Accuracy on the pages of which it is most confident."),
    ),
}
_REFERENCES: dict[str, str | Promise] = {
    "majority label": gettext_lazy("Always the most common label"),
    "printed rate alone, 15 nearest": gettext_lazy("The printed heart rate alone"),
}
_INPUTS: dict[str, str | Promise] = {
    "trace_canvas": gettext_lazy("The traces, cut out of the page and arranged side by side"),
    "page_image": gettext_lazy("The page as an image"),
    "lead_crops": gettext_lazy("Each lead, cut out of the page"),
    "lead_signals": gettext_lazy("The digitized signals in mV"),
    "page_and_signal": gettext_lazy("The page and its digitized signals"),
}
_METHODS: dict[str, str | Promise] = {
    "class_map": gettext_lazy("Class map"),
    "occlusion_lead": gettext_lazy("Occlusion by lead"),
    "occlusion_patch": gettext_lazy("Occlusion by patch"),
}
_TINTS = 10
_BEST_IS_LOW = frozenset({"expected_calibration_error"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one model.

    Attributes:
        title: Name of the metric.
        hint: Meaning of the metric.
        mean: Mean over seeds.
        spread: Range over seeds; empty with one seed.
        interval: Interval of the first seed.
        references: The same metric of the controls, in their order.
        line: Positions of the value and its interval on a short line, for a plot.
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
    """Cell of a confusion matrix."""

    count: int
    share: str
    tint: int
    is_correct: bool


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model in the list of models."""

    card: ModelCard
    labels: tuple[str, ...]
    parameters: str
    is_default: bool
    figures: tuple[Figure, ...]
    recordings: int | None
    protocol: str


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """Metrics under one protocol, a row of a table."""

    title: str
    figures: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model on its own page."""

    card: ModelCard
    labels: tuple[str, ...]
    parameters: str
    input: str
    is_default: bool
    evaluation: Evaluation | None
    figures: tuple[Figure, ...]
    references: tuple[str, ...]
    by_label: tuple[tuple[str, int, tuple[str, ...]], ...]
    confusion: tuple[tuple[str, tuple[Cell, ...]], ...]
    protocols: tuple[ProtocolRow, ...]
    headings: tuple[str, ...]
    coverage_at_threshold: str
    accuracy_at_threshold: str
    roc: Plot | None
    roc_is_curve: bool
    coverage: Plot | None
    reliability: Plot | None
    explanations: ExplanationEvaluation | None
    checks: tuple[tuple[str, bool, tuple[tuple[str, bool, str], ...]], ...]
    changes: tuple[tuple[str, str, str, str], ...]
    text: str
    data_text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models side by side.

    Attributes:
        models: Models in the requested order.
        rows: For each metric its title, hint, and a value for each model.
        facts: For each fact its title, a text for each model, and their language if it is not the reader's.
        recalls: For each label the recall and the number of pages, a text for each model.
        same_data: Whether all were evaluated on as many recordings and groups of each label, under one protocol.
    """

    models: tuple[ModelSummary, ...]
    rows: tuple[tuple[str, str, tuple[Figure, ...]], ...]
    facts: tuple[tuple[str, tuple[str, ...], str], ...]
    recalls: tuple[tuple[str, tuple[str, ...]], ...]
    same_data: bool


def summarize_model(card: ModelCard, default: Sequence[str]) -> ModelSummary:
    """Summarize a model in a few lines."""
    evaluation = load_evaluation(card)
    data = evaluation.data if evaluation is not None else None
    return ModelSummary(
        card,
        tuple(map(translate_label, card.labels)),
        _format_count(card.parameters),
        card.name in default,
        _list_figures(evaluation, _ON_CARDS) if evaluation is not None else (),
        data.recordings if data is not None else None,
        evaluation.protocol if evaluation is not None else "",
    )


def present_model(card: ModelCard, default: Sequence[str]) -> ModelView:
    """Prepare a model, with everything in its folder, for the template."""
    evaluation, explanations = load_evaluation(card), load_explanation_evaluation(card)
    published = load_as_published(card)
    names = {label: translate_label(label) for label in card.labels}
    return ModelView(
        card=card,
        labels=tuple(names.values()),
        parameters=_format_count(card.parameters),
        input=str(_INPUTS.get(str(card.input.get("kind")), card.input.get("kind", _MISSING))),
        is_default=card.name in default,
        evaluation=evaluation,
        figures=_list_figures(evaluation, _HEADLINES) if evaluation is not None else (),
        references=tuple(str(_REFERENCES.get(name, name)) for name in evaluation.references) if evaluation else (),
        by_label=_list_label_figures(evaluation),
        confusion=_list_confusion(evaluation),
        protocols=(
            ProtocolRow(_("Honest: one page per recording, no group on two sides"), _list_means(evaluation, "honest")),
            ProtocolRow(_("As published: files split at random, with copies"), _list_means(published, "as-published")),
        ),
        headings=tuple(str(_FIGURES[key][0]) for key in _ON_CARDS),
        coverage_at_threshold=_at_threshold(evaluation, "answered"),
        accuracy_at_threshold=_at_threshold(evaluation, "right_when_answered"),
        roc=plot_roc(evaluation, names) if evaluation else None,
        roc_is_curve=bool(evaluation and evaluation.first.curves.roc),
        coverage=plot_coverage(evaluation) if evaluation else None,
        reliability=plot_reliability(evaluation.first) if evaluation else None,
        explanations=explanations,
        checks=_list_checks(explanations),
        changes=_list_changes(explanations),
        text=render_html(load_text(card, "card.md")),
        data_text=render_html(load_text(card, "data.md")),
    )


def compare_models(cards: Sequence[ModelCard], default: Sequence[str]) -> Comparison:
    """Compare models by the evaluations in their folders."""
    evaluations = [load_evaluation(card) for card in cards]
    labels = tuple(dict.fromkeys(label for card in cards for label in card.labels))
    rows = []
    for key in _HEADLINES:
        title, hint = (str(text) for text in _FIGURES[key])
        start, end = _find_scale(key, evaluations)
        rows.append((title, hint, tuple(_build_figure(key, each, start=start, end=end) for each in evaluations)))
    facts: list[tuple[str, list[str], str]] = [
        (_("Version"), [card.version for card in cards], ""),
        (_("Parameters"), [_format_count(card.parameters) for card in cards], ""),
        (_("Labels"), [", ".join(map(translate_label, card.labels)) for card in cards], ""),
        (_("Trained on"), [card.trained_on for card in cards], "en"),
        (_("Evaluated on"), [_describe_data(each) for each in evaluations], ""),
        (_("Not sure below"), [f"{card.abstain_below:.3f}" for card in cards], ""),
        (_("Coverage at this threshold"), [_at_threshold(each, "answered") for each in evaluations], ""),
        (_("Accuracy when it answers"), [_at_threshold(each, "right_when_answered") for each in evaluations], ""),
        (_("License"), [card.license for card in cards], "en"),
    ]
    return Comparison(
        models=tuple(summarize_model(card, default) for card in cards),
        rows=tuple(rows),
        facts=tuple((title, tuple(texts), lang) for title, texts, lang in facts),
        recalls=tuple(
            (translate_label(label), tuple(_describe_recall(each, label) for each in evaluations)) for label in labels
        ),
        same_data=len({_data_key(each) for each in evaluations}) == 1 and None not in evaluations,
    )


def _list_figures(evaluation: Evaluation, keys: Sequence[str]) -> tuple[Figure, ...]:
    return tuple(_build_figure(key, evaluation, start=0.0, end=1.0) for key in keys if key in evaluation.summary)


def _build_figure(key: str, evaluation: Evaluation | None, *, start: float, end: float) -> Figure:
    title, hint = (str(text) for text in _FIGURES[key])
    spread = evaluation.summary.get(key) if evaluation is not None else None
    if evaluation is None or spread is None:
        return Figure(title, hint, _("not run"), "", "")
    interval = evaluation.first.intervals.get(key)
    if key == "right_at_coverage" and evaluation.first.coverage is not None:
        title = _("Accuracy on the most confident %(share)s") % {"share": f"{evaluation.first.coverage:.0%}"}
    return Figure(
        title,
        hint,
        _format_metric(spread.mean),
        _format_range(spread.least, spread.most) if len(evaluation.seeds) > 1 else "",
        _format_range(*interval) if interval is not None else "",
        tuple(_format_metric(reference.get(key)) for reference in evaluation.references.values()),
        project_interval(spread.mean, interval, start=start, end=end),
    )


def _find_scale(key: str, evaluations: Sequence[Evaluation | None]) -> tuple[float, float]:
    """Return the ends of a line that contains the intervals of all models and ends at the best value."""
    values: list[float] = []
    for each in evaluations:
        if each is not None and (spread := each.summary.get(key)) is not None and spread.mean is not None:
            values += [spread.mean, *(each.first.intervals.get(key) or ())]
    if not values:
        return 0.0, 1.0
    if key in _BEST_IS_LOW:
        return 0.0, min(1.0, max(values) * 1.25) or 1.0
    return max(0.0, min(values) - 0.25 * (1 - min(values)) - 0.01), 1.0


def _list_label_figures(evaluation: Evaluation | None) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    if evaluation is None:
        return ()
    return tuple(
        (
            translate_label(label),
            each.pages,
            tuple(
                _format_metric(value) for value in (each.precision, each.recall, each.specificity, each.f1, each.auroc)
            ),
        )
        for label, each in evaluation.first.by_label.items()
    )


def _list_confusion(evaluation: Evaluation | None) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """Return a row for each true label, whose cells are tinted by their share of the row."""
    if evaluation is None or len(evaluation.first.confusion) != len(evaluation.labels):
        return ()
    rows = []
    for number, (label, counts) in enumerate(zip(evaluation.labels, evaluation.first.confusion, strict=True)):
        shares = [count / max(1, sum(counts)) for count in counts]
        cells = tuple(
            Cell(count, f"{share:.0%}", round(share * _TINTS), column == number)
            for column, (count, share) in enumerate(zip(counts, shares, strict=True))
        )
        rows.append((translate_label(label), cells))
    return tuple(rows)


def _list_means(evaluation: Evaluation | None, protocol: str) -> tuple[str, ...] | None:
    if evaluation is None or evaluation.protocol != protocol:
        return None
    spreads = (evaluation.summary.get(key) for key in _ON_CARDS)
    return tuple(_format_metric(spread.mean if spread is not None else None) for spread in spreads)


def _list_checks(
    explanations: ExplanationEvaluation | None,
) -> tuple[tuple[str, bool, tuple[tuple[str, bool, str], ...]], ...]:
    if explanations is None:
        return ()
    return tuple(
        (
            str(_METHODS.get(name, name.replace("_", " "))),
            all(check.passed for check in checks),
            tuple((_(check.name), check.passed, check.text) for check in checks),
        )
        for name, checks in explanations.methods.items()
    )


def _list_changes(explanations: ExplanationEvaluation | None) -> tuple[tuple[str, str, str, str], ...]:
    if explanations is None:
        return ()
    return tuple(
        (_(name), f"{each.stays:.1%}", f"{each.another:.1%}", f"{each.refused:.1%}")
        for name, each in explanations.changes.items()
    )


def _data_key(evaluation: Evaluation | None) -> Any:
    if evaluation is None or evaluation.data is None:
        return None
    data = evaluation.data
    return evaluation.protocol, data.recordings, data.groups, tuple(sorted(data.labels.items()))


def _describe_data(evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.data is None:
        return _("not run")
    values = {
        "recordings": evaluation.data.recordings,
        "groups": evaluation.data.groups,
        "seeds": len(evaluation.seeds),
        "protocol": _(evaluation.protocol),
    }
    return _("%(recordings)d recordings of %(groups)d groups, %(protocol)s, %(seeds)d seeds") % values


def _at_threshold(evaluation: Evaluation | None, key: str) -> str:
    if evaluation is None or evaluation.calibration is None:
        return _MISSING
    return f"{getattr(evaluation.calibration, key):.1%}"


def _describe_recall(evaluation: Evaluation | None, label: str) -> str:
    figures = evaluation.first.by_label.get(label) if evaluation is not None else None
    if figures is None:
        return _MISSING
    return _("%(recall)s of %(pages)d pages") % {"recall": _format_metric(figures.recall), "pages": figures.pages}


def _format_count(number: int) -> str:
    """Format with the language's separator of thousands; it is no point, since decimals have a point here."""
    return f"{number:,}".replace(",", pgettext("between thousands", ","))


def _format_range(low: float | None, high: float | None) -> str:
    return f"{_format_metric(low)}–{_format_metric(high)}"


def _format_metric(value: float | None) -> str:
    return _MISSING if value is None else f"{value:.3f}"
