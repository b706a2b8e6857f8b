"""``ecglens train``: train a recipe under the honest protocol and fit it on everything."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.sources import Rules, load_pages

__all__ = ["command"]


def command(
    recipe: Annotated[Path, typer.Argument(help="Recipe, a TOML file.")],
    data: Annotated[Path, typer.Option(help="CSV of recordings, such as the audit writes, or a folder by label.")],
    out: Annotated[Path, typer.Option(help="Run folder; an unfinished run is taken up again.")],
    labels: Rules = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the folds, separated by commas.")] = "0,1,2",
    folds: Annotated[int, typer.Option(min=2, help="Folds of the honest protocol.")] = 5,
    fit: Annotated[bool, typer.Option("--fit/--no-fit", help="Also fit one model on all recordings.")] = True,
) -> None:
    """Train a recipe: out-of-fold answers for honest figures, then one model on all recordings."""
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.models.train import run
    from ecglens.models.train.recipe import load_recipe

    say = Console(stderr=True, highlight=False).print
    recordings, loaded = load_pages(data, labels), load_recipe(recipe)
    run.start_run(recordings, loaded, out)
    run.cross_validate(recordings, loaded, out, seeds=parse_seeds(seeds), folds=folds, progress=say)
    if fit:
        run.fit_all(recordings, loaded, out, seed=0, progress=say)
    say(f"The run is complete in {out}.")


def parse_seeds(text: str) -> list[int]:
    """Whole numbers from a list separated by commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected whole numbers separated by commas, got '{text}'") from error
