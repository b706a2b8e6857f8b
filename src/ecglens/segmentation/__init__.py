"""Pixel classes of a page: which pixels are trace, print and grid. A small network finds them; see its card."""
