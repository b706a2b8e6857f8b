"""Make ``docs/reference.md`` from the commands, routes, settings and errors; a test checks that it is current."""

import ast
import inspect
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from ecglens import errors, layouts, settings
from ecglens.cli.app import COMMANDS, load_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ecglens.web.project.settings")
os.environ.setdefault("ECGLENS_DATA_DIR", tempfile.mkdtemp(prefix="ecglens-docs-"))
django.setup()

from ecglens.web.project.urls import urlpatterns  # noqa: E402

TARGET = Path(__file__).resolve().parent / "reference.md"

_EXIT_CODES = """\
| code | meaning |
|---|---|
| 0 | Everything was done; a page without a label counts as read. |
| 1 | The result itself says no: `ecglens audit` found copies across the split, or `ecglens assess` a poor picture. |
| 2 | A page or file could not be used, or an option is wrong; the other pages were done. |
| 130 | The command was stopped by Ctrl+C; what was finished before is written. |
| 141 | Whatever read the output has ended, as `head` does; the command ends too, without an error. |"""


def reference() -> str:
    """Return the whole page."""
    parts = [
        "# Reference",
        "Made by `python docs/make_reference.py`; edit the code, not this page.",
        "## Commands",
        "`ecglens` is the command of the environment `.venv`: run `source .venv/bin/activate` once in each shell, or "
        "write `.venv/bin/ecglens`.",
        "Commands that read take any number of files and folders, and `-` for a file on standard input. Of a file with "
        "several pages, all that show traces are read; those that do not are named on stderr. Results go to stdout, "
        "errors and notes to stderr.",
        "`ecglens --install-completion` completes commands, options and their values in bash, zsh, fish and "
        "PowerShell.",
        "### Exit codes",
        _EXIT_CODES,
        *_commands(),
        "## Routes of the web application",
        "Logging in and account management are under `/accounts/`, Django's admin site under `/admin/`.",
        "\n".join(f"- `/{route}`" for route in sorted(set(_routes(urlpatterns)))),
        "## Settings",
        "Settings are read from the environment, from a file `.env` in the working folder, and from "
        "`~/.config/ecglens/settings.env`; the first of these that sets a value counts.",
        *_settings(),
        "## Layouts",
        _layouts(),
        "## Errors",
        *_errors(),
    ]
    return "\n\n".join(parts) + "\n"


def _routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern)
        if path.startswith(("accounts/", "admin/")):
            continue
        if hasattr(each, "url_patterns"):
            yield from _routes(each.url_patterns, path)
        else:
            yield path


def _commands() -> list[str]:
    return [part for name in COMMANDS for part in _command(name, load_command(name))]


def _command(name: str, command: Any) -> list[str]:
    """Return the section of a command and those of its subcommands."""
    rows = ["| | meaning | default |", "|---|---|---|"]
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        spelled = ", ".join(parameter.opts) if is_option else parameter.name.upper()
        default = "required" if parameter.required else _default(parameter.default)
        rows.append(f"| `{spelled}` | {getattr(parameter, 'help', None) or ''} | {default} |")
    parts = [f"### `ecglens {name}`", " ".join((command.help or "").split())]
    parts += ["\n".join(rows)] if command.params else []
    under = getattr(command, "commands", {}).items()
    return [*parts, *(part for inner, each in under for part in _command(f"{name} {inner}", each))]


def _default(value: object) -> str:
    return "" if value in (None, False, "") else f"`{value}`"


def _settings() -> list[str]:
    rows = ["| variable | meaning | default |", "|---|---|---|"]
    body = ast.parse(inspect.getsource(settings.Settings)).body[0].body  # type: ignore[attr-defined]
    for field, text in zip(body, body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            name = field.target.id  # type: ignore[union-attr]
            default = str(getattr(settings.Settings(), name)).replace(str(Path.home()), "~")
            rows.append(f"| `ECGLENS_{name.upper()}` | {text.value.value} | `{default}` |")  # type: ignore[attr-defined]
    return ["\n".join(rows)]


def _layouts() -> str:
    rows = ["| name | rows | rhythm strips |", "|---|---|---|"]
    for name, layout in layouts.LAYOUTS.items():
        lines = " / ".join(" ".join(row) for row in layout.rows)
        rows.append(f"| `{name}` | {lines} | {' '.join(layout.rhythm) or '-'} |")
    return "\n".join(rows)


def _errors() -> list[str]:
    classes = [getattr(errors, name) for name in errors.__all__]
    return ["\n".join(f"- `{each.__name__}`: {inspect.getdoc(each)}" for each in classes)]


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
