"""Training of the two networks (extra ``train``), on rendered pages and words."""
