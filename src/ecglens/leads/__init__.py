"""From a page to its leads."""

from ecglens.leads.crop import lead_crops, trace_area, upright
from ecglens.leads.layout import find_layout

__all__ = ["find_layout", "lead_crops", "trace_area", "upright"]
