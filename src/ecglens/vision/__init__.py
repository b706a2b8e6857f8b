"""Two small networks that classify the pixels of a page (trace, print, grid, pulse) and its words (lead names)."""
