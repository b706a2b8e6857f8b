"""Estimators of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from ecglens.errors import EcgLensError, EcgReadError
from ecglens.estimators import EcgClassifier, EcgFeatures
from ecglens.formats.csv import read_csv

DATA = Path(__file__).resolve().parent / "data"
PAGES = [DATA / name for name in ("Normal_1.jpg", "MI_26.jpg", "HB_1.jpg", "PMI_18.jpg")]
NAMES = ("rate_bpm", "qrs_ms", "qtc_fridericia_ms")
CHECKS = (
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)
"""Checks of scikit-learn that do not fit an estimator on rows of numbers, which these do not take."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", [EcgFeatures(), EcgClassifier()], ids=lambda each: type(each).__name__)
def test_scikit_learn_s_checks_pass(estimator, check):
    check(type(estimator).__name__, estimator)


def test_features_of_pages_and_records_are_rows():
    features = clone(EcgFeatures(NAMES))
    rows = features.fit_transform([PAGES[0], DATA / "ptbxl_00001.csv", read_csv(DATA / "ptbxl_00001.csv")])
    assert rows.shape == (3, 3)
    assert rows[1, 0] == pytest.approx(63.9, abs=1)
    assert np.array_equal(rows[1], rows[2])
    assert list(features.get_feature_names_out()) == list(NAMES)


def test_one_page_instead_of_several_is_refused():
    with pytest.raises(TypeError, match="put it into a list"):
        EcgFeatures().transform("MI_26.jpg")


def test_what_cannot_be_read_is_raised_or_a_row_of_nan(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(EcgReadError):
        EcgFeatures(NAMES).transform([tmp_path / "broken.jpg"])
    assert np.isnan(EcgFeatures(NAMES, on_error="nan").transform([tmp_path / "broken.jpg"])).all()
    with pytest.raises(EcgLensError, match="Expected names of FEATURES, got nonsense"):
        EcgFeatures(("nonsense",)).fit([])
    with pytest.raises(EcgLensError, match="raise or nan"):
        EcgFeatures(NAMES, on_error="skip").fit([])


def test_they_fit_into_a_pipeline():
    pipeline = make_pipeline(EcgFeatures(NAMES), SimpleImputer(), StandardScaler(), LogisticRegression())
    pipeline.fit(PAGES, ["normal", "mi", "other", "other"])
    assert pipeline.predict_proba(PAGES).shape == (4, 3)


def test_a_model_is_a_classifier():
    classifier = clone(EcgClassifier("compact_cnn")).fit(PAGES)
    assert list(classifier.predict(PAGES)) == ["normal", "mi", "abnormal_heartbeat", "history_mi"]
    assert classifier.predict_proba(PAGES[:1]).shape == (1, len(classifier.classes_))
    assert classifier.score(PAGES[:2], ["normal", "mi"]) == 1.0
    blank = np.full((900, 1200, 3), 255, np.uint8)
    assert classifier.predict([blank])[0] is None


def test_labels_that_the_model_does_not_know_are_refused():
    with pytest.raises(ValueError, match="Expected labels of the model, .* got hb"):
        EcgClassifier().fit(PAGES[:1], ["hb"])
