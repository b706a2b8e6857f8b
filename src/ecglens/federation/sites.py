"""Sites of a simulated federation: which rows of a table each site holds.

A group of recordings, usually one patient, stays at one site, so that an honest fold keeps its groups inside a site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import TrainingError

__all__ = ["LABEL_SKEW", "Site", "SitePlan", "make_sites", "parse_site_plan"]

LABEL_SKEW = "label-skew"
_DEFAULT_SITES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """Rows of a table that one site holds.

    Attributes:
        name: Name of the site, such as ``"2020-08"``.
        rows: ``(n,)`` intp, rows of the table in ascending order.
    """

    name: str
    rows: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class SitePlan:
    """Way to divide a table among sites.

    Attributes:
        column: Column of the table whose values are the sites, or ``None`` for label skew.
        alpha: Concentration of the Dirichlet distribution by which each label is divided; small values are skewed.
        count: Number of sites, for label skew.
    """

    column: str | None
    alpha: float = 1.0
    count: int = _DEFAULT_SITES

    def __str__(self) -> str:
        return self.column if self.column is not None else f"{LABEL_SKEW}:{self.alpha:g}:{self.count}"

    def to_dict(self) -> dict[str, Any]:
        """Return the plan in plain types."""
        return {"column": self.column, "alpha": self.alpha, "count": self.count}


def parse_site_plan(text: str) -> SitePlan:
    """Parse ``label-skew:ALPHA``, ``label-skew:ALPHA:SITES`` or the name of a column.

    Raises:
        TrainingError: The numbers cannot be used.
    """
    kind, *numbers = text.split(":")
    if kind != LABEL_SKEW:
        return SitePlan(text)
    try:
        alpha = float(numbers[0])
        count = int(numbers[1]) if len(numbers) > 1 else _DEFAULT_SITES
    except (IndexError, ValueError):
        alpha, count = 0.0, 0
    if not (0 < alpha < float("inf") and count >= 2 and len(numbers) <= 2):
        raise TrainingError(
            f"Expected sites such as {LABEL_SKEW}:0.3 or {LABEL_SKEW}:0.3:10, with a positive number and at least two "
            f"sites, got '{text}'; correct it, or name a column of the table."
        )
    return SitePlan(None, alpha, count)


def make_sites(
    plan: SitePlan,
    labels: Sequence[str],
    groups: Sequence[str],
    column: Callable[[str], Sequence[str]],
    *,
    rows: NDArray[np.intp],
    seed: int,
) -> tuple[Site, ...]:
    """Divide the rows of a table among sites; each group is at one site.

    By label skew, each label's groups are divided by shares that are sampled from a Dirichlet distribution (Hsu et
    al., arXiv 1909.06335); a group with several labels counts for its most common one.

    Args:
        plan: Way to divide the table.
        labels: Label of each row of the table.
        groups: Group of each row of the table.
        column: Function that returns a column of the table by its name.
        rows: ``(n,)``, rows to divide, such as one row for each recording.
        seed: Random seed of the label skew.

    Returns:
        Sites with at least one row, by name.

    Raises:
        TrainingError: A group is at several sites, or fewer than two sites have rows.
        DatasetError: There is no such column.
    """
    if plan.column is None:
        names = _skew_labels(plan, np.array(labels)[rows], np.array(groups)[rows], np.random.default_rng(seed))
    else:
        names = np.array(column(plan.column))[rows]
        _check_groups(plan.column, names, np.array(groups)[rows])
    sites = tuple(Site(name, np.sort(rows[names == name])) for name in sorted(set(names.tolist())))
    if len(sites) < 2:
        raise TrainingError(f"Expected at least two sites with recordings by '{plan}', got {len(sites)}; use others.")
    return sites


def _skew_labels(
    plan: SitePlan, labels: NDArray[np.str_], groups: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.str_]:
    label_of, size_of = {}, {}
    for group in sorted(set(groups.tolist())):
        values, counts = np.unique(labels[groups == group], return_counts=True)
        label_of[group], size_of[group] = str(values[counts.argmax()]), int(counts.sum())
    site_of: dict[str, int] = {}
    for label in sorted(set(label_of.values())):
        members = [group for group, its in label_of.items() if its == label]
        members = [members[place] for place in rng.permutation(len(members))]
        ends = np.cumsum(rng.dirichlet(np.full(plan.count, plan.alpha)))
        middles = np.cumsum([size_of[group] for group in members]) - np.array([size_of[group] for group in members]) / 2
        places = np.searchsorted(ends, middles / sum(size_of[group] for group in members))
        site_of |= dict(zip(members, np.minimum(places, plan.count - 1).tolist(), strict=True))
    width = len(str(plan.count))
    return np.array([f"site {site_of[group] + 1:0{width}d}" for group in groups.tolist()])


def _check_groups(column: str, names: NDArray[np.str_], groups: NDArray[np.str_]) -> None:
    pairs = {(group, name) for group, name in zip(groups.tolist(), names.tolist(), strict=True)}
    apart = sorted(group for group in {group for group, _ in pairs} if sum(own == group for own, _ in pairs) > 1)
    if apart:
        raise TrainingError(
            f"Expected every group at one site, but {len(apart)} are at several sites by '{column}', such as "
            f"'{apart[0]}'; use another column."
        )
