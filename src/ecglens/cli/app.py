"""The commands by name."""

from typing import Annotated

import typer

from ecglens import __version__
from ecglens.cli import (
    audit,
    batch,
    compare,
    demo,
    digitize,
    evaluate,
    explain,
    explore,
    export,
    features,
    fetch,
    models,
    read,
    render,
    report,
    reproduce,
    search,
    serve,
    train,
)

__all__ = ["app"]

app = typer.Typer(
    name="ecglens",
    help="Read ECG pages: a photo, scan or PDF in; a label with honest probabilities and the leads out.",
    epilog="For research and teaching; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("read")(read.command)
app.command("explain")(explain.command)
app.command("digitize")(digitize.command)
app.command("batch")(batch.command)
app.command("report")(report.command)
app.command("features")(features.command)
app.add_typer(models.app, name="models")
app.command("serve")(serve.command)
app.command("worker")(serve.worker_command)
app.command(
    "manage",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)(serve.manage_command)
app.command("train")(train.command)
app.command("search")(search.command)
app.command("export")(export.command)
app.command("evaluate")(evaluate.command)
app.command("compare")(compare.command)
app.command("reproduce")(reproduce.command)
app.command("audit")(audit.command)
app.command("explore")(explore.command)
app.command("fetch")(fetch.command)
app.command("render")(render.command)
app.command("demo")(demo.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ecglens {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options before a command."""
