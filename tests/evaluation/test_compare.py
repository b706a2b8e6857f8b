import numpy as np
import pytest

from ecglens.errors import DatasetError
from ecglens.evaluation.compare import compare
from ecglens.evaluation.predictions import Predictions

LABELS = ("normal", "mi", "other")


def answers(skill, *, seed=0, pages=200, labels=LABELS) -> Predictions:
    targets = np.random.default_rng(9).integers(0, 3, pages)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), pages) + skill * np.eye(3)[targets]
    order = [LABELS.index(label) for label in labels]
    return Predictions(
        tuple(f"r{n}" for n in range(pages)),
        tuple(f"g{n // 2}" for n in range(pages)),
        labels,
        np.array([order.index(target) for target in targets]),
        (probabilities / probabilities.sum(axis=1, keepdims=True))[:, order],
        np.zeros(pages, np.intp),
    )


def compare_two(first, second, draws=120):
    return compare(first, second, names=("a", "b"), rng=np.random.default_rng(0), draws=draws)


def test_a_clearly_better_model_differs_from_a_worse_one():
    comparison = compare_two(answers(1.0, seed=1), answers(0.2, seed=2))
    accuracy = comparison.figures["accuracy"]
    assert accuracy.interval[0] > 0
    assert comparison.right.p < 1e-4
    assert comparison.auroc["mi"].p < 0.01
    assert accuracy.adjusted_p >= accuracy.p


def test_a_model_is_no_better_than_itself_whatever_the_order_of_its_pages_and_labels():
    same = answers(0.5, labels=("mi", "other", "normal"))
    turned = same.subset(np.arange(len(same))[::-1])
    comparison = compare_two(answers(0.5), turned, draws=20)
    assert all(row.to_dict()["difference"] == pytest.approx(0) for row in comparison.figures.values())
    assert (comparison.right.p, comparison.auroc["mi"].p) == (1.0, 1.0)
    assert "Both give the same probabilities on every page." in comparison.notes


def test_only_pages_that_both_answered_are_compared_and_the_others_counted():
    comparison = compare_two(
        answers(0.8, seed=1).subset(np.arange(150)), answers(0.5).subset(np.arange(30, 200)), draws=20
    )
    assert (comparison.pages, comparison.left_out) == (120, 80)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda one: _with(one, labels=("normal", "mi", "afib")), "Expected the same labels in both"),
        (lambda one: _with(one, recordings=tuple(f"x{n}" for n in range(len(one)))), "no recording in common"),
        (lambda one: _with(one, recordings=("r0",) * len(one)), "Expected each page once in both"),
        (
            lambda one: _with(one, targets=(one.targets + 1) % 3),
            "one true label a recording, but 'r0' has two",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(second, message):
    one = answers(0.5)
    with pytest.raises(DatasetError, match=message):
        compare_two(one, second(one))


def _with(one, **changes):
    fields = ("recordings", "groups", "labels", "targets", "probabilities", "folds")
    return Predictions(**{**{name: getattr(one, name) for name in fields}, **changes})
