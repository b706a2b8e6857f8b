"""History of a training run by epoch: a CSV file, curves and, on request, events for TensorBoard."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ecglens.extras import require
from ecglens.models.train.checkpoint import write_whole
from ecglens.tables import write_rows

__all__ = ["COLUMNS", "Figures", "History", "draw_curves", "open_tensorboard", "write_history"]

COLUMNS = (
    "epoch",
    "learning_rate",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_balanced_accuracy",
    "seconds",
)

Figures = Mapping[str, float | None]
History = Sequence[Figures]


def write_history(path: Path, epochs: History) -> None:
    """Write the figures of each epoch as CSV; values that were not measured are empty."""
    text = io.StringIO()
    rows = (["" if row[name] is None else f"{row[name]:.6g}" for name in COLUMNS] for row in epochs)
    write_rows(text, [COLUMNS, *rows])
    write_whole(path, text.getvalue().encode())


def draw_curves(path: Path, epochs: History, title: str) -> None:
    """Plot loss and accuracy of training and validation over the epochs, as a PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = require("matplotlib.figure", extra="train").Figure(figsize=(9, 3.4), layout="constrained")
    across = [row["epoch"] for row in epochs]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, label, style in ((name, "training", "-"), (f"validation_{name}", "validation", "--")):
            values = [row[column] for row in epochs]
            if all(value is not None for value in values):
                axes.plot(across, values, style, marker="." if len(epochs) < 30 else None, label=label)
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write_whole(path, image.getvalue())


def open_tensorboard(folder: Path) -> Callable[[Figures], None]:
    """Create a function that writes the figures of an epoch for TensorBoard.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """
    require("tensorboard", extra="tensorboard")
    writer = require("torch.utils.tensorboard", extra="train").SummaryWriter(str(folder))

    def write(row: Figures) -> None:
        for name in COLUMNS[1:]:
            if row[name] is not None:
                writer.add_scalar(name.replace("validation_", "validation/"), row[name], int(row["epoch"] or 0))
        writer.flush()

    return write
