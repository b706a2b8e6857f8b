"""Two models on the same pages: differences with intervals, and whether they could be chance."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np

from ecglens.evaluation.bootstrap import Told
from ecglens.evaluation.evaluate import headline, scorer_of
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.predictions import Predictions, cautions, in_common
from ecglens.evaluation.report import counted, html_page, html_table, markdown_table, plain_markdown
from ecglens.evaluation.significance import delong, holm, mcnemar, paired_bootstrap

__all__ = ["Comparison", "Difference", "compare"]

_COMPARED = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two models.

    Attributes:
        first: Of the first model, ``None`` where it is undefined.
        second: Of the second.
        interval: 95 % interval of first minus second.
        p: Of no difference.
        adjusted_p: The same after Holm over the family of all tests of the comparison.
    """

    first: float | None
    second: float | None
    interval: tuple[float, float] | None = None
    p: float | None = None
    adjusted_p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The difference in plain types."""
        apart = None if self.first is None or self.second is None else self.first - self.second
        return {
            "first": self.first,
            "second": self.second,
            "difference": apart,
            "interval": None if self.interval is None else list(self.interval),
            "p": self.p,
            "adjusted_p": self.adjusted_p,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What distinguishes two models.

    Attributes:
        names: Of the two.
        pages: Pages that both answered.
        recordings: Recordings of these.
        groups: Groups of these.
        figures: By paired bootstrap over groups.
        right: McNemar's test of being right on the same pages.
        auroc: By label, DeLong's test of the areas under the ROC curve.
        left_out: Pages that one of them alone answered.
        draws: Of the bootstrap.
        notes: What a reader must know of the tables, a sentence each.
    """

    names: tuple[str, str]
    pages: int
    recordings: int
    groups: int
    figures: Mapping[str, Difference]
    right: Difference
    auroc: Mapping[str, Difference]
    left_out: int
    draws: int
    notes: tuple[str, ...] = ()

    @property
    def tests(self) -> list[tuple[str, str, Difference]]:
        """What was compared, by which test, and what came of it."""
        return [
            *((FIGURES[name], "paired bootstrap", found) for name, found in self.figures.items()),
            (FIGURES["accuracy"], "McNemar", self.right),
            *((f"AUROC of {name}", "DeLong", found) for name, found in self.auroc.items()),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The comparison in plain types."""
        return {
            "models": list(self.names),
            "pages": self.pages,
            "recordings": self.recordings,
            "groups": self.groups,
            "left_out": self.left_out,
            "draws": self.draws,
            "notes": list(self.notes),
            "figures": {name: found.to_dict() for name, found in self.figures.items()},
            "right_on_the_same_pages": self.right.to_dict(),
            "auroc": {name: found.to_dict() for name, found in self.auroc.items()},
        }

    def plot(self) -> bytes:
        """The differences with their intervals, as a PNG.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from ecglens.evaluation.curves import draw_differences

        return draw_differences(self)

    def to_markdown(self) -> str:
        """The comparison as a table."""
        told = [line for sentence in self._told for line in (plain_markdown(sentence), "")]
        return "\n".join([f"# {plain_markdown(self._title)}", "", *told, *markdown_table(self._rows()), ""])

    def to_html(self) -> str:
        """The comparison as one page of HTML, its picture within.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        told = "".join(f"<p>{escape(line)}</p>" for line in self._told)
        drawn = b64encode(self.plot()).decode("ascii")
        picture = (
            f"<p><img class='wide' src='data:image/png;base64,{drawn}' alt='differences with their intervals'></p>"
        )
        return html_page(self._title, f"<h1>{escape(self._title)}</h1>{told}{html_table(self._rows())}{picture}")

    @property
    def _title(self) -> str:
        return " against ".join(self.names)

    @property
    def _told(self) -> tuple[str, ...]:
        left_out = f"; {self.left_out} that one of them alone answered are left out." if self.left_out else "."
        return (
            f"{counted(self.pages, 'page')} of {counted(self.recordings, 'recording')} in "
            f"{counted(self.groups, 'group')} that both answered{left_out}",
            *self.notes,
            f"p is adjusted by Holm over all rows; before that a paired bootstrap of {self.draws:,} draws gives "
            f"{2 / (self.draws + 1):.2g} at least. DeLong and McNemar take pages of a group for independent. Of log "
            "loss and Brier score less is better. For research and teaching; not a medical device.",
        )

    def _rows(self) -> list[list[str]]:
        head = ["figure", *self.names, "difference, 95 % interval", "test", "p"]
        return [head] + [
            [title, _shown(found.first), _shown(found.second), _apart(found), test, _chance(found.adjusted_p)]
            for title, test, found in self.tests
        ]


def compare(
    first: Predictions,
    second: Predictions,
    *,
    names: tuple[str, str],
    rng: np.random.Generator,
    draws: int = 2000,
    told: Told | None = None,
) -> Comparison:
    """Compare two models on the pages that both answered.

    Args:
        first: Answers of one model.
        second: Of the other.
        names: Of the two.
        rng: Of the bootstrap.
        draws: Of the bootstrap over groups.
        told: Hears how many draws are done, of all.

    Raises:
        DatasetError: They have other labels, no page in common, or another true label for one.
    """
    one, other = in_common(first, second)
    scorers = scorer_of(one), scorer_of(other)
    ends = paired_bootstrap(
        one.group_codes, *(partial(headline, scorer) for scorer in scorers), rng=rng, draws=draws, told=told
    )
    of_first, of_second = (scorer.figures() for scorer in scorers)
    values = {name: (of_first[name], of_second[name]) for name in _COMPARED}
    tested = {name: ends[name] for name in _COMPARED}
    values["right"] = values["accuracy"]
    tested["right"] = mcnemar(scorers[0].right, scorers[1].right)
    for number, label in enumerate(one.labels):
        areas = [scored["by_label"][label]["auroc"] for scored in (of_first, of_second)]
        values[f"auroc/{label}"] = areas[0], areas[1]
        tested[f"auroc/{label}"] = delong(
            one.targets == number, one.probabilities[:, number], other.probabilities[:, number]
        )
    alike = np.array_equal(one.probabilities, other.probabilities)
    known = {name: found for name, found in tested.items() if found is not None}
    adjusted = dict(zip(known, holm([p for *_, p in known.values()]), strict=True))
    differences = {name: Difference(*pair) for name, pair in values.items()}
    for name, (low, high, p) in known.items():
        apart = (low, high) if low < high else None  # draws that all agree say nothing of other pages
        differences[name] = replace(differences[name], interval=apart, p=p, adjusted_p=adjusted[name])
    return Comparison(
        names=names,
        pages=len(one),
        recordings=len(set(one.recordings)),
        groups=len(set(one.groups)),
        figures={name: differences[name] for name in _COMPARED},
        right=differences["right"],
        auroc={label: differences[f"auroc/{label}"] for label in one.labels},
        left_out=len(first) + len(second) - 2 * len(one),
        draws=draws,
        notes=(*(["They answer alike on every page."] if alike else []), *cautions(one)),
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _chance(p: float | None) -> str:
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _apart(found: Difference) -> str:
    if found.first is None or found.second is None:
        return "-"
    ends = "" if found.interval is None else f" ({found.interval[0]:+.3f} to {found.interval[1]:+.3f})"
    return f"{found.first - found.second:+.3f}{ends}"
