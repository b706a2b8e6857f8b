"""Probabilities as people read them."""

__all__ = ["format_probability"]

_ALMOST_CERTAIN = 0.9995


def format_probability(probability: float | None) -> str:
    """Return a probability in percent; never 0.0 or 100.0 %, which no model may claim.

    >>> format_probability(0.99978), format_probability(0.826), format_probability(0.0002)
    ('> 99.9 %', '82.6 %', '< 0.1 %')
    """
    if probability is None:
        return ""
    if probability > _ALMOST_CERTAIN:
        return "> 99.9 %"
    return "< 0.1 %" if probability < 1 - _ALMOST_CERTAIN else f"{100 * probability:.1f} %"
