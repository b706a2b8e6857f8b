"""The training loop: arrays and labels in, a trained module out."""

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ecglens.errors import TrainingError
from ecglens.models import zoo
from ecglens.models.train.recipe import Augmentation, Recipe
from ecglens.models.zoo import Towers

__all__ = ["augment", "build", "fit", "logits_of"]


def build(recipe: Recipe, *, seed: int) -> nn.Module:
    """The recipe's model with weights drawn by ``seed``.

    Raises:
        TrainingError: There is no such model, or it has no such options.
    """
    torch.manual_seed(seed)
    return zoo.build(recipe.model, labels=len(recipe.labels), shapes=recipe.input.shapes, **recipe.options)


def fit(
    arrays: Tensor,
    targets: Tensor,
    recipe: Recipe,
    *,
    seed: int,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> nn.Module:
    """Train the recipe's model.

    Args:
        arrays: ``(pages, channels, height, width)`` float32.
        targets: ``(pages,)`` int64, indices into the recipe's labels.
        recipe: What to train and how.
        seed: Of weights, order and augmentation.
        on_epoch: Called with each epoch's number and mean loss.

    Raises:
        TrainingError: The loss is no longer a number.
    """
    plan = recipe.optimization
    model = build(recipe, seed=seed).to(memory_format=torch.channels_last)
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
    batches = -(-len(arrays) // plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, total_steps=plan.epochs * batches, pct_start=plan.warmup
    )
    model.train()
    for epoch in range(plan.epochs):
        total = 0.0
        for batch in torch.split(torch.randperm(len(arrays), generator=rng), plan.batch_size):
            pages = augment(arrays[batch], recipe.augmentation, rng).to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.bfloat16):
                answers = model.towers(pages) if isinstance(model, Towers) else (model(pages),)
            losses = [
                functional.cross_entropy(answer.float(), targets[batch], label_smoothing=plan.label_smoothing)
                for answer in answers
            ]
            loss = torch.stack(losses).sum()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if not total < float("inf"):
            raise TrainingError(f"The loss is no longer a number in epoch {epoch + 1}; try a lower learning rate.")
        on_epoch(epoch + 1, total / len(arrays))
    return model.eval()


def augment(pages: Tensor, amounts: Augmentation, rng: torch.Generator) -> Tensor:
    """Change each page of a batch a little; see :class:`~ecglens.models.train.recipe.Augmentation`."""
    count = len(pages)

    def draw(amount: float) -> Tensor:
        return amount * (2 * torch.rand(count, generator=rng) - 1)

    place = torch.zeros(count, 2, 3)
    place[:, 0, 0], place[:, 0, 1], place[:, 0, 2] = (
        1 + draw(amounts.stretch),
        draw(amounts.shear),
        draw(amounts.shift_right),
    )
    place[:, 1, 1], place[:, 1, 2] = 1 + draw(amounts.grow), draw(amounts.shift_down)
    grid = functional.affine_grid(place, list(pages.shape), align_corners=False)
    moved = functional.grid_sample(pages, grid, align_corners=False)
    moved = moved * (1 + draw(amounts.contrast))[:, None, None, None]
    strength = amounts.noise * torch.rand(count, 1, 1, 1, generator=rng)
    return moved + strength * torch.randn(moved.shape, generator=rng)


def logits_of(model: nn.Module, arrays: Tensor, *, batch_size: int = 32) -> NDArray[Any]:
    """Answers of a trained model, ``(pages, labels)`` float32."""
    with torch.inference_mode():
        return torch.cat([model(part) for part in torch.split(arrays, batch_size)]).numpy()
