"""Optimizer, learning rate schedule, precision and processes of one phase of a training run."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from ecglens.errors import TrainingError
from ecglens.models.train.checkpoint import match_memory_order
from ecglens.models.train.devices import World, choose_forward_dtype
from ecglens.models.train.recipe import Optimization, Phase, Recipe

__all__ = ["Fitter", "check_phases", "compute_learning_rates", "compute_loss"]


class Fitter:
    """State of one phase of a training run, in addition to the model.

    Args:
        model: Model to train; its trunk is frozen as the phase says.
        plan: Settings of the optimization.
        phase: Phase: the share of the trunk that is trained, and the learning rate.
        steps: Number of steps of the phase, for the schedule.
        world: Processes that train together.

    Raises:
        TrainingError: The device does not support the precision.
    """

    def __init__(self, model: nn.Module, plan: Optimization, phase: Phase, *, steps: int, world: World) -> None:
        self._plan, self._device = plan, world.device
        self._type = choose_forward_dtype(plan.precision, world.device)
        if world.size > 1 and world.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]  # untyped in torch
        self._frozen_normalizations = _set_trunk(model, phase.trunk)
        heads = _Heads(model)
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._heads: nn.Module = DistributedDataParallel(heads) if world.size > 1 else heads
        rate = phase.learning_rate or plan.learning_rate
        self._optimizer = _optimizer(plan, self._weights, rate)
        self._schedule = _schedule(plan, self._optimizer, rate, steps)
        self._rate = self._next_rate()
        self._scaler = torch.amp.GradScaler(world.device.type, enabled=self._type is torch.float16)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step, or of the first step if there was none."""
        return self._rate

    def answers(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the logits of each tower of the model, in training mode."""
        self._heads.train()
        for part in self._frozen_normalizations:
            part.eval()
        with torch.autocast(self._device.type, self._type, enabled=self._type is not None):
            outputs: tuple[Tensor, ...] = self._heads(*inputs)
        return outputs

    def step(self, loss: Tensor) -> None:
        """Update the weights by the gradient of a loss."""
        self._rate = self._next_rate()
        self._optimizer.zero_grad()
        torch.autograd.backward(self._scaler.scale(loss))
        if self._plan.clip_norm is not None:
            self._scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._weights, self._plan.clip_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()

    def _next_rate(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the state for :meth:`restore`: plain values, and tensors by name."""
        optimizer_state = self._optimizer.state_dict()
        tensors = {
            f"{number}/{name}": value
            for number, members in optimizer_state["state"].items()
            for name, value in members.items()
            if value is not None
        }
        plain = {
            "groups": optimizer_state["param_groups"],
            "schedule": self._schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        return plain, tensors

    def restore(self, plain: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Restore a state that :meth:`state` returned."""
        self._optimizer.load_state_dict({"state": {}, "param_groups": plain["groups"]})
        for key, value in tensors.items():
            number, _, name = key.partition("/")
            weight = self._weights[int(number)]
            # load_state_dict would lose the memory order
            self._optimizer.state[weight][name] = (
                match_memory_order(value, weight) if value.shape == weight.shape else value
            )
        self._schedule.load_state_dict(plain["schedule"])
        self._scaler.load_state_dict(plain["scaler"])


def compute_loss(answers: tuple[Tensor, ...], targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Compute the cross entropy, summed over the rows and averaged over the towers.

    Args:
        answers: Logits of each tower, ``(rows, labels)`` each.
        targets: Index of each row's label, ``(rows,)``.
        weights: Weight of each label, ``(labels,)``, or ``None``.
        smoothing: Share of each target that is spread over all labels.
    """
    losses = [
        functional.cross_entropy(answer.float(), targets, weight=weights, label_smoothing=smoothing, reduction="sum")
        for answer in answers
    ]
    return torch.stack(losses).mean()


def compute_learning_rates(plan: Optimization, rate: float, steps: int) -> list[float]:
    """Compute the learning rate of each step of a schedule, without training.

    Args:
        plan: Settings of the optimization.
        rate: Highest learning rate.
        steps: Number of steps.
    """
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], rate)
    schedule = _schedule(plan, optimizer, rate, steps)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


class _Heads(nn.Module):
    """Model that returns the logits of each tower, which are trained by separate losses."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        towers = getattr(self.model, "towers", None)
        return (self.model(*inputs),) if towers is None else tuple(towers(*inputs))


def check_phases(model: nn.Module, recipe: Recipe) -> None:
    """Check that a model has a trunk if the recipe freezes it.

    Raises:
        TrainingError: A phase freezes the trunk of a model that has none.
    """
    if any(phase.trunk < 1 for phase in recipe.course) and getattr(model, "trunk", None) is None:
        raise TrainingError("A phase freezes the trunk, but this model has none; leave 'trunk' out of its phases.")


def _set_trunk(model: nn.Module, share: float) -> list[nn.Module]:
    """Freeze all but the last ``share`` of the trunk's weights, and return the normalizations that are frozen."""
    trunk = getattr(model, "trunk", None)
    if trunk is None:
        return []
    weights = list(trunk.parameters())
    frozen = {id(weight) for weight in weights[: round((1 - share) * len(weights))]}
    for weight in weights:
        weight.requires_grad_(id(weight) not in frozen)
    return [
        part
        for part in trunk.modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
        and any(id(weight) in frozen for weight in part.parameters())
    ]


def _optimizer(plan: Optimization, weights: list[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    if plan.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, momentum=0.9, nesterov=True, weight_decay=plan.weight_decay)
    kind = torch.optim.Adam if plan.optimizer == "adam" else torch.optim.AdamW
    return kind(weights, rate, weight_decay=plan.weight_decay)


def _schedule(
    plan: Optimization, optimizer: torch.optim.Optimizer, rate: float, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if plan.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=plan.warmup)
    if plan.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
