"""Records of PTB-XL as arrays of one length and rate, with labels and folds, for training a model of signals."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecglens.datasets.ptbxl import PtbxlRecord
from ecglens.labels import SUPERCLASSES
from ecglens.models.inputs.recipes import LeadSignals
from ecglens.models.inputs.signals import make_signal_array

__all__ = ["SIGNALS", "SignalSet", "assign_folds", "make_signal_set"]

SIGNALS = LeadSignals(fs_hz=100.0, seconds=10.0)
"""Leads, rate and length of the records."""


@dataclass(frozen=True, slots=True, eq=False)
class SignalSet:
    """Records that a model of signals is trained on or judged by; each array has one entry a record.

    Attributes:
        ecg_ids: Numbers of the records.
        signals: ``(records, leads, samples)`` float32, in mV, or of unit variance where ``is_in_mv`` is not set.
        is_in_mv: Whether the amplitudes are known.
        targets: ``(records, superclasses)`` float32, 1 where a superclass holds.
        groups: Patient of each record, or the record itself.
        four_labels: Label by the project's four, or ``None``.
        sexes: ``male``, ``female`` or ``None``.
        ages: In years, NaN where unknown.
    """

    ecg_ids: NDArray[np.int64]
    signals: NDArray[np.float32]
    is_in_mv: NDArray[np.bool_]
    targets: NDArray[np.float32]
    groups: NDArray[np.str_]
    four_labels: tuple[str | None, ...]
    sexes: tuple[str | None, ...]
    ages: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ecg_ids)


def make_signal_set(records: Iterable[PtbxlRecord]) -> SignalSet:
    """Resample records to one rate and put them side by side.

    A record that comes twice, as two forms of the data hold it, is taken once.

    Args:
        records: Records with their superclasses.
    """
    leads, first = len(SIGNALS.leads), {}
    for one in records:
        if one.ecg_id not in first:
            first[one.ecg_id] = (one, make_signal_array(one.record, SIGNALS)[:leads])
    records_once = [one for one, _ in first.values()]
    return SignalSet(
        ecg_ids=np.array([one.ecg_id for one in records_once], np.int64),
        signals=np.stack([array for _, array in first.values()]),
        is_in_mv=np.array([one.is_in_mv for one in records_once], np.bool_),
        targets=np.array([[name in one.superclasses for name in SUPERCLASSES] for one in records_once], np.float32),
        groups=np.array([one.group for one in records_once], np.str_),
        four_labels=tuple(one.four_label for one in records_once),
        sexes=tuple(one.sex for one in records_once),
        ages=np.array([np.nan if one.age is None else one.age for one in records_once], np.float64),
    )


def assign_folds(data: SignalSet, *, folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Assign each record in mV to a fold, patients together; records without amplitudes get -1 and only train.

    A record without amplitudes whose patient is known gets the patient's fold, so that it is left out with it.
    """
    rng = np.random.default_rng(seed)
    in_mv = np.unique(data.groups[data.is_in_mv])
    fold_of = dict(zip(in_mv.tolist(), (rng.permutation(len(in_mv)) % folds).tolist(), strict=True))
    return np.array([fold_of.get(group, -1) for group in data.groups.tolist()], np.int64)
