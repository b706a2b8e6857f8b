"""``ecglens export``: turn a run into a model folder."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ecglens.cli.sources import Rules, Scheme, load_training
from ecglens.cli.train import parse_seeds

if TYPE_CHECKING:
    from ecglens.datasets.recordings import Recordings

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(help="Run folder of ecglens train.")],
    data: Annotated[Path, typer.Option(help="CSV or folder that the run was trained from.")],
    out: Annotated[Path, typer.Option(help="Model folder to write; its name is the model's.")],
    version: Annotated[str, typer.Option(help="Version of the weights.")],
    trained_on: Annotated[str, typer.Option(help="One sentence on the data, with its source.")],
    license: Annotated[str, typer.Option(help="License of the weights.")],
    labels: Rules = None,
    scheme: Scheme = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Seeds, separated by commas; those of the run by default.", show_default=False),
    ] = None,
    explained: Annotated[
        int,
        typer.Option(min=0, help="Number of pages to check explanations on, for the card; 1.5 s each."),
    ] = 0,
    note: Annotated[list[str] | None, typer.Option(help="Note to show with every prediction; repeatable.")] = None,
) -> None:
    """Evaluate a run on held-out pages and write a model folder for ``ecglens read --model``."""
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.models.export import evaluate_run, export
    from ecglens.models.train.folder import list_seeds

    recordings = load_training(data, labels, scheme, signals=True)
    numbers = list_seeds(run) if seeds is None else parse_seeds(seeds)
    command_line = "ecglens " + shlex.join(sys.argv[1:])
    evaluation = evaluate_run(recordings, run, seeds=numbers, command=command_line)
    export(
        recordings,
        run,
        out,
        version=version,
        trained_on=trained_on,
        license=license,
        evaluation=evaluation,
        seeds=numbers,
        notes=note or (),
    )
    if explained:
        _check_explanations(recordings, out, explained)
    print((out / "card.md").read_text(encoding="utf-8"))


def _check_explanations(recordings: "Recordings", folder: Path, pages: int) -> None:
    """Check explanations on pages that are evenly spaced in the table."""
    from ecglens.explanation_checks import check_explanations
    from ecglens.models.explain.stored import save_checks
    from ecglens.pages.read import read_page
    from ecglens.reading import load_runtime

    runtime = load_runtime(folder)
    chosen = [recordings[index * len(recordings) // pages].path for index in range(min(pages, len(recordings)))]
    save_checks(check_explanations(map(read_page, chosen), runtime), folder)
