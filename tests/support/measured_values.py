"""Values of measurements that must exist."""

from ecglens.records import Measured


def value(figure: Measured | None) -> float:
    """Return the value of a measurement, which must not be missing."""
    assert figure is not None
    return figure.value
