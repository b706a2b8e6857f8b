"""States as bytes: nothing but the listed classes comes back."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from ecglens.errors import StreamError
from ecglens.streams.states import dump_state, load_state


@dataclass
class Part:
    value: tuple[int, float] = (1, 2.5)


@dataclass
class State:
    rows: np.ndarray
    parts: list[Part] = field(default_factory=list)
    table: dict[str, int] = field(default_factory=dict)


def test_a_state_comes_back_as_it_was() -> None:
    state = State(np.array([[1.5, np.nan]]), [Part(), Part((3, 4.0))], {"a": 1})
    back = load_state(dump_state(state), (State, Part))
    np.testing.assert_array_equal(back.rows, state.rows)
    assert (back.parts, back.table) == (state.parts, state.table)
    back.rows[0, 0] = 7  # arrays can be written to


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x81\xa1_\xa2os", dump_state(State(np.zeros(3)))[:-4]])
def test_other_bytes_are_refused(content: bytes) -> None:
    if content == b"\x00":
        assert load_state(content, ()) == 0
        return
    with pytest.raises(StreamError, match="delete it to start again"):
        load_state(content, (State, Part))


def test_a_class_that_is_not_listed_is_refused() -> None:
    with pytest.raises(StreamError, match="delete it to start again"):
        load_state(dump_state(State(np.zeros(3), [Part()])), (State,))
