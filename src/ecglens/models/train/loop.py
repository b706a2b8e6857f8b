"""The training loop: samples in, fitted weights out; stopped anywhere, it goes on to the same weights."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor, distributed, nn

from ecglens.errors import TrainingError
from ecglens.models.train.augment import augment
from ecglens.models.train.checkpoint import load_state, match_memory_order, save_state, save_weights
from ecglens.models.train.devices import ALONE, World
from ecglens.models.train.fitter import Fitter, check_phases, compute_loss
from ecglens.models.train.history import History
from ecglens.models.train.recipe import Recipe, Selection
from ecglens.models.train.samples import Samples, batches, order_rows, prefetch

__all__ = ["BEST", "CHECKPOINT", "LAST", "compute_logits", "train"]

CHECKPOINT, LAST, BEST = "checkpoint.safetensors", "last.safetensors", "best.safetensors"

_CHECKPOINT_EVERY_S = 120.0
_LOOK_EVERY = 16  # steps between two looks at the loss, each of which waits for the device


@dataclass(slots=True)
class _Place:
    """Where a training stands: sums over the running epoch, and what came before it."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    right: float = 0.0
    seen: int = 0
    seconds: float = 0.0
    best_value: float | None = None
    since_best: int = 0
    history: list[dict[str, float | None]] = field(default_factory=list)


def train(
    model: nn.Module,
    learn: Samples,
    choose: Samples | None,
    recipe: Recipe,
    *,
    seed: int,
    folder: Path,
    world: World = ALONE,
    clock: Callable[[], float] = time.monotonic,
    on_step: Callable[[int, int, float], None] = lambda done, total, loss: None,
    on_epoch: Callable[[History], None] = lambda history: None,
) -> list[dict[str, float | None]]:
    """Fit a model; afterwards it holds the weights that the recipe keeps, and ``folder`` the last and the best ones.

    Order, augmentation and dropout of a step depend on the seed and the step's number alone, and a checkpoint holds the
    rest: a run on the CPU that was killed and started again ends with the same bits as one that was not.

    Args:
        model: With its first weights, on the world's device.
        learn: Rows to learn from.
        choose: Rows of the inner split, or ``None`` where the recipe chooses nothing.
        recipe: How to train.
        seed: Of everything that is drawn.
        folder: Keeps the checkpoint while the training runs; one that is there is taken up.
        world: The processes that train together; they share the rows of each step.
        clock: Seconds.
        on_step: Called now and then with the steps done, the steps at most, and the epoch's mean loss so far.
        on_epoch: Called after each epoch with the figures of all that are finished.

    Returns:
        Figures of each epoch, by the names of ``history.COLUMNS``.

    Raises:
        TrainingError: The loss is no longer a number, or the disk takes no checkpoint; the last one is kept.
    """
    place, best, before = _Place(), dict[str, Tensor](), None
    if (folder / CHECKPOINT).exists():
        plain, tensors = load_state(folder / CHECKPOINT)
        place, best, before = _Place(**plain["place"]), tensors.get("best", {}), (plain, tensors.get("optimizer", {}))
        own = model.state_dict()
        model.load_state_dict(
            {name: match_memory_order(value, own[name]) for name, value in tensors["weights"].items()}
        )

    plan = recipe.optimization
    check_phases(model, recipe)
    per_epoch = len(batches(_order(learn, recipe, seed, 0), plan.batch_size))
    ends = np.cumsum([phase.epochs for phase in recipe.course]).tolist()
    for phase, end in zip(recipe.course, ends, strict=True):
        if place.epoch >= end or _spent(place, recipe.selection):
            continue
        fitter = Fitter(model, plan, phase, steps=phase.epochs * per_epoch, world=world)
        if before is not None and (place.epoch > end - phase.epochs or place.step):
            fitter.restore(*before)
        before = None
        while place.epoch < end and not _spent(place, recipe.selection):
            begun, saved = clock() - place.seconds, clock()
            for loss in _steps(fitter, learn, place, recipe, seed, world):
                place.seconds = clock() - begun
                on_step(place.epoch * per_epoch + place.step, ends[-1] * per_epoch, loss)
                if clock() - saved > _CHECKPOINT_EVERY_S and place.step < per_epoch:
                    _keep(folder, place, model, fitter, best, world)
                    saved = clock()
            _check_answers(model, learn, place, world)
            _close_epoch(place, fitter, model, choose, recipe, world)
            if recipe.selection.keep == "best" and place.since_best == 0:
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
            _keep(folder, place, model, fitter, best, world)
            on_epoch(place.history)

    if world.is_first:
        save_weights(folder / LAST, model)
    if best:
        model.load_state_dict(best)
        if world.is_first:
            save_weights(folder / BEST, model)
    if world.is_first:
        (folder / CHECKPOINT).unlink(missing_ok=True)
    world.wait()
    model.eval()
    return place.history


def compute_logits(
    model: nn.Module, samples: Samples, *, batch_size: int = 32, device: torch.device = ALONE.device
) -> NDArray[np.float32]:
    """Answers of a model, ``(samples, labels)`` float32."""
    training = model.training
    model.eval()
    with torch.inference_mode():
        answers = [
            model(*samples.batch(part, device)[0]).float().cpu().numpy()
            for part in batches(np.arange(len(samples), dtype=np.intp), batch_size)
        ]
    model.train(training)
    return np.concatenate(answers)


