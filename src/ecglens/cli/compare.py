"""``ecglens compare``: whether two models differ on the same pages."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    first: Annotated[Path, typer.Argument(help="Answers of one model, CSV or Parquet.")],
    second: Annotated[Path, typer.Argument(help="Answers of the other.")],
    out: Annotated[
        Path | None, typer.Option(help="PNG of the differences with their intervals, or an HTML page.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    draws: Annotated[int, typer.Option(min=20, help="Of the bootstrap over groups.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
) -> None:
    """Compare two models on the pages that both answered, as ecglens evaluate writes them in predictions.csv."""
    import json

    import numpy as np

    from ecglens.evaluation.compare import compare
    from ecglens.evaluation.predictions import read_predictions

    names = _names(first, second)
    found = compare(
        read_predictions(first), read_predictions(second), names=names, rng=np.random.default_rng(seed), draws=draws
    )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() in (".html", ".htm"):
            out.write_text(found.to_html(), encoding="utf-8")
        else:
            out.write_bytes(found.plot())
    print(json.dumps(found.to_dict(), indent=1) if as_json else found.to_markdown())


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Of the reports' folders, or of the files, with as many folders before them as tell the two apart.

    >>> _names(Path("a/cnn/seed0.csv"), Path("a/vgg16/seed0.csv"))
    ('cnn/seed0', 'vgg16/seed0')
    """
    parts = [_parts(path.resolve()) for path in (first, second)]
    depth = next((d for d in range(1, max(map(len, parts)) + 1) if parts[0][-d:] != parts[1][-d:]), 1)
    return "/".join(parts[0][-depth:]), "/".join(parts[1][-depth:])


def _parts(path: Path) -> tuple[str, ...]:
    return path.parent.parts if path.stem == "predictions" else (*path.parent.parts, path.stem)
