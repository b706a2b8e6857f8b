"""Bytes to pages, and the image steps on them."""

from ecglens.pages.read import read_page

__all__ = ["read_page"]
