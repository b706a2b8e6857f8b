"""Folders and tables of recordings: load, explore, audit, split."""
