"""Styles of recorders as data: grid, pen, font, lead names, pulses, and the styles of common makers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ecglens.arguments import check_type, describe_value, is_number_in
from ecglens.errors import RenderError
from ecglens.layouts import STANDARD_SPEED_MM_S
from ecglens.render.furniture import FOOTERS, HEADERS
from ecglens.render.ink import FONTS
from ecglens.render.paper import GRIDS, GridStyle

__all__ = ["STYLES", "Color", "PageStyle", "choose_style", "random_style"]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PageStyle:
    """Style in which a recorder prints a page.

    Attributes:
        speed_mm_s: Paper speed.
        gain_mm_mv: Gain.
        grid: One of ``ecglens.render.paper.GRIDS`` or a style of your own.
        dpi: Dots per inch, 100 to 600.
        pulse: Position of the calibration pulses, ``"left"`` or ``"right"`` of the traces, or ``None``.
        pulse_mm: Width of a pulse.
        separators: Separators between segments of a row: a ``"line"`` over all rows, a ``"dotted"`` line, a ``"tick"``
            at each segment, or ``None``.
        names: Position of the lead names at the start of a segment, ``"above"``, ``"on-trace"`` or ``"below"``, or
            ``None``.
        name_mm: Height of a capital letter of the lead names.
        rhythm: Leads of the rhythm strips, instead of those of the layout.
        header: One of ``ecglens.render.furniture.HEADERS`` or ``None``.
        footer: One of ``ecglens.render.furniture.FOOTERS`` or ``None``.
        rate_bpm: Heart rate to print, or ``None`` for an invented one.
        pen_mm: Width of the traces.
        ink: RGB of traces and pulses.
        print_ink: RGB of the print.
        font: One of ``ecglens.render.ink.FONTS`` or the path of a TrueType file.
        frame: RGB of a frame around the grid, or ``None``.
        margin_mm: Margin to the left and right of the grid, and above and below it if there is no header or footer.
        row_mm: Distance between the traces, or ``None`` for one that suits their number.
        seconds: Duration of a full row in s, or ``None`` for that of 250 mm.
        simultaneous: All segments of a row show the same time, instead of consecutive times.
    """

    speed_mm_s: float = STANDARD_SPEED_MM_S
    gain_mm_mv: float = 10.0
    grid: str | GridStyle = "pink-lines"
    dpi: float = 200.0
    pulse: str | None = "left"
    pulse_mm: float = 5.0
    separators: str | None = "tick"
    names: str | None = "above"
    name_mm: float = 2.4
    rhythm: tuple[str, ...] | None = None
    header: str | None = None
    footer: str | None = "scale"
    rate_bpm: int | None = None
    pen_mm: float = 0.3
    ink: Color = (20, 20, 24)
    print_ink: Color = (10, 10, 10)
    font: str = "sans"
    frame: Color | None = None
    margin_mm: float = 8.0
    row_mm: float | None = None
    seconds: float | None = None
    simultaneous: bool = False


STYLES: Mapping[str, PageStyle] = MappingProxyType(
    {
        "plain": PageStyle(),
        "dotted-report": PageStyle(
            grid="pink-dotted",
            pulse_mm=2.2,
            separators="line",
            names="on-trace",
            name_mm=2.3,
            header="report",
            footer="report",
            pen_mm=0.38,
            ink=(0, 0, 0),
            print_ink=(0, 0, 0),
            font="serif",
            frame=(246, 164, 172),
            margin_mm=8.8,
            row_mm=38.1,
        ),
        "red-cart": PageStyle(grid="red-lines", header="cart", font="mono", pen_mm=0.25, name_mm=2.6),
        "green-clinic": PageStyle(grid="green-lines", header="line", separators=None, pulse="right", pen_mm=0.28),
        "blue-export": PageStyle(grid="blue-lines", header="line", names="below", pen_mm=0.22, ink=(16, 24, 70)),
        "orange-strip": PageStyle(grid="orange-lines", separators="dotted", font="serif", pen_mm=0.35),
        "gray-copy": PageStyle(grid="gray-lines", header="cart", font="mono", pen_mm=0.3, ink=(40, 40, 40)),
        "bare": PageStyle(grid="none", separators=None, header=None, footer=None),
    }
)
"""Styles of common recorders; ``dotted-report`` imitates the pages of DOI 10.17632/gwbz3fsgp8.2."""

_SEPARATORS = ("line", "dotted", "tick")
_NAMES = ("above", "on-trace", "below")


def choose_style(style: str | PageStyle, changes: Mapping[str, Any]) -> PageStyle:
    """Look up a style by name, change some attributes, and check the result.

    Args:
        style: One of ``STYLES`` or a style of your own.
        changes: Attributes to change in the style.

    Raises:
        RenderError: The style or an attribute is unknown or out of range.
        ArgumentError: The style is neither a name nor a style.
    """
    check_type(style, (str, PageStyle), "the name of a style or an ecglens.render.PageStyle")
    if isinstance(style, str):
        if style not in STYLES:
            raise RenderError(f"Expected a style out of {', '.join(STYLES)}, got '{style}'.")
        style = STYLES[style]
    attributes = [field.name for field in fields(PageStyle)]
    unknown = [name for name in changes if name not in attributes]
    if unknown:
        raise RenderError(f"Expected attributes out of {', '.join(attributes)}, got '{unknown[0]}'.")
    chosen = replace(style, **changes)
    ranges = (("dpi", 100, 600), ("speed_mm_s", 5, 200), ("gain_mm_mv", 1, 80), ("pen_mm", 0.05, 2))
    for name, low, high in ranges:
        value = getattr(chosen, name)
        if not is_number_in(value, low, high):
            raise RenderError(f"Expected {name} between {low} and {high}, got {describe_value(value)}.")
    for name, allowed in (("pulse", ("left", "right")), ("separators", _SEPARATORS), ("names", _NAMES)):
        value = getattr(chosen, name)
        if value is not None and value not in allowed:
            raise RenderError(f"Expected {name} out of {', '.join(allowed)} or none, got '{value}'.")
    return chosen


def random_style(rng: np.random.Generator, *, dpi: float = 200.0) -> PageStyle:
    """Choose a random style, for training and tests: that of a common recorder with another grid, pen, font and print.

    Args:
        rng: Random generator.
        dpi: Dots per inch.
    """

    def choose(values: Any) -> Any:
        values = list(values)
        return values[int(rng.integers(len(values)))]

    base = STYLES[choose(STYLES)]
    return replace(
        base,
        dpi=dpi,
        grid=choose(GRIDS),
        pulse=choose(("left", "left", "right", None)),
        separators=choose((*_SEPARATORS, None)),
        names=choose(_NAMES),
        header=choose((*HEADERS, None)),
        footer=choose((*FOOTERS, None)),
        font=choose(FONTS),
        pen_mm=float(rng.uniform(0.2, 0.45)),
        margin_mm=float(rng.uniform(4, 14)),
        row_mm=None,
    )
