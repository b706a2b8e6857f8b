"""From ink to samples: the traces of a located page as signals in mV, each with its quality."""

from ecglens.tracing.trace import trace_page

__all__ = ["trace_page"]
