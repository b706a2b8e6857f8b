"""Size of a model, and its time for a page on one core."""

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from ecglens.datasets.recordings import Recordings
from ecglens.models.cards import GRAPH_FILE, ModelCard, sha256_of
from ecglens.models.graph import write_graph
from ecglens.models.inputs import dump_recipe, scale_input
from ecglens.models.runtime import Runtime
from ecglens.models.train.cache import Entry, prepare_page
from ecglens.models.train.recipe import Recipe, change_recipe
from ecglens.models.train.run import build_model

__all__ = ["save_speed"]

_PAGES = 8
_ROUNDS = 3


def save_speed(folder: Path, recipe: Recipe, recordings: Recordings) -> None:
    """Write ``speed.json``, unless it is there: parameters, and the ms of reading a page and of the model on it.

    Weights do not matter for either. The least of several rounds counts: other work on the machine disturbs it least.

    Args:
        folder: Folder of the row's results.
        recipe: Recipe of the model.
        recordings: Table whose first pages are read.
    """
    path = folder / "speed.json"
    if path.exists():
        return
    options = {name: value for name, value in recipe.options.items() if name != "weights"}
    model = build_model(change_recipe(recipe, {"options": options}), seed=0).eval()
    parameters = sum(weight.numel() for weight in model.parameters())
    with TemporaryDirectory() as name:
        graph = Path(name) / GRAPH_FILE
        write_graph(model.cpu(), recipe.input.shapes, graph)
        card = ModelCard(
            name="timed",
            version="0",
            title=recipe.title,
            labels=recipe.labels,
            input=dump_recipe(recipe.input),
            temperature=1.0,
            abstain_below=0.0,
            parameters=parameters,
            trained_on="",
            license="",
            graph_sha256=sha256_of(graph),
            folder=Path(name),
        )
        reading, answering = _times(Runtime(card, threads=1), recordings)
    folder.mkdir(parents=True, exist_ok=True)
    times = {"parameters": parameters, "reading_ms": round(reading, 1), "model_ms": round(answering, 1)}
    path.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def _times(runtime: Runtime, recordings: Recordings) -> tuple[float, float]:
    """Return the median ms over pages, of the least of several rounds, for reading a file and for predicting it."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        times = []
        for row in recordings.rows[:_PAGES]:
            rounds = []
            for _ in range(_ROUNDS):
                begun = time.perf_counter()
                stored = prepare_page(Entry(row.path), runtime.recipe)
                if isinstance(stored, str):
                    break
                arrays = scale_input(stored, runtime.recipe)
                read = time.perf_counter()
                runtime.logits(arrays)
                rounds.append((read - begun, time.perf_counter() - read))
            if rounds:
                times.append(np.min(rounds, axis=0))
    finally:
        cv2.setNumThreads(threads)
    reading, answering = 1000 * np.median(times, axis=0)
    return float(reading), float(answering)
