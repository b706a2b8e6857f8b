"""JSON lines: what is written is read back, and hostile lines give one sentence each."""

import json

import numpy as np
import pytest

from ecglens.errors import StreamError
from ecglens.streams.json_lines import MAX_LINE_BYTES, LineParser, LineSplitter, write_line
from ecglens.streams.packets import Battery, Connection, Packet, Refused, RrIntervals, StreamInfo

INFO = StreamInfo("bed 1", ("I", "II"), 250.0)


def parser() -> LineParser:
    return LineParser(INFO, clock=lambda: 5.0)


def test_every_message_is_read_back() -> None:
    samples = np.array([[0.01, np.nan, -1.5], [0.0, 2.0, 0.3]], np.float32)
    packet = parser().parse(write_line(Packet(samples, 7, 12.5)))
    assert isinstance(packet, Packet)
    np.testing.assert_allclose(packet.samples_mv, samples, atol=6e-5)
    assert (packet.sequence, packet.time_s, packet.received_s) == (7, 12.5, 5.0)
    for message in (Battery(93), Connection(False, "gone")):
        assert parser().parse(write_line(message)) == message
    rr = parser().parse(write_line(RrIntervals((0.8, 0.75), 75.0)))
    assert rr == RrIntervals((0.8, 0.75), 75.0, None, 5.0)
    assert LineParser().parse(write_line(INFO)) == INFO


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "line of JSON"),
        ("[1]", "JSON object in each line"),
        ('{"type": "x"}', "got 'x'"),
        ('{"type": "samples", "mv": [[1]]}', "samples of 2 leads as lists in 'mv', got 1"),
        ('{"type": "samples", "mv": 3}', "got no list"),
        ('{"type": "samples", "mv": [[1], [1, 2]]}', "as many for each lead"),
        ('{"type": "samples", "mv": [[], []]}', "1 to 20000 samples"),
        ('{"type": "samples", "mv": [["a"], [1]]}', "numbers or null"),
        ('{"type": "samples", "mv": [["1"], [1]]}', "numbers or null"),
        ('{"type": "samples", "mv": [[true], [1]]}', "numbers or null"),
        ('{"type": "samples", "mv": [[[1]], [[1]]]}', "numbers or null"),
        ('{"type": "samples", "mv": [[NaN], [1]]}', "cannot be read"),
        ('{"type": "samples", "mv": [[1e999], [1]]}', "cannot be read"),
        ('{"type": "samples", "mv": [[5000], [1]]}', "convert the unit"),
        ('{"type": "samples", "mv": [[1e308], [1]]}', "convert the unit"),
        (f'{{"type": "samples", "mv": [[1{"0" * 400}], [1]]}}', "convert the unit"),
        (f'{{"type": "samples", "mv": [[-1{"0" * 40}], [1]]}}', "convert the unit"),
        (f'{{"type": "samples", "mv": [[1], [1]], "time_s": 1{"0" * 400}}}', "as 'time_s'"),
        (f'{{"type": "battery", "percent": 1{"0" * 400}}}', "from 0 to 100"),
        ('{"type": "samples", "mv": [[1], [1]], "sequence": -1}', "whole number from 0 on"),
        ('{"type": "samples", "mv": [[1], [1]], "sequence": 1.5}', "whole number from 0 on"),
        ('{"type": "samples", "mv": [[1], [1]], "time_s": "now"}', "as 'time_s', got \"now\""),
        ('{"type": "battery", "percent": 101}', "from 0 to 100"),
        ('{"type": "rr", "rr_s": [0.01]}', "from 0.1 to 60"),
        ('{"type": "rr", "rr_s": 5}', "at most 64 RR intervals"),
        ('{"type": "info", "leads": ["I"], "fs_hz": 250}', "stay at 250 Hz with 2 leads"),
        ("[" * 5000, "cannot be read"),
        ("\u0000", "line of JSON"),
        (b"\xff\xfe\x00", "line of JSON"),
    ],
)
def test_a_line_that_breaks_a_rule_gives_one_sentence(line: str | bytes, sentence: str) -> None:
    with pytest.raises(StreamError, match=sentence.replace("(", r"\(")):
        parser().parse(line)
    refused = parser().read(line)
    assert isinstance(refused, Refused)
    assert len(refused.reason) < 400


@pytest.mark.parametrize(
    "info",
    [
        {"leads": ["I", "I"], "fs_hz": 250},
        {"leads": ["I"], "fs_hz": 10},
        {"leads": ["I"], "fs_hz": 1e9},
        {"leads": ["x" * 100], "fs_hz": 250},
        {"leads": ["a\nb"], "fs_hz": 250},
        {"leads": "I", "fs_hz": 250},
        {"leads": [f"L{number}" for number in range(100)], "fs_hz": 250},
        {"leads": ["I"], "fs_hz": "fast"},
    ],
)
def test_a_description_that_cannot_be_used_is_refused(info: dict[str, object]) -> None:
    with pytest.raises(StreamError, match="^Expected"):
        LineParser().parse(json.dumps({"type": "info", "device": "x", **info}))


def test_samples_before_the_description_are_refused() -> None:
    with pytest.raises(StreamError, match="describe the stream"):
        LineParser().parse('{"type": "samples", "mv": [[1]]}')


def test_a_long_line_is_dropped_and_the_next_one_is_read() -> None:
    splitter = LineSplitter()
    lines = []
    for _ in range(30):
        lines += splitter.feed(b"x" * (MAX_LINE_BYTES // 10))
    lines += splitter.feed(b"\nnext\nha")
    lines += splitter.feed(b"lf\n")
    assert lines == [None, b"next", b"half"]
    assert splitter.finish() == []
    assert isinstance(parser().read(None), Refused)


def test_a_line_has_the_limit_of_its_stream() -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 10 + b"\n" + b"y" * 11) == [b"x" * 10]
    assert splitter.is_dropping
    splitter.limit = 20
    assert splitter.feed(b"\n" + b"z" * 20 + b"\n") == [None, b"z" * 20]
    assert not splitter.is_dropping


def test_bytes_without_a_line_end_do_not_grow_the_memory() -> None:
    splitter = LineSplitter()
    for _ in range(50):
        splitter.feed(b"y" * 100_000)
    assert len(splitter._start) <= MAX_LINE_BYTES


def test_names_of_leads_are_compared_as_they_are_stored() -> None:
    with pytest.raises(StreamError, match="leads of different names"):
        LineParser().parse('{"type": "info", "device": "x", "leads": ["aVR", "AVR"], "fs_hz": 250}')


def test_a_refusal_that_was_passed_on_keeps_its_reason() -> None:
    assert LineParser().read(write_line(Refused("Expected more."))) == Refused("Expected more.")
