"""Count the calls of the steps that a reading needs once."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ecglens.leads import locate
from ecglens.models.runtime import Runtime


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often a layout is searched for and a model predicts."""
    counter: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        step: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            counter[name] += 1
            return step(*arguments, **options)

        monkeypatch.setattr(owner, name, counting)

    count(locate, "find_layout")
    count(Runtime, "predict")
    return counter
