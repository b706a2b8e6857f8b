"""Draw a digital ECG as the page that it would be on paper."""

from typing import Any

from ecglens.layouts import LAYOUTS
from ecglens.records import EcgRecord
from ecglens.render.pages import render_page
from ecglens.render.sheet import has_leads
from ecglens.render.truth import RenderedPage

__all__ = ["draw_record"]

_LAYOUTS = ("3x4+1", "6x1-limb", "6x1-precordial")
"""Layouts in the order in which they are tried; others show lead II or the first lead alone."""


def draw_record(record: EcgRecord, **changes: Any) -> RenderedPage:
    """Draw the beginning of a record as a page, in the first layout whose leads it has.

    Args:
        record: Signals in mV.
        **changes: Attributes of ``PageStyle`` to change in the plain style.

    Raises:
        RenderError: The record is empty.
    """
    layout = next((name for name in _LAYOUTS if has_leads(record, LAYOUTS[name].leads)), "1x1")
    return render_page(record, layout=layout, **changes)
