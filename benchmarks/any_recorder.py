"""Measure the model of signals, ``any_recorder``: inside its data set, on another recorder, and beside controls.

    python benchmarks/any_recorder.py --run RUN --pages FOLDER [--data ../shared/data] [--model any_recorder] [--write]

RUN is the folder of ``ecglens train-signals``, FOLDER that of ``benchmarks/any_recorder_pages.py``. Inside, each record
is answered by the network of the fold that was not trained on it, and its temperatures and limits are fitted on the
other folds. The 393 public pages and LUDB are answered by the model as it ships; nothing was fitted on them.
"""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays
from ecglens.evaluation.several_labels import (
    calibration_error,
    cover,
    fit_limits,
    fit_temperatures,
    macro_auroc,
    macro_auroc_interval,
    sigmoid,
)
from ecglens.formats.wfdb import read_wfdb
from ecglens.labels import SUPERCLASSES
from ecglens.models.inputs import make_beat_array
from ecglens.models.registry import find_model
from ecglens.models.runtime import Runtime
from ecglens.models.train.digitized import load_page
from ecglens.models.train.signal_run import FOLDS, OutOfFold, answer_out_of_fold, load_pages
from ecglens.models.train.signal_set import SignalSet, make_signal_set

HERE = Path(__file__).resolve().parent
LEAST = 20
"""Number of recordings with and without each label below which no figure is given."""


