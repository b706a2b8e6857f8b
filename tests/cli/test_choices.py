"""Values of options in the shell's completion and in the help: whatever takes one of a fixed set says which."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from click.shell_completion import ShellComplete
from typer.testing import CliRunner

from ecglens.cli.app import COMMANDS, app, load_command
from ecglens.layouts import LAYOUTS

NAMES = frozenset(
    {"layout", "model", "formats", "to", "protocol", "method", "style", "grid", "damage", "scheme", "sex"}
)
"""Names of parameters that take one of a fixed set, whatever their command."""
OTHERS = (("evaluate", "damage"), ("stream", "to"))
"""Parameters of such a name that take a number or an address."""


def complete(*words: str) -> list[str]:
    """Return what the shell offers for the last word."""
    *before, incomplete = words
    shell = ShellComplete(typer.main.get_command(app), {}, "ecglens", "_ECGLENS_COMPLETE")
    return [item.value for item in shell.get_completions(before, incomplete)]


def list_parameters(command: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the parameters of a command and its subcommands, with the words of their command."""
    yield from ((names, parameter) for parameter in command.params)
    for name, inner in getattr(command, "commands", {}).items():
        yield from list_parameters(inner, *names, name)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("digitize", "a.jpg", "--layout", ""), list(LAYOUTS)),
        (("correct", "a.jpg", "--layout", "6x2"), ["6x2", "6x2+1", "6x2-cabrera"]),
        (("digitize", "a.jpg", "--format", "w"), ["wfdb"]),
        (("digitize", "a.jpg", "--format", "wfdb,csv,f"), ["wfdb,csv,fhir"]),
        (
            ("convert", "a.xml", "--to", "edf,"),
            ["edf,wfdb", "edf,csv", "edf,json", "edf,dicom", "edf,fhir", "edf,aecg"],
        ),
        (("batch", "pages", "--what", "label,s"), ["label,signals"]),
        (("batch", "pages", "--signal-format", ""), ["parquet", "wfdb"]),
        (("read", "a.jpg", "--sex", ""), ["female", "male"]),
        (("read", "a.jpg", "--model", "a"), ["auto", "any_recorder"]),
        (("read", "a.jpg", "--model", "./nothing"), []),
        (("calibrate", "compact"), ["compact_cnn"]),
        (("explain", "a.jpg", "--method", "occlusion"), ["occlusion_lead", "occlusion_patch"]),
        (("render", "a.hea", "a.png", "--style", "red"), ["red-cart"]),
        (("render", "a.hea", "a.png", "--damage", "f"), ["fold", "fax", "fading"]),
        (("fetch", "m"), ["mendeley", "mitbih"]),
        (("train", "a.toml", "--protocol", "h"), ["honest"]),
        (("train", "a.toml", "--scheme", "s"), ["superclass", "stage"]),
        (("reproduce", "--protocol", "honest,"), ["honest,as-published", "honest,batch"]),
        (("federate", "simulate", "a.toml", "--strategy", "fedp"), ["fedprox"]),
    ],
)
def test_values_are_completed(words: tuple[str, ...], values: list[str]) -> None:
    assert complete(*words) == values


def test_every_parameter_with_a_fixed_set_is_completed() -> None:
    parameters = [
        (words, parameter) for name in COMMANDS for words, parameter in list_parameters(load_command(name), name)
    ]
    chosen = [(words, each) for words, each in parameters if each.name in NAMES and (words[0], each.name) not in OTHERS]
    assert len(chosen) > 20
    context = typer.Context(typer.main.get_command(app))
    assert [(words, each.name) for words, each in chosen if not each.shell_complete(context, "")] == []


@pytest.mark.parametrize("command", ["digitize", "correct", "render"])
def test_the_help_shows_every_layout(command: str) -> None:
    text = " ".join(CliRunner().invoke(app, [command, "--help"]).output.split())
    assert all(f" {name}" in text for name in LAYOUTS)
