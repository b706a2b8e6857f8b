import json
from itertools import count

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ecglens.errors import TrainingError
from ecglens.models.inputs import TraceCanvas
from ecglens.models.train import loop
from ecglens.models.train.checkpoint import load_state
from ecglens.models.train.loop import BEST, CHECKPOINT, LAST, compute_logits, train
from ecglens.models.train.recipe import Augmentation, Optimization, Phase, Recipe, Selection
from ecglens.models.train.samples import Samples
from ecglens.models.zoo import compact_cnn

GENTLE = Augmentation(shift_right=0.05, noise=0.05, contrast=0.1)
CHOOSING = Selection(fraction=0.2, metric="accuracy", keep="best")


def recipe(*, epochs=6, learning_rate=5e-3, precision="float32", balance="none", **changes) -> Recipe:
    plan = Optimization(epochs=epochs, batch_size=8, learning_rate=learning_rate, precision=precision, balance=balance)
    tiny = {"model": "compact_cnn", "title": "Tiny", "labels": ("normal", "mi"), "input": TraceCanvas(width=64)}
    return Recipe(**{**tiny, "optimization": plan, "augmentation": GENTLE, **changes})


def samples(arrays: np.ndarray, targets: np.ndarray) -> Samples:
    one = np.ones(1, np.float32)
    return Samples((arrays,), ((0 * one, one),), np.arange(len(arrays)), targets.astype(np.int64))


def easy_pages(size=24, seed=0) -> Samples:
    """Return pages with a vertical bar for one label and a horizontal bar for the other, at random positions."""
    rng = np.random.default_rng(seed)
    pages, targets = np.zeros((size, 1, 64, 64), np.uint8), np.arange(size) % 2
    for page, target in zip(pages, targets, strict=True):
        top, left = rng.integers(0, 24, 2)
        high, wide = ((40, 3), (3, 40))[int(target)]
        page[0, top : top + high, left : left + wide] = 4
    return samples(pages, targets)


def model(seed=0) -> nn.Module:
    torch.manual_seed(seed)
    return compact_cnn(labels=2).to(memory_format=torch.channels_last)


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_the_loss_falls_and_new_pages_are_distinguished(tmp_path):
    trained = model()
    history = train(trained, easy_pages(), None, recipe(), seed=0, folder=tmp_path)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.9
    assert history[0]["validation_loss"] is None
    assert not trained.training
    unseen = easy_pages(seed=9)
    assert (compute_logits(trained, unseen, batch_size=5).argmax(1) == unseen.targets).mean() >= 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST]
    assert set(load_file(tmp_path / LAST)) == set(trained.state_dict())


