"""The commands by name. A command is imported when it is called, so that ``ecglens --help`` starts quickly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any

import typer
import typer.core
from typer.core import TyperCommand, TyperGroup

from ecglens import __version__
from ecglens.cli.old_names import accept_old_name

__all__ = ["COMMANDS", "CommandEntry", "app", "load_command"]


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Module of a command and its line in the overview.

    Attributes:
        module: Module of ``ecglens.cli``.
        section: Section of the overview.
        summary: First paragraph of the command's help.
        function: Name of the function, or of the ``typer.Typer`` of a group.
        settings: Further settings of the command.
    """

    module: str
    section: str
    summary: str
    function: str = "command"
    settings: Mapping[str, Any] = field(default_factory=dict)


_HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_DJANGO_SETTINGS = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "add_help_option": False,
}

_READ, _LIVE, _MODELS, _DATA = "Read pages", "Live ECGs", "Models", "Data sets"
_WEB = "Web application"

COMMANDS: Mapping[str, CommandEntry] = MappingProxyType(
    {
        "read": CommandEntry(
            "read",
            _READ,
            "Read ECG pages: label or abstention, probabilities, measurements, statements by criteria, warnings.",
        ),
        "explain": CommandEntry(
            "explain",
            _READ,
            "Explain predictions: which places, leads and segments they depend on, and how reliable that is.",
        ),
        "digitize": CommandEntry(
            "digitize", _READ, "Digitize ECG pages: signals in mV for each lead, with their quality."
        ),
        "assess": CommandEntry(
            "assess",
            _READ,
            "Assess pictures of pages in a moment: sharp, bright, whole and close enough; exit 1 where one is not.",
        ),
        "correct": CommandEntry(
            "correct",
            _READ,
            "Correct by hand how a page is read, check the corrections on it, and store them beside it.",
        ),
        "convert": CommandEntry(
            "convert",
            _READ,
            "Convert digital ECGs of recorders and wearables into other formats; a file's content tells its format.",
        ),
        "batch": CommandEntry(
            "batch",
            _READ,
            "Read many pages, each once: a table, signals on request, reasons for failures and an HTML summary.",
        ),
        "report": CommandEntry(
            "report",
            _READ,
            "Write the summary of a result again, also of a run that was stopped, or compare two results.",
        ),
        "features": CommandEntry(
            "features",
            _READ,
            "Digitize and measure many pages or records into a table of features, a row for each page or record.",
        ),
        "demo": CommandEntry(
            "demo",
            _READ,
            "Write the demo pages that ship with ecglens, with their truth, to try it without data of your own.",
        ),
        "render": CommandEntry(
            "render",
            _READ,
            "Render a page from signals, or from a folder a page for each record or beat, with recordings.csv.",
        ),
        "stream": CommandEntry(
            "stream",
            _LIVE,
            "Monitor a live ECG: beats, rate, rhythm, signal quality and alarms; record it, and show it on the web.",
        ),
        "replay": CommandEntry(
            "stream",
            _LIVE,
            "Replay a digital ECG as a live stream of JSON lines to stdout or to a TCP client, with faults on request.",
            function="replay_command",
        ),
        "stream-worker": CommandEntry(
            "stream",
            _LIVE,
            "Monitor streams that ecglens stream --broker feeds; several workers share them, one for each stream.",
            function="worker_command",
        ),
        "models": CommandEntry("models", _MODELS, "List the models that can be used by name.", function="app"),
        "train": CommandEntry(
            "train",
            _MODELS,
            "Train a recipe: cross-validate it on held-out pages, then train one model on all recordings.",
        ),
        "fine-tune": CommandEntry(
            "fine_tune",
            _MODELS,
            "Train a model further on pages of one's own, with their own labels, and evaluate it on held-out pages.",
        ),
        "calibrate": CommandEntry(
            "calibrate",
            _MODELS,
            "Calibrate a model on a site's own labeled pages: temperature, sets and threshold; its weights stay.",
        ),
        "train-signals": CommandEntry(
            "train_signals",
            _MODELS,
            "Train the model of signals of any recorder on PTB-XL, in five folds.",
        ),
        "federate": CommandEntry(
            "federate",
            _MODELS,
            "Train one model at many sites, whose pages stay where they are.",
            function="app",
        ),
        "vision": CommandEntry(
            "vision",
            _MODELS,
            "Train the two networks that look at a page: pixel classes and lead names.",
            function="app",
        ),
        "search": CommandEntry(
            "search",
            _MODELS,
            "Search for the hyperparameters of a recipe, and write the best to best.toml in the folder of the study.",
        ),
        "export": CommandEntry(
            "export",
            _MODELS,
            "Evaluate a run on held-out pages and write a model folder for ``ecglens read --model``.",
            settings={"context_settings": {"token_normalize_func": accept_old_name}},
        ),
        "evaluate": CommandEntry(
            "evaluate",
            _MODELS,
            "Evaluate predictions on labeled pages: metrics with intervals, next to those of control models.",
        ),
        "compare": CommandEntry(
            "compare",
            _MODELS,
            "Compare two models on the pages that both predicted, from the files predictions.csv of ecglens evaluate.",
        ),
        "reproduce": CommandEntry(
            "reproduce",
            _MODELS,
            "Train the models of the five published works under each protocol, and compare the scores.",
        ),
        "audit": CommandEntry(
            "audit",
            _DATA,
            "Find copies, groups, shortcuts and broken files; exit 1 if copies cross the data set's own split.",
        ),
        "explore": CommandEntry(
            "explore", _DATA, "Describe a data set: labels, splits, sizes, brightness and printed rates."
        ),
        "fetch": CommandEntry(
            "fetch",
            _DATA,
            "Download a public data set: resume where it stopped, and verify the publisher's checksums.",
        ),
        "serve": CommandEntry(
            "serve", _WEB, "Serve the web application, with workers that measure and explain in the background."
        ),
        "worker": CommandEntry(
            "serve",
            _WEB,
            "Run a worker that measures and explains pages of the web application, on this or another machine.",
            function="worker_command",
        ),
        "manage": CommandEntry(
            "serve",
            _WEB,
            "Run one of the web application's own commands, such as migrate, createsuperuser, backup or restore.",
            function="manage_command",
            settings=_DJANGO_SETTINGS,
        ),
    }
)
"""Every command, in the order of the overview. A test compares the summaries with the help of the commands."""


