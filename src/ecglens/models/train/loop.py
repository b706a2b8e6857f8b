"""Training loop; after an interruption at any point, it can be resumed and gives the same weights."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
_LOOK_EVERY = 16  # steps between two reads of the loss, each of which waits for the device


@dataclass(slots=True)
class _Progress:
    """Progress of a training run: sums over the current epoch, and the history of earlier ones."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    right: float = 0.0
    rows: int = 0
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
    penalty: Callable[[], Tensor] | None = None,
) -> list[dict[str, float | None]]:
    """Train a model, which gets the weights that the recipe selects, and store the last and the best weights.

    Order, augmentation and dropout of a step depend only on the seed and the number of the step, and a checkpoint
    contains the remaining state. On the CPU, a run that was killed and resumed therefore gives bit-identical weights.

    Args:
        model: Model with its initial weights, on the world's device.
        learn: Rows to train on.
        choose: Validation rows of the inner split, or ``None`` if the recipe selects no epoch.
        recipe: Training recipe.
        seed: Random seed.
        folder: Folder of the checkpoint while the training runs; an existing checkpoint is resumed.
        world: Processes that train together; they share the rows of each step.
        clock: Function that returns the time in s.
        on_step: Function called now and then with the number of finished steps, the largest number of steps, and the
            mean loss of the epoch so far.
        on_epoch: Function called after each epoch with the figures of all finished epochs.
        penalty: Function that returns a scalar tensor on the weights, which is added to the loss of each step.

    Returns:
        Figures of each epoch, by the names in ``history.COLUMNS``.

    Raises:
        TrainingError: The loss is not finite, or a checkpoint cannot be written; the last checkpoint is not changed.
    """
    progress, best, state = _Progress(), dict[str, Tensor](), None
    if (folder / CHECKPOINT).exists():
        plain, tensors = load_state(folder / CHECKPOINT)
        progress, best, state = (
            _read_progress(plain["place"]),
            tensors.get("best", {}),
            (plain, tensors.get("optimizer", {})),
        )
        own = model.state_dict()
        model.load_state_dict(
            {name: match_memory_order(value, own[name]) for name, value in tensors["weights"].items()}
        )

    plan = recipe.optimization
    check_phases(model, recipe)
    per_epoch = len(batches(_order(learn, recipe, seed, 0), plan.batch_size))
    ends = np.cumsum([phase.epochs for phase in recipe.course]).tolist()
    for phase, end in zip(recipe.course, ends, strict=True):
        if progress.epoch >= end or _is_finished(progress, recipe.selection):
            continue
        fitter = Fitter(model, plan, phase, steps=phase.epochs * per_epoch, world=world)
        if state is not None and (progress.epoch > end - phase.epochs or progress.step):
            fitter.restore(*state)
        state = None
        while progress.epoch < end and not _is_finished(progress, recipe.selection):
            start, saved = clock() - progress.seconds, clock()
            for loss in _steps(fitter, learn, progress, recipe, seed, world, penalty):
                progress.seconds = clock() - start
                on_step(progress.epoch * per_epoch + progress.step, ends[-1] * per_epoch, loss)
                if clock() - saved > _CHECKPOINT_EVERY_S and progress.step < per_epoch:
                    _save_checkpoint(folder, progress, model, fitter, best, world)
                    saved = clock()
            _check_answers(model, learn, progress, world)
            _close_epoch(progress, fitter, model, choose, recipe, world)
            if recipe.selection.keep == "best" and progress.since_best == 0:
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
            _save_checkpoint(folder, progress, model, fitter, best, world)
            on_epoch(progress.history)

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
    return progress.history


def compute_logits(
    model: nn.Module, samples: Samples, *, batch_size: int = 32, device: torch.device = ALONE.device
) -> NDArray[np.float32]:
    """Compute the logits of samples in evaluation mode, ``(samples, labels)`` float32."""
    training = model.training
    model.eval()
    with torch.inference_mode():
        answers = [
            model(*samples.batch(part, device)[0]).float().cpu().numpy()
            for part in batches(np.arange(len(samples), dtype=np.intp), batch_size)
        ]
    model.train(training)
    return np.concatenate(answers)


