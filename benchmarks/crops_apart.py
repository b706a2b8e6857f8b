"""Measure what splitting crops instead of pages gains: leads of one page are then on both sides of the split.

The recipe of ``ecglens reproduce`` is trained on crops of every file that are split at random: 70 % to train on, 15 %
to choose the epoch and 15 % to score. The table compares it with the same recipe on split pages, from docs/results.

python benchmarks/crops_apart.py PUBLISHED.csv [--rows cnn-lead crnn-lead] [--cache FOLDER] [--write]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from ecglens.datasets.recordings import Recordings
from ecglens.models.train.devices import ALONE
from ecglens.models.train.loop import compute_logits, train
from ecglens.models.train.prepared import prepare
from ecglens.models.train.recipe import Recipe, load_recipe
from ecglens.models.train.run import build_model
from ecglens.models.train.samples import Samples
from ecglens.reproduce import ROWS

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "results"
SEED = 0


def main() -> None:
    """Train, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "table", type=Path, help="Table of every file, copies included, as benchmarks/published_table.py writes it."
    )
    parser.add_argument(
        "--rows", nargs="+", default=["cnn-lead"], choices=["cnn-lead", "crnn-lead"], help="Models to train."
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="Folder for prepared crops.")
    parser.add_argument("--write", action="store_true", help="Also write crops_apart.md.")
    options = parser.parse_args()
    lines = [
        "| model | reported, over crops | crops split at random | pages split at random (docs/results) | minutes |",
        "|---|---|---|---|---|",
    ]
    for name in options.rows:
        row, began = ROWS[name], time.perf_counter()
        recipe = load_recipe(HERE.parent / "recipes" / f"{row.recipe}.toml")
        accuracy, count = split_by_crops(Recordings.from_csv(options.table), recipe, options.cache)
        by_pages = json.loads((RESULTS / name / "as-published" / "seed0.json").read_text(encoding="utf-8"))["crops"]
        lines.append(
            f"| {row.title} | {row.reported:.4f} | {accuracy:.3f} of {count} crops "
            f"| {by_pages['accuracy']:.3f} of {by_pages['count']} crops | {(time.perf_counter() - began) / 60:.0f} |"
        )
    text = "\n".join(lines)
    print(text)
    if options.write:
        rows = f" --rows {' '.join(options.rows)}" if options.rows != ["cnn-lead"] else ""
        report = f"`python benchmarks/crops_apart.py runs/published.csv{rows} --write` printed:\n\n{text}\n"
        (HERE / "crops_apart.md").write_text(f"# Lead crops, split by crops and by pages\n\n{report}", encoding="utf-8")


def split_by_crops(recordings: Recordings, recipe: Recipe, cache: Path) -> tuple[float, int]:
    """Train on split crops; return the accuracy over the crops that were held out, and their number."""
    everything = np.arange(len(recordings))
    prepared = prepare(recordings, recipe, everything, cache=cache, workers=2, world=ALONE)
    crops = prepared.samples(everything)
    order = np.random.default_rng(SEED).permutation(len(crops))
    ends = np.round(np.array([0.70, 0.85]) * len(crops)).astype(np.intp)
    learn, choose, score = (part_of(crops, part) for part in np.split(order, ends))
    model = build_model(recipe, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            learn,
            choose,
            recipe,
            seed=SEED,
            folder=Path(folder),
            on_epoch=lambda history: print(", ".join(f"{k} {v:.4g}" for k, v in history[-1].items() if v is not None)),
        )
    right = compute_logits(model, score).argmax(axis=1) == score.targets
    return float(right.mean()), len(score)


def part_of(samples: Samples, chosen: np.ndarray) -> Samples:
    """Select rows of the samples."""
    return Samples(samples.stored, samples.scaling, samples.rows[chosen], samples.targets[chosen])


if __name__ == "__main__":
    main()
