"""``ecglens models``: list the models that can be used or trained, and import others."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ecglens.cli.answers import error_line
from ecglens.cli.choices import complete_from, complete_models
from ecglens.cli.lines import print_rows
from ecglens.cli.names import printable
from ecglens.cli.old_names import accept_old_name

__all__ = ["app"]

_MIN_WIDTH = 80
"""Characters that the table of models needs."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def command(
    context: typer.Context,
    zoo: Annotated[bool, typer.Option("--zoo", help="List the models that can be trained instead.")] = False,
) -> None:
    """List the models that can be used by name."""
    if context.invoked_subcommand is None:
        console, table = Console(highlight=False), _list_trainable() if zoo else _list_installed()
        if console.width < _MIN_WIDTH:  # columns of a few letters would cut the names
            print_rows(console, table)
        else:
            console.print(table)
        if not zoo:
            _report_unusable()


@app.command(
    "import",
    short_help="Turn a Keras classifier into a model folder.",
    context_settings={"token_normalize_func": accept_old_name},
)
def import_model(
    file: Annotated[Path, typer.Argument(help="Classifier saved by Keras: .keras, or HDF5 with the whole model.")],
    out: Annotated[Path, typer.Option(help="Model folder to write; its name is the model's.")],
    labels: Annotated[str, typer.Option(help="Labels in the order of the model's outputs, separated by commas.")],
    title: Annotated[str, typer.Option(help="Title of the model, one line.")],
    license: Annotated[str, typer.Option(help="License of the weights.")],
    trained_on: Annotated[str, typer.Option(help="One sentence on the data, with its source.")] = "not specified",
    version: Annotated[str, typer.Option(help="Version of the weights.")] = "1.0",
    width: Annotated[int | None, typer.Option(help="Width of the input in px; that of the model by default.")] = None,
    height: Annotated[int | None, typer.Option(help="Height of the input in px; that of the model by default.")] = None,
    channels: Annotated[int | None, typer.Option(help="Color channels, 1 or 3; those of the model by default.")] = None,
    area: Annotated[
        str,
        typer.Option(
            help="Part of the page that the model reads: traces, or page with header and footer.",
            autocompletion=complete_from(("traces", "page")),
        ),
    ] = "traces",
    crops: Annotated[bool, typer.Option("--crops", help="Predict for the crop of each lead.")] = False,
    aggregate: Annotated[
        str,
        typer.Option(
            help="Method to combine the leads: mean_log or majority.",
            autocompletion=complete_from(("mean_log", "majority")),
        ),
    ] = "mean_log",
    steps: Annotated[str, typer.Option(help="Preprocessing, such as gray,clahe,median; see docs/models.md.")] = "",
    mean: Annotated[
        str, typer.Option(help="Mean to subtract, where white is 1; one number, or one for each channel.")
    ] = "0",
    std: Annotated[
        str, typer.Option(help="Standard deviation to divide by; one number, or one for each channel.")
    ] = "1",
    bgr: Annotated[bool, typer.Option("--bgr", help="The model reads blue, green, red.")] = False,
    any_print: Annotated[bool, typer.Option("--any-print", help="Predict for pages of other recorders too.")] = False,
    note: Annotated[list[str] | None, typer.Option(help="Note to show with every prediction; repeatable.")] = None,
) -> None:
    """Turn a Keras classifier into a model folder for ``ecglens read --model``."""
    from ecglens.extras import require

    for module, extra in (("torch", "train"), ("onnx", "train"), ("h5py", "keras")):
        require(module, extra=extra)
    from ecglens.models.keras import import_keras

    recipe: dict[str, Any] = {
        "kind": "lead_crops" if crops else "page_image",
        "steps": _split(steps),
        "mean": _numbers("--mean", mean),
        "std": _numbers("--std", std),
        "known_print": not any_print,
        **({"aggregate": aggregate} if crops else {"area": area}),
        **{name: value for name, value in (("width", width), ("height", height), ("channels", channels)) if value},
    }
    import_keras(
        file,
        out,
        labels=_split(labels),
        title=title,
        license=license,
        recipe=recipe,
        flip_colors=bgr,
        version=version,
        trained_on=trained_on,
        notes=note or (),
    )
    print((out / "card.md").read_text(encoding="utf-8"))


