"""Logic of conditions that may hold, lie at their limit, fail, or be unknown.

A truth is a range of degrees: 0 for no, 1 for borderline and 2 for yes. A condition whose figure is unknown may have
any degree. *And* takes the least degrees of its parts, *or* the greatest, and *not* turns the range around (Kleene's
logic with borderline in the middle), so that an unknown part matters only where it could change the result.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ecglens.statements import Outcome

__all__ = ["BORDERLINE", "NO", "UNKNOWN", "YES", "Truth"]


@dataclass(frozen=True, slots=True)
class Truth:
    """A range of degrees, of which the true one is not known where it has more than one.

    Attributes:
        low: Least possible degree.
        high: Greatest possible degree.
    """

    low: int
    high: int

    @property
    def is_known(self) -> bool:
        """Whether only one degree is possible."""
        return self.low == self.high

    @property
    def outcome(self) -> Outcome:
        """The outcome of a criterion with this truth; what is at least borderline is borderline."""
        if self.is_known:
            return (Outcome.NOT_MET, Outcome.BORDERLINE, Outcome.MET)[self.low]
        return Outcome.BORDERLINE if self.low == 1 else Outcome.CANNOT_BE_EVALUATED

    def __and__(self, other: "Truth") -> "Truth":
        return Truth(min(self.low, other.low), min(self.high, other.high))

    def __or__(self, other: "Truth") -> "Truth":
        return Truth(max(self.low, other.low), max(self.high, other.high))

    def __invert__(self) -> "Truth":
        return Truth(2 - self.high, 2 - self.low)

    @staticmethod
    def span(truths: Iterable["Truth"]) -> "Truth":
        """Return the range of what is possible where one of several truths holds, and nobody knows which.

        >>> Truth.span([YES, NO]) == UNKNOWN
        True
        """
        each = tuple(truths)
        return Truth(min(truth.low for truth in each), max(truth.high for truth in each))


NO, BORDERLINE, YES, UNKNOWN = Truth(0, 0), Truth(1, 1), Truth(2, 2), Truth(0, 2)
