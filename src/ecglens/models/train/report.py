"""Section of an evaluation report about the training of a run."""

import csv
from pathlib import Path

from ecglens.datasets.recordings import Recordings
from ecglens.evaluation.sections import Section
from ecglens.models.train.folder import load_run
from ecglens.models.train.run import make_split

__all__ = ["describe_training"]


def describe_training(recordings: Recordings, run: Path, *, seed: int) -> Section:
    """Describe the folds of one seed: pages, figures of the last epoch, and training curves.

    Args:
        recordings: Table that the run was trained on.
        run: Run folder.
        seed: Seed of the folds.

    Raises:
        TrainingError: The folder contains no run on these recordings.
    """
    recipe, plan = load_run(recordings, run)
    split = make_split(recordings, recipe, plan, seed=seed)
    rows = [("fold", "training", "test", "epochs", "training loss", "training accuracy", "minutes")]
    pictures = {}
    for number, fold in enumerate(split.folds):
        folder = run / f"seed{seed}" / f"fold{number}"
        history = _history(folder / "history.csv")
        last = history[-1] if history else {}
        minutes = sum(float(row["seconds"]) for row in history) / 60
        rows.append(
            (
                str(number + 1),
                f"{len(fold.train)} pages",
                f"{len(fold.test)} pages",
                str(len(history)) if history else "-",
                _format_figure(last.get("loss")),
                _format_figure(last.get("accuracy")),
                f"{minutes:.1f}" if history else "-",
            )
        )
        if (folder / "curves.png").is_file():
            pictures[f"training-fold{number + 1}"] = (folder / "curves.png").read_bytes()
    text = (
        f"{recipe.title}, protocol {plan.protocol}, seed {seed}: every page is predicted by the model of the fold "
        "that has it on the test side. Pages of one group stay on one side, except under as-published, which splits "
        "files."
    )
    return Section("Training", text, tuple(rows), pictures=pictures)


def _history(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except OSError:
        return []


def _format_figure(text: str | None) -> str:
    return f"{float(text):.3f}" if text else "-"
