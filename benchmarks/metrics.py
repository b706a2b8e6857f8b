"""The figures of ``evaluation/classification.py`` beside scikit-learn's, on draws of one bootstrap, and their times.

python benchmarks/metrics.py [--draws 200] [--write]
"""

import argparse
import os
import time
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from sklearn import metrics

from ecglens.evaluation.classification import Scorer
from ecglens.evaluation.predictions import Predictions, read_predictions

HERE = Path(__file__).resolve().parent
ANSWERS = HERE.parent / "docs" / "results" / "shipped" / "honest" / "seed0.csv"


def main() -> None:
    """Draw, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    answers = read_predictions(ANSWERS)
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(answers), len(answers)) for _ in range(given.draws)]
    began = time.perf_counter()
    scorer = Scorer(answers.targets, answers.probabilities, answers.labels)
    ours = [by_us(scorer, np.bincount(rows, minlength=len(answers))) for rows in draws]
    between = time.perf_counter()
    theirs = [by_scikit_learn(answers, rows) for rows in draws]
    ended = time.perf_counter()
    lines = [
        f"{len(answers)} pages of `docs/results/shipped/honest/seed0.csv`, {given.draws} draws.",
        "",
        "| figure | largest difference |",
        "|---|---|",
    ]
    for name in ours[0]:
        lines.append(f"| {name} | {max(abs(a[name] - b[name]) for a, b in zip(ours, theirs, strict=True)):.1e} |")
    slower = (ended - between) / (between - began)
    lines += [
        "",
        f"scikit-learn takes {slower:.0f} times as long: {1000 * (ended - between) / given.draws:.0f} ms a draw.",
    ]
    text = "\n".join(lines)
    print(text)
    if given.write:
        told = f"# Figures beside scikit-learn's\n\n`python benchmarks/metrics.py --write` printed:\n\n{text}\n"
        (HERE / "metrics.md").write_text(told, encoding="utf-8")


def by_us(scorer: Scorer, counts: np.ndarray) -> dict[str, float]:
    """What a draw of the bootstrap asks for, on the names of ``by_scikit_learn``."""
    found = scorer.figures(counts)
    labels = {
        f"{name} of {label}": values[name] for label, values in found["by_label"].items() for name in ("auroc", "f1")
    }
    return {
        "accuracy": found["accuracy"],
        "balanced accuracy": found["balanced_accuracy"],
        "macro precision": found["macro_precision"],
        "macro F1": found["macro_f1"],
        "macro AUROC": found["macro_auroc"],
        "macro average precision": found["macro_average_precision"],
        "Matthews": found["matthews"],
        "Cohen": found["cohen_kappa"],
        "log loss": found["log_loss"],
        **labels,
    }


def by_scikit_learn(answers: Predictions, rows: np.ndarray) -> dict[str, float]:
    """The same by its functions."""
    true, told = answers.targets[rows], answers.probabilities[rows]
    given = told.argmax(axis=1)
    names = range(len(answers.labels))
    one_of = np.eye(len(answers.labels))[true]
    f1 = metrics.f1_score(true, given, average=None, labels=names)
    areas = [metrics.roc_auc_score(one_of[:, number], told[:, number]) for number in names]
    labels = {}
    for number, label in enumerate(answers.labels):
        labels |= {f"auroc of {label}": areas[number], f"f1 of {label}": f1[number]}
    return {
        "accuracy": metrics.accuracy_score(true, given),
        "balanced accuracy": metrics.balanced_accuracy_score(true, given),
        "macro precision": metrics.precision_score(true, given, average="macro"),
        "macro F1": metrics.f1_score(true, given, average="macro"),
        "macro AUROC": metrics.roc_auc_score(true, told, multi_class="ovr"),
        "macro average precision": metrics.average_precision_score(one_of, told, average="macro"),
        "Matthews": metrics.matthews_corrcoef(true, given),
        "Cohen": metrics.cohen_kappa_score(true, given),
        "log loss": metrics.log_loss(true, told, labels=names),
        **labels,
    }


if __name__ == "__main__":
    main()
