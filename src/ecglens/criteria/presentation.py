"""Statements as text for every surface that shows them to a person: for orientation, never a diagnosis."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ecglens.criteria.table import load_criteria
from ecglens.statements import ComparedFigure, Outcome, Statement

__all__ = ["TEXTS", "VisibleStatement", "describe_figure", "find_label_conflict", "list_statements", "list_unknown"]

Translate = Callable[[str], str]
"""Translates one of :data:`TEXTS` into another language."""

_RELATIONS = {">=": "at least {limit}", ">": "above {limit}", "<=": "at most {limit}", "<": "below {limit}"}
_DIGITS = {"ms": 0, "mV": 2, "mV ms": 1, "1/min": 0, "deg": 0, "1": 2}
_COUNTS = ("pacing spikes", "narrow premature beats", "broad premature beats")
"""Short names of figures that are whole numbers."""
_MOST_FIGURES = 4
"""Figures that are shown of one statement."""
_MET, _BORDERLINE = "met", "borderline"
TEXTS: tuple[str, ...] = (
    *(criterion.title for criterion in load_criteria().criteria.values()),
    *_RELATIONS.values(),
    *(_MET, _BORDERLINE),
)
"""Every text that is shown, besides names of figures and leads."""


@dataclass(frozen=True, slots=True)
class VisibleStatement:
    """A statement as it is shown.

    Attributes:
        title: Title of the criterion.
        outcome: ``"met"`` or ``"borderline"``, translated.
        is_met: Whether it is met.
        figures: Figures against their limits, such as ``"QRS 132 ± 10 ms, at least 120 ms"``.
        source: Publication and place in it.
        doi: Digital object identifier of the publication.
    """

    title: str
    outcome: str
    is_met: bool
    figures: tuple[str, ...]
    source: str
    doi: str


def list_statements(statements: Iterable[Statement], *, translate: Translate = str) -> tuple[VisibleStatement, ...]:
    """List the statements that are met, then those that are borderline.

    Args:
        statements: From :func:`ecglens.criteria.evaluate_criteria`.
        translate: Translates texts into another language.
    """
    visible = [statement for statement in statements if statement.outcome in (Outcome.MET, Outcome.BORDERLINE)]
    return tuple(
        VisibleStatement(
            translate(statement.title),
            translate(_MET if statement.outcome is Outcome.MET else _BORDERLINE),
            statement.outcome is Outcome.MET,
            tuple(describe_figure(value, translate=translate) for value in _choose(statement.values)),
            f"{statement.source.title}, {statement.source.place}",
            statement.source.doi,
        )
        for statement in sorted(visible, key=lambda statement: statement.outcome is Outcome.BORDERLINE)
    )


def list_unknown(statements: Iterable[Statement], *, translate: Translate = str) -> tuple[str, ...]:
    """List the titles of the criteria that cannot be evaluated."""
    return tuple(
        translate(statement.title) for statement in statements if statement.outcome is Outcome.CANNOT_BE_EVALUATED
    )


def describe_figure(figure: ComparedFigure, *, translate: Translate = str) -> str:
    """Describe a figure against its limit.

    >>> describe_figure(ComparedFigure("QRS", None, 132.0, 10.2, "ms", ">=", 120.0))
    'QRS 132 ± 10 ms, at least 120 ms'
    >>> describe_figure(ComparedFigure("rate", None, 54.0, 0.2, "1/min", "<", 60.0))
    'rate 54 ± 1/min, below 60/min'
    """
    digits = 0 if figure.title in _COUNTS else _DIGITS.get(figure.unit, 2)
    unit = {"1": "", "deg": "°", "1/min": "/min"}.get(figure.unit, f" {figure.unit}")
    limit = translate(_RELATIONS[figure.relation]).format(limit=f"{figure.limit:.3g}{unit}")
    # Never ± 0: the last digit that is shown is not exact.
    error = f" ± {max(figure.error, 10.0**-digits):.{digits}f}" if figure.error > 0 else ""
    return f"{figure.title} {figure.value:.{digits}f}{error}{unit}, {limit}".replace("-", "\N{MINUS SIGN}")


def find_label_conflict(label: str | None, statements: Iterable[Statement]) -> tuple[str, ...]:
    """Say where a model's label and the statements disagree.

    Args:
        label: The model's label, if it gave one.
        statements: From :func:`ecglens.criteria.evaluate_criteria`.

    Returns:
        One sentence, or none: the label is ``normal`` and a criterion is met that a normal ECG does not meet.
    """
    if label != "normal":
        return ()
    criteria = load_criteria().criteria
    met = [
        statement.title
        for statement in statements
        if statement.outcome is Outcome.MET and criteria[statement.name].contradicts_normal
    ]
    if not met:
        return ()
    return (f"The model's label is Normal, but the measurements meet: {'; '.join(met)}. Look at both.",)


def _choose(values: tuple[ComparedFigure, ...]) -> tuple[ComparedFigure, ...]:
    return tuple(dict.fromkeys(values))[:_MOST_FIGURES]
