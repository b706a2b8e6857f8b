"""``ecglens train-signals``: train the model of signals, ``any_recorder``."""

import shlex
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from ecglens import __version__

__all__ = ["command"]


def command(
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders of PTB-XL: the official one first, then any with its records as arrays."),
    ],
    run: Annotated[Path, typer.Option(help="Folder of the run; finished folds in it are not trained again.")],
    out: Annotated[Path | None, typer.Option(help="Model folder to write when all folds are finished.")] = None,
    pages: Annotated[
        Path | None, typer.Option(help="Folder of the records' digitized pages, to train on and to answer.")
    ] = None,
    fold: Annotated[
        list[int] | None,
        typer.Option(min=1, max=5, help="Train this fold alone, from 1; repeat for several, so that processes share."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Times that each record is seen.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of folds, weights and cuts.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Number of cores that the training may use.")] = 1,
) -> None:
    """Train the model of signals of any recorder on PTB-XL, in five folds."""
    from ecglens.extras import require

    require("torch", extra="train").set_num_threads(threads)
    from ecglens.datasets.ptbxl import read_ptbxl, read_ptbxl_arrays
    from ecglens.models.train.signal_model import FitSettings
    from ecglens.models.train.signal_run import (
        FOLDS,
        answer_out_of_fold,
        export_signal_model,
        load_pages,
        train_folds,
    )
    from ecglens.models.train.signal_set import make_signal_set

    official, *arrays = data
    records = chain(read_ptbxl(official), *(read_ptbxl_arrays(folder, official) for folder in arrays))
    signals = make_signal_set(records)
    typer.echo(f"{len(signals)} records, {int(signals.is_in_mv.sum())} of them in mV.")
    page_arrays = None if pages is None else load_pages(pages, signals.ecg_ids)[0]
    only = range(FOLDS) if not fold else [number - 1 for number in fold]
    settings = FitSettings(epochs=epochs)
    train_folds(signals, run, pages=page_arrays, settings=settings, seed=seed, only=only, report=typer.echo)
    if out is not None:
        answers = answer_out_of_fold(signals, run, pages=page_arrays, seed=seed)
        command_line = "ecglens " + shlex.join(sys.argv[1:])
        export_signal_model(signals, answers, run, out, command=command_line, version=__version__)
        typer.echo(f"{out} written.")
