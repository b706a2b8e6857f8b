"""Uploading a page and showing its reading."""
