"""Compare the figures of ``evaluation/classification.py`` with scikit-learn's, on draws of one bootstrap, and times.

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
    """Draw, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="Number of draws.")
    parser.add_argument("--write", action="store_true", help="Also write metrics.md.")
    options = parser.parse_args()
    answers = read_predictions(ANSWERS)
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(answers), len(answers)) for _ in range(options.draws)]
    began = time.perf_counter()
    scorer = Scorer(answers.targets, answers.probabilities, answers.labels)
    ours = [by_us(scorer, np.bincount(rows, minlength=len(answers))) for rows in draws]
    between = time.perf_counter()
    theirs = [by_scikit_learn(answers, rows) for rows in draws]
    ended = time.perf_counter()
    lines = [
        f"{len(answers)} pages of `docs/results/shipped/honest/seed0.csv`, {options.draws} draws.",
        "",
        "| figure | largest difference |",
        "|---|---|",
    ]
    for name in ours[0]:
        lines.append(f"| {name} | {max(abs(a[name] - b[name]) for a, b in zip(ours, theirs, strict=True)):.1e} |")
    slower = (ended - between) / (between - began)
    lines += [
        "",
        f"scikit-learn takes {slower:.0f} times as long: {1000 * (ended - between) / options.draws:.0f} ms a draw.",
    ]
    text = "\n".join(lines)
    print(text)
    if options.write:
        report = (
            f"# Figures compared with scikit-learn's\n\n`python benchmarks/metrics.py --write` printed:\n\n{text}\n"
        )
        (HERE / "metrics.md").write_text(report, encoding="utf-8")


def by_us(scorer: Scorer, counts: np.ndarray) -> dict[str, float]:
    """Compute the figures of a draw of the bootstrap, under the names of ``by_scikit_learn``."""
    figures = scorer.figures(counts)
    labels = {
        f"{name} of {label}": values[name] for label, values in figures["by_label"].items() for name in ("auroc", "f1")
    }
    return {
        "accuracy": figures["accuracy"],
        "balanced accuracy": figures["balanced_accuracy"],
        "macro precision": figures["macro_precision"],
        "macro F1": figures["macro_f1"],
        "macro AUROC": figures["macro_auroc"],
        "macro average precision": figures["macro_average_precision"],
        "Matthews": figures["matthews"],
        "Cohen": figures["cohen_kappa"],
        "log loss": figures["log_loss"],
        **labels,
    }


def by_scikit_learn(answers: Predictions, rows: np.ndarray) -> dict[str, float]:
    """Compute the same figures by the functions of scikit-learn."""
    true, probabilities = answers.targets[rows], answers.probabilities[rows]
    top = probabilities.argmax(axis=1)
    names = range(len(answers.labels))
    one_of = np.eye(len(answers.labels))[true]
    f1 = metrics.f1_score(true, top, average=None, labels=names)
    areas = [metrics.roc_auc_score(one_of[:, number], probabilities[:, number]) for number in names]
    labels = {}
    for number, label in enumerate(answers.labels):
        labels |= {f"auroc of {label}": areas[number], f"f1 of {label}": f1[number]}
    return {
        "accuracy": metrics.accuracy_score(true, top),
        "balanced accuracy": metrics.balanced_accuracy_score(true, top),
        "macro precision": metrics.precision_score(true, top, average="macro"),
        "macro F1": metrics.f1_score(true, top, average="macro"),
        "macro AUROC": metrics.roc_auc_score(true, probabilities, multi_class="ovr"),
        "macro average precision": metrics.average_precision_score(one_of, probabilities, average="macro"),
        "Matthews": metrics.matthews_corrcoef(true, top),
        "Cohen": metrics.cohen_kappa_score(true, top),
        "log loss": metrics.log_loss(true, probabilities, labels=names),
        **labels,
    }


if __name__ == "__main__":
    main()
