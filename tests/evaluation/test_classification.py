import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from ecglens.evaluation.classification import Scorer, cohen_kappa, figures, matthews

LABELS = ("normal", "mi", "history_mi", "abnormal_heartbeat")


def answers(rng: np.random.Generator, pages: int = 300) -> tuple[np.ndarray, np.ndarray]:
    targets = rng.integers(0, 4, pages)
    probabilities = rng.dirichlet(np.ones(4), pages) + 0.6 * np.eye(4)[targets]
    return targets, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.fixture(params=range(3))
def scores(request):
    targets, probabilities = answers(np.random.default_rng(request.param))
    return targets, probabilities, figures(targets, probabilities, LABELS)


def test_macro_figures_are_those_of_scikit_learn(scores):
    targets, probabilities, mine = scores
    answered = probabilities.argmax(axis=1)
    assert mine["accuracy"] == pytest.approx(metrics.accuracy_score(targets, answered))
    assert mine["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(targets, answered))
    assert mine["macro_precision"] == pytest.approx(metrics.precision_score(targets, answered, average="macro"))
    assert mine["macro_f1"] == pytest.approx(metrics.f1_score(targets, answered, average="macro"))
    assert mine["macro_auroc"] == pytest.approx(metrics.roc_auc_score(targets, probabilities, multi_class="ovr"))
    precisions = [metrics.average_precision_score(targets == label, probabilities[:, label]) for label in range(4)]
    assert mine["macro_average_precision"] == pytest.approx(np.mean(precisions))
    assert mine["matthews"] == pytest.approx(metrics.matthews_corrcoef(targets, answered))
    assert mine["cohen_kappa"] == pytest.approx(metrics.cohen_kappa_score(targets, answered))
    assert mine["log_loss"] == pytest.approx(metrics.log_loss(targets, probabilities))
    assert mine["brier"] == pytest.approx(metrics.brier_score_loss(targets, probabilities, scale_by_half=False))


def test_figures_by_label_are_those_of_scikit_learn(scores):
    targets, probabilities, mine = scores
    answered = probabilities.argmax(axis=1)
    precision, recall, f1, pages = metrics.precision_recall_fscore_support(targets, answered)
    for index, name in enumerate(LABELS):
        by_label = mine["by_label"][name]
        assert by_label["pages"] == pages[index]
        assert by_label["precision"] == pytest.approx(precision[index])
        assert by_label["recall"] == pytest.approx(recall[index])
        assert by_label["f1"] == pytest.approx(f1[index])
        assert by_label["specificity"] == pytest.approx(metrics.recall_score(targets != index, answered != index))
        assert by_label["auroc"] == pytest.approx(metrics.roc_auc_score(targets == index, probabilities[:, index]))


def test_the_confusion_matrix_has_true_labels_in_rows(scores):
    targets, probabilities, mine = scores
    assert mine["confusion"] == metrics.confusion_matrix(targets, probabilities.argmax(axis=1)).tolist()


def test_agreement_is_undefined_where_one_label_is_all_there_is():
    one = np.array([[3, 0], [0, 0]])
    assert (matthews(one), cohen_kappa(one)) == (None, None)
    never_answered = np.array([[3, 0], [2, 0]])
    assert (matthews(never_answered), cohen_kappa(never_answered)) == (None, 0.0)


@given(
    targets=arrays(np.intp, 20, elements=st.integers(0, 3)),
    weights=arrays(np.float64, (20, 4), elements=st.floats(0, 1)),
)
def test_no_draw_of_pages_gives_a_wrong_number_for_an_undefined_one(targets, weights):
    weights = weights + 1e-3
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine = figures(targets, probabilities, LABELS)
    answered = probabilities.argmax(axis=1)
    present = set(targets.tolist())
    assert (mine["balanced_accuracy"] is None) == (len(present) < 4)
    assert (mine["macro_auroc"] is None) == (len(present) < 4)
    assert (mine["macro_precision"] is None) == (len(set(answered.tolist())) < 4)
    if len(present | set(answered.tolist())) == 4:
        assert mine["macro_f1"] == pytest.approx(metrics.f1_score(targets, answered, average="macro"))
    else:
        assert mine["macro_f1"] is None
    assert sum(map(sum, mine["confusion"])) == 20


def test_with_one_class_its_own_figures_are_defined_and_the_others_are_not():
    mine = figures(np.zeros(3, np.intp), np.array([[0.9, 0.1]] * 3), ("normal", "mi"))
    assert mine["accuracy"] == 1.0
    assert mine["by_label"]["normal"]["recall"] == 1.0
    assert mine["by_label"]["normal"]["specificity"] is None
    assert mine["by_label"]["mi"] == {
        "pages": 0,
        "precision": None,
        "recall": None,
        "specificity": 1.0,
        "f1": None,
        "auroc": None,
        "average_precision": None,
    }
    assert mine["macro_f1"] is None


def test_a_probability_of_zero_for_the_truth_costs_much_but_not_infinity():
    mine = figures(np.array([0]), np.array([[0.0, 1.0]]), ("normal", "mi"))
    assert mine["log_loss"] == pytest.approx(-np.log(1e-15))
    assert mine["brier"] == 2.0


def test_no_page_has_no_figures():
    with pytest.raises(ValueError, match="Expected at least one page to score, got none"):
        figures(np.zeros(0, np.intp), np.zeros((0, 2)), ("normal", "mi"))


def test_right_at_coverage_is_the_accuracy_of_the_most_confident_pages(scores):
    targets, probabilities, mine = scores
    assert mine["coverage"] == 0.72
    by_confidence = sorted(zip(-probabilities.max(1), probabilities.argmax(1) == targets, strict=True))
    first = by_confidence[: round(0.72 * len(targets))]
    assert mine["right_at_coverage"] == pytest.approx(sum(right for _, right in first) / len(first))


@given(
    counts=arrays(np.intp, 40, elements=st.integers(0, 3)).filter(lambda counts: counts.any()), seed=st.integers(0, 9)
)
def test_pages_that_count_several_times_equal_pages_that_are_repeated(counts, seed):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 4, 40)
    probabilities = np.round(rng.dirichlet(np.ones(4), 40), 1) + 0.01  # ties
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(40), counts)
    weighted, repeated = (
        Scorer(targets, probabilities, LABELS).figures(counts),
        figures(targets[rows], probabilities[rows], LABELS),
    )
    assert weighted["confusion"] == repeated["confusion"]
    for name in repeated.keys() - {"confusion", "by_label"}:
        assert weighted[name] == (None if repeated[name] is None else pytest.approx(repeated[name])), name
    for label, values in repeated["by_label"].items():
        assert weighted["by_label"][label] == {k: v if v is None else pytest.approx(v) for k, v in values.items()}
