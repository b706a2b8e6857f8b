"""Records as HL7 annotated ECGs (aECG, ANSI/HL7 V3 ECG R1), one sequence of whole microvolts for each lead."""

from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from ecglens.extras import require
from ecglens.formats.coded import (
    NUMBERED_LEADS,
    WRITER,
    choose_lead_name,
    content_uuid,
    lead_number,
    microvolts,
    remarks,
)
from ecglens.formats.folders import make_folder
from ecglens.formats.gaps import refuse_gaps
from ecglens.records import EcgRecord, distinct_names

__all__ = ["read_aecg_texts", "write_aecg"]

_NAMESPACE = "urn:hl7-org:v3"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_MDC = {"codeSystem": "2.16.840.1.113883.6.24", "codeSystemName": "MDC"}
_CPT = {"code": "93000", "codeSystem": "2.16.840.1.113883.6.12", "codeSystemName": "CPT-4"}
_ACT_CODE = {"codeSystem": "2.16.840.1.113883.5.4", "codeSystemName": "ActCode"}
_LEAD_CODE = "MDC_ECG_LEAD_"
_ANY_LEAD = "_ECG_LEAD_"
"""Part of the codes of leads; some makers have a prefix of their own."""
_UNNAMED, _INVERTED = "CONFIG", "AVRNEG"
"""Ends of the codes of a lead without a code of its own, and of -aVR."""
_TIME_FORMAT = "%Y%m%d%H%M%S"


def write_aecg(record: EcgRecord, path: str | Path, *, recorded: datetime | None = None) -> None:
    """Write a record as an annotated ECG without a subject, a microvolt a step; comments become the series' text.

    Each lead has its name beside its code, which many have not.

    Args:
        record: Signals in mV, without gaps, which whole numbers cannot state.
        path: Where to write; its folder is made where it is missing.
        recorded: When the recording began; the times are relative to it where it is not given.

    Raises:
        DatasetError: A lead has gaps, or a sample is beyond 32.7 mV.
    """
    placed = record.with_distinct_leads().on_one_clock()
    refuse_gaps(placed, "aECG")
    samples = microvolts(placed.signals_mv)
    ElementTree.register_namespace("", _NAMESPACE)
    ElementTree.register_namespace("xsi", _XSI)
    root = ElementTree.Element(_tag("AnnotatedECG"), {"type": "Observation"})
    _add(root, "id", root=str(content_uuid(record, "aecg")))
    _add(root, "code", **_CPT)
    _add_time(root, recorded)
    series = _add(_add(root, "component"), "series")
    _add(series, "id", root=str(content_uuid(record, "aecg series")))
    _add(series, "code", code="RHYTHM", **_ACT_CODE)
    if texts := remarks(record):
        _add(series, "text").text = "\n".join(map(_printable, texts))
    _add_time(series, recorded)
    device = _add(_add(_add(series, "author"), "seriesAuthor"), "manufacturedSeriesDevice")
    _add(device, "softwareName").text = WRITER
    sequences = _add(_add(series, "component"), "sequenceSet")
    _add_clock(sequences, placed.fs_hz, recorded)
    for lead, row in zip(placed.leads, samples.tolist(), strict=True):
        sequence = _add(_add(sequences, "component"), "sequence")
        _add(sequence, "code", code=_lead_code(lead), displayName=_printable(lead), **_MDC)
        value = _add(sequence, "value", **{f"{{{_XSI}}}type": "SLIST_PQ"})
        _add(value, "origin", value="0", unit="uV")
        _add(value, "scale", value="1", unit="uV")
        _add(value, "digits").text = " ".join(map(str, row))
    path = Path(path)
    make_folder(path.parent)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _add_clock(sequences: ElementTree.Element, fs_hz: float, recorded: datetime | None) -> None:
    sequence = _add(_add(sequences, "component"), "sequence")
    is_dated = recorded is not None
    _add(sequence, "code", code="TIME_ABSOLUTE" if is_dated else "TIME_RELATIVE", **_ACT_CODE)
    value = _add(sequence, "value", **{f"{{{_XSI}}}type": "GLIST_TS" if is_dated else "GLIST_PQ"})
    if recorded is not None:
        _add(value, "head", value=recorded.strftime(_TIME_FORMAT))
    else:
        _add(value, "head", value="0", unit="s")
    _add(value, "increment", value=f"{1 / fs_hz:.12g}", unit="s")


def _add_time(parent: ElementTree.Element, recorded: datetime | None) -> None:
    if recorded is not None:
        _add(_add(parent, "effectiveTime"), "low", value=recorded.strftime(_TIME_FORMAT))


def read_aecg_texts(path: str | Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the leads of an annotated ECG in their order, and the lines of its text.

    Both are those of the first series that is no representative beat, which ecgdatakit reads too. A name is the one
    that is displayed, unless the code is another lead's.

    Args:
        path: File that ecgdatakit can read.

    Raises:
        MissingExtraError: ecgdatakit is not installed.
    """
    xml = require("ecgdatakit.parsing.helpers.xml", extra="signal")
    root: ElementTree.Element = xml.parse_xml_root(Path(path).read_bytes())
    beats = root.findall("component/series/code[@code='REPRESENTATIVE_BEAT']/..")
    series = next(series for series in root.findall("component/series") if series not in beats)
    names: list[str] = []
    for code in series.findall("component/sequenceSet")[0].findall("component/sequence/code"):
        text = code.get("code", "")
        _, mark, ending = text.upper().partition(_ANY_LEAD)
        if mark and ending and not text.upper().startswith("TIME_"):
            own = text[-len(ending) :] if ending != _UNNAMED else f"channel {len(names) + 1}"
            number = lead_number("-aVR" if ending == _INVERTED else ending)
            names.append(choose_lead_name(code.get("displayName", "").strip() or own, number))
    lines = (series.findtext("text") or "").splitlines()
    return distinct_names(names), tuple(line.strip() for line in lines if line.strip())


def _lead_code(lead: str) -> str:
    """Return the code of a lead; one without a code of its own is named beside it.

    >>> _lead_code("aVR"), _lead_code("II-rhythm"), _lead_code("-aVR"), _lead_code("vx"), _lead_code("channel 1")
    ('MDC_ECG_LEAD_AVR', 'MDC_ECG_LEAD_II', 'MDC_ECG_LEAD_AVRNEG', 'MDC_ECG_LEAD_X', 'MDC_ECG_LEAD_CONFIG')
    """
    name = NUMBERED_LEADS.get(lead_number(lead), _UNNAMED)
    return f"{_LEAD_CODE}{_INVERTED if name == '-aVR' else name.upper()}"


def _printable(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _add(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, _tag(name), attributes)
