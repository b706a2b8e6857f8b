"""``ecglens reproduce``: the five works, trained and scored again."""

import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.sources import Rules, load_pages
from ecglens.cli.train import Cache, Device, parse_seeds
from ecglens.errors import DatasetError
from ecglens.settings import load_settings

__all__ = ["command"]

_PLACES = ("--runs", "--results", "--out", "--cache")
"""Options that say where on this machine something lies: no part of what another must type for the same figures."""


def command(
    works: Annotated[
        list[str] | None, typer.Argument(help="Works or rows, such as compact-cnn; all by default.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Table of every file, copies and all, or the published folders.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Some of as-published, honest, batch, separated by commas.")] = (
        "as-published,honest,batch"
    ),
    seeds: Annotated[str, typer.Option(help="Seeds of the folds, separated by commas.")] = "0",
    quick: Annotated[
        bool, typer.Option("--quick", help="A row in minutes: a sixth of the epochs, one honest fold of five.")
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
        Path | None, typer.Option(help="The table to write; docs/RESULTS.md, with --quick RUNS/QUICK.md.")
    ] = None,
    device: Device = "auto",
    cache: Cache = None,
) -> None:
    """Train the models of the five works under each protocol, and write what they score beside what was reported.

    What is done already is not done again. With neither rows nor --data the table is written again from the results
    that are there.
    """
    from ecglens.extras import require

    require("torch", extra="train")
    from ecglens.cli.training import told
    from ecglens.models.train.devices import training_world
    from ecglens.models.train.run import RunContext
    from ecglens.reproduce import check_protocols, find_rows, jobs_of, reproduce, write_tables

    rows, typed, numbers = find_rows(works or []), _typed(sys.argv[1:]), parse_seeds(seeds)
    protocols, files = [name.strip() for name in protocol.split(",")], _weights(weights or [])
    check_protocols(protocols)
    kept = results or (runs / "quick-results" if quick else Path("docs/results"))
    if data is None and (works or files):
        raise DatasetError("Expected --data with the pages that the rows are trained on.")
    if data is None and not kept.is_dir():
        raise DatasetError(f"Expected results in '{kept}' to write a table from, but there is no such folder.")
    if data is not None:
        recordings = load_pages(data, labels)
        with training_world(device) as world, told(world.is_first) as listener:
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
            reproduce(jobs, recordings, runs=runs, results=kept, place=context, command=typed)
    print(write_tables(kept, out or (runs / "QUICK.md" if quick else Path("docs/RESULTS.md")), quick=quick))


def _typed(words: list[str]) -> str:
    """The command without the places of this machine.

    >>> _typed(["reproduce", "cnn", "--runs", "/tmp/cnn", "--seeds", "1", "--out=/tmp/cnn.md"])
    'ecglens reproduce cnn --seeds 1'
    """
    kept = [
        word
        for before, word in pairwise(["", *words])
        if before not in _PLACES and word.partition("=")[0] not in _PLACES
    ]
    return "ecglens " + shlex.join(kept)


def _weights(texts: list[str]) -> dict[str, str]:
    from ecglens.reproduce import ROWS

    pairs = [text.partition("=") for text in texts]
    if any(not file for _, _, file in pairs):
        raise typer.BadParameter("expected ROW=FILE, such as efficientnet-lite0=weights.pth", param_hint="--weights")
    unknown = [row for row, _, _ in pairs if row not in ROWS]
    if unknown:
        raise typer.BadParameter(
            f"expected a row out of {', '.join(ROWS)}, found '{unknown[0]}'", param_hint="--weights"
        )
    return {row: file for row, _, file in pairs}
