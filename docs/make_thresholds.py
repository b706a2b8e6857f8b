"""Make ``docs/thresholds.md`` from the ``...Limits`` classes of the code; a test checks that it is current."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ecglens

TARGET = Path(__file__).resolve().parent / "thresholds.md"
STEPS = {
    "ecglens.pages": "Decoding and flattening a page",
    "ecglens.leads": "Locating the leads",
    "ecglens.tracing": "Tracing the signals",
    "ecglens.measuring": "Measuring",
    "ecglens.printed": "Reading and redacting the print",
    "ecglens.joining": "Joining pages",
}
"""Packages and modules with thresholds, in the order in which a page passes through them."""
LIVE = "ecglens.streams"
"""Package whose thresholds `benchmarks/streams.py` measures, and no page passes through."""


def page() -> str:
    """Return the whole page."""
    steps = {package: list(find_limits(package)) for package in STEPS}
    count = sum(len(dataclasses.fields(limits)) for step in steps.values() for limits in step)
    parts = [
        "# Thresholds",
        "Made by `python docs/make_thresholds.py`; edit the code, not this page.",
        f"The steps from a page to its measurements have {count} thresholds. Each is a field of a frozen dataclass in "
        "the module that uses it, so a threshold is changed in one place. Before you change one, read what breaks on "
        "either side; afterwards run `make accuracy`, which compares some 200 figures of a fixed set of pages and "
        "records with their floors. `make thresholds` moves every threshold by 30 % in both directions and lists the "
        "figures that change; a threshold whose evidence is that command alone rests on the accuracy set. The unit "
        "`1` marks a ratio.",
    ]
    for package, title in STEPS.items():
        parts.append(f"## {title}")
        for limits in steps[package]:
            parts += [f"### `{type(limits).__module__}`", _table(limits)]
    parts.append("## Live ECGs")
    parts.append("`python benchmarks/streams.py` measures what these change; `make thresholds` does not move them.")
    for limits in find_limits(LIVE):
        parts += [f"### `{type(limits).__module__}`", _table(limits)]
    return "\n\n".join(parts) + "\n"


def find_limits(package: str) -> Iterator[Any]:
    """Find the instances of ``...Limits`` classes in a module or in the modules of a package.

    Args:
        package: Such as ``"ecglens.tracing"``.
    """
    for module in sorted(info.name for info in pkgutil.walk_packages(ecglens.__path__, "ecglens.")):
        if f"{module}.".startswith(f"{package}."):
            for value in vars(importlib.import_module(module)).values():
                kind = type(value)
                if dataclasses.is_dataclass(value) and kind.__name__.endswith("Limits") and kind.__module__ == module:
                    yield value


def _table(limits: Any) -> str:
    lines = [
        "| threshold | value | unit | meaning | if lower | if higher | evidence |",
        "|---|---|---|---|---|---|---|",
    ]
    for threshold in dataclasses.fields(limits):
        facts = threshold.metadata
        texts = (facts["unit"], facts["meaning"], facts["low"], facts["high"], facts["evidence"])
        cells = (f"`{threshold.name}`", _value(getattr(limits, threshold.name)), *texts)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return ", ".join(map(_value, value)) if isinstance(value, tuple) else f"{value:,}"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