def _steps(
    fitter: Fitter,
    learn: Samples,
    progress: _Progress,
    recipe: Recipe,
    seed: int,
    world: World,
    penalty: Callable[[], Tensor] | None,
) -> Iterator[float]:
    """Run the remaining steps of the current epoch, and now and then yield its mean loss so far."""
    plan, device = recipe.optimization, world.device
    parts = batches(_order(learn, recipe, seed, progress.epoch), plan.batch_size)
    label_weights = _label_weights(learn, recipe)
    device_weights = None if label_weights is None else torch.from_numpy(label_weights).to(device)
    white = 255.0 / float(np.mean(learn.scaling[0][1]))
    recent = torch.zeros(2, dtype=torch.float64, device=device)

    def fetch(part: NDArray[np.intp]) -> tuple[int, float, tuple[Tensor, ...], Tensor]:
        weight = len(part) if label_weights is None else float(label_weights[learn.targets[part]].sum())
        return len(part), weight, *learn.batch(part[world.rank :: world.size], device)

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        for count, weight, inputs, targets in prefetch(fetch, parts[progress.step :]):
            rng = torch.manual_seed(_seed(seed, 1, progress.epoch, progress.step, world.rank))
            answers = fitter.answers(*(augment(values, recipe.augmentation, rng, levels=white) for values in inputs))
            loss = compute_loss(answers, targets, device_weights, plan.label_smoothing) / weight
            fitter.step(loss * world.size if penalty is None else loss * world.size + penalty())
            right = torch.stack([answer.detach().float() for answer in answers]).mean(0).argmax(1) == targets
            recent += torch.stack([loss.detach().double() * count, right.sum().double()])
            progress.step, progress.rows = progress.step + 1, progress.rows + count
            if progress.step % _LOOK_EVERY == 0 or progress.step == len(parts):
                _add_up(progress, recent, world)
                yield progress.loss_sum / progress.rows


def _add_up(progress: _Progress, recent: Tensor, world: World) -> None:
    """Add the sums since the last read, over all processes."""
    if world.size > 1:
        distributed.all_reduce(recent)
    loss, right = recent.tolist()
    if not math.isfinite(loss):
        raise _divergence_error(progress)
    progress.loss_sum, progress.right = progress.loss_sum + loss, progress.right + right
    recent.zero_()


def _check_answers(model: nn.Module, learn: Samples, progress: _Progress, world: World) -> None:
    """Check that a few logits are finite: the loss was computed before the last step, which may have diverged."""
    few = slice(2)
    part = Samples(learn.stored, learn.scaling, learn.rows[few], learn.targets[few])
    if not np.isfinite(compute_logits(model, part, device=world.device)).all():
        raise _divergence_error(progress)


def _read_progress(values: dict[str, Any]) -> _Progress:
    """Read the progress in a checkpoint; those of version 0.1.0 call the number of rows ``seen``."""
    return _Progress(**{"rows" if name == "seen" else name: value for name, value in values.items()})


def _divergence_error(progress: _Progress) -> TrainingError:
    return TrainingError(
        f"The loss is no longer a number in epoch {progress.epoch + 1}; try a lower learning rate in another folder. "
        "The last good checkpoint was kept."
    )


def _close_epoch(
    progress: _Progress, fitter: Fitter, model: nn.Module, choose: Samples | None, recipe: Recipe, world: World
) -> None:
    """Record the figures of an epoch and begin the next one."""
    scores: dict[str, float] = {}
    if choose is not None:
        scores = world.broadcast(_scores(model, choose, world) if world.is_first else None)
        value = scores[recipe.selection.metric]
        better = progress.best_value is None or (
            value < progress.best_value if recipe.selection.metric == "loss" else value > progress.best_value
        )
        progress.best_value, progress.since_best = (
            (value, 0) if better else (progress.best_value, progress.since_best + 1)
        )
    progress.history.append(
        {
            "epoch": progress.epoch + 1,
            "learning_rate": fitter.learning_rate,
            "loss": progress.loss_sum / progress.rows,
            "accuracy": progress.right / progress.rows,
            **{f"validation_{name}": scores.get(name) for name in ("loss", "accuracy", "balanced_accuracy")},
            "seconds": progress.seconds,
        }
    )
    progress.epoch += 1
    progress.step = progress.rows = 0
    progress.loss_sum = progress.right = progress.seconds = 0.0


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


def _save_checkpoint(
    folder: Path, progress: _Progress, model: nn.Module, fitter: Fitter, best: dict[str, Tensor], world: World
) -> None:
    if not world.is_first:
        return
    plain, optimizer = fitter.state()
    tensors = {"weights": model.state_dict(), "optimizer": optimizer, "best": best}
    save_state(folder / CHECKPOINT, {"place": asdict(progress), **plain}, tensors)


def _is_finished(progress: _Progress, selection: Selection) -> bool:
    return selection.patience is not None and progress.since_best >= selection.patience


def _order(learn: Samples, recipe: Recipe, seed: int, epoch: int) -> NDArray[np.intp]:
    return order_rows(
        learn.targets, recipe.optimization.balance, np.random.default_rng(np.random.SeedSequence([seed, 0, epoch]))
    )


def _label_weights(learn: Samples, recipe: Recipe) -> NDArray[np.float32] | None:
    """Compute weights with which all labels have the same total weight; their mean over the rows is 1."""
    if recipe.optimization.balance != "class_weights":
        return None
    counts = np.maximum(learn.counts(len(recipe.labels)), 1)
    return (len(learn) / np.count_nonzero(learn.counts(len(recipe.labels))) / counts).astype(np.float32)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)
