"""The catalog of installed models."""
