"""Commands are tested as in a pipe, whatever the width of the terminal in which the tests run."""

import pytest


@pytest.fixture(autouse=True)
def _unknown_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
