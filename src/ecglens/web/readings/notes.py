"""Notes on a reading: what the reader warns of, in the reader's language, ranked, merged and shown once.

The library's warnings are sentences. Those listed here are recognized by their words; any other one is shown as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ecglens.web.readings.numbers import localize

__all__ = ["Level", "Note", "rank_notes"]

CRITICAL, CAUTION, INFORMATION = "critical", "caution", "information"
Level = str

_TITLES = {
    CRITICAL: gettext_noop("Critical"),
    CAUTION: gettext_noop("Caution"),
    INFORMATION: gettext_noop("Information"),
}
_ORDER = {level: place for place, level in enumerate(_TITLES)}


@dataclass(frozen=True, slots=True)
class Note:
    """A note.

    Attributes:
        level: ``"critical"`` where values are probably wrong, ``"caution"`` where some may be, ``"information"``
            otherwise.
        title: The level, in words.
        text: The note.
        lang: Language of the text; empty if it is the reader's.
    """

    level: Level
    title: str
    text: str
    lang: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of warning.

    Attributes:
        pattern: The library's sentence; its groups are parts of the text.
        level: Its level.
        text: The text, with the groups by name; ``%(items)s`` collects the leads of several such warnings.
        item: Form of an item in a merged note; empty where such warnings are not merged.
    """

    pattern: re.Pattern[str]
    level: Level
    text: str
    item: str = ""


def _kind(pattern: str, level: Level, text: str, item: str = "") -> _Kind:
    return _Kind(re.compile(pattern), level, text, item)


