"""``ecglens compare``: compare two models on the same pages."""

from pathlib import Path
from typing import Annotated

import typer

from ecglens.cli.names import table_name
from ecglens.documents import dump_document

__all__ = ["command"]


def command(
    first: Annotated[Path, typer.Argument(help="Predictions of the first model, CSV or Parquet.")],
    second: Annotated[Path, typer.Argument(help="Predictions of the second model.")],
    out: Annotated[
        Path | None, typer.Option(help="PNG with the differences and their intervals, or HTML page.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the bootstrap.")] = 0,
    draws: Annotated[int, typer.Option(min=20, help="Number of bootstrap samples over groups.")] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
) -> None:
    """Compare two models on the pages that both predicted, from the files predictions.csv of ecglens evaluate."""
    import numpy as np

    from ecglens.cli.progress import bar
    from ecglens.evaluation.compare import compare
    from ecglens.evaluation.plots import draw_differences
    from ecglens.evaluation.predictions import read_predictions
    from ecglens.evaluation.report import comparison_to_html, comparison_to_markdown

    html = out is not None and out.suffix.lower() in {".html", ".htm"}
    if out is not None and not html and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"expected a name that ends with .png or .html, got '{out.name}'", param_hint="--out")
    predictions = read_predictions(first, named=True), read_predictions(second, named=True)
    with bar("Resampling groups") as progress:
        comparison = compare(
            *predictions, names=_names(first, second), rng=np.random.default_rng(seed), draws=draws, progress=progress
        )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        if html:
            out.write_text(comparison_to_html(comparison), encoding="utf-8")
        else:
            out.write_bytes(draw_differences(comparison))
    print(
        dump_document("ecglens-comparison", comparison.to_dict(), indent=1)
        if as_json
        else comparison_to_markdown(comparison)
    )


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return the names of two tables as :func:`table_name` does, with as many folders as needed to distinguish them.

    >>> _names(Path("a/cnn/answers.csv"), Path("a/vgg16/answers.csv"))
    ('cnn/answers', 'vgg16/answers')
    """
    depths = range(1, max(len(path.resolve().parts) for path in (first, second)) + 1)
    named = [(table_name(first, folders=depth), table_name(second, folders=depth)) for depth in depths]
    return next((pair for pair in named if pair[0] != pair[1]), named[0])
