"""Training (extra ``train``)."""
