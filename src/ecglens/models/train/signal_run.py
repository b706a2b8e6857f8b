"""Train the model of signals fold by fold, and export it with its calibration (extra ``train``).

A run folder has the weights of each fold. A fold that is there is not trained again, so that a run can be stopped and
continued.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ecglens.errors import TrainingError
from ecglens.evaluation.several_labels import (
    fit_limits,
    fit_temperatures,
    macro_auroc,
    macro_auroc_interval,
    sigmoid,
)
from ecglens.labels import SUPERCLASSES
from ecglens.models.card_text import signal_card
from ecglens.models.cards import GRAPH_FILE, ModelCard, SetLimits, save_card, sha256_of
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.inputs import LeadBeats, dump_recipe, make_beat_array
from ecglens.models.train.cut_beats import BeatCutter
from ecglens.models.train.digitized import load_page
from ecglens.models.train.signal_model import DEFAULTS, FitSettings, compute_logits, fit_signal_model
from ecglens.models.train.signal_set import SIGNALS, SignalSet, assign_folds
from ecglens.models.zoo.any_recorder import MeanOfNetworks, any_recorder
from ecglens.records import EcgRecord

__all__ = [
    "FOLDS",
    "RECIPE",
    "OutOfFold",
    "answer_out_of_fold",
    "build_network",
    "export_signal_model",
    "load_network",
    "load_pages",
    "make_whole_input",
    "train_folds",
]

RECIPE = LeadBeats()
FOLDS = 5
_COMPARED = 24


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Answers of each fold's network for the records that it was not trained on.

    Attributes:
        rows: ``(answers,)``, places in the data.
        folds: ``(answers,)``.
        whole: ``(answers, labels)``, logits of the whole recording of 10 s.
        page: ``(answers, labels)``, logits of the page that shows it, NaN where there is none.
    """

    rows: NDArray[np.int64]
    folds: NDArray[np.int64]
    whole: NDArray[np.float32]
    page: NDArray[np.float32]


def load_pages(folder: Path, ecg_ids: NDArray[np.int64]) -> tuple[NDArray[np.float32], tuple[str | None, ...]]:
    """Load the digitized page of each record.

    Args:
        folder: With a file for each record, as ``benchmarks/any_recorder_pages.py`` writes them.
        ecg_ids: Numbers of the records.

    Returns:
        ``(records, rows, samples)``, zeros where there is no page or it was refused; and the layout of each page,
        ``None`` where there is none, ``"refused"`` where it was refused.
    """
    arrays = np.zeros((len(ecg_ids), *RECIPE.shapes["signal"]), np.float32)
    layouts: list[str | None] = []
    for array, number in zip(arrays, ecg_ids.tolist(), strict=True):
        path = folder / f"{number}.npz"
        page = load_page(path) if path.is_file() else None
        if page is not None and page.record is not None:
            array[:] = make_beat_array(page.record, RECIPE)
        layouts.append(None if page is None else page.layout if page.record is not None else "refused")
    return arrays, tuple(layouts)


