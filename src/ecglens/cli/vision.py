"""``ecglens vision``: train the two networks that look at a page."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Train the two networks that look at a page: pixel classes and lead names.", no_args_is_help=True
)

Steps = Annotated[int, typer.Option(min=10, help="Number of training steps.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of pages, words and weights.")]
Threads = Annotated[int, typer.Option(min=1, help="Number of cores that the training may use.")]


@app.command("pixel-classes")
def train_pixels(
    records: Annotated[Path, typer.Argument(help="Folder of WFDB records to draw pages from, such as PTB-XL.")],
    out: Annotated[Path, typer.Option(help="File of the graph.")] = Path("pixel_classes.onnx"),
    steps: Steps = 9000,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Train the network that tells trace, print and grid apart, on rendered pages; two hours on two cores."""
    _prepare(threads)
    from ecglens.vision.training.train import TrainingPlan, train_pixel_classes

    scores = train_pixel_classes(records, out, TrainingPlan(steps, seed), _report)
    _print_scores(scores, out)


@app.command("lead-names")
def train_names(
    out: Annotated[Path, typer.Option(help="File of the graph.")] = Path("lead_names.onnx"),
    steps: Steps = 6000,
    seed: Seed = 0,
    threads: Threads = 1,
) -> None:
    """Train the network that reads lead names, on rendered words; an hour on two cores."""
    _prepare(threads)
    from ecglens.vision.training.train import TrainingPlan, train_lead_names

    scores = train_lead_names(out, TrainingPlan(steps, seed, rate=2e-3), _report)
    _print_scores(scores, out)


def _prepare(threads: int) -> None:
    from ecglens.extras import require

    torch = require("torch", extra="train")
    torch.set_num_threads(threads)


def _report(step: int, figures: object) -> None:
    from collections.abc import Mapping

    assert isinstance(figures, Mapping)
    typer.echo(f"step {step}, " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))


def _print_scores(scores: dict[str, float], out: Path) -> None:
    typer.echo("On held-out pages: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    typer.echo(f"{out} written.")
