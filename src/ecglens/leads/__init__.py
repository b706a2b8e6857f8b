"""From a page to its leads."""
