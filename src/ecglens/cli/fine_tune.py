"""``ecglens fine-tune``: train a model further on pages of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.choices import complete_models
from ecglens.cli.sources import Rules, check_outside, load_pages
from ecglens.cli.train import Device

__all__ = ["command"]


def command(
    model: Annotated[
        str,
        typer.Argument(
            help="Name or folder of a compact_cnn, or a run of ecglens train.", autocompletion=complete_models
        ),
    ],
    data: Annotated[Path, typer.Option(help="Folder with a folder of pages for each label, or a CSV of recordings.")],
    out: Annotated[Path, typer.Option(help="Folder for the training and the new model.")],
    labels: Rules = None,
    all_layers: Annotated[bool, typer.Option("--all-layers", help="Train all layers of a run's model.")] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pages.")] = 20,
    folds: Annotated[int, typer.Option(min=2, help="Number of folds of held-out pages.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of folds and weights.")] = 0,
    device: Device = "auto",
    trained_on: Annotated[str, typer.Option(help="Sentence on the pages, for the card.")] = "",
    license: Annotated[str, typer.Option(help="License of the new weights.")] = "not stated",
) -> None:
    """Train a model further on pages of one's own, with their own labels, and evaluate it on held-out pages."""
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.cli.training import show_training
    from ecglens.fine_tuning import fine_tune

    check_outside(out, data)
    recordings = load_pages(data, labels)
    with show_training(True) as listener:
        tuned = fine_tune(
            model,
            recordings,
            out,
            all_layers=all_layers,
            epochs=epochs,
            folds=folds,
            seed=seed,
            device=device,
            trained_on=trained_on,
            license=license,
            listener=listener,
        )
    print((tuned.folder / "card.md").read_text(encoding="utf-8"))
    print(f"Use it with: ecglens read PAGE --model {out}")
