"""What a page prints around its traces: facts read by OCR, and redaction of names, numbers and dates."""
