"""Pages of the site for uploads, readings and batches."""
