"""Alarm rules as data: each has two limits and two times, so that a figure at a limit does not ring again and again."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from ecglens.documents import parse_toml
from ecglens.errors import StreamError
from ecglens.streams.results import StreamEvent

__all__ = ["FIGURES", "AlarmRule", "AlarmState", "Alarms", "load_alarms", "parse_alarms"]

FIGURES = frozenset(
    {
        "rate_bpm",
        "since_beat_s",
        "since_rate_s",
        "gap_s",
        "quality",
        "battery_percent",
        "bradycardia",
        "tachycardia",
        "irregular_rhythm",
        "atrial_fibrillation",
        "narrow_extrasystoles",
        "broad_extrasystoles",
        "pause",
    }
)
"""Figures that a rule may watch."""

_JITTER_S = 0.2
"""Tolerance of the times: figures are measured at the end of the first packet behind each second."""
_PRIORITIES = ("high", "medium", "low")
_TEXTS = frozenset({"name", "title", "figure", "priority"})
_MAX_TITLE = 80
"""Longest text of a rule in characters; it is printed on one line."""


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """A rule.

    Attributes:
        name: Name of the alarm.
        title: Title for people.
        figure: One of :data:`FIGURES`.
        clear: Limit beyond which the alarm ends.
        above: Limit above which it begins, or ``None``.
        below: Limit below which it begins, or ``None``.
        after_s: How long the figure must be beyond the limit.
        clear_after_s: How long it must be back.
        priority: ``"high"``, ``"medium"`` or ``"low"``.
    """

    name: str
    title: str
    figure: str
    clear: float
    above: float | None = None
    below: float | None = None
    after_s: float = 0.0
    clear_after_s: float = 0.0
    priority: str = "medium"

    def begins_at(self, value: float) -> bool:
        """Return whether a value is beyond the limit."""
        return (self.above is not None and value > self.above) or (self.below is not None and value < self.below)

    def ends_at(self, value: float) -> bool:
        """Return whether a value is back."""
        return value <= self.clear if self.above is not None else value >= self.clear


@dataclass
class AlarmState:
    """State of a rule.

    Attributes:
        is_active: Whether the alarm rings.
        since_s: When the figure went to the other side, or ``None``.
        began_s: When the alarm began.
    """

    is_active: bool = False
    since_s: float | None = None
    began_s: float = 0.0


class Alarms:
    """The rules of a stream.

    Args:
        rules: The rules.
        states: States of the rules by name, to go on with.
    """

    def __init__(self, rules: tuple[AlarmRule, ...], states: dict[str, AlarmState] | None = None) -> None:
        self._rules = rules
        self.states = {rule.name: (states or {}).get(rule.name, AlarmState()) for rule in rules}

    @property
    def active(self) -> tuple[str, ...]:
        """Names of the alarms that ring."""
        return tuple(name for name, state in self.states.items() if state.is_active)

    def update(
        self,
        now_s: float,
        figures: Mapping[str, float],
        at_least: Collection[str] = (),
        stated: Mapping[str, float] = MappingProxyType({}),
    ) -> list[StreamEvent]:
        """Compare figures with the rules, and return the alarms that begin or end.

        Args:
            now_s: Time in s from the start of the stream; it never goes back.
            figures: Figures by name; a rule whose figure is missing stays as it is.
            at_least: Names of figures that may be larger than they are stated; such a figure ends no alarm.
            stated: Values for people by the name of their figure, where the rules compare others.
        """
        events = []
        for rule in self._rules:
            value, state = figures.get(rule.figure), self.states[rule.name]
            if value is None or (state.is_active and rule.figure in at_least):
                continue
            if (event := _update(rule, state, now_s, value)) is not None:
                events.append(replace(event, values={rule.figure: stated.get(rule.figure, value)}))
        return events


def _update(rule: AlarmRule, state: AlarmState, now_s: float, value: float) -> StreamEvent | None:
    turns = rule.ends_at(value) if state.is_active else rule.begins_at(value)
    if not turns:
        state.since_s = None
        return None
    state.since_s = now_s if state.since_s is None else state.since_s
    if now_s - state.since_s < (rule.clear_after_s if state.is_active else rule.after_s) - _JITTER_S:
        return None
    start, state.since_s, state.is_active = state.since_s, None, not state.is_active
    if state.is_active:
        state.began_s = start
    return StreamEvent(
        rule.name,
        rule.title,
        start if state.is_active else state.began_s,
        now_s,
        state="begins" if state.is_active else "ends",
        priority=rule.priority,
    )


def load_alarms(path: str | Path | None = None) -> tuple[AlarmRule, ...]:
    """Return the rules of a file.

    Args:
        path: TOML in the form of ``ecglens/streams/alarms.toml``; that file by default.

    Raises:
        StreamError: The file cannot be read, or a rule is wrong.
    """
    if path is None:
        return _load_default()
    try:
        return parse_alarms(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StreamError(f"Expected alarms as TOML at {path}, but the file cannot be read; check it.") from error


def parse_alarms(text: str) -> tuple[AlarmRule, ...]:
    r"""Parse rules.

    Args:
        text: TOML with tables ``alarm``.

    Raises:
        StreamError: A rule is incomplete, has an unknown figure or name, or ends on the side on which it begins.

    >>> text = '[[alarm]]\nname="fast"\ntitle="Fast"\nfigure="rate_bpm"\nabove=100\nclear=90'
    >>> [rule.name for rule in parse_alarms(text)]
    ['fast']
    """
    try:
        document = parse_toml(text)
    except ValueError as error:
        raise StreamError(f"Expected alarms as TOML, got something else: {error}; correct it.") from error
    entries = document.pop("alarm", [])
    is_list = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    if document or not is_list or not entries:
        other = ", ".join(f"'{key}'" for key in document) or ("none" if is_list else "another kind of table")
        raise StreamError(f"Expected alarms as TOML tables [[alarm]], got {other}; correct it.")
    rules = tuple(_build(entry, number) for number, entry in enumerate(entries, 1))
    names = [rule.name for rule in rules]
    if twice := [name for name in names if names.count(name) > 1]:
        raise StreamError(f"Expected a different name for each alarm, got {twice[0]} twice; rename it.")
    return rules


def _build(entry: Mapping[str, object], number: int) -> AlarmRule:
    """Return the rule of a table, the first of which has the number 1."""
    name = entry.get("name")
    alarm = f"the alarm {name}" if _is_title(name) else f"alarm number {number}"
    if unknown := entry.keys() - AlarmRule.__slots__:
        raise StreamError(
            f"Expected the keys {', '.join(AlarmRule.__slots__)} in {alarm}, got {sorted(unknown)[0]!r}; correct it."
        )
    for key in ("name", "title", "figure", "clear"):
        if key not in entry:
            raise StreamError(f"Expected '{key}' in {alarm}, got none; add it.")
    for key, value in entry.items():
        if key in _TEXTS and not _is_title(value):
            raise StreamError(
                f"Expected a text of 1 to {_MAX_TITLE} printable characters as '{key}' of {alarm}, got {value!r}; "
                "correct it."
            )
        if key not in _TEXTS and not _is_number(value):
            raise StreamError(f"Expected a finite number as '{key}' of {alarm}, got {value!r}; correct it.")
    rule = AlarmRule(**entry)  # type: ignore[arg-type]  # each key and its kind were checked
    _check(rule, alarm)
    return rule


def _is_title(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TITLE and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check(rule: AlarmRule, alarm: str) -> None:
    """Refuse a rule that could not work."""
    if rule.figure not in FIGURES:
        raise StreamError(
            f"Expected one of the figures {', '.join(sorted(FIGURES))} in {alarm}, got '{rule.figure}'; correct it."
        )
    if (rule.above is None) == (rule.below is None):
        raise StreamError(f"Expected either 'above' or 'below' in {alarm}, got both or none; correct it.")
    limit = rule.above if rule.above is not None else rule.below
    if rule.begins_at(rule.clear) or limit is None:
        raise StreamError(
            f"Expected a limit 'clear' that is not beyond {limit:g} in {alarm}, got {rule.clear:g}; correct it."
        )
    if rule.priority not in _PRIORITIES:
        raise StreamError(
            f"Expected a priority of {', '.join(_PRIORITIES)} in {alarm}, got '{rule.priority}'; correct it."
        )
    for key, seconds in (("after_s", rule.after_s), ("clear_after_s", rule.clear_after_s)):
        if seconds < 0:
            raise StreamError(f"Expected 0 s or more as '{key}' of {alarm}, got {seconds:g}; correct it.")


@lru_cache(maxsize=1)
def _load_default() -> tuple[AlarmRule, ...]:
    return parse_alarms(resources.files("ecglens.streams").joinpath("alarms.toml").read_text(encoding="utf-8"))
