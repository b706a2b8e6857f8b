"""Architectures (extra ``train``)."""
