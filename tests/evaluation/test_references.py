import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from ecglens.evaluation.references import majority, nearest


def test_the_majority_is_the_most_common_label_of_the_training_side() -> None:
    out = majority(np.array([2, 2, 0]), pages=4, labels=3)
    np.testing.assert_array_equal(out, np.tile([0.0, 0.0, 1.0], (4, 1)))


def test_nearest_votes_as_scikit_learn_does_where_no_distances_tie() -> None:
    rng = np.random.default_rng(0)
    train, values = rng.normal(80, 20, 200), rng.normal(80, 20, 600)
    targets = rng.integers(0, 4, 200)
    expected = KNeighborsClassifier(15).fit(train[:, None], targets).predict_proba(values[:, None])
    np.testing.assert_allclose(nearest(train, targets, values, labels=4), expected)


def test_those_equally_far_share_the_last_votes_whatever_their_order() -> None:
    train, targets = np.array([60.0, 70.0, 70.0, 70.0]), np.array([0, 1, 1, 2])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        shares = nearest(train[order], targets[order], np.array([60.0]), labels=3, neighbors=2)
        np.testing.assert_allclose(shares, [[1 / 2, 1 / 3, 1 / 6]])