_KINDS = (
    _kind(
        r"Neither grid nor calibration pulse was found, so the scale is unknown: .*",
        CRITICAL,
        gettext_noop(
            "Neither grid nor calibration pulse was found: the scale is unknown, and there are no millivolts."
        ),
    ),
    _kind(
        r"The page prints (?P<printed>\S+) mm/s, but (?P<used>\S+) mm/s was used, .*",
        CRITICAL,
        gettext_noop(
            "The page prints %(printed)s mm/s, but %(used)s mm/s was used, and all durations and rates depend on it; "
            "give the right speed."
        ),
    ),
    _kind(
        r"The page prints (?P<printed>\S+) mm/mV, but (?P<used>\S+) mm/mV was used.*",
        CRITICAL,
        gettext_noop(
            "The page prints %(printed)s mm/mV, but %(used)s mm/mV was used, and all amplitudes depend on it; give the "
            "right gain."
        ),
    ),
    _kind(
        r"The page prints (?P<s>\S+) s a column, but its columns are .*",
        CRITICAL,
        gettext_noop("The page prints %(s)s s a column, and its columns are not as wide: speed or scale may be wrong."),
    ),
    _kind(
        r"The page prints a rate of (?P<printed>\d+)/min, but (?P<measured>\d+)/min was measured: .*",
        CRITICAL,
        gettext_noop(
            "The page prints a rate of %(printed)s/min, but %(measured)s/min was measured; look at the traces."
        ),
    ),
    _kind(
        r"The page prints (?P<name>\w+) (?P<printed>\d+) ms, but (?P<measured>\d+) ms were measured: .*",
        CAUTION,
        gettext_noop("The page prints %(name)s %(printed)s ms, but %(measured)s ms were measured; look at the traces."),
    ),
    _kind(
        r"The file is cut short: .*", CRITICAL, gettext_noop("The file is cut short: a part of the page is missing.")
    ),
    _kind(
        r"The page may be cut(, or not at 25 mm/s)?: .*",
        CRITICAL,
        gettext_noop("The page may be cut off, or recorded at another speed than 25 mm/s."),
    ),
    _kind(
        r"May be wrong, with a quality below 0\.5: (?P<leads>.*); look at the overlay\.",
        CRITICAL,
        gettext_noop("May be wrong, with a quality below 0.5: %(leads)s; look at the digitized traces over the page."),
    ),
    _kind(
        r"Lead (?P<lead>\S+) could not be followed over (?P<share>\d+)% of its length\.",
        CAUTION,
        gettext_noop("Not followed over a part of their length: %(items)s."),
        "%(lead)s (%(share)s %%)",
    ),
    _kind(r"Lead (?P<lead>\S+) is a flat line\.", CAUTION, gettext_noop("Flat lines: %(items)s."), "%(lead)s"),
    _kind(
        r"Lead (?P<lead>\S+) shares its ink with a neighbor over (?P<share>\d+)% of its length: it may be missing\.",
        CAUTION,
        gettext_noop("Shares its ink with a neighbor and may be missing: %(items)s."),
        "%(lead)s (%(share)s %%)",
    ),
    _kind(
        r"Leads (?P<leads>.*) do not add up: the residual is (?P<mv>\S+) mV\.",
        CAUTION,
        gettext_noop("Leads that do not add up: %(items)s."),
        "%(leads)s (%(mv)s mV)",
    ),
    _kind(
        r"Complexes overlap those of neighboring lines: (?P<leads>.*)\.",
        CAUTION,
        gettext_noop("Complexes overlap those of neighboring lines: %(leads)s."),
    ),
    _kind(
        r"Lead (?P<lead>\S+) was traced by hand over (?P<share>\d+)% of its length\.",
        INFORMATION,
        gettext_noop("Traced by hand: %(items)s."),
        "%(lead)s (%(share)s %%)",
    ),
    _kind(
        r"(?P<count>\d+) of (?P<all>\d+) lead names could not be read; the layout (?P<layout>\S+) supplies them\.",
        CAUTION,
        gettext_noop("%(count)s of %(all)s lead names could not be read; the layout %(layout)s supplies them."),
    ),
    _kind(
        r"The name of rhythm strip (?P<strip>\d+) could not be read; it is read as lead (?P<lead>\S+)\.",
        CAUTION,
        gettext_noop("The name of rhythm strip %(strip)s could not be read; it is read as lead %(lead)s."),
    ),
    _kind(
        r"The page does not name its lead; it is taken as lead (?P<lead>\S+)\.",
        CAUTION,
        gettext_noop("The page does not name its lead; it is taken as lead %(lead)s."),
    ),
    _kind(
        r"There are further traces beside those that were read, .*",
        CAUTION,
        gettext_noop("There are further traces beside those that were read; crop the picture to one page."),
    ),
    _kind(
        r"No calibration pulse was found: 10 mm/mV is assumed, .*",
        CAUTION,
        gettext_noop("No calibration pulse was found: 10 mm/mV is assumed, and all amplitudes depend on this."),
    ),
    _kind(
        r"A pulse of (?P<mm>\S+) mm fits no standard gain: 10 mm/mV is assumed, .*",
        CAUTION,
        gettext_noop(
            "A pulse of %(mm)s mm fits no standard gain: 10 mm/mV is assumed, and all amplitudes depend on this."
        ),
    ),
    _kind(
        r"No calibration pulse was found; the scale is that of the grid alone\.",
        INFORMATION,
        gettext_noop("No calibration pulse was found; the scale is that of the grid alone."),
    ),
    _kind(
        r"The calibration pulse is (?P<mm>\S+) mm high by the grid, not the standard 10 mm\.",
        CAUTION,
        gettext_noop("The calibration pulse is %(mm)s mm high by the grid, not the standard 10 mm."),
    ),
    _kind(
        r"The grid has (?P<down>\S+) px/mm down and (?P<across>\S+) across: the page may be stretched\.",
        CAUTION,
        gettext_noop("The grid has %(down)s px/mm down and %(across)s across: the page may be stretched."),
    ),
    _kind(
        r"The page was photographed at an angle; it was rectified by .*",
        INFORMATION,
        gettext_noop("The page was photographed at an angle, and was rectified."),
    ),
    _kind(
        r"The paper was bent or photographed at an angle, by up to (?P<mm>\S+) mm; it was dewarped by its grid\.",
        INFORMATION,
        gettext_noop("The paper was bent by up to %(mm)s mm, and was flattened by its grid."),
    ),
    _kind(
        r"The model was trained on pages of one kind of recorder, filtered at (?P<low>\S+) to (?P<high>\S+) Hz; .*",
        INFORMATION,
        gettext_noop(
            "The model was trained on pages of one kind of recorder, filtered at %(low)s to %(high)s Hz; how it does "
            "on others is not known."
        ),
    ),
    _kind(r"The page was .*; it was turned upright\.", INFORMATION, gettext_noop("The page was turned upright.")),
    _kind(
        r"(?P<count>\d+) of (?P<all>\d+) beats have another shape than the normal beats\.",
        INFORMATION,
        gettext_noop("%(count)s of %(all)s beats have another shape than the normal beats."),
    ),
    _kind(
        r"Pacing spikes were removed; .*",
        INFORMATION,
        gettext_noop("Pacing spikes were removed; onsets and ends of waves beside them are less certain."),
    ),
    _kind(
        r"No consistent P wave precedes the QRS complexes(; P and PR were not measured)?\.",
        INFORMATION,
        gettext_noop("No consistent P wave precedes the QRS complexes; P and PR were not measured."),
    ),
    _kind(
        r"(?P<name>\w+) could not be measured reliably\.",
        INFORMATION,
        gettext_noop("Not measured reliably: %(items)s."),
        "%(name)s",
    ),
    _kind(
        r"Bazett's QTc misleads at this rate; .*",
        INFORMATION,
        gettext_noop("Bazett's QTc misleads at this rate; Fridericia's is more reliable."),
    ),
    _kind(
        r"Left out because of low quality: (?P<leads>.*)\.",
        CAUTION,
        gettext_noop("Left out of the measurements because of low quality: %(leads)s."),
    ),
    _kind(
        r"A low pass of (?P<hz>\S+) Hz widens the QRS complex, .*",
        INFORMATION,
        gettext_noop("A low pass of %(hz)s Hz widens the QRS complex, which is corrected on average, and changes ST."),
    ),
    _kind(
        r"The rhythm strip is read as lead (?P<lead>\S+), but its printed name looks like (?P<name>\S+) and its .*",
        CAUTION,
        gettext_noop("The rhythm strip is read as lead %(lead)s; its printed name and its trace tell different leads."),
    ),
    _kind(
        r"Nothing on the page confirms (?P<speed>\S+) mm/s, and .*",
        CAUTION,
        gettext_noop("Nothing on the page confirms %(speed)s mm/s, on which all durations and rates depend; check it."),
    ),
    _kind(
        r"The model read no signal of (?P<leads>.*)\.",
        CAUTION,
        gettext_noop("The model of signals answered without %(leads)s."),
    ),
    _kind(
        r"Leads that begin later in the recording are shown from the beginning of their row\.",
        INFORMATION,
        gettext_noop("Leads that begin later in the recording are shown from the beginning of their row."),
    ),
    _kind(
        r"No lead has a signal that could be measured(; left out because of low quality: (?P<leads>.*))?\.",
        CAUTION,
        gettext_noop("No lead has a signal that could be measured."),
    ),
    _kind(
        r"No beats of one shape stand out from the signals(; .*)?\.",
        CAUTION,
        gettext_noop("No beats of one shape stand out from the signals, so that nothing was measured."),
    ),
    _kind(
        r"Where no other lead is shown, their beats were counted, but not measured\.",
        INFORMATION,
        gettext_noop("Where only leads of low quality are shown, beats were counted, but not measured."),
    ),
    _kind(
        r"The grid was removed from the photograph, .*",
        INFORMATION,
        gettext_noop("The grid was removed from the photograph, and the traces were put on clean paper."),
    ),
    _kind(
        r"The page shows the first (?P<part>\S+) s of (?P<all>\S+) s of the recording\.",
        INFORMATION,
        gettext_noop("The page shows the first %(part)s s of %(all)s s of the recording."),
    ),
    _kind(
        r"The page shows one of (?P<count>\d+) leads: (?P<leads>.*)\.",
        CAUTION,
        gettext_noop("The page shows one of the %(count)s leads of the file: %(leads)s."),
    ),
    _kind(
        r"The file has (?P<count>\d+) pages, of which this is page (?P<number>\d+); .*",
        CAUTION,
        gettext_noop("The file has %(count)s pages, and this is page %(number)s; send it again for another one."),
    ),
    _kind(
        r"The lead (?P<name>.*) is none of the twelve; it is shown as lead (?P<lead>\S+)\.",
        CAUTION,
        gettext_noop("The lead %(name)s is none of the twelve; it is shown as lead %(lead)s."),
    ),
    _kind(
        r"The first (?P<part>\S+) s of (?P<all>\S+) s of the recording are read\.",
        INFORMATION,
        gettext_noop("The first %(part)s s of %(all)s s of the recording are read."),
    ),
    _kind(
        r"Lead (?P<lead>\S+) has no samples\.", CAUTION, gettext_noop("Leads without samples: %(items)s."), "%(lead)s"
    ),
    _kind(
        r"Lead (?P<lead>\S+) shows noise instead of an ECG\.",
        CAUTION,
        gettext_noop("Noise instead of an ECG: %(items)s."),
        "%(lead)s",
    ),
    _kind(
        r"Lead (?P<lead>\S+) is clipped: its complexes end at .*",
        CAUTION,
        gettext_noop("Clipped leads: %(items)s."),
        "%(lead)s",
    ),
    _kind(
        r"Leads (?P<one>\S+) and (?P<other>\S+) have the same signal, so that one of them is missing\.",
        CAUTION,
        gettext_noop("Leads with the same signal, so that one of them is missing: %(items)s."),
        "%(one)s/%(other)s",
    ),
    _kind(r"No lead passed its checks\.", CRITICAL, gettext_noop("No lead passed its checks.")),
    _kind(
        r"The file may be damaged: the samples of (?P<signals>.*) differ from the checksum in its header\.",
        CRITICAL,
        gettext_noop("The file may be damaged: the samples of %(signals)s differ from the checksum in its header."),
    ),
    _kind(
        r"Left out, since the file states no voltage for them: (?P<leads>.*)\.",
        CAUTION,
        gettext_noop("Left out, since the file states no voltage for them: %(leads)s."),
    ),
    _kind(
        r"The step of (?P<step>\S+) µV (and the order of the channels are|is) not documented by the recorder's .*",
        CAUTION,
        gettext_noop(
            "The step of %(step)s µV is not documented by the recorder's manufacturer; compare with a printout."
        ),
    ),
)


