"""Compare the page model with the signal model beside it, and both together, on the public pages.

    python benchmarks/both_models.py --pages FOLDER [--write]

FOLDER is that of ``benchmarks/any_recorder_pages.py --only mendeley``. The page model's answers are those of its honest
protocol, each by networks that saw no page of the group (``docs/results``); the signal model has seen no public page.
"Together" is tried in two ways: the log probabilities of the page model plus a weight times the signal model's log odds
of what each label implies, with the weight of the best log loss on the other folds; and a logistic regression on both,
fitted on the other folds. The page model's answers on those folds come from networks that were trained on the fold in
question, which may favor both ways slightly.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ecglens.evaluation.bootstrap import group_intervals
from ecglens.evaluation.classification import Scorer
from ecglens.evaluation.predictions import Predictions, read_predictions
from ecglens.labels import LABELS, SUPERCLASSES
from ecglens.models.abstention import withdraw_contradicted
from ecglens.models.registry import SIGNAL_MODEL, find_model
from ecglens.models.runtime import Runtime
from ecglens.models.train.digitized import load_page
from ecglens.records import Prediction

HERE = Path(__file__).resolve().parent
PAGE_ANSWERS = HERE.parent / "docs" / "results" / "shipped" / "honest" / "seed0.csv"
PAGE_MODEL = "compact_cnn"
IMPLIED = (("normal", "NORM", 1.0), ("normal", "MI", -1.0), ("mi", "MI", 1.0), ("history_mi", "MI", 1.0))
"""Superclasses that a label implies, or excludes."""
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
STRENGTHS = (0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the regression's penalty that were tried."""


def main() -> None:
    """Compute the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="Folder of the digitized pages.")
    parser.add_argument("--write", action="store_true", help="Also write both_models.md.")
    options = parser.parse_args()
    pages = read_predictions(PAGE_ANSWERS)
    signals = answer_signals(pages, options.pages / "mendeley")
    text = "\n\n".join([*describe_labels(pages, signals), *describe_withdrawn(pages, signals)])
    print(text)
    if options.write:
        head = "# Page model and signal model\n\n`python benchmarks/both_models.py --write` printed:"
        (HERE / "both_models.md").write_text(f"{head}\n\n{text}\n", "utf-8")


def answer_signals(pages: Predictions, folder: Path) -> list[Prediction | None]:
    """Return the signal model's answer for each page; ``None`` where the signals were not read."""
    runtime = Runtime(find_model(SIGNAL_MODEL))
    answers = []
    for name in pages.recordings:
        record = load_page(folder / f"{name}.npz").record
        answer = None if record is None else runtime.predict_record(record)
        answers.append(None if answer is None or answer.probabilities is None else answer)
    return answers


def describe_labels(pages: Predictions, signals: list[Prediction | None]) -> Iterator[str]:
    """Describe accuracy, macro-F1 and recall of infarction of each way to answer."""
    is_answered = np.array([answer is not None for answer in signals])
    yield (
        f"{int(is_answered.sum())} of {len(signals)} pages have an answer of the signal model; on the others, its log "
        "odds count as 0. Intervals are 95 % by bootstrap over groups; one seed."
    )
    page_odds = np.log(np.clip(pages.probabilities, 1e-6, 1.0))
    signal_odds = np.array([compute_odds(answer) for answer in signals])
    ways = {
        "page model alone": pages.probabilities,
        "together, weighted evidence": add_evidence(page_odds, signal_odds, pages),
    }
    for strength in STRENGTHS:
        inputs = np.hstack([page_odds, signal_odds])
        ways[f"together, regression, C = {strength:g}"] = predict_out_of_fold(inputs, pages, strength)
    ways["signal model alone, labels by regression, C = 0.1"] = predict_out_of_fold(signal_odds, pages, 0.1)
    rows = ["| | accuracy | macro-F1 | recall of mi |", "|---|---|---|---|"]
    for name, probabilities in ways.items():
        cells = list_cells(pages, probabilities)
        rows.append(f"| {name} | {' | '.join(cells)} |")
    yield "\n".join(rows)
    yield "Bars of the project: accuracy 0.950, macro-F1 0.930."


