"""Copies of pages within a data set, and copies of pages that a model was trained on."""