def _steps(fitter: Fitter, learn: Samples, place: _Place, recipe: Recipe, seed: int, world: World) -> Iterator[float]:
    """Take the steps that are left of the running epoch; yields its mean loss so far, now and then."""
    plan, device = recipe.optimization, world.device
    parts = batches(_order(learn, recipe, seed, place.epoch), plan.batch_size)
    label_weights = _label_weights(learn, recipe)
    on_device = None if label_weights is None else torch.from_numpy(label_weights).to(device)
    white = 255.0 / float(np.mean(learn.scaling[0][1]))
    recent = torch.zeros(2, dtype=torch.float64, device=device)

    def fetch(part: NDArray[np.intp]) -> tuple[int, float, tuple[Tensor, ...], Tensor]:
        weight = len(part) if label_weights is None else float(label_weights[learn.targets[part]].sum())
        return len(part), weight, *learn.batch(part[world.rank :: world.size], device)

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for count, weight, inputs, targets in prefetch(fetch, parts[place.step :]):
            rng = torch.manual_seed(_seed(seed, 1, place.epoch, place.step, world.rank))
            answers = fitter.answers(*(augment(values, recipe.augmentation, rng, levels=white) for values in inputs))
            loss = compute_loss(answers, targets, on_device, plan.label_smoothing) / weight
            fitter.step(loss * world.size)
            right = torch.stack([answer.detach().float() for answer in answers]).mean(0).argmax(1) == targets
            recent += torch.stack([loss.detach().double() * count, right.sum().double()])
            place.step, place.seen = place.step + 1, place.seen + count
            if place.step % _LOOK_EVERY == 0 or place.step == len(parts):
                _add_up(place, recent, world)
                yield place.loss_sum / place.seen


def _add_up(place: _Place, recent: Tensor, world: World) -> None:
    """Add the sums since the last look, over all processes."""
    if world.size > 1:
        distributed.all_reduce(recent)
    loss, right = recent.tolist()
    if not math.isfinite(loss):
        raise _diverged(place)
    place.loss_sum, place.right = place.loss_sum + loss, place.right + right
    recent.zero_()


def _check_answers(model: nn.Module, learn: Samples, place: _Place, world: World) -> None:
    """Look at a few answers once more: the loss was seen before the last step, and that may have gone too far."""
    few = slice(2)
    part = Samples(learn.stored, learn.scaling, learn.rows[few], learn.targets[few])
    if not np.isfinite(compute_logits(model, part, device=world.device)).all():
        raise _diverged(place)


def _diverged(place: _Place) -> TrainingError:
    return TrainingError(
        f"The loss is no longer a number in epoch {place.epoch + 1}; try a lower learning rate in another folder. "
        "The last good checkpoint is kept."
    )


def _close_epoch(
    place: _Place, fitter: Fitter, model: nn.Module, choose: Samples | None, recipe: Recipe, world: World
) -> None:
    """Note the figures of an epoch and turn to the next."""
    scores: dict[str, float] = {}
    if choose is not None:
        scores = world.broadcast(_scores(model, choose, world) if world.is_first else None)
        value = scores[recipe.selection.metric]
        better = place.best_value is None or (
            value < place.best_value if recipe.selection.metric == "loss" else value > place.best_value
        )
        place.best_value, place.since_best = (value, 0) if better else (place.best_value, place.since_best + 1)
    place.history.append(
        {
            "epoch": place.epoch + 1,
            "learning_rate": fitter.learning_rate,
            "loss": place.loss_sum / place.seen,
            "accuracy": place.right / place.seen,
            **{f"validation_{name}": scores.get(name) for name in ("loss", "accuracy", "balanced_accuracy")},
            "seconds": place.seconds,
        }
    )
    place.epoch += 1
    place.step = place.seen = 0
    place.loss_sum = place.right = place.seconds = 0.0


def _scores(model: nn.Module, samples: Samples, world: World) -> dict[str, float]:
    logits = compute_logits(model, samples, device=world.device)
    rows = np.arange(len(samples))
    right = logits.argmax(axis=1) == samples.targets
    by_label = [right[samples.targets == label].mean() for label in np.unique(samples.targets)]
    return {
        "loss": float(-log_softmax(logits.astype(np.float64), axis=1)[rows, samples.targets].mean()),
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean(by_label)),
    }


def _keep(folder: Path, place: _Place, model: nn.Module, fitter: Fitter, best: dict[str, Tensor], world: World) -> None:
    if not world.is_first:
        return
    plain, optimizer = fitter.state()
    tensors = {"weights": model.state_dict(), "optimizer": optimizer, "best": best}
    save_state(folder / CHECKPOINT, {"place": asdict(place), **plain}, tensors)


def _spent(place: _Place, selection: Selection) -> bool:
    return selection.patience is not None and place.since_best >= selection.patience


def _order(learn: Samples, recipe: Recipe, seed: int, epoch: int) -> NDArray[np.intp]:
    return order_rows(
        learn.targets, recipe.optimization.balance, np.random.default_rng(np.random.SeedSequence([seed, 0, epoch]))
    )


def _label_weights(learn: Samples, recipe: Recipe) -> NDArray[np.float32] | None:
    """So that all labels weigh the same together, their mean over the rows being 1."""
    if recipe.optimization.balance != "class_weights":
        return None
    counts = np.maximum(learn.counts(len(recipe.labels)), 1)
    return (len(learn) / np.count_nonzero(learn.counts(len(recipe.labels))) / counts).astype(np.float32)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)
