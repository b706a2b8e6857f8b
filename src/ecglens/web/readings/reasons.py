"""Reasons why a page has no label, in the reader's language: the library's sentences, recognized by their words."""

import re

from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from ecglens.web.readings.numbers import localize

__all__ = ["translate_reason"]

_END = re.compile(r"(?<=[.?]) (?=[A-Z\d])")
"""Space between two sentences."""

_SENTENCES = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (
            r"This was not recognized as an ECG page that can be read\.",
            gettext_noop("This was not recognized as an ECG page that can be read."),
        ),
        (
            r"The page is blank: all of it has nearly one color\.",
            gettext_noop("The page is blank: all of it has nearly one color."),
        ),
        (r"Check that the printed side was scanned\.", gettext_noop("Check that the printed side was scanned.")),
        (
            r"No regular grid was found \(.*\)\.",
            gettext_noop("No regular grid of an ECG paper was found."),
        ),
        (
            r"No (regular )?grid, no calibration pulses and no lines of traces were found\.",
            gettext_noop("No grid, no calibration pulses and no lines of traces were found."),
        ),
        (
            r"The lead names beside the traces could not be read, so that the leads cannot be identified\.",
            gettext_noop("The lead names beside the traces could not be read, so that the leads cannot be identified."),
        ),
        (
            r"Four traces were seen, but the lead names of the layout (?P<layout>\S+) could not be read beside them\.",
            gettext_noop(
                "Four traces were seen, but the lead names of the layout %(layout)s could not be read beside them."
            ),
        ),
        (
            r"A single line of traces was seen, which is too short for a recording\.",
            gettext_noop("A single line of traces was seen, which is too short for a recording."),
        ),
        (
            r"One line of traces was seen, but no lead names could be read beside (it|them)\.",
            gettext_noop("One line of traces was seen, but no lead name could be read beside it."),
        ),
        (
            r"(?P<count>\w+) lines of traces were seen, but no lead names could be read beside them\.",
            gettext_noop("Lines of traces were seen, but no lead names could be read beside them."),
        ),
        (
            r"(?P<count>\w+) lines? of traces (was|were) seen, and the lead names? (?P<leads>.*), which do not "
            r"make up a "
            r"known layout\.",
            gettext_noop("Traces were seen, and the lead names %(leads)s, which do not make up a known layout."),
        ),
        (
            r"(?P<count>\w+) lines? of traces (was|were) seen, with the additional leads (?P<leads>.*) only, which are "
            r"not read\.",
            gettext_noop("Traces were seen, with the additional leads %(leads)s only, which are not read."),
        ),
        (
            r"(?P<count>\d+) lines of traces that beat together were seen, but no names beside them\.",
            gettext_noop("%(count)s lines of traces that beat together were seen, but no names beside them."),
        ),
        (
            r"The names of (?P<count>\d+) leads were read, but no traces were found beside them\.",
            gettext_noop("The names of %(count)s leads were read, but no traces were found beside them."),
        ),
        (
            r"The names of (?P<count>\d+) leads were read, but the traces beside them run over only (?P<share>\d+)% of "
            r"the page\.",
            gettext_noop(
                "The names of %(count)s leads were read, but the traces beside them run over only %(share)s %% of the "
                "page."
            ),
        ),
        (
            r"Only (?P<count>\d+) lead names could be read, and .*: half a page\?",
            gettext_noop("Only %(count)s lead names could be read: this may be half a page."),
        ),
        (
            r"Turn a page that lies on its side or upside down; where the layout or the paper's corners are "
            r"known, give "
            r"them\.",
            gettext_noop(
                "Turn a page that lies on its side or upside down; where the layout or the paper's corners are known, "
                "give them."
            ),
        ),
        (
            r"The picture is too coarse to read them: use one of at least twice the size\.",
            gettext_noop("The picture is too coarse to read them: use one of at least twice the size."),
        ),
        (
            r"Print was seen, but no traces: this may be a cover page\.",
            gettext_noop("Print was seen, but no traces: this may be a cover page."),
        ),
        (r"No traces were seen\.", gettext_noop("No traces were seen.")),
        (
            r"The page shows print but no trace; read a page with traces\.",
            gettext_noop("The page shows print but no trace; send a page with traces."),
        ),
        (
            r"Page (?P<page>\d+) of the file shows print but no trace; read (page|one of the pages) "
            r"(?P<others>.*), where "
            r"traces are seen\.",
            gettext_noop("Page %(page)s of the file shows print but no trace; traces are seen on page %(others)s."),
        ),
        (
            r"No trace is seen on page (?P<page>\d+) of the file; read (page|one of the pages) (?P<others>.*), where "
            r"traces are seen\.",
            gettext_noop("No trace is seen on page %(page)s of the file; traces are seen on page %(others)s."),
        ),
        (
            r"(?P<count>\d+) calibration pulses were seen, the layout \S+ has \d+: one page at a time\.",
            gettext_noop("%(count)s calibration pulses were seen: send one page at a time."),
        ),
        (
            r"A trace more than the \d+ of the layout (?P<layout>\S+) was seen (above|below) them\.",
            gettext_noop("A trace more than the layout %(layout)s has was seen."),
        ),
        (
            r"A grid was seen, but not the \d+ traces of the layout (?P<layout>\S+) at equal distances\.",
            gettext_noop("A grid was seen, but not the traces of the layout %(layout)s at equal distances."),
        ),
        (
            r"The traces are (?P<mm>\S+) mm long; the layout (?P<layout>\S+) at 25 mm/s has (?P<whole>\S+) mm "
            r"\(10 s\)\.",
            gettext_noop(
                "The traces are %(mm)s mm long; the layout %(layout)s at 25 mm/s has %(whole)s mm, which are 10 s."
            ),
        ),
        (
            r"Only (?P<count>\d+) of the (?P<all>\d+) traces run unbroken from one end to the other\.",
            gettext_noop("Only %(count)s of the %(all)s traces run unbroken from one end to the other."),
        ),
        (
            r"By its grid the paper would be (?P<long>\S+) m long; crop the picture to one page\.",
            gettext_noop("By its grid the paper would be %(long)s m long; crop the picture to one page."),
        ),
        (
            r"Lead (?P<lead>\S+) has no trace over part of its length\.",
            gettext_noop("Lead %(lead)s has no trace over part of its length."),
        ),
        (
            r"Lead (?P<lead>\S+) is a flat line over a quarter of the page\.",
            gettext_noop("Lead %(lead)s is a flat line over a quarter of the page."),
        ),
        (
            r"(Leads .* do not add up to .*|The rhythm strip resembles none of the leads): they may not be one "
            r"recording\.",
            gettext_noop("The leads do not fit each other: they may not be one recording."),
        ),
        (
            r"The leads were not located by the rules for scans\.",
            gettext_noop("The leads were not located by the rules for scans."),
        ),
        (
            r"The search for leads was stopped, as it took too long\.",
            gettext_noop("The search for leads was stopped, as it took too long."),
        ),
        (
            r"Move closer, until the page fills the picture\.",
            gettext_noop("Move closer, until the page fills the picture."),
        ),
        (
            r"Hold the phone still and tap on the page to focus\.",
            gettext_noop("Hold the phone still and tap on the page to focus."),
        ),
        (r"Use more light\.", gettext_noop("Use more light.")),
        (
            r"Avoid glare, and let the light fall from the side\.",
            gettext_noop("Avoid glare, and let the light fall from the side."),
        ),
        (r"Show all four corners of the page\.", gettext_noop("Show all four corners of the page.")),
        (
            r"The model reads signals, and the signals of this page could not be read\.",
            gettext_noop("The model reads signals, and the signals of this page could not be read."),
        ),
        (
            r"The model reads (?P<fewest>\d+) or more of (?P<all>\d+) leads, and this recording has "
            r"(?P<present>\d+) of "
            r"them\.",
            gettext_noop(
                "The model reads %(fewest)s or more of %(all)s leads, and this recording has %(present)s of them."
            ),
        ),
        (
            r"The model reads signals, and less than (?P<least>\d+)% of those that it needs were read\.",
            gettext_noop("The model reads signals, and less than %(least)s %% of those that it needs were read."),
        ),
        (
            r"The model reads ECGs in mV, whose leads span (?P<low>\S+) to (?P<high>\S+) mV, and these span "
            r"(?P<span>\S+) "
            r"mV; check their unit\.",
            gettext_noop(
                "The model reads ECGs in mV, whose leads span %(low)s to %(high)s mV, and these span %(span)s mV; "
                "check their unit."
            ),
        ),
        (
            r"No beats of one shape stand out from the signals, so the model has no answer\.",
            gettext_noop("No beats of one shape stand out from the signals, so the model has no answer."),
        ),
        (
            r"The model reads pages of the layout (?P<layout>.+), and this one is (?P<other>\S+)\.",
            gettext_noop("The model reads pages of the layout %(layout)s, and this one is %(other)s."),
        ),
        (
            r"The model reads the leads (?P<leads>.*), and this page has no (?P<lead>\S+)\.",
            gettext_noop("The model reads the leads %(leads)s, and this page has no %(lead)s."),
        ),
        (
            r"The model has only learned pages of one recorder, and this one is in another print\.",
            gettext_noop("The model has only learned pages of one recorder, and this one is in another print."),
        ),
        (
            r"No label is probable enough: the top label has (?P<top>.+?), and this model gives a label from "
            r"(?P<least>.+?) "
            r"on\.",
            gettext_noop(
                "No label is probable enough: the top label has %(top)s, and this model gives a label from %(least)s "
                "on."
            ),
        ),
        (
            r"The page model \S+ says (?P<title>.*), and the signal model \S+ says .*; look at the page\.",
            gettext_noop("The page model says %(title)s, and the signal model contradicts it; look at the page."),
        ),
        (
            r"The page prints (?P<speed>\S+) mm/s, and the model was trained on pages at 25 mm/s only\.",
            gettext_noop("The page prints %(speed)s mm/s, and the model was trained on pages at 25 mm/s only."),
        ),
    )
)


def translate_reason(reason: str) -> tuple[str, str]:
    """Return a reason in the reader's language.

    Args:
        reason: Sentences of the library.

    Returns:
        The reason, and the language that it is in where that is not the reader's, else nothing.
    """
    if (get_language() or "en").startswith("en"):
        return reason, ""
    sentences = [_translate(sentence) for sentence in _END.split(reason)]
    translated = [sentence for sentence in sentences if sentence is not None]
    return (reason, "en") if len(translated) < len(sentences) else (" ".join(translated), "")


def _translate(sentence: str) -> str | None:
    for pattern, text in _SENTENCES:
        if (match := pattern.fullmatch(sentence)) is not None:
            parts = match.groupdict(default="")
            return _(text) % {name: _(part) if name == "title" else localize(part) for name, part in parts.items()}
    return None
