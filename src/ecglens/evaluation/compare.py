"""Two models on the same pages: differences with intervals, and whether they could be chance."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

import numpy as np

from ecglens.evaluation.classification import auroc
from ecglens.evaluation.evaluate import headline
from ecglens.evaluation.names import FIGURES
from ecglens.evaluation.predictions import Predictions, in_common
from ecglens.evaluation.report import counted, html_page, html_table, markdown_table
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
    """

    names: tuple[str, str]
    pages: int
    recordings: int
    groups: int
    figures: Mapping[str, Difference]
    right: Difference
    auroc: Mapping[str, Difference]
    left_out: int

    @property
    def tests(self) -> list[tuple[str, str, Difference]]:
        """What was compared, by which test, and what came of it."""
        return [
            *((FIGURES[name], "paired bootstrap", found) for name, found in self.figures.items()),
            ("right", "McNemar", self.right),
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
        return "\n".join([f"# {self._title}", "", *self._told, "", *markdown_table(self._rows()), ""])

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
    def _told(self) -> tuple[str, str]:
        left_out = f"; {self.left_out} that one of them alone answered are left out." if self.left_out else "."
        return (
            f"{counted(self.pages, 'page')} of {counted(self.recordings, 'recording')} in "
            f"{counted(self.groups, 'group')} that both answered{left_out}",
            "p is adjusted by Holm over all rows. DeLong and McNemar take pages of a group for independent. "
            "For research and teaching; not a medical device.",
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
) -> Comparison:
    """Compare two models on the pages that both answered.

    Args:
        first: Answers of one model.
        second: Of the other.
        names: Of the two.
        rng: Of the bootstrap.
        draws: Of the bootstrap over groups.

    Raises:
        DatasetError: They have other labels, no page in common, or another true label for one.
    """
    one, other = in_common(first, second)
    ends = paired_bootstrap(one.group_codes, partial(headline, one), partial(headline, other), rng=rng, draws=draws)
    everything = np.arange(len(one))
    of_first, of_second = headline(one, everything), headline(other, everything)
    values = {name: (of_first[name], of_second[name]) for name in _COMPARED}
    tested = {name: ends[name] for name in _COMPARED}
    right = [part.probabilities.argmax(axis=1) == part.targets for part in (one, other)]
    values["right"] = (float(right[0].mean()), float(right[1].mean()))
    tested["right"] = mcnemar(right[0], right[1])
    for number, label in enumerate(one.labels):
        positive, scores = one.targets == number, [part.probabilities[:, number] for part in (one, other)]
        values[f"auroc/{label}"] = (auroc(positive, scores[0]), auroc(positive, scores[1]))
        tested[f"auroc/{label}"] = delong(positive, scores[0], scores[1])
    known = {name: found for name, found in tested.items() if found is not None}
    adjusted = dict(zip(known, holm([p for *_, p in known.values()]), strict=True))
    differences = {name: Difference(*pair) for name, pair in values.items()}
    for name, (low, high, p) in known.items():
        differences[name] = replace(differences[name], interval=(low, high), p=p, adjusted_p=adjusted[name])
    return Comparison(
        names=names,
        pages=len(one),
        recordings=len(set(one.recordings)),
        groups=len(set(one.groups)),
        figures={name: differences[name] for name in _COMPARED},
        right=differences["right"],
        auroc={label: differences[f"auroc/{label}"] for label in one.labels},
        left_out=len(first) + len(second) - 2 * len(one),
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
