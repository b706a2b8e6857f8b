"""Runs on a few synthetic pages, for tests."""

import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from tiny_models import ecg_page

from ecglens.datasets.recordings import Recording, Recordings
from ecglens.models.inputs import TraceCanvas
from ecglens.models.train.devices import ALONE
from ecglens.models.train.folder import Plan, start_run
from ecglens.models.train.recipe import Optimization, Recipe
from ecglens.models.train.run import Listener, RunContext, cross_validate, fit_all

LABELS = ("mi", "normal")
RECIPE = Recipe(
    model="compact_cnn",
    title="Tiny",
    labels=LABELS,
    input=TraceCanvas(width=96, height=64),
    optimization=Optimization(epochs=2, batch_size=4, precision="float32"),
)


class LineListener(Listener):
    """A listener that collects the lines and the numbers of epochs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.epochs: list[float] = []

    def epoch(self, figures: Any) -> None:
        self.epochs.append(figures["epoch"])

    def line(self, text: str) -> None:
        self.lines.append(text)


def write_recordings(folder: Path, *, pages: int = 8) -> Recordings:
    """Write pages with alternating ``LABELS``, one of them twice."""
    folder.mkdir(exist_ok=True)
    rows = []
    for number in range(pages):
        label = LABELS[number % 2]
        path = folder / f"{label}{number}.png"
        Image.fromarray(ecg_page(number, st_mv=0.3 * (label == "mi")).pixels).save(path)
        rows.append(Recording(path, label, path.stem, path.stem))
    copy = Path(shutil.copy(rows[0].path, folder / "copy.png"))
    rows.append(Recording(copy, "mi", rows[0].recording, rows[0].group))
    return Recordings(tuple(rows))


def run_context(out: Path, listener: Listener | None = None) -> RunContext:
    """Return the context of one process on the CPU, with the cache beside the run."""
    return RunContext(ALONE, out.parent / "cache", listener or Listener())


def finish_run(recordings: Recordings, recipe: Recipe, out: Path, *, folds: int = 2, fit: bool = True) -> Path:
    """Train a run of one seed to its end."""
    plan = Plan(folds=folds)
    start_run(recordings, recipe, out, plan)
    cross_validate(recordings, recipe, out, plan, seeds=[0], context=run_context(out))
    if fit:
        fit_all(recordings, recipe, out, seed=0, context=run_context(out))
    return out