def train_folds(
    data: SignalSet,
    run: Path,
    *,
    pages: NDArray[np.float32] | None = None,
    settings: FitSettings = DEFAULTS,
    seed: int = 0,
    only: Sequence[int] = range(FOLDS),
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Train a network for each fold, and store it.

    Args:
        data: Records; those without amplitudes only train.
        run: Folder of the run.
        pages: From :func:`load_pages`; those of the training side are trained on.
        settings: How the networks are trained.
        seed: Random seed of folds, weights and cuts.
        only: Which folds, so that several processes can share a run.
        report: Takes a line after each epoch.
    """
    run.mkdir(parents=True, exist_ok=True)
    folds = assign_folds(data, folds=FOLDS, seed=seed)
    cutter = BeatCutter(data, RECIPE, rng=np.random.default_rng(seed))
    for fold in only:
        if (run / f"fold-{fold}.pt").is_file():
            continue
        torch.manual_seed(FOLDS * seed + fold)
        network = fit_signal_model(
            build_network(),
            data,
            cutter,
            np.flatnonzero(folds != fold),
            settings=settings,
            pages=pages,
            seed=FOLDS * seed + fold,
            report=partial(_report_fold, report, fold),
        )
        unfinished = run / f"fold-{fold}.part"
        torch.save(network.state_dict(), unfinished)
        unfinished.replace(run / f"fold-{fold}.pt")


def answer_out_of_fold(
    data: SignalSet, run: Path, *, pages: NDArray[np.float32] | None = None, seed: int = 0
) -> OutOfFold:
    """Answer each record in mV by the network of the fold that was not trained on it.

    Args:
        data: The records that the run was trained on.
        run: Folder of a finished run.
        pages: From :func:`load_pages`, to answer the page of each record too.
        seed: Seed of the run.

    Raises:
        TrainingError: A fold is missing.
    """
    folds = assign_folds(data, folds=FOLDS, seed=seed)
    rows = np.flatnonzero(data.is_in_mv)
    whole_inputs = np.stack([make_whole_input(data.signals[row]) for row in rows])
    whole = np.full((len(rows), len(SUPERCLASSES)), np.nan, np.float32)
    page = np.full_like(whole, np.nan)
    has_page = np.zeros(len(rows), np.bool_) if pages is None else pages[rows].any(axis=(1, 2))
    for fold in range(FOLDS):
        network, here = load_network(run, fold), folds[rows] == fold
        whole[here] = compute_logits(network, whole_inputs[here])
        if pages is not None and (here & has_page).any():
            page[here & has_page] = compute_logits(network, pages[rows[here & has_page]])
    return OutOfFold(rows, folds[rows], whole, page)


def export_signal_model(
    data: SignalSet, answers: OutOfFold, run: Path, folder: Path, *, command: str, version: str = "1.0"
) -> ModelCard:
    """Write a model folder whose graph is the mean of the networks of a run.

    Temperatures, limits of the sets and the threshold are fitted on the answers out of fold, of whole recordings and
    of pages together.

    Args:
        data: The records that the run was trained on.
        answers: From :func:`answer_out_of_fold`.
        run: Folder of a finished run.
        folder: Folder to write; its name is the model's.
        command: Command line, for the card.
        version: Version of the weights.

    Raises:
        ModelError: The graph's outputs differ from those of the torch module.
        TrainingError: A fold is missing.
    """
    model = MeanOfNetworks([load_network(run, fold) for fold in range(FOLDS)]).eval()
    folder.mkdir(parents=True, exist_ok=True)
    write_graph(model, RECIPE.shapes, folder / GRAPH_FILE)
    compared = np.stack([make_whole_input(signals) for signals in data.signals[:_COMPARED]])
    check_graph(model, folder / GRAPH_FILE, {"signal": compared})
    has_page = ~np.isnan(answers.page[:, 0])
    logits = np.concatenate([answers.whole, answers.page[has_page]])
    targets = data.targets[np.concatenate([answers.rows, answers.rows[has_page]])] > 0
    temperatures = fit_temperatures(targets, logits)
    probabilities = sigmoid(logits / np.array(temperatures))
    limits = [fit_limits(target, column) for target, column in zip(targets.T, probabilities.T, strict=True)]
    card = ModelCard(
        name=folder.name,
        version=version,
        title="Residual networks over the typical beats of any recorder, in any layout",
        labels=tuple(SUPERCLASSES),
        input=dump_recipe(RECIPE),
        temperature=1.0,
        several=True,
        label_temperatures=temperatures,
        set_limits=tuple(SetLimits(yes_from=yes, no_to=no) for yes, no in limits),
        abstain_below=0.5,
        parameters=sum(weight.numel() for weight in model.parameters()),
        trained_on=f"PTB-XL, {int(data.is_in_mv.sum())} records in mV, {int((~data.is_in_mv).sum())} of unit variance",
        license="CC-BY-4.0",
        graph_sha256=sha256_of(folder / GRAPH_FILE),
        folder=folder,
    )
    save_card(card, folder)
    figures = _describe_answers(data, answers)
    (folder / "card.md").write_text(signal_card(card, figures, command), encoding="utf-8")
    return card


def _describe_answers(data: SignalSet, answers: OutOfFold) -> list[str]:
    """Describe the AUROC out of fold in sentences, of whole recordings and of pages."""
    sentences = []
    has_page = ~np.isnan(answers.page[:, 0])
    for name, logits, rows in (
        ("whole recordings of 10 s", answers.whole, np.ones_like(has_page)),
        ("digitized pages in mixed layouts", answers.page, has_page),
    ):
        if not rows.any():
            continue
        targets, groups = data.targets[answers.rows[rows]] > 0, data.groups[answers.rows[rows]]
        macro = macro_auroc(targets, logits[rows])
        if macro is None:
            continue
        numbers = np.unique(groups, return_inverse=True)[1]
        ends = macro_auroc_interval(targets, logits[rows], numbers, rng=np.random.default_rng(0))
        interval = "" if ends is None else f" (95 %: {ends[0]:.3f} to {ends[1]:.3f})"
        each = [
            f"{label} {macro_auroc(targets[:, [place]], logits[rows][:, [place]]):.3f}"
            for place, label in enumerate(SUPERCLASSES)
        ]
        sentences.append(f"{len(targets)} {name}: macro AUROC {macro:.3f}{interval}; {', '.join(each)}")
    return sentences


def load_network(run: Path, fold: int) -> torch.nn.Module:
    """Load the network of a fold, ready to answer.

    Raises:
        TrainingError: The fold is not finished.
    """
    path = run / f"fold-{fold}.pt"
    if not path.is_file():
        raise TrainingError(f"Expected {FOLDS} finished folds in {run}, but fold {fold + 1} is missing; train it.")
    network = build_network()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def _report_fold(report: Callable[[str], None], fold: int, line: str) -> None:
    report(f"fold {fold + 1} of {FOLDS}, {line}")


def build_network() -> torch.nn.Module:
    """Build the network of the model of signals, with random weights."""
    return any_recorder(labels=len(SUPERCLASSES), leads=len(RECIPE.leads), samples=RECIPE.samples)


def make_whole_input(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make the input of a whole record of 10 s."""
    return make_beat_array(EcgRecord(signals, SIGNALS.fs_hz, SIGNALS.leads), RECIPE)
