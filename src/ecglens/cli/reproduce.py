"""``ecglens reproduce``: train and evaluate the five published works again."""

import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.choices import complete_from
from ecglens.cli.sources import Rules, load_pages
from ecglens.cli.train import Cache, Device, parse_seeds
from ecglens.errors import DatasetError
from ecglens.settings import load_settings

__all__ = ["command"]

_LOCAL_OPTIONS = ("--runs", "--results", "--out", "--cache")
"""Options with paths of this machine, which are not needed to reproduce the figures elsewhere."""


def command(
    works: Annotated[
        list[str] | None,
        typer.Argument(
            help="Works or rows, such as compact-cnn; all by default.",
            autocompletion=complete_from("ecglens.reproduce.works:ROWS"),
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Table of all files including copies, or the published folders.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="Any of as-published, honest, batch, separated by commas.",
            autocompletion=complete_from("ecglens.reproduce.grid:PROTOCOLS", is_list=True),
        ),
    ] = ("as-published,honest,batch"),
    seeds: Annotated[str, typer.Option(help="Seeds of the folds, separated by commas.")] = "0",
    quick: Annotated[
        bool, typer.Option("--quick", help="Take minutes for each row: a sixth of the epochs, and one fold of five.")
    ] = False,
    weights: Annotated[
        list[str] | None, typer.Option(metavar="ROW=FILE", help="ImageNet weights of a row; repeatable.")
    ] = None,
    labels: Rules = None,
    recipes: Annotated[Path, typer.Option(help="Folder of the recipes.")] = Path("recipes"),
    runs: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("runs/reproduce"),
    results: Annotated[
        Path | None, typer.Option(help="Folder of results; docs/results, with --quick RUNS/quick-results.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table to write; docs/RESULTS.md, with --quick RUNS/QUICK.md.")
    ] = None,
    device: Device = "auto",
    cache: Cache = None,
) -> None:
    """Train the models of the five published works under each protocol, and compare the scores.

    Finished results are used again. With neither rows nor --data, the table is written again from the stored results.
    """
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.cli.training import show_training
    from ecglens.models.train.devices import training_world
    from ecglens.models.train.run import RunContext
    from ecglens.reproduce import check_protocols, find_rows, jobs_of, reproduce, write_tables

    rows, command_line, numbers = find_rows(works or []), _command_line(sys.argv[1:]), parse_seeds(seeds)
    protocols, files = [name.strip() for name in protocol.split(",")], _weights(weights or [])
    check_protocols(protocols)
    results_folder = results or (runs / "quick-results" if quick else Path("docs/results"))
    if data is None and (works or files):
        raise DatasetError("Expected --data with the pages that the rows are trained on.")
    if data is None and not results_folder.is_dir():
        raise DatasetError(
            f"Expected results in '{results_folder}' to write a table from, but there is no such folder."
        )
    if data is not None:
        recordings = load_pages(data, labels)
        with training_world(device) as world, show_training(world.is_first) as listener:
            jobs = jobs_of(
                rows,
                protocols=protocols,
                seeds=numbers[: 1 if quick else None],
                recipes=recipes,
                weights=files,
                quick=quick,
                listener=listener,
            )
            context = RunContext(world, cache or load_settings().cache_dir, listener, os.cpu_count() or 1)
            reproduce(jobs, recordings, runs=runs, results=results_folder, place=context, command=command_line)
    print(write_tables(results_folder, out or (runs / "QUICK.md" if quick else Path("docs/RESULTS.md")), quick=quick))


def _command_line(words: list[str]) -> str:
    """Return the command without the options that contain paths of this machine.

    >>> _command_line(["reproduce", "cnn", "--runs", "/tmp/cnn", "--seeds", "1", "--out=/tmp/cnn.md"])
    'ecglens reproduce cnn --seeds 1'
    """
    portable = [
        word
        for before, word in pairwise(["", *words])
        if before not in _LOCAL_OPTIONS and word.partition("=")[0] not in _LOCAL_OPTIONS
    ]
    return "ecglens " + shlex.join(portable)


def _weights(texts: list[str]) -> dict[str, str]:
    from ecglens.reproduce import ROWS

    pairs = [text.partition("=") for text in texts]
    if any(not file for _, _, file in pairs):
        raise typer.BadParameter("expected ROW=FILE, such as efficientnet-lite0=weights.pth", param_hint="--weights")
    unknown = [row for row, _, _ in pairs if row not in ROWS]
    if unknown:
        raise typer.BadParameter(f"expected a row out of {', '.join(ROWS)}, got '{unknown[0]}'", param_hint="--weights")
    return {row: file for row, _, file in pairs}
