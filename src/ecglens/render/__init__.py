"""Render pages from signals, with exact truth, and damage them."""

from ecglens.render.damage import DAMAGES, GEOMETRIC, damage, damage_page
from ecglens.render.pages import render_page
from ecglens.render.paper import GRIDS
from ecglens.render.records import draw_record
from ecglens.render.style import STYLES, PageStyle, random_style
from ecglens.render.truth import LeadTruth, Mesh, PageTruth, RenderedPage, TextTruth

__all__ = [
    "DAMAGES",
    "GEOMETRIC",
    "GRIDS",
    "STYLES",
    "LeadTruth",
    "Mesh",
    "PageStyle",
    "PageTruth",
    "RenderedPage",
    "TextTruth",
    "damage",
    "damage_page",
    "draw_record",
    "random_style",
    "render_page",
]
