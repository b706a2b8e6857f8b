"""Signals to pages with exact truth."""
