"""``ecglens evaluate``: what a model's answers are worth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ecglens.cli.sources import Rules, Scheme

__all__ = ["command"]


def command(
    source: Annotated[Path, typer.Argument(help="Table of answers (CSV or Parquet), or a run of ecglens train.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the report: HTML, pictures, Markdown, JSON.")] = None,
    data: Annotated[Path | None, typer.Option(help="The table or folder that a run was made from.")] = None,
    labels: Rules = None,
    scheme: Scheme = None,
    seed: Annotated[int, typer.Option(help="Which seed of a run; also seeds the bootstrap.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the model in the report.")] = None,
    draws: Annotated[int, typer.Option(min=20, help="Of the bootstrap over groups.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
) -> None:
    """Evaluate answers on pages whose label is known: figures with intervals, beside what any model has to beat."""
    import json

    import numpy as np

    from ecglens.errors import DatasetError
    from ecglens.evaluation.evaluate import evaluate
    from ecglens.evaluation.predictions import read_predictions
    from ecglens.evaluation.report import to_markdown, write_report

    files = None
    if source.is_dir():
        if data is None:
            raise DatasetError(f"Expected --data with the table that the run '{source}' was made from.")
        from ecglens.cli.sources import load_training
        from ecglens.extras import require

        require("torch", extra="train")
        from ecglens.models.export import predictions_of_run

        recordings = load_training(data, labels, scheme, signals=True)
        files, predictions = len(recordings), predictions_of_run(recordings, source, seed=seed)
    else:
        predictions = read_predictions(source)
    found = evaluate(predictions, name=name or source.stem, files=files, rng=np.random.default_rng(seed), draws=draws)
    if out is not None:
        write_report(found, out)
    print(json.dumps(found.to_dict(), indent=1) if as_json else to_markdown(found))
    if out is not None:
        Console(stderr=True, highlight=False).print(f"The report is {out / 'index.html'}.", soft_wrap=True)
