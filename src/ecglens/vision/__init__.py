"""Two small networks that look at a page: which pixels are trace, print and grid, and which words are lead names."""
