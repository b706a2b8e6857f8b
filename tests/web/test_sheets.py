"""The PDF of a reading: the redrawn leads true to scale, tables, review, signature and origin."""

from datetime import UTC, date, datetime

import numpy as np
import pypdfium2
import pytest
from django.utils import translation

from ecglens.formats.json import write_json
from ecglens.measurements import Measured, Measurements
from ecglens.records import EcgRecord
from ecglens.web.cases import flows
from ecglens.web.readings.models import Reading
from ecglens.web.readings.pdf_report import Sheet, describe_stored, render_pdf
from ecglens.web.readings.pdf_trace import arrange_rows

FACTS = {
    "page": {"number": 1, "count": 1, "width_px": 10, "height_px": 5},
    "quality": {},
    "layout": None,
    "warnings": ["Lead V1 is a flat line."],
    "measurements": Measurements(
        rate_bpm=Measured(54.0, 0.6, "1/min", (60.0, 100.0)),
        st_j_mv={"I": Measured(-0.07, 0.02, "mV", (-0.05, 0.1)), "II": Measured(0.01, 0.02, "mV", (-0.05, 0.1))},
    ).to_dict(),
}


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def record(starts=(0.0, 0.0), quality=(0.9, 0.3), seconds=2.5, mv=0.0):
    signals = np.full((len(starts), round(500 * seconds)), mv, np.float32)
    return EcgRecord(signals, 500.0, ("I", "II")[: len(starts)], start_s=starts, quality=quality)


def pack(one, folder):
    write_json(one, folder / "signals.json")
    return (folder / "signals.json").read_bytes()


def read_pages(pdf):
    document = pypdfium2.PdfDocument(pdf)
    pages = [(page.get_size(), page.get_textpage().get_text_range()) for page in document]
    document.close()
    return pages


def dark_rows(pdf):
    document = pypdfium2.PdfDocument(pdf)
    pixels = document[0].render(scale=254 / 72).to_numpy()[400:1700, 350, :3]
    document.close()
    return np.flatnonzero(pixels.max(axis=1) < 90)


class TestRows:
    def test_leads_that_follow_each_other_share_a_row(self):
        rows = arrange_rows(record(starts=(1.0, 3.5)))

        assert [[(strip.row, strip.start_s) for strip in row] for row in rows] == [[(0, 0.0), (1, 2.5)]]

    def test_leads_at_the_same_time_have_rows_of_their_own(self):
        assert [len(row) for row in arrange_rows(record())] == [1, 1]

    def test_missing_samples_at_the_ends_and_empty_leads_are_left_out(self):
        one = record()
        signals = one.signals_mv.copy()
        signals[0, :100], signals[1] = np.nan, np.nan
        rows = arrange_rows(EcgRecord(signals, 500.0, ("I", "II"), start_s=(0.0, 0.0), quality=(0.9, 0.9)))

        assert [[(strip.row, strip.first, strip.last) for strip in row] for row in rows] == [[(0, 100, 1249)]]


class TestSheet:
    def sheet(self, **fields):
        at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
        return Sheet("a.jpg", 1, at, "Normal", (), FACTS, None, **fields)

    def test_leads_are_on_a_page_of_their_own_in_landscape(self, tmp_path):
        [(first, traces), (second, text)] = read_pages(render_pdf([self.sheet(signals=pack(record(), tmp_path))]))

        assert first[0] > first[1]
        assert second[0] < second[1]
        for words in ("54 ± 1 /min", "II, poor", "25 mm/s, 10 mm/mV", "Normal"):
            assert words in traces
        assert "Flat lines: V1." in text

    @pytest.mark.parametrize("signals", [None, b"", b"{}"])
    def test_without_signals_there_is_no_such_page(self, signals):
        assert len(read_pages(render_pdf([self.sheet(signals=signals)]))) == 1

    def test_a_millivolt_is_ten_millimeters(self, tmp_path):
        signals = record(starts=(0.0,), quality=(0.9,))
        signals.signals_mv[0, 600:] = 1.0
        document = pypdfium2.PdfDocument(render_pdf([self.sheet(signals=pack(signals, tmp_path))]))
        pixels = document[0].render(scale=254 / 72).to_numpy()[..., :3].astype(int)  # 10 px a mm
        document.close()
        dark = pixels.max(axis=2) < 90
        row_0, row_1 = (np.flatnonzero(dark[400:1700, x]) for x in (350, 650))

        assert abs(np.median(row_0) - np.median(row_1)) == pytest.approx(100, abs=2)

    def test_an_offset_of_the_electrodes_moves_no_trace_off_its_line(self, tmp_path):
        level, moved = (
            render_pdf([self.sheet(signals=pack(record(starts=(0.0,), quality=(0.9,), mv=mv), tmp_path))])
            for mv in (0.0, 7.5)
        )
        assert dark_rows(level) == pytest.approx(dark_rows(moved))

    def test_what_is_longer_than_the_paper_costs_no_bytes(self, tmp_path):
        short, long = (
            render_pdf([self.sheet(signals=pack(record(seconds=seconds), tmp_path))]) for seconds in (12.0, 60.0)
        )
        assert len(long) < 1.02 * len(short)

    def test_tables_review_signature_and_origin_are_there(self):
        fields = {
            "review": ["WPW; Bradycardia"],
            "sha256": "ab" * 32,
            "corrections": ["gain"],
            "recorded_on": date(2025, 1, 2),
        }
        [(_, text)] = read_pages(render_pdf([self.sheet(**fields)]))

        for words in (
            "ST level",
            "-0.07",
            "Not measured: ",
            "WPW; Bradycardia",
            "Read by",
            "SHA-256 abab",
            "2025-01-02",
        ):
            assert words in text
        assert "corrected by hand: gain" in text

    def test_readings_with_and_without_signals_follow_each_other(self, tmp_path):
        signals = pack(record(), tmp_path)
        pages = read_pages(render_pdf([self.sheet(), self.sheet(signals=signals), self.sheet(signals=signals)]))

        assert [size[0] > size[1] for size, _ in pages] == [False, True, False, True, False]


@pytest.mark.django_db
def test_a_stored_reading_has_its_day_review_and_corrections(user):
    changes = [{"at": "2026-01-02T03:04:05+00:00", "content": {"gain_mm_mv": 5.0}}]
    reading = Reading.objects.create(owner=user, name="a", state="done", facts=FACTS, corrections=changes, sha256="1")
    flows.add_readings(flows.create_case(user, "bed 7"), [reading])
    flows.update_membership(reading.membership, recorded_on=date(2025, 1, 2))
    flows.review_reading(reading, user, label="mi", statements=["bradycardia"], text="sure")
    sheet = describe_stored(Reading.objects.get())

    assert sheet.recorded_on == date(2025, 1, 2)
    assert sheet.review == ["Myocardial infarction; Bradycardia; sure"]
    assert sheet.corrections == ("gain",)