def main() -> None:
    """Compute the tables and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="Folder of the run.")
    parser.add_argument("--pages", type=Path, required=True, help="Folder of the digitized pages.")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data", help="Folder of the data.")
    parser.add_argument("--model", default="any_recorder", help="Name or folder of the model.")
    parser.add_argument("--write", action="store_true", help="Also write any_recorder.md.")
    options = parser.parse_args()
    official, arrays = options.data / "ptbxl", options.data / "ptbxl_signals"
    data = make_signal_set(chain(read_ptbxl(official), read_ptbxl_arrays(arrays, official)))
    pages, layouts = load_pages(options.pages / "ptbxl", data.ecg_ids)
    answers = answer_out_of_fold(data, options.run, pages=pages)
    runtime = Runtime(find_model(options.model))
    text = "\n\n".join(
        chain(
            describe_inside(data, answers, layouts),
            describe_public_pages(runtime, options.data, options.pages / "mendeley"),
            describe_ludb(runtime, options.data / "ludb"),
        )
    )
    print(text)
    if options.write:
        head = "# The model of signals on any recorder\n\n`python benchmarks/any_recorder.py --write` printed:"
        (HERE / "any_recorder.md").write_text(f"{head}\n\n{text}\n", "utf-8")


def describe_inside(data: SignalSet, answers: OutOfFold, layouts: Sequence[str | None]) -> Iterator[str]:
    """Describe the answers out of fold: AUROC of whole recordings and pages, by layout and person; calibration."""
    targets = data.targets[answers.rows] > 0
    groups = np.unique(data.groups[answers.rows], return_inverse=True)[1]
    layout = np.array([layouts[row] or "" for row in answers.rows])
    sex = np.array([data.sexes[row] or "" for row in answers.rows])
    age = data.ages[answers.rows]
    has_page = ~np.isnan(answers.page[:, 0])
    yield (
        f"## Inside: PTB-XL, out of fold\n\n{len(targets)} records in mV, "
        + ", ".join(f"{int(column.sum())} {name}" for name, column in zip(SUPERCLASSES, targets.T, strict=True))
        + f"; each network was trained on about {int(len(data) - len(targets) / FOLDS)} records, those without "
        f"amplitudes included. Pages: {int((layout == 'refused').sum())} of "
        f"{int((layout != '').sum())} were refused by the digitizer."
    )
    subsets: list[tuple[str, NDArray[np.float32], NDArray[np.bool_]]] = [
        ("whole, 10 s", answers.whole, np.ones(len(targets), np.bool_)),
        ("digitized pages, mixed layouts", answers.page, has_page),
        ("the same records, whole", answers.whole, has_page),
    ]
    subsets += [(f"pages {name}", answers.page, has_page & (layout == name)) for name in sorted(set(layout[has_page]))]
    for name, logits, selected in (("whole", answers.whole, np.ones_like(has_page)), ("pages", answers.page, has_page)):
        subsets += [(f"{name}, {one}", logits, selected & (sex == one)) for one in ("female", "male")]
        subsets += [
            (f"{name}, age {low} to {high - 1}", logits, selected & (age >= low) & (age < high))
            for low, high in ((18, 50), (50, 65), (65, 80), (80, 301))
        ]
    rows = [auroc_row(name, targets[rows], logits[rows], groups[rows]) for name, logits, rows in subsets]
    yield as_table(["", "records", "macro AUROC (95 %)", *SUPERCLASSES], rows)
    yield as_table(
        [
            "out of fold",
            "calibration error, mean of the five",
            *(f"coverage {name}" for name in SUPERCLASSES),
            "mean coverage",
            "one answer",
        ],
        [
            calibration_row("whole", targets, answers.whole, answers.folds),
            calibration_row("pages", targets[has_page], answers.page[has_page], answers.folds[has_page]),
        ],
    )
    selected = np.isfinite(age) & (sex != "")
    persons = np.stack([age[selected], age[selected] ** 2 / 100, sex[selected] == "male"], axis=1)
    controls = [predict_out_of_fold(persons, column, groups[selected]) for column in targets[selected].T]
    yield "Control, age and sex alone, logistic regression out of fold, where they are known:"
    yield as_table(
        ["", "records", "macro AUROC (95 %)", *SUPERCLASSES],
        [
            auroc_row("age and sex alone", targets[selected], np.stack(controls, axis=1), groups[selected]),
            auroc_row("the model on the same", targets[selected], answers.whole[selected], groups[selected]),
        ],
    )


def calibration_row(
    name: str, targets: NDArray[np.bool_], logits: NDArray[np.float32], folds: NDArray[np.int64]
) -> list[str]:
    """Fit temperatures and limits on the other folds, and return error and coverage."""
    probabilities = np.empty(logits.shape)
    truth, decided = np.empty(logits.shape), np.empty(logits.shape)
    for fold in range(FOLDS):
        here = folds == fold
        temperatures = np.array(fit_temperatures(targets[~here], logits[~here]))
        probabilities[here], others = sigmoid(logits[here] / temperatures), sigmoid(logits[~here] / temperatures)
        for label in range(targets.shape[1]):
            limits = fit_limits(targets[~here, label], others[:, label])
            covered = cover(targets[here, label], probabilities[here, label], limits)
            truth[here, label], decided[here, label] = covered.truth, covered.decided
    errors = [calibration_error(target, column) for target, column in zip(targets.T, probabilities.T, strict=True)]
    coverages = [f"{value:.3f}" for value in truth.mean(axis=0)]
    return [name, f"{np.mean(errors):.3f}", *coverages, f"{truth.mean():.3f}", f"{decided.mean():.2f}"]


def describe_public_pages(runtime: Runtime, data: Path, pages: Path) -> Iterator[str]:
    """Describe the answers for the public pages, whose recorder the model has not seen."""
    with (data / "mendeley" / "manifest.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    stored = [load_page(pages / f"{row['recording']}.npz").record for row in rows]
    selected = [place for place, record in enumerate(stored) if record is not None]
    predictions = [runtime.predict_record(stored[place]) for place in selected]
    read = [place for place, one in zip(selected, predictions, strict=True) if one.probabilities is not None]
    answered = [one for one in predictions if one.probabilities is not None]
    probabilities = np.array([[one.probabilities[name] for name in SUPERCLASSES] for one in answered])
    label = np.array([rows[place]["label"] for place in read])
    groups = np.unique([rows[place]["group"] for place in read], return_inverse=True)[1]
    normal, infarction = label == "normal", np.isin(label, ("mi", "history_mi"))
    yield (
        f"## Another recorder: the public pages\n\n{len(read)} of {len(rows)} pages were read; "
        "nothing was trained or fitted on them. Of two ways to train, the one that ships was chosen with these figures "
        "in view, see docs/training.md."
    )
    pair = normal | infarction
    rate = np.array([[float(rows[place]["printed_rate_bpm"])] for place in read])
    by_rate = [
        predict_out_of_fold(rate, normal, groups, KNeighborsClassifier(15)),
        predict_out_of_fold(rate[pair], infarction[pair], groups[pair], KNeighborsClassifier(15)),
    ]
    odds = np.log(probabilities / (1 - probabilities))
    everyone = np.ones(len(label), np.bool_)
    table = []
    for name, target, chosen, scores, control in (
        ("NORM against rest", normal, everyone, odds[:, 0], by_rate[0]),
        ("MI (mi and history_mi) against NORM", infarction, pair, odds[:, 1], by_rate[1]),
        ("the same, by the odds of MI over those of NORM", infarction, pair, odds[:, 1] - odds[:, 0], None),
        ("mi against NORM", label == "mi", normal | (label == "mi"), odds[:, 1], None),
        ("history_mi against NORM", label == "history_mi", normal | (label == "history_mi"), odds[:, 1], None),
        ("MI against rest", infarction, everyone, odds[:, 1], None),
    ):
        table.append(
            [
                name,
                f"{int(target[chosen].sum())} / {int(chosen.sum())}",
                format_auroc(target[chosen][:, None], scores[chosen, None], groups[chosen]),
                "-" if control is None else f"{macro_auroc(target[chosen][:, None], control[:, None]):.3f}",
            ]
        )
    yield as_table(["", "with / all", "AUROC (95 %)", "printed rate alone"], table)
    table = []
    for column, target in ((0, normal), (1, infarction)):
        limits = runtime.card.set_limits[column]
        covered = cover(target, probabilities[:, column], (limits.yes_from, limits.no_to))
        error = calibration_error(target, probabilities[:, column])
        table.append([tuple(SUPERCLASSES)[column], f"{error:.3f}", f"{covered.truth:.3f}", f"{covered.decided:.2f}"])
    yield as_table(["with the calibration of PTB-XL alone", "calibration error", "coverage", "one answer"], table)


def describe_ludb(runtime: Runtime, folder: Path) -> Iterator[str]:
    """Describe the answers for the records of LUDB, whole, by what its table says of each."""
    with (folder / "ludb.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if (folder / "data" / f"{row['ID']}.hea").is_file()]
    inputs = [make_beat_array(read_wfdb(folder / "data" / f"{row['ID']}.hea"), runtime.recipe) for row in rows]
    logits = np.concatenate([runtime.logits({"signal": array[None]}) for array in inputs])
    targets = np.array([[name in find_ludb_superclasses(row) for name in SUPERCLASSES] for row in rows])
    yield (
        f"## Another recorder: LUDB\n\n{len(rows)} records of 10 s. Superclasses from its table: HYP any hypertrophy, "
        "CD any conduction abnormality, MI STEMI or scar, STTC other ischemia or repolarization abnormality, NORM "
        "sinus rhythm with none of these, no extrasystole and no pacing."
    )
    table = []
    for name, target, score in zip(SUPERCLASSES, targets.T, logits.T, strict=True):
        figure = format_auroc(target[:, None], score[:, None], np.arange(len(rows)))
        table.append([name, f"{int(target.sum())} / {len(rows)}", figure])
    yield as_table(["", "with / all", "AUROC (95 %)"], table)


def find_ludb_superclasses(row: dict[str, str]) -> set[str]:
    """Return the superclasses of a row of LUDB's table."""
    ischemia = row["Ischemia"].lower()
    infarction = "stemi:" in ischemia or "scar formation" in ischemia
    superclasses = {
        "HYP": bool(row["Hypertrophies"]),
        "CD": bool(row["Conduction abnormalities"]),
        "MI": infarction,
        "STTC": bool(row["Non-specific repolarization abnormalities"]) or "ischemia" in ischemia,
    }
    others = row["Extrasystolies"] or row["Cardiac pacing"] or not row["Rhythms"].startswith("Sinus")
    return {name for name, holds in superclasses.items() if holds} or (set() if others else {"NORM"})


