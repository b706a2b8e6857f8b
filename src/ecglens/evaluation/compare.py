"""Comparison of two models on the same pages: differences with intervals, and whether they could be chance."""

from dataclasses import replace
from functools import partial

import numpy as np

from ecglens.evaluation.bootstrap import Progress
from ecglens.evaluation.evaluate import compute_headline, make_scorer
from ecglens.evaluation.predictions import Predictions, list_cautions, match_pages
from ecglens.evaluation.results import Comparison, Difference
from ecglens.evaluation.significance import delong, holm, mcnemar, paired_bootstrap

__all__ = ["compare"]

_COMPARED = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss", "brier")


def compare(
    first: Predictions,
    second: Predictions,
    *,
    names: tuple[str, str],
    rng: np.random.Generator,
    draws: int = 2000,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two models on the pages that both answered.

    Args:
        first: Predictions of one model.
        second: Predictions of the other.
        names: Names of the two.
        rng: Random generator of the bootstrap.
        draws: Resamples of the bootstrap over groups.
        progress: Called with the number of resamples done and of all.

    Raises:
        DatasetError: They have other labels, no page in common, or another true label for one.
    """
    one, other = match_pages(first, second)
    scorers = make_scorer(one), make_scorer(other)
    ends = paired_bootstrap(
        one.group_codes,
        *(partial(compute_headline, scorer) for scorer in scorers),
        rng=rng,
        draws=draws,
        progress=progress,
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
    are_same = np.array_equal(one.probabilities, other.probabilities)
    defined = {name: test for name, test in tested.items() if test is not None}
    adjusted = dict(zip(defined, holm([p for *_, p in defined.values()]), strict=True))
    differences = {name: Difference(*pair) for name, pair in values.items()}
    for name, (low, high, p) in defined.items():
        between = (low, high) if low < high else None  # resamples that all agree say nothing about other pages
        differences[name] = replace(differences[name], interval=between, p=p, adjusted_p=adjusted[name])
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
        notes=(*(["Both give the same probabilities on every page."] if are_same else []), *list_cautions(one)),
    )
