"""Measure the speed of training: the cache of prepared pages, the loop compared with a bare one and with Keras.

OMP_NUM_THREADS=1 python benchmarks/train_speed.py TABLE.csv [--pages 128] [--keras] > benchmarks/train_speed.md

Everything runs on one thread, in turns, on pages of 384 x 384 px and with ``compact_cnn``. The Keras side does what
published works do: a generator decodes each file, prepares it and yields batches, and ``model.fit`` trains the same
architecture.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ecglens.datasets.recordings import Recordings
from ecglens.models.train.devices import ALONE, choose_forward_dtype
from ecglens.models.train.loop import train
from ecglens.models.train.recipe import Recipe, load_recipe
from ecglens.models.train.run import Listener, RunContext, build_model, prepare_rows
from ecglens.models.train.samples import Samples, batches

RECIPE = Path(__file__).parents[1] / "recipes" / "compact_cnn_384.toml"
BATCH, ROUNDS = 16, 3


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path, help="table of recordings")
    parser.add_argument("--pages", type=int, default=128, help="number of pages")
    parser.add_argument("--keras", action="store_true", help="also train the same architecture in Keras 3")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recordings = Recordings.from_csv(options.table)
    spread = np.linspace(0, len(recordings) - 1, min(options.pages, len(recordings))).astype(np.intp)
    recordings = recordings.subset(spread)
    recipe = load_recipe(RECIPE, changes=["optimization.balance=none", "augmentation={}", "optimization.epochs=1"])
    print("# Speed of training\n")
    print(f"`{__doc__.splitlines()[2]}` with `{' '.join(sys.argv[2:]) or 'no options'}`: {len(recordings)} pages,")
    print(f"{recipe.model} at 384 x 384, batches of {BATCH}, one thread of {os.cpu_count()} shared cores.\n")
    with tempfile.TemporaryDirectory() as folder:
        print("| reading prepared pages | pages/s |\n|---|---|")
        samples, cold = prepare_samples(recordings, recipe, Path(folder))
        print(f"| decode and prepare, once | {len(recordings) / cold:.0f} |")
        print(f"| from the cache, an epoch in random order | {cache_rate(samples):.0f} |\n", flush=True)
        print("| an epoch of training | pages/s | of the bare loop |\n|---|---|---|")
        bare, ours = loops(samples, recipe, Path(folder))
        print(f"| bare PyTorch loop, tensors in memory | {bare:.2f} | 1 |")
        print(f"| `ecglens train`, from the cache | {ours:.2f} | {ours / bare:.3f} |", flush=True)
        if options.keras:
            keras = keras_rate(recordings, recipe)
            first = 1 / (1 / ours + cold / len(recordings))
            print(f"| the same in Keras, a generator that decodes each file | {keras:.2f} | {keras / bare:.3f} |\n")
            print(f"`ecglens train` is {ours / keras:.1f} times as fast as the Keras way in every epoch but the first,")
            print(f"which prepares the pages and is {first / keras:.1f} times as fast.")


def prepare_samples(recordings: Recordings, recipe: Recipe, folder: Path) -> tuple[Samples, float]:
    """Prepare the samples, and measure the seconds."""
    begun = time.perf_counter()
    rows = recordings.canonical_indices()
    prepared = prepare_rows(recordings, recipe, rows, RunContext(ALONE, folder / "cache", Listener()))
    return prepared.samples(rows), time.perf_counter() - begun


def cache_rate(samples: Samples) -> float:
    """Measure the pages a second that are read and scaled in random order, best of several epochs."""
    rng = np.random.default_rng(0)
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(10):
            for part in batches(rng.permutation(len(samples)), BATCH):
                samples.batch(part, ALONE.device)
        seconds.append((time.perf_counter() - begun) / 10)
    return len(samples) / min(seconds)


def loops(samples: Samples, recipe: Recipe, folder: Path) -> tuple[float, float]:
    """Measure the pages a second of a bare loop and of ours, epoch by epoch in turns, best of each."""
    (pages,), targets = samples.batch(np.arange(len(samples)), ALONE.device)
    bare, ours = [], []
    for number in range(ROUNDS):
        model = build_model(recipe, seed=number).train()
        bare.append(bare_epoch(model, pages, targets, recipe))
        model = build_model(recipe, seed=number)
        begun = time.perf_counter()
        train(model, samples, None, recipe, seed=number, folder=folder / f"run{number}")
        ours.append(time.perf_counter() - begun)
    return len(samples) / min(bare), len(samples) / min(ours)


def bare_epoch(model: nn.Module, pages: torch.Tensor, targets: torch.Tensor, recipe: Recipe) -> float:
    """Measure the seconds of the shortest loop that does the same."""
    plan = recipe.optimization
    optimizer = torch.optim.AdamW(model.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    kind = choose_forward_dtype(plan.precision, torch.device("cpu"))
    begun = time.perf_counter()
    for part in torch.randperm(len(pages)).split(BATCH):
        with torch.autocast("cpu", kind, enabled=kind is not None):
            answers = model.towers(pages[part])
        loss = sum(
            functional.cross_entropy(answer.float(), targets[part], label_smoothing=plan.label_smoothing)
            for answer in answers
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def keras_rate(recordings: Recordings, recipe: Recipe) -> float:
    """Measure the pages a second of the typical way in Keras, best of several epochs."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras_compact_cnn(keras)
    model.compile(keras.optimizers.AdamW(recipe.optimization.learning_rate), "sparse_categorical_crossentropy")

    class Files(keras.utils.PyDataset):
        def __len__(self) -> int:
            return -(-len(recordings) // BATCH)

        def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
            rows = recordings.rows[number * BATCH : (number + 1) * BATCH]
            pages = np.stack([prepare_page(row.path) for row in rows])
            return pages, np.array([recipe.labels.index(row.label) for row in rows])

    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        model.fit(Files(), epochs=1, verbose=0)
        seconds.append(time.perf_counter() - begun)
    return len(recordings) / min(seconds)


def prepare_page(path: Path) -> np.ndarray:
    """Prepare a file as published works do in each epoch: gray, CLAHE, median filter, resized, scaled to 0 to 1."""
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    better = cv2.medianBlur(cv2.createCLAHE(2.0, (8, 8)).apply(gray), 3)
    return cv2.resize(better, (384, 384), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255.0


def keras_compact_cnn(keras: object) -> object:
    """Build ``compact_cnn`` from layers of Keras; both towers together have 211,496 weights, as in ours."""
    layers = keras.layers
    page = keras.Input((384, 384, 1))

    def features(x: object) -> object:
        x = layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
        for index, filters in enumerate((32, 48, 64, 96), start=1):
            x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)))
            x = layers.MaxPooling2D()(x) if index < 4 else x
        return x

    cells = layers.Flatten()(layers.AveragePooling2D(3)(features(page)))
    anywhere = features(page)
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(anywhere), layers.GlobalMaxPooling2D()(anywhere)])
    answers = [layers.Dense(4, activation="softmax")(layers.Dropout(0.3)(pooled)) for pooled in (cells, both)]
    model = keras.Model(page, layers.Average()(answers))
    weights = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert weights == 211_496, weights
    return model


if __name__ == "__main__":
    main()
