"""The async iterator from a source to results."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from streams_help import make_record
from synthetic_ecgs import synthesize_ecg

from ecglens.errors import StreamError
from ecglens.records import EcgRecord, Prediction
from ecglens.streams import (
    Battery,
    LivePrediction,
    Message,
    Packet,
    Refused,
    StreamEvent,
    StreamInfo,
    replay,
    watch,
    watching,
)
from ecglens.streams.results import LiveBeat, Result


async def collect_results(source: AsyncIterator[Message], **options: object) -> list[Result]:
    return [result async for step in watch(source, **options) for result in step.results]  # type: ignore[arg-type]


def test_all_samples_and_beats_of_a_file_come_out() -> None:
    record = make_record()

    async def run() -> tuple[np.ndarray, int]:
        parts, beats = [], 0
        async for step in watch(replay(record, speed=0)):
            parts += [stretch.samples_mv for stretch in step.stretches]
            beats += sum(isinstance(result, LiveBeat) for result in step.results)
        return np.concatenate(parts, axis=1), beats

    signals, beats = asyncio.run(run())
    np.testing.assert_array_equal(signals, record.signals_mv)
    assert beats == 24


def test_times_of_beats_never_go_back_in_a_file_that_is_read_as_fast_as_possible() -> None:
    async def run() -> list[float]:
        beats = []
        async for step in watch(replay(make_record(40.0), speed=0, clock=lambda: 1e9)):
            beats += [result for result in step.results if isinstance(result, LiveBeat)]
        return [beat.time_s - beat.at_s for beat in beats if beat.time_s is not None]

    starts = asyncio.run(run())
    assert len(starts) > 45
    assert starts == pytest.approx([1e9] * len(starts), abs=0.01)


def test_a_silent_source_rings_and_is_closed_when_the_caller_leaves() -> None:
    closed = []

    async def silent() -> AsyncIterator[Message]:
        try:
            yield StreamInfo("x", ("I",), 250.0)
            await asyncio.sleep(3600)
        finally:
            closed.append(True)

    async def run() -> list[Result]:
        results: list[Result] = []
        steps = watch(silent())
        async for step in steps:
            results += step.results
            if results:
                break
        await steps.aclose()  # type: ignore[attr-defined]
        return results

    original, watching._SILENCE_S = watching._SILENCE_S, 0.5
    try:
        (event,) = asyncio.run(run())
    finally:
        watching._SILENCE_S = original
    assert isinstance(event, StreamEvent)
    assert (event.kind, event.state) == ("no_signal", "begins")
    assert closed == [True]


@pytest.mark.parametrize("other", [Battery(80), Refused("Expected more."), "repeated"])
def test_no_samples_ring_whatever_else_arrives(other: Message | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_SILENCE_S", 0.3)
    packet = Packet(np.ones((1, 50), np.float32), 0)

    async def busy() -> AsyncIterator[Message]:
        yield StreamInfo("x", ("I",), 250.0)
        yield packet
        for _ in range(40):
            await asyncio.sleep(0.1)
            yield packet if isinstance(other, str) else other

    results = asyncio.run(collect_results(busy()))
    assert "no_signal" in [each.kind for each in results if isinstance(each, StreamEvent)]


def test_what_comes_before_the_description_is_counted_behind_it_and_without_an_end_it_is_an_error() -> None:
    async def stray(count: int, *others: Message) -> AsyncIterator[Message]:
        for _ in range(count):
            yield Refused("Expected JSON.")
        for message in (Battery(5), *others):
            yield message

    results = asyncio.run(collect_results(stray(3, StreamInfo("x", ("I",), 250.0))))
    assert [each.kind for each in results if isinstance(each, StreamEvent)] == ["refused"] * 3
    for source in (stray(2), stray(2000, StreamInfo("x", ("I",), 250.0))):
        with pytest.raises(StreamError, match=r"the first of \d+ messages that were refused: Expected JSON."):
            asyncio.run(collect_results(source))


def test_samples_without_a_description_are_an_error() -> None:
    async def bare() -> AsyncIterator[Message]:
        yield Packet(np.zeros((1, 10), np.float32))

    with pytest.raises(StreamError, match="send its info first"):
        asyncio.run(collect_results(bare()))


@pytest.mark.parametrize(("leads", "count"), [(12, 3), (3, 0)])
def test_a_model_reads_every_10_s_where_all_leads_are_there(
    leads: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[EcgRecord] = []

    def predict(record: EcgRecord, *, model: str) -> Prediction:
        records.append(record)
        assert model == "any"
        return Prediction("normal", {"normal": 1.0}, None, None, model, "1", None)

    monkeypatch.setattr(watching, "predict_record", predict)
    whole = synthesize_ecg(seconds=32.0, fs_hz=250.0)
    record = EcgRecord(whole.signals_mv[:leads], 250.0, whole.leads[:leads])
    results = asyncio.run(collect_results(replay(record, speed=0), model="any"))
    spans = [(each.start_s, each.end_s) for each in results if isinstance(each, LivePrediction)]
    assert len(records) == len(spans) == count
    for part, (start, end) in zip(records, spans, strict=True):
        assert end - start == pytest.approx(10.0)
        np.testing.assert_array_equal(part.signals_mv, record.signals_mv[:, round(start * 250) : round(end * 250)])
