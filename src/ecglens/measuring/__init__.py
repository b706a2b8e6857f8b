"""From signals to figures: beats, waves, rhythm, QTc, ST levels, the axis, and features for classical models.

Importing this package loads no submodule: most of them load ``scipy.signal``, which takes a noticeable time.
"""
