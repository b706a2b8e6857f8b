"""Trainings as a user starts them: in processes of their own, killed in the middle, and two at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import write_recordings

from ecglens.datasets.recordings import Recordings

WITHOUT_STATISTICS = """
model = "cnn_lead"
title = "Tiny"
labels = ["mi", "normal"]
[options]
dropout = 0.0
hidden = 8
[input]
kind = "page_image"
width = 48
height = 48
known_print = false
[optimization]
schedule = "constant"
epochs = 3
batch_size = 4
learning_rate = 1e-3
precision = "float32"
"""
SMALL = """
model = "compact_cnn"
title = "Tiny"
labels = ["mi", "normal"]
[input]
kind = "trace_canvas"
width = 96
height = 64
known_print = false
[optimization]
epochs = 8
batch_size = 2
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    recordings: Recordings = write_recordings(folder)
    recordings.to_csv(folder / "recordings.csv")
    return folder / "recordings.csv"


def command(recipe: str, table: Path, out: Path, *options: str) -> list[str]:
    path = out.parent / "recipe.toml"
    path.write_text(recipe)
    paths = ["--data", str(table), "--out", str(out), "--cache", str(table.parent / "cache")]
    return ["ecglens", "train", str(path), *paths, "--device", "cpu", *options]


def run(words: list[str], **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", *words], env=environment, capture_output=True, text=True, **options)


def weights(run_folder: Path) -> dict[str, torch.Tensor]:
    return load_file(run_folder / "final" / "last.safetensors")


@pytest.mark.nightly
def test_a_training_that_was_killed_in_mid_epoch_ends_with_the_same_bits(table, tmp_path):
    options = ["--folds", "2", "--seeds", "0"]
    whole = run(command(SMALL, table, tmp_path / "whole", *options))
    assert whole.returncode == 0, whole.stderr
    words = command(SMALL, table, tmp_path / "killed", *options)
    history = tmp_path / "killed" / "final" / "history.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", *words], env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 240
    while not (history.exists() and len(history.read_text().splitlines()) > 3) and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(history.read_text().splitlines()) < 9
    refused = run(words)
    assert refused.returncode == 2
    assert "add --resume to continue it" in " ".join(refused.stderr.split())
    resumed = run([*words, "--resume"])
    assert resumed.returncode == 0, resumed.stderr
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(first[name], second[name]) for name in first)
    for part in ("seed0/fold0", "seed0/fold1"):
        name = f"{part}/answers.npz"
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


@pytest.mark.nightly
def test_two_processes_train_what_one_does(table, tmp_path):
    options = ["--folds", "2", "--seeds", "0"]
    one = run(command(WITHOUT_STATISTICS, table, tmp_path / "one", *options))
    assert one.returncode == 0, one.stderr
    together = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    two = run([*together, *command(WITHOUT_STATISTICS, table, tmp_path / "two", *options)])
    assert two.returncode == 0, two.stderr
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in (tmp_path / "two" / "final").iterdir()) == [
        "curves.png",
        "history.csv",
        "last.safetensors",
    ]
    assert len((tmp_path / "two" / "started.jsonl").read_text().splitlines()) == 1
