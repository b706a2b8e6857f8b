"""Estimators of scikit-learn (extra ``train``): features of pages and records, and models of ecglens as classifiers.

Their samples are pages and digital ECGs, not rows of numbers: paths, bytes, arrays, images, records.
"""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.digitizing import digitize
from ecglens.errors import ArgumentError, EcgLensError, EcgReadError
from ecglens.extras import require
from ecglens.measuring.features import FEATURES, compute_features
from ecglens.model import check_several, find_record, load_model
from ecglens.pages.read import Source
from ecglens.records import EcgRecord

require("sklearn", extra="train")  # its own error would not name the extra
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin  # noqa: E402
from sklearn.utils import Tags  # noqa: E402

__all__ = ["EcgClassifier", "EcgFeatures"]

Sample = Source | EcgRecord


class EcgFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn pages and digital ECGs into the features of ``ecglens features``.

    Args:
        names: Names of ``ecglens.measuring.features.FEATURES`` to compute; all when ``None``.
        on_error: ``"raise"``, or ``"nan"`` for a row of NaN where a page cannot be read.
    """

    def __init__(self, names: tuple[str, ...] | None = None, on_error: str = "raise") -> None:
        self.names = names
        self.on_error = on_error

    def fit(self, X: Iterable[Sample], y: Any = None) -> "EcgFeatures":
        """Check the parameters; nothing is learned.

        Raises:
            ArgumentError: A name or ``on_error`` is unknown.
        """
        if isinstance(self.names, str):
            raise ArgumentError(
                f"Expected a tuple of names of FEATURES, got the text {self.names!r}; give ({self.names!r},)."
            )
        unknown = sorted(set(self.names or ()) - set(FEATURES))
        if unknown:
            raise ArgumentError(f"Expected names of FEATURES, got {', '.join(unknown)}; correct them.")
        if self.on_error not in {"raise", "nan"}:
            raise ArgumentError(f"Expected on_error to be raise or nan, got {self.on_error!r}; choose one.")
        self.names_ = tuple(self.names or FEATURES)
        return self

    def transform(self, X: Iterable[Sample]) -> NDArray[np.float64]:
        """Compute the features.

        Args:
            X: Pages and records.

        Returns:
            ``(samples, names)``; NaN where a feature could not be determined.

        Raises:
            EcgLensError: A page or file cannot be read, and ``on_error`` is ``"raise"``.
            ArgumentError: It is one page, not several.
        """
        check_several(X)
        self.fit(X)
        rows = [self._compute(sample) for sample in X]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names_))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns."""
        return np.array(self.names or tuple(FEATURES), dtype=object)

    def _compute(self, sample: Sample) -> list[float]:
        try:
            features = compute_features(_read(sample))
        except EcgLensError:
            if self.on_error == "raise":
                raise
            return [float("nan")] * len(self.names_)
        return [features[name] for name in self.names_]

    def __sklearn_tags__(self) -> Tags:
        return _tag(super().__sklearn_tags__(), requires_fit=False)


class EcgClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A trained model of ecglens as a classifier; fitting it learns nothing.

    Args:
        model: Name or folder of a model, as for :func:`ecglens.load_model`.
    """

    def __init__(self, model: str | os.PathLike[str] = "compact_cnn") -> None:
        self.model = model

    @property
    def classes_(self) -> NDArray[np.str_]:
        """Labels in the order of the columns of :meth:`predict_proba`."""
        return np.array(load_model(self.model).labels)

    def fit(self, X: Iterable[Sample], y: Any = None) -> "EcgClassifier":
        """Load the model; it learned its labels before, and learns nothing from these.

        Args:
            X: Pages.
            y: Labels of the model, if any.

        Raises:
            ModelError: It does not exist, or cannot be used.
            ArgumentError: A label is none of the model's.
        """
        classes = self.classes_
        unknown = sorted({str(label) for label in ([] if y is None else y)} - {str(label) for label in classes})
        if unknown:
            raise ArgumentError(
                f"Expected labels of the model, {', '.join(map(str, classes))}, got {', '.join(unknown)}; correct them."
            )
        return self

    def predict_proba(self, X: Iterable[Sample]) -> NDArray[np.float64]:
        """Compute calibrated probabilities; see :meth:`ecglens.model.Model.predict_proba`.

        Raises:
            EcgReadError: A file is not a page that can be read; one without leads has a row of NaN.
        """
        return load_model(self.model).predict_proba(X)

    def predict(self, X: Iterable[Sample]) -> NDArray[np.object_]:
        """Return the most probable label of each page; ``None`` where the model was not run.

        The threshold below which the model abstains is not applied; :meth:`ecglens.model.Model.read` applies it.

        Raises:
            EcgReadError: As for :meth:`predict_proba`.
        """
        classes = self.classes_
        probabilities = self.predict_proba(X)
        return np.array([None if np.isnan(row).any() else str(classes[row.argmax()]) for row in probabilities], object)

    def __sklearn_tags__(self) -> Tags:
        return _tag(super().__sklearn_tags__(), requires_fit=False)


def _read(sample: Sample) -> EcgRecord:
    """Return the signals of a page or digital ECG.

    Raises:
        EcgLensError: It cannot be read, or its scale is unknown.
    """
    if isinstance(sample, EcgRecord):
        return sample
    record = find_record(sample)
    if record is not None:
        return record
    tracing = digitize(sample)
    if tracing.record is None:
        raise EcgReadError(source=tracing.page.source, detail="the scale of the page could not be determined.")
    return tracing.record


def _tag(tags: Tags, *, requires_fit: bool) -> Any:
    """Say that the samples are no rows of numbers and that nothing is learned."""
    tags.no_validation, tags.requires_fit = True, requires_fit
    tags.input_tags.two_d_array, tags.input_tags.one_d_array = False, True
    return tags
