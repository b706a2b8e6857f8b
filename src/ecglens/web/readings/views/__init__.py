"""Views: typed input, one flow, a named response."""
