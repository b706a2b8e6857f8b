"""Train models (extra ``train``)."""
