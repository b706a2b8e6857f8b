"""HTML pages for people: Jinja2 templates in ``templates``, which escape every name that comes from data.

Each page is one file that needs no network and no script.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecglens.extras import require

__all__ = ["Bar", "Histogram", "Picture", "Tick", "compute_histogram", "render"]

_HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT = 440, 120


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its caption.

    Attributes:
        jpeg: The picture as JPEG, or ``None`` if there is none.
        name: First line of the caption, also the alternative text.
        lines: Further lines of the caption.
    """

    jpeg: bytes | None
    name: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, in units of the SVG.

    Attributes:
        x: Left edge.
        width: Width.
        height: Height.
        count: Number that the height shows.
    """

    x: float
    width: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A value below the axis of a histogram.

    Attributes:
        x: Position in units of the SVG.
        anchor: The ``text-anchor`` of the SVG: ``start``, ``middle`` or ``end``.
        text: The value with its unit.
    """

    x: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """The shapes of a histogram, in units of the SVG.

    Attributes:
        width: Width of the plot.
        height: Height of the plot, without its ticks.
        maximum: The largest count.
        bars: Bars from left to right, without those of no height.
        ticks: The lowest, middle and highest value.
    """

    width: int
    height: int
    maximum: int
    bars: Sequence[Bar]
    ticks: Sequence[Tick]


def compute_histogram(counts: Sequence[int], *, low: float, high: float, unit: str) -> Histogram:
    """Compute the bars and ticks of a histogram.

    Args:
        counts: Counts in equal steps from ``low`` to ``high``.
        low: Lower end of the first step.
        high: Upper end of the last step.
        unit: Unit of ``low`` and ``high``.
    """
    width, height, maximum = _HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT, max(counts, default=0)
    step = width / len(counts)
    bars = [
        Bar(number * step + 1, step - 2, height * count / maximum, count)
        for number, count in enumerate(counts)
        if count
    ]
    ticks = [
        Tick(share * width, anchor, f"{low + share * (high - low):g} {unit}")
        for share, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    ]
    return Histogram(width, height, maximum, bars, ticks)


def render(template: str, **values: Any) -> str:
    """Render a page of HTML.

    Args:
        template: Name of a file in ``templates``.
        values: What the template shows.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    jinja2 = require("jinja2", extra="batch")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ecglens.batch"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["format_number"] = _format_number
    environment.filters["encode_base64"] = lambda data: b64encode(data).decode("ascii")
    return f"{environment.get_template(template).render(values)}\n"


def _format_number(value: float) -> str:
    """Format a number with a comma after each thousand, and one that is not whole with three digits.

    >>> _format_number(12345), _format_number(0.12345)
    ('12,345', '0.123')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
