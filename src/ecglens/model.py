"""A model as an object: loaded once by its name or folder, it reads pages and digital ECGs."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import ArgumentError, MissingDataError, ModelError
from ecglens.formats.files import detect_format, read_record
from ecglens.models.cards import ModelCard
from ecglens.models.registry import AUTO, PAGE_MODEL, SIGNAL_MODEL
from ecglens.models.runtime import Runtime
from ecglens.pages.read import Source, read_chosen_page
from ecglens.reading import examine_page, load_runtime
from ecglens.records import EcgRecord, Prediction, Reading
from ecglens.settings import load_settings

__all__ = ["Model", "check_several", "find_record", "load_model"]


class Model:
    """A model that was loaded, from :func:`load_model`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @classmethod
    def from_pretrained(cls, name_or_folder: str | os.PathLike[str]) -> "Model":
        """Load a model; the same as :func:`load_model`."""
        return load_model(name_or_folder)

    def __repr__(self) -> str:
        return f"Model({self.card.name} {self.card.version}: {', '.join(self.labels)})"

    @property
    def card(self) -> ModelCard:
        """Facts about the model: title, version, input, labels, temperature, license."""
        return self._runtime.card

    @property
    def folder(self) -> Path:
        """Folder with its graph and card."""
        return self.card.folder

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the columns of :meth:`predict_proba`."""
        return self.card.labels

    @property
    def rows_of_a_page(self) -> tuple[str, ...]:
        """Names of the rows that it reads of one page: one, or one for each lead."""
        return tuple(self._runtime.recipe.rows)

    def read(self, source: Source | EcgRecord, *, page: int = 1) -> Prediction:
        """Read a page, as :func:`ecglens.read` does, or a digital ECG, as :meth:`read_record` does.

        Args:
            source: A page, a record, or the path of a digital ECG.
            page: Number of the page in its file.

        Raises:
            EcgReadError: The file is not a page that can be read.
            DatasetError: The file is a digital ECG that cannot be read.
            ModelError: It is a digital ECG, and the model reads pages.
        """
        if isinstance(source, EcgRecord):
            return self.read_record(source)
        record = find_record(source)
        return self.examine(source, page=page).prediction if record is None else self.read_record(record)

    def examine(self, source: Source, *, page: int = 1, measure: bool = False) -> Reading:
        """Read a page with its layout, and on request with measurements, as :func:`ecglens.examine` does.

        Raises:
            EcgReadError: The file is not a page that can be read.
        """
        decoded = read_chosen_page(source, page=page, max_megapixels=load_settings().max_megapixels)
        return examine_page(decoded, self._runtime, measure=measure, source=source)

    def read_record(self, record: EcgRecord) -> Prediction:
        """Read a digital ECG, with a model of signals.

        Raises:
            ModelError: The model reads pages.
        """
        return self._runtime.predict_record(record)

    def predict_proba(self, sources: Iterable[Source | EcgRecord]) -> NDArray[np.float64]:
        """Compute calibrated probabilities of pages or digital ECGs.

        Args:
            sources: Pages and digital ECGs, as for :meth:`read`.

        Returns:
            ``(sources, labels)``; a row of NaN where the model was not run, because it cannot read the page.

        Raises:
            EcgReadError: A file is not a page that can be read.
            DatasetError: As for :meth:`read`.
            ModelError: As for :meth:`read`.
            ArgumentError: It is one page, not several.
        """
        check_several(sources)
        predictions = [self.read(one) for one in sources]
        unknown = dict.fromkeys(self.labels, float("nan"))
        rows = [[(one.probabilities or unknown)[label] for label in self.labels] for one in predictions]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.labels))


def find_record(source: object) -> EcgRecord | None:
    """Return the digital ECG at a path; ``None`` where there is anything else, or nothing, which is read as a page.

    Args:
        source: A path, or anything else.

    Raises:
        DatasetError: There is a digital ECG that cannot be read.
    """
    if not isinstance(source, str | os.PathLike) or "\0" in os.fspath(source):
        return None
    try:
        form = detect_format(Path(source))
    except MissingDataError:
        return None
    return None if form is None else read_record(Path(source))


def check_several(sources: object) -> None:
    """Refuse one page where several belong, before the letters of its name are read as pages.

    Raises:
        ArgumentError: It is one, or anything else that is not several.
    """
    if isinstance(sources, str | bytes | os.PathLike) or not isinstance(sources, Iterable):
        raise ArgumentError(
            f"Expected several pages, such as a list of paths, got one {type(sources).__name__}; put it into a list."
        )


def load_model(name_or_folder: str | os.PathLike[str] | None = None) -> Model:
    """Load a model; each folder is loaded once in a process.

    Args:
        name_or_folder: Name of a model of :func:`ecglens.list_models`, a model folder, or the folder that
            :func:`ecglens.fine_tune` wrote; the page model of the settings when ``None``.

    Raises:
        MissingModelError: There is no such model.
        ModelError: It cannot be used.
        ArgumentError: It is neither a name nor a folder.

    >>> load_model("compact_cnn").labels
    ('normal', 'mi', 'history_mi', 'abnormal_heartbeat')
    """
    if name_or_folder == AUTO:
        raise ModelError(
            f"Expected one model, got '{AUTO}', which chooses between {PAGE_MODEL} and {SIGNAL_MODEL} for each page; "
            f"load one of them, or call ecglens.read(page, model='{AUTO}')."
        )
    return Model(load_runtime(name_or_folder))
