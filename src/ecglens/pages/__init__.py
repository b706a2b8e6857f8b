"""Bytes to pages, and the image steps on them."""
