"""From a page to its leads."""

from ecglens.leads.crop import crop_leads, crop_trace_area, turn_upright
from ecglens.leads.layout import find_layout

__all__ = ["crop_leads", "crop_trace_area", "find_layout", "turn_upright"]