def compute_odds(answer: Prediction | None) -> list[float]:
    """Return the log odds of the superclasses; zeros without an answer."""
    if answer is None or answer.probabilities is None:
        return [0.0] * len(SUPERCLASSES)
    return [float(np.log(answer.probabilities[name] / (1 - answer.probabilities[name]))) for name in SUPERCLASSES]


def add_evidence(
    page_odds: NDArray[np.float64], signal_odds: NDArray[np.float64], pages: Predictions
) -> NDArray[np.float64]:
    """Add the signal model's log odds to what each label implies, with a weight that other folds choose."""
    evidence = np.zeros_like(page_odds)
    for label, superclass, sign in IMPLIED:
        evidence[:, LABELS.index(label)] += sign * signal_odds[:, tuple(SUPERCLASSES).index(superclass)]

    def answer(weight: float) -> NDArray[np.float64]:
        scores = np.exp(page_odds + weight * evidence)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    out = np.zeros_like(page_odds)
    for fold in np.unique(pages.folds):
        held = pages.folds == fold
        rows = np.flatnonzero(~held)
        losses = [-np.log(answer(weight)[rows, pages.targets[rows]]).mean() for weight in WEIGHTS]
        out[held] = answer(WEIGHTS[int(np.argmin(losses))])[held]
    return out


def predict_out_of_fold(inputs: NDArray[np.float64], pages: Predictions, strength: float) -> NDArray[np.float64]:
    """Predict each fold by a regression on the others."""
    out = np.zeros((len(inputs), len(LABELS)))
    for fold in np.unique(pages.folds):
        held = pages.folds == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
        model.fit(inputs[~held], pages.targets[~held])
        out[held] = model.predict_proba(inputs[held])
    return out


def list_cells(pages: Predictions, probabilities: NDArray[np.float64]) -> list[str]:
    """Return the figures of a way to answer with their intervals."""
    scorer = Scorer(pages.targets, probabilities, LABELS)

    def compute(counts: NDArray[np.intp] | None = None) -> dict[str, float]:
        scores = scorer.figures(counts)
        return {
            "accuracy": scores["accuracy"],
            "macro_f1": scores["macro_f1"],
            "recall": scores["by_label"]["mi"]["recall"],
        }

    values = compute()
    intervals = group_intervals(pages.group_codes, compute, rng=np.random.default_rng(0), draws=500)
    return [f"{values[name]:.3f} ({intervals[name][0]:.3f} to {intervals[name][1]:.3f})" for name in values]


def describe_withdrawn(pages: Predictions, signals: list[Prediction | None]) -> Iterator[str]:
    """Describe the labels that are withdrawn because the signal model contradicts them."""
    threshold = find_model(PAGE_MODEL).abstain_below
    counts = {(is_right, is_withdrawn): 0 for is_right in (True, False) for is_withdrawn in (True, False)}
    for target, row, signal in zip(pages.targets, pages.probabilities, signals, strict=True):
        top = int(row.argmax())
        if row[top] < threshold:
            continue
        prediction = Prediction(LABELS[top], dict(zip(LABELS, row.tolist(), strict=True)), PAGE_MODEL, "")
        is_withdrawn = signal is not None and withdraw_contradicted(prediction, signal).label is None
        counts[top == target, is_withdrawn] += 1
    yield (
        f"Of the labels with a probability of at least {threshold:.3f}, "
        f"{counts[True, False] + counts[True, True]} are right and {counts[False, False] + counts[False, True]} wrong. "
        f"The signal model contradicts {counts[True, True]} of the right and {counts[False, True]} of the wrong ones, "
        "which are withdrawn."
    )


if __name__ == "__main__":
    main()
