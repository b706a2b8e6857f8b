"""Uploads of pages, their readings, and batches."""
