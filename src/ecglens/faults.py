"""Say in plain words why values do not fit the types that a file or a request must have.

msgspec and pydantic have their own phrases for that ("Expected `int`, got `str` - at `$.width`", "Field required"). A
user sees none of them: what does not fit is found by the types here, and described by the kind of pydantic's error.
"""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

__all__ = ["describe_fault", "describe_kind", "describe_struct_faults"]

_MOST_CHARACTERS = 60
"""Longest value that a message repeats whole."""

_KINDS: dict[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def describe_struct_faults(value: object, kind: type[Struct], error: Exception) -> str:
    """Return what is wrong with the fields of a struct, one clause each.

    Args:
        value: Plain values that ``msgspec.convert`` refused.
        kind: The struct that they should become.
        error: Error of ``msgspec.convert``; its cause is an error of the struct's own checks, if any.

    >>> class Size(Struct, forbid_unknown_fields=True):
    ...     width: Annotated[int, Meta(ge=1)]
    >>> describe_struct_faults({"width": 0, "wide": 3}, Size, ValueError())
    "there is no 'wide', did you mean 'width'?; width: expected a whole number of at least 1, got 0"
    """
    faults = list(_struct_faults(value, kind, ""))
    if not faults:
        faults = [str(error.__cause__ or error)]
    return "; ".join(faults)


def describe_kind(kind: Any) -> str:
    """Return which values a type takes.

    >>> describe_kind(Annotated[float, Meta(gt=0, le=1)]), describe_kind(tuple[str, ...])
    ('a number greater than 0 and at most 1', 'a list, each text')
    """
    kind, limits = _without_limits(kind)
    described = next((limit.description for limit in limits if limit.description), None)
    if described:
        return described
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    tags = [str(each.__struct_config__.tag) for each in arguments if _is_struct(each)]
    if origin in {Union, UnionType} and tags:
        return f"a table whose kind is one of {', '.join(tags)}"
    if origin in {Union, UnionType}:
        return ", or ".join(describe_kind(each) for each in arguments if each is not NoneType)
    if origin is tuple and arguments[-1] is Ellipsis:
        least = next((f" of at least {limit.min_length}" for limit in limits if limit.min_length), "")
        return f"a list{least}, each {describe_kind(arguments[0])}"
    if origin is tuple:
        return f"a list of {len(arguments)}, each {describe_kind(arguments[0])}"
    return _KINDS.get(kind, "a table") + "".join(map(_describe_limits, limits))


def describe_fault(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with one value, without its place.

    Args:
        fault: One of ``pydantic.ValidationError.errors()``.

    >>> describe_fault({"type": "less_than_equal", "msg": "...", "input": 2, "ctx": {"le": 1.0}})
    'expected a number of at most 1, got 2'
    """
    kind, context = str(fault["type"]), fault.get("ctx") or {}
    if kind == "missing":
        return "it is missing"
    if kind == "value_error":
        return str(context.get("error", fault["msg"]))
    expected = _describe_expectation(kind, context)
    if expected is None:
        return str(fault["msg"]).removesuffix(".")
    return f"expected {expected}, got {_show(fault['input'])}" if "input" in fault else f"expected {expected}"


def _struct_faults(value: object, kind: type[Struct], place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place + ': ' if place else ''}expected a table of fields, got {_show(value)}"
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    for name in value:
        if name not in fields and name != tag and kind.__struct_config__.forbid_unknown_fields:
            likely = get_close_matches(str(name), fields, n=1)
            hint = f"did you mean '{likely[0]}'?" if likely else f"expected one of {', '.join(fields)}"
            yield f"there is no '{_join(place, str(name))}', {hint}"
    hints = get_type_hints(kind, include_extras=True)
    missing = [_join(place, name) for name, field in fields.items() if field.required and name not in value]
    if missing:
        yield f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    for name in fields:
        if name in value:
            yield from _faults(value[name], hints[fields[name].name], _join(place, name))


def _faults(value: object, kind: Any, place: str) -> Iterator[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        struct = _struct_of(value, kind)
        if struct is not None:
            yield from list(_struct_faults(value, struct, place)) or [f"{place}: {error.__cause__ or error}"]
        elif get_origin(kind) is tuple and isinstance(value, list | tuple) and _is_struct(get_args(kind)[0]):
            for number, each in enumerate(value):
                yield from _faults(each, get_args(kind)[0], f"{place}[{number}]")
        else:
            yield f"{place}: expected {describe_kind(kind)}, got {_show(value)}"


def _struct_of(value: object, kind: Any) -> type[Struct] | None:
    """Return the struct that a value should become: the only one of a type, or the one with the value's tag."""
    structs = [each for each in (kind, *get_args(kind)) if _is_struct(each)]
    if len(structs) < 2 or not isinstance(value, Mapping):
        return structs[0] if structs and _is_struct(kind) else None
    named = [each for each in structs if each.__struct_config__.tag == value.get(each.__struct_config__.tag_field)]
    return named[0] if named else None


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _without_limits(kind: Any) -> tuple[Any, tuple[Meta, ...]]:
    if get_origin(kind) is not Annotated:
        return kind, ()
    inner, *limits = get_args(kind)
    return inner, tuple(limit for limit in limits if isinstance(limit, Meta))


def _describe_limits(limits: Meta) -> str:
    low = [f" greater than {limits.gt:g}"] if limits.gt is not None else []
    low += [f" of at least {limits.ge:g}"] if limits.ge is not None else []
    high = [f" less than {limits.lt:g}"] if limits.lt is not None else []
    high += [f" at most {limits.le:g}" if low else f" of at most {limits.le:g}"] if limits.le is not None else []
    return " and".join(low + high)


def _describe_expectation(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return what was expected instead of a value, by the kind of pydantic's error."""
    limits = {
        "greater_than": ("gt", "a number greater than {:g}"),
        "greater_than_equal": ("ge", "a number of at least {:g}"),
        "less_than": ("lt", "a number less than {:g}"),
        "less_than_equal": ("le", "a number of at most {:g}"),
        "literal_error": ("expected", "one of {}"),
        "enum": ("expected", "one of {}"),
        "too_short": ("min_length", "a list of at least {}"),
        "too_long": ("max_length", "a list of at most {}"),
        "string_too_short": ("min_length", "a text of at least {} characters"),
        "string_too_long": ("max_length", "a text of at most {} characters"),
        "string_pattern_mismatch": ("pattern", "a text that matches {}"),
    }
    if kind in limits:
        name, text = limits[kind]
        return text.format(context[name]) if name in context else None
    nouns = {
        ("int", "int_parsing", "int_type", "int_from_float"): "a whole number",
        ("float_parsing", "float_type"): "a number",
        ("finite_number",): "a finite number",
        ("bool_parsing", "bool_type"): "true or false",
        ("string_type", "string_unicode", "bytes_type"): "text",
        ("tuple_type", "list_type", "set_type"): "a list",
        ("dict_type", "model_type", "model_attributes_type", "mapping_type"): "a table of fields",
        ("uuid_parsing", "uuid_type"): "an ID",
        ("date_parsing", "date_type", "date_from_datetime_parsing"): "a date such as 2026-01-31",
        ("datetime_parsing", "datetime_type", "datetime_from_date_parsing"): "a time such as 2026-01-31T12:00:00Z",
        ("json_invalid", "json_type"): "JSON",
    }
    return next((noun for kinds, noun in nouns.items() if kind in kinds), None)


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _show(value: object) -> str:
    """Return a value as a message repeats it."""
    if value is None:
        return "nothing"
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=lambda _: "…")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