def rank_notes(warnings: Iterable[str]) -> tuple[Note, ...]:
    """Return notes for the warnings of a reading, the critical ones first; warnings of one kind become one note.

    Args:
        warnings: Sentences of the library.
    """
    notes: list[Note] = []
    merged: dict[int, tuple[int, list[str]]] = {}
    for sentence in dict.fromkeys(warnings):
        number, matched = _recognize(sentence)
        if matched is None:
            notes.append(Note(CAUTION, _(_TITLES[CAUTION]), sentence, "en"))
            continue
        kind = _KINDS[number]
        if not kind.item:
            notes.append(_make(kind, matched.groupdict()))
        elif number in merged:
            merged[number][1].append(kind.item % matched.groupdict())
        else:
            merged[number] = (len(notes), [kind.item % matched.groupdict()])
            notes.append(_make(kind, {"items": ""}))
    for number, (place, items) in merged.items():
        notes[place] = _make(_KINDS[number], {"items": ", ".join(items)})
    unique = dict.fromkeys(notes)
    return tuple(sorted(unique, key=lambda note: _ORDER[note.level]))


def _recognize(sentence: str) -> tuple[int, re.Match[str] | None]:
    for number, kind in enumerate(_KINDS):
        if (matched := kind.pattern.fullmatch(sentence)) is not None:
            return number, matched
    return -1, None


def _make(kind: _Kind, parts: dict[str, str | None]) -> Note:
    return Note(
        kind.level, _(_TITLES[kind.level]), _(kind.text) % {name: localize(part or "") for name, part in parts.items()}
    )
