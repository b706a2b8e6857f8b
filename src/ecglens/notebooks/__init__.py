"""Plots on ECG paper, data frames and HTML of results, as notebooks show them."""
