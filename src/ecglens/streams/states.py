"""States of a stream as bytes and back, so that another process can resume where one has died.

Only the classes that are listed are restored, and nothing in the bytes is run.
"""

from dataclasses import fields, is_dataclass
from typing import Any

import msgspec
import numpy as np

from ecglens.errors import StreamError

__all__ = ["dump_state", "load_state"]

_MAX_BYTES = 64 << 20


def dump_state(state: Any) -> bytes:
    """Return a state, a dataclass of plain types, arrays and such dataclasses, as bytes."""
    return msgspec.msgpack.encode(_flatten(state))


def load_state(content: bytes, kinds: tuple[type, ...]) -> Any:
    """Return the state that :func:`dump_state` wrote.

    Args:
        content: The bytes.
        kinds: Dataclasses that it may consist of.

    Raises:
        StreamError: The bytes are no such state.
    """
    if len(content) > _MAX_BYTES:
        raise StreamError(f"Expected a state of at most {_MAX_BYTES >> 20} MB, got more; delete it to start again.")
    try:
        return _build(msgspec.msgpack.decode(content), {kind.__name__: kind for kind in kinds})
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise StreamError("Expected the state of a stream, got other bytes; delete it to start again.") from error


def _flatten(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"_": "array", "type": value.dtype.str, "shape": list(value.shape), "bytes": value.tobytes()}
    if is_dataclass(value):
        parts = {field.name: _flatten(getattr(value, field.name)) for field in fields(value)}
        return {"_": type(value).__name__, **parts}
    if isinstance(value, dict):
        return {"_": "table", "rows": [[_flatten(name), _flatten(item)] for name, item in value.items()]}
    if isinstance(value, tuple):
        return {"_": "tuple", "items": [_flatten(item) for item in value]}
    if isinstance(value, list):
        return [_flatten(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _build(plain: Any, kinds: dict[str, type]) -> Any:
    if isinstance(plain, list):
        return [_build(item, kinds) for item in plain]
    if not isinstance(plain, dict):
        return plain
    name = plain.pop("_")
    if name == "array":
        if np.dtype(plain["type"]).hasobject:
            raise ValueError("an array of objects")
        return np.frombuffer(plain["bytes"], dtype=plain["type"]).reshape(plain["shape"]).copy()
    if name == "table":
        return {_build(key, kinds): _build(item, kinds) for key, item in plain["rows"]}
    if name == "tuple":
        return tuple(_build(item, kinds) for item in plain["items"])
    return kinds[name](**{field: _build(item, kinds) for field, item in plain.items()})
