"""Completion in the shell: the values of options that take one of a fixed set, looked up when a person presses Tab."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Annotated

import typer

from ecglens.layouts import LAYOUTS

__all__ = ["PageLayout", "complete_from", "complete_models"]


def complete_from(source: str | tuple[str, ...], *, is_list: bool = False) -> Callable[[str], list[str]]:
    """Return a function that completes a value.

    Args:
        source: The values, or ``module:NAME`` of a collection of them, which is imported when it is needed: the module
            of a command must not import what ``--help`` does not need.
        is_list: Whether the option takes several values, separated by commas.
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, _ = incomplete.rpartition(",") if is_list else ("", "", incomplete)
        used = before.split(",")
        return [f"{before}{comma}{value}" for value in _load(source) if value not in used]

    return complete


def complete_models(incomplete: str) -> list[str]:
    """Return the names of the models that are installed; folders are completed by the shell, where none of them fits.

    Args:
        incomplete: Beginning of the value.
    """
    from ecglens.models.registry import AUTO, list_models

    return [AUTO, *(card.name for card in list_models())]


def _load(source: str | tuple[str, ...]) -> Iterable[str]:
    if not isinstance(source, str):
        return source
    module, _, name = source.partition(":")
    values: Iterable[str] = getattr(import_module(module), name)
    return values


PageLayout = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help=f"The page's layout: {', '.join(LAYOUTS)}.",
        show_default=False,
        autocompletion=complete_from(tuple(LAYOUTS)),
    ),
]
