"""Notes on a reading: recognized, merged, ranked and said once."""

import re
from pathlib import Path

import numpy as np
import pytest
from django.utils import translation

from ecglens.formats.csv import read_csv
from ecglens.measuring.measure import measure
from ecglens.record_checks import check_leads
from ecglens.records import EcgRecord
from ecglens.tracing.quality import OVERLAP
from ecglens.web.readings.notes import _KINDS, rank_notes

WARNINGS = (
    "The page was on its side; it was turned upright.",
    "Lead V1 could not be followed over 12% of its length.",
    "The page prints 50 mm/s, but 25 mm/s was used, and all durations and rates depend on it; give the right speed.",
    "Lead V5 could not be followed over 30% of its length.",
    "Leads I, II, III do not add up: the residual is 0.12 mV.",
    "The page was on its side; it was turned upright.",
)


def test_notes_are_merged_and_ranked():
    notes = rank_notes(WARNINGS)

    assert [(note.level, note.text) for note in notes] == [
        (
            "critical",
            "The page prints 50 mm/s, but 25 mm/s was used, and all durations and rates depend on it; give the right "
            "speed.",
        ),
        ("caution", "Not followed over a part of their length: V1 (12 %), V5 (30 %)."),
        ("caution", "Leads that do not add up: I, II, III (0.12 mV)."),
        ("information", "The page was turned upright."),
    ]
    assert {note.lang for note in notes} == {""}


def test_two_ways_of_saying_one_thing_are_one_note():
    notes = rank_notes(
        [
            "The page was photographed at an angle; it was rectified by its grid.",
            "The page was photographed at an angle; it was rectified by the edges of the paper.",
        ]
    )

    assert len(notes) == 1


def test_an_unknown_sentence_is_shown_as_it_is_and_marked_as_english():
    with translation.override("de"):
        [note] = rank_notes(["Something new <b>happened</b>."])

    assert (note.level, note.text, note.lang) == ("caution", "Something new <b>happened</b>.", "en")


def test_a_percent_sign_in_a_file_name_is_no_placeholder():
    assert rank_notes(["100%(s) odd."])[0].text == "100%(s) odd."


def test_numbers_have_a_comma_in_german():
    with translation.override("de"):
        note = rank_notes(["Leads I, II, III do not add up: the residual is 0.12 mV."])[0]

    assert "0,12 mV" in note.text


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.text[:30])
def test_every_text_has_places_for_its_parts_alone(kind):
    places = set(re.findall(r"%\((\w+)\)", kind.text))

    assert places <= {*kind.pattern.groupindex, "items"}
    assert ("items" in places) == bool(kind.item)
    assert set(re.findall(r"%\((\w+)\)", kind.item)) <= set(kind.pattern.groupindex)


def test_sentences_of_the_library_are_recognized():
    import numpy as np

    record = EcgRecord(np.zeros((1, 5000), np.float32), 500.0, ("I",), quality=(0.2,))
    sentences = [*measure(record).warnings, f"{OVERLAP}: V1, V2.", "Lead V5 was traced by hand over 16% of its length."]

    assert [note.lang for note in rank_notes(sentences[1:])] == ["", ""]


@pytest.mark.parametrize(
    ("sentence", "german"),
    [
        (
            "Nothing on the page confirms 25 mm/s, and all durations and rates depend on the paper speed; check the "
            "paper speed.",
            "Nichts auf der Seite bestätigt 25 mm/s, wovon alle Zeiten und Frequenzen abhängen; bitte prüfen.",
        ),
        (
            "No beats of one shape stand out from the signals; left out because of low quality: aVL, III.",
            "In den Signalen heben sich keine Herzschläge einer Form ab, daher wurde nichts gemessen.",
        ),
        (
            "The page shows the first 10 s of 37.5 s of the recording.",
            "Die Seite zeigt die ersten 10 s von 37,5 s der Aufzeichnung.",
        ),
        ("The page shows one of 2 leads: II, V5.", "Die Seite zeigt eine der 2 Ableitungen der Datei: II, V5."),
        (
            "The lead channel 1 is none of the twelve; it is shown as lead I.",
            "Die Ableitung channel 1 ist keine der zwölf; sie ist als Ableitung I gezeigt.",
        ),
    ],
)
def test_sentences_of_the_library_have_german_notes(sentence, german):
    with translation.override("de"):
        [note] = rank_notes([sentence])
    assert (note.text, note.lang) == (german, "")


def test_faults_of_digital_leads_are_recognized():
    clean = read_csv(Path(__file__).parents[1] / "data" / "ptbxl_00001.csv")
    signals = clean.signals_mv.copy()
    signals[3] = 0.0
    signals[6] = np.nan
    signals[7] = np.random.default_rng(0).normal(0, 0.5, signals.shape[1])
    signals[9] = signals[10]
    signals[11] = np.clip(signals[11], -0.2, 0.2)
    warnings = check_leads(EcgRecord(signals, clean.fs_hz, clean.leads)).warnings
    warnings += check_leads(EcgRecord(signals[7:8], clean.fs_hz, ("V2",))).warnings

    notes = rank_notes(warnings)

    assert len(warnings) >= 6
    assert {note.lang for note in notes} == {""}
    assert {"No lead passed its checks.", "Leads without samples: V1.", "Flat lines: aVR."} <= {
        note.text for note in notes
    }
