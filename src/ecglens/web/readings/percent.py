"""Probabilities as people read them."""

__all__ = ["percent_text"]

_NEARLY_SURE = 0.9995


def percent_text(share: float | None) -> str:
    """A probability for people; never 0 or 100 %, which no model may claim.

    >>> percent_text(0.99978), percent_text(0.826), percent_text(0.0002)
    ('> 99.9 %', '82.6 %', '< 0.1 %')
    """
    if share is None:
        return ""
    if share > _NEARLY_SURE:
        return "> 99.9 %"
    return "< 0.1 %" if share < 1 - _NEARLY_SURE else f"{100 * share:.1f} %"
