"""Models: their folders, their inputs, running them, and (extra ``train``) making them."""