class _LazyGroup(TyperGroup):
    """A group that lists its commands by their summaries and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else TyperCommand(cmd_name, help=entry.summary, rich_markup_mode=None)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            entries = [(name, entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(entries)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, remaining = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), remaining


def load_command(name: str) -> Any:
    """Import a command.

    Args:
        name: One of :data:`COMMANDS`.
    """
    entry = COMMANDS[name]
    function = getattr(import_module(f"ecglens.cli.{entry.module}"), entry.function)
    if isinstance(function, typer.Typer):
        group = typer.main.get_command(function)
        group.name = name
        group.context_settings = {**_HELP_OPTIONS, **group.context_settings}
        return group
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    settings = dict(entry.settings)
    settings["context_settings"] = {**_HELP_OPTIONS, **settings.get("context_settings", {})}
    single.command(name, **settings)(function)
    return typer.main.get_command(single)


typer.core.HAS_RICH = False  # its plain help would escape brackets as if Rich printed it
app = typer.Typer(
    name="ecglens",
    cls=_LazyGroup,
    help="Read ECG pages: a photo, scan or PDF in; a label with calibrated probabilities and the leads out.",
    epilog="For research and teaching; not a medical device.",
    context_settings=_HELP_OPTIONS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # typer's rich help takes longer to import than all of this command line
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(f"ecglens {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before a command."""