def predict_out_of_fold(
    values: NDArray[np.float64],
    target: NDArray[np.bool_],
    groups: NDArray[np.intp],
    classifier: LogisticRegression | KNeighborsClassifier | None = None,
) -> NDArray[np.float64]:
    """Return the probabilities of a control, by five folds over groups."""
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    model = classifier or LogisticRegression(max_iter=1000)
    return cross_val_predict(model, values, target, groups=groups, cv=folds, method="predict_proba")[:, 1]


def auroc_row(
    name: str, targets: NDArray[np.bool_], scores: NDArray[np.floating], groups: NDArray[np.intp]
) -> list[str]:
    """Return a row with the macro AUROC and that of each label, or dashes where there are too few records."""
    enough = [min(int(column.sum()), int((~column).sum())) >= LEAST for column in targets.T]
    each = [
        f"{macro_auroc(targets[:, [label]], scores[:, [label]]):.3f}" if enough[label] else "-"
        for label in range(len(SUPERCLASSES))
    ]
    return [name, str(len(targets)), format_auroc(targets, scores, groups) if all(enough) else "-", *each]


def format_auroc(targets: NDArray[np.bool_], scores: NDArray[np.floating], groups: NDArray[np.intp]) -> str:
    """Return the macro AUROC with its interval."""
    value = macro_auroc(targets, scores)
    ends = macro_auroc_interval(targets, scores, groups, rng=np.random.default_rng(0))
    if value is None:
        return "-"
    return f"{value:.3f}" if ends is None else f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