@app.command("add-maps", short_help="Add what explanations need to a model's graph.")
def add_maps(
    folder: Annotated[Path, typer.Argument(help="Model folder that an older ecglens or an import wrote.")],
) -> None:
    """Add the last feature map to the outputs of a model's graph, so that ``ecglens explain`` can compute class maps.

    The weights do not change. ``ecglens export`` does this by itself.
    """
    from ecglens.extras import require

    require("onnx", extra="train")
    from ecglens.models.maps import add_feature_maps

    card = add_feature_maps(folder)
    print(f"{card.name}: {len(card.feature_maps)} feature map{'s' if len(card.feature_maps) > 1 else ''} added.")


@app.command("check-explanations", short_help="Check whether a model's explanations are reliable.")
def check_explanations(
    model: Annotated[str, typer.Argument(help="Name or folder of a model.", autocompletion=complete_models)],
    pages: Annotated[list[Path], typer.Argument(help="Photos, scans or PDFs that the model is for.")],
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Method of ecglens explain; by default class_map, if available, and occlusion_lead.",
            autocompletion=complete_from("ecglens.models.explain:METHODS"),
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for explanations.json and card.md; that of the model by default.")
    ] = None,
) -> None:
    """Check on many pages whether explanations of a model are reliable, and store the result in the model's folder.

    Every explanation shows the result from then on. A page takes about 1.5 s.
    """
    from ecglens.explanation_checks import check_explanations
    from ecglens.models.explain.stored import save_checks
    from ecglens.pages.read import read_page
    from ecglens.reading import load_runtime

    runtime = load_runtime(model)
    checks = check_explanations(map(read_page, pages), runtime, methods=method)
    folder = out or runtime.card.folder
    folder.mkdir(parents=True, exist_ok=True)
    save_checks(checks, folder)
    for line in checks.to_markdown():
        print(line)


@app.command("add-pages", short_help="Store fingerprints of a model's training pages.")
def add_pages(
    folder: Annotated[Path, typer.Argument(help="Model folder that an older ecglens or an import wrote.")],
    data: Annotated[Path, typer.Option(help="CSV or folder of the pages that the model was trained on.")],
) -> None:
    """Store fingerprints of a model's training pages in its folder, so that ``ecglens evaluate`` recognizes them.

    A page cannot be restored from its fingerprint. ``ecglens export`` does this by itself.
    """
    from ecglens.cli.sources import load_pages
    from ecglens.datasets.duplicates.fingerprints import TrainingPages
    from ecglens.models.cards import FINGERPRINTS_FILE, load_card

    card = load_card(folder)
    fingerprints = TrainingPages.of([row.path for row in load_pages(data, None)])
    fingerprints.save(folder / FINGERPRINTS_FILE)
    print(f"{card.name}: fingerprints of {len(fingerprints.digests)} training pages added.")


def _list_installed() -> Table:
    from ecglens.models.registry import list_models

    table = _table("Name", "Version", "Title", "Labels", "License")
    table.add_column("Parameters", justify="right", no_wrap=True)
    for number in (0, 1, 3):  # only a title and a license are texts that may be broken into lines
        table.columns[number].no_wrap = True
    for card in list_models():
        labels = "\n".join(card.labels)
        table.add_row(card.name, card.version, card.title, labels, card.license, f"{card.parameters:,}")
    return table


def _report_unusable() -> None:
    from ecglens.models.registry import explain_unusable

    err = Console(stderr=True, highlight=False)
    for reason in explain_unusable():
        error_line(err, printable(f"left out of the list: {reason}"))


def _list_trainable() -> Table:
    from ecglens.models.networks import NETWORKS

    table = _table("Name")
    table.add_column("Parameters", justify="right")
    for column in ("Input", "Source", "Description"):
        table.add_column(column, overflow="fold")
    for name, network in NETWORKS.items():
        shapes = ", ".join(f"{end} {' x '.join(map(str, shape))}" for end, shape in network.shapes.items())
        table.add_row(name, f"{network.parameters:,}", shapes, network.source, network.note)
    table.add_row("NAME+lstm", "", "page", "ecglens", "any backbone, with an LSTM over its last feature map")
    table.add_row("timm:NAME", "", "page", "timm", "any other model of timm")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(option: str, text: str) -> float | tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in _split(text))
    except ValueError as error:
        raise typer.BadParameter(
            f"expected one number or one for each channel, got '{text}'", param_hint=option
        ) from error
    return numbers[0] if len(numbers) == 1 else numbers