def test_a_seed_makes_the_same_weights_again_and_another_makes_others(tmp_path):
    models = []
    for number, seed in enumerate((3, 3, 4)):
        models.append(model())
        train(models[-1], easy_pages(16), None, recipe(epochs=1), seed=seed, folder=tmp_path / str(number))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_training_leaves_its_caller_s_generator_as_it_was(tmp_path):
    trained = model()
    before = torch.get_rng_state()
    train(trained, easy_pages(16), None, recipe(epochs=1), seed=0, folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


class Killed(Exception):
    pass


def every_look_a_checkpoint():
    return map(float, count(0, 1000)).__next__


@pytest.mark.parametrize("killed_at", [1, 2, 3, 5, 8, 11])
def test_a_training_that_was_killed_anywhere_ends_with_the_same_bits(tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(loop, "_LOOK_EVERY", 1)
    plan = recipe(epochs=4, selection=CHOOSING, balance="sampling")
    choose = easy_pages(10, seed=5)
    undisturbed = model()
    whole = train(undisturbed, easy_pages(), choose, plan, seed=1, folder=tmp_path / "whole")

    def kill(done, total, loss):
        if done == killed_at:
            raise Killed

    options = {"seed": 1, "folder": tmp_path / "killed", "clock": every_look_a_checkpoint()}
    with pytest.raises(Killed):
        train(model(), easy_pages(), choose, plan, on_step=kill, **options)
    torch.rand(7)  # whatever was drawn in between
    resumed = model(seed=0 if killed_at == 1 else 99)  # before the first checkpoint there is nothing to take up
    history = train(resumed, easy_pages(), choose, plan, **options)
    assert same(undisturbed, resumed)
    without_time = [[{**row, "seconds": 0.0} for row in rows] for rows in (whole, history)]
    assert without_time[0] == without_time[1]
    assert (tmp_path / "whole" / LAST).read_bytes() == (tmp_path / "killed" / LAST).read_bytes()
    assert (tmp_path / "whole" / BEST).read_bytes() == (tmp_path / "killed" / BEST).read_bytes()


def test_a_long_epoch_is_stored_in_its_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_LOOK_EVERY", 1)

    def kill(done, total, loss):
        if done == 3:
            raise Killed

    options = {"seed": 1, "folder": tmp_path, "clock": every_look_a_checkpoint()}
    with pytest.raises(Killed):
        train(model(), easy_pages(32), None, recipe(epochs=1), on_step=kill, **options)
    plain, _ = load_state(tmp_path / CHECKPOINT)
    assert (plain["place"]["epoch"], plain["place"]["step"], plain["place"]["rows"]) == (0, 2, 16)


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_last_good_checkpoint(tmp_path):
    pages = easy_pages(16)
    arrays = pages.stored[0].astype(np.float32)
    plan = recipe(epochs=3)

    def spoil(history):
        arrays[3, 0, 32, 32] = np.nan

    with pytest.raises(TrainingError, match="The loss is no longer a number in epoch 2; try a lower learning rate"):
        train(model(), samples(arrays, pages.targets), None, plan, seed=0, folder=tmp_path, on_epoch=spoil)
    plain, tensors = load_state(tmp_path / CHECKPOINT)
    assert plain["place"]["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in tensors["weights"].values())


def test_a_last_step_that_goes_too_far_is_no_success(tmp_path):
    plan = Optimization(epochs=1, batch_size=64, learning_rate=1e30, schedule="constant", precision="float32")
    with pytest.raises(TrainingError, match="The loss is no longer a number in epoch 1"):
        train(model(), easy_pages(16), None, recipe(optimization=plan), seed=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_the_training_in_one_sentence(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ecglens.models.train.checkpoint.os.fsync", full)
    with pytest.raises(
        TrainingError, match="could not be written to .*: No space left on device; .* Free some space and run"
    ):
        train(model(), easy_pages(16), None, recipe(epochs=2), seed=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_is_none_is_refused(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(TrainingError, match="Expected a checkpoint in .* remove it to train this part again"):
        train(model(), easy_pages(16), None, recipe(epochs=2), seed=0, folder=tmp_path)


def test_patience_ends_a_training_and_the_best_epoch_is_what_stays(tmp_path, monkeypatch):
    values = iter([0.5, 0.9, 0.7, 0.8, 1.0])
    monkeypatch.setattr(
        loop, "_scores", lambda *_arguments: {"loss": 1.0, "accuracy": next(values), "balanced_accuracy": 0.5}
    )
    epochs = []
    trained = model()
    history = train(
        trained,
        easy_pages(16),
        easy_pages(8),
        recipe(epochs=9, selection=Selection(fraction=0.2, metric="accuracy", keep="best", patience=2)),
        seed=0,
        folder=tmp_path,
        on_epoch=lambda rows: epochs.append({name: value.clone() for name, value in trained.state_dict().items()}),
    )
    assert [row["validation_accuracy"] for row in history] == [0.5, 0.9, 0.7, 0.8]
    assert all(torch.equal(value, epochs[1][name]) for name, value in trained.state_dict().items())
    assert not all(torch.equal(value, epochs[3][name]) for name, value in trained.state_dict().items())


class WithTrunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.head = nn.Linear(4, 2)

    def forward(self, pages):
        return self.head(self.trunk(pages).mean((2, 3)))


def test_a_frozen_trunk_stays_as_it_is_its_statistics_too_until_a_later_phase(tmp_path):
    trained = WithTrunk()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    changed = []

    def note(history):
        now = trained.state_dict()
        changed.append({name for name, value in now.items() if not torch.equal(value, before[name])})

    phases = (Phase(epochs=1, trunk=0), Phase(epochs=1, trunk=1 / 3, learning_rate=1e-2), Phase(epochs=1))
    train(trained, easy_pages(16), None, recipe(phases=phases), seed=0, folder=tmp_path, on_epoch=note)
    assert changed[0] == {"head.weight", "head.bias"}
    assert changed[1] == {"head.weight", "head.bias", "trunk.3.weight", "trunk.3.bias"}
    assert {"trunk.0.weight", "trunk.1.running_mean"} <= changed[2]


def test_a_model_without_a_trunk_has_none_to_freeze(tmp_path):
    plain = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    with pytest.raises(TrainingError, match="A phase freezes the trunk, but this model has none"):
        train(plain, easy_pages(16), None, recipe(phases=(Phase(epochs=1, trunk=0),)), seed=0, folder=tmp_path)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_every_optimizer_and_schedule_learns_and_can_be_taken_up(tmp_path, optimizer, schedule):
    plan = Optimization(
        epochs=3,
        batch_size=8,
        learning_rate=3e-3,
        optimizer=optimizer,
        schedule=schedule,
        precision="float32",
        clip_norm=1.0,
    )
    models = [model(), model()]
    history = train(models[0], easy_pages(), None, recipe(optimization=plan), seed=0, folder=tmp_path / "whole")
    assert history[-1]["learning_rate"] == pytest.approx(0.0 if schedule == "cosine" else 3e-3, abs=1e-4)

    def stop(rows):
        if len(rows) == 2:
            raise Killed

    with pytest.raises(Killed):
        train(models[1], easy_pages(), None, recipe(optimization=plan), seed=0, folder=tmp_path / "k", on_epoch=stop)
    train(models[1], easy_pages(), None, recipe(optimization=plan), seed=0, folder=tmp_path / "k")
    assert same(*models)


def test_bfloat16_trains_and_float16_asks_for_a_gpu(tmp_path):
    trained = model()
    train(trained, easy_pages(16), None, recipe(epochs=1, precision="bfloat16"), seed=0, folder=tmp_path / "b")
    assert all(weights.dtype != torch.bfloat16 for weights in trained.state_dict().values())
    with pytest.raises(TrainingError, match="Precision float16 needs a GPU"):
        train(model(), easy_pages(16), None, recipe(epochs=1, precision="float16"), seed=0, folder=tmp_path / "f")


def test_class_weights_pull_a_rare_label_up(tmp_path):
    pages = easy_pages(40)
    rare = np.flatnonzero((pages.targets == 0) | (np.arange(40) < 6))
    few = Samples(pages.stored, pages.scaling, rare, pages.targets[rare])
    logits_by_balance = {}
    for balance in ("none", "class_weights"):
        trained = model()
        train(trained, few, None, recipe(epochs=1, balance=balance), seed=0, folder=tmp_path / balance)
        logits_by_balance[balance] = compute_logits(trained, pages)
    towards = {name: float((logits[:, 1] - logits[:, 0]).mean()) for name, logits in logits_by_balance.items()}
    assert towards["class_weights"] > towards["none"]


def test_history_is_plain_numbers(tmp_path):
    history = train(model(), easy_pages(16), easy_pages(8), recipe(epochs=1), seed=0, folder=tmp_path)
    assert json.loads(json.dumps(history)) == history


def test_the_progress_in_a_checkpoint_of_0_1_0_is_read():
    assert loop._read_progress({"epoch": 1, "step": 2, "seen": 16}) == loop._Progress(epoch=1, step=2, rows=16)


def test_a_penalty_is_added_to_the_loss_of_each_step(tmp_path):
    def distance(weight: float) -> float:
        trained = model()
        pairs = [(value, value.detach().clone()) for value in trained.parameters()]

        def penalty() -> torch.Tensor:
            return weight * torch.stack([(value - start).square().sum() for value, start in pairs]).sum()

        folder = tmp_path / str(weight)
        train(trained, easy_pages(), None, recipe(epochs=3), seed=0, folder=folder, penalty=penalty)
        return sum(float((value.detach() - start).square().sum()) for value, start in pairs)

    assert distance(100.0) < 0.5 * distance(0.0)


def test_no_penalty_and_a_penalty_of_zero_give_the_same_weights(tmp_path):
    first, second = model(), model()
    train(first, easy_pages(), None, recipe(epochs=2), seed=0, folder=tmp_path / "none")
    train(
        second, easy_pages(), None, recipe(epochs=2), seed=0, folder=tmp_path / "zero", penalty=lambda: torch.zeros(())
    )
    assert same(first, second)
