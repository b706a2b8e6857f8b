"""A monitor: results with their seconds, gaps, events, and a state from which another monitor goes on."""

from typing import Any

import numpy as np
import pytest
from streams_help import make_record
from synthetic_ecgs import synthesize_ecg

from ecglens.errors import StreamError
from ecglens.records import EcgRecord
from ecglens.streams import LeadQuality, LiveBeat, LiveFigures, Monitor, Packet, ReplayFaults, StreamEvent, StreamInfo
from ecglens.streams.packets import Battery, Refused, RrIntervals
from ecglens.streams.replay import cut_packets


def run(signals: np.ndarray, fs: float, *, packets: list[Packet] | None = None) -> tuple[list[Any], Monitor]:
    """Return all results of signals."""
    info = StreamInfo("x", tuple(f"L{number}" for number in range(len(signals))), fs)
    monitor, results = Monitor(info), []
    step = round(fs / 10)
    cut = packets or [
        Packet(signals[:, start : start + step], number, (start + step - 1) / fs)
        for number, start in enumerate(range(0, signals.shape[1], step))
    ]
    for packet in cut:
        results += monitor.feed(packet)[1]
    return results + monitor.finish()[1], monitor


def of(results: list[Any], kind: type) -> list[Any]:
    return [result for result in results if isinstance(result, kind)]


def rhythm(onsets: np.ndarray, seconds: float, **options: float) -> np.ndarray:
    """Return two leads with beats at these times."""
    return synthesize_ecg(onsets, seconds=seconds, fs_hz=250.0, noise_mv=0.005, **options).signals_mv[:2]


def statements(results: list[Any]) -> set[str]:
    return {event.kind for event in of(results, StreamEvent) if event.state == "begins"}


def test_every_result_names_the_seconds_that_it_comes_from() -> None:
    record = make_record(seconds=70.0)
    results, _ = run(record.signals_mv, 250.0)
    for result in results:
        assert 0 <= result.start_s <= result.end_s <= 70.0
        assert result.to_dict()["type"] in {"beat", "figures", "quality", "event"}
    minutes = [each for each in of(results, LiveFigures) if each.window == "minute"]
    assert minutes[-1].end_s - minutes[-1].start_s == pytest.approx(60.0)
    assert minutes[-1].figures["rate_bpm"].value == pytest.approx(75.0, abs=0.5)
    assert minutes[-1].figures["rmssd_ms"].value < 10
    assert all(each.quality["L0"] > 0.5 for each in of(results, LeadQuality)[2:])


def test_beats_of_regular_sinus_rhythm_are_normal_and_ring_nothing() -> None:
    results, _ = run(make_record(seconds=70.0).signals_mv, 250.0)
    beats = of(results, LiveBeat)
    assert {beat.kind for beat in beats[10:]} == {"N"}
    assert all(beat.rr_s == pytest.approx(0.8, abs=0.02) for beat in beats[1:])
    assert not statements(results)


def test_bradycardia_and_tachycardia_are_those_of_the_criteria() -> None:
    slow, _ = run(rhythm(np.arange(0.5, 69, 1.4), 70.0), 250.0)
    fast, _ = run(rhythm(np.arange(0.5, 69.4, 0.48), 70.0), 250.0)
    assert "bradycardia" in statements(slow)
    assert "rate_low" in statements(slow)
    assert "tachycardia" in statements(fast)
    assert "rate_high" in statements(fast)


def test_irregular_beats_without_p_waves_are_suspected_fibrillation_and_with_p_waves_are_not() -> None:
    rng = np.random.default_rng(2)
    onsets = 0.5 + np.cumsum(rng.uniform(0.45, 1.1, 130))
    onsets = onsets[onsets < 79]
    without, _ = run(rhythm(onsets, 80.0, p_mv=0.0), 250.0)
    regular, _ = run(rhythm(np.arange(0.5, 79, 0.8), 80.0, p_mv=0.0), 250.0)
    assert "atrial_fibrillation" in statements(without)
    assert "atrial_fibrillation" not in statements(regular)


def test_a_pause_is_an_event_and_an_asystole_rings() -> None:
    onsets = np.r_[np.arange(0.5, 30, 0.8), np.arange(36.0, 69, 0.8)]
    results, _ = run(rhythm(onsets, 70.0), 250.0)
    assert "pause" in statements(results)
    alarms = [event for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert [event.state for event in alarms] == ["begins", "ends"]
    assert alarms[0].end_s == pytest.approx(34.0, abs=1.1)


def test_early_narrow_beats_are_supraventricular() -> None:
    onsets = np.arange(0.5, 69, 0.8)
    onsets[20::15] -= 0.3
    results, _ = run(rhythm(onsets, 70.0), 250.0)
    early = [beat.at_s - 0.045 for beat in of(results, LiveBeat) if beat.kind == "S"]
    assert early == pytest.approx(list(onsets[20::15]), abs=0.03)
    assert "narrow_extrasystoles" in statements(results)


def test_early_broad_beats_are_ventricular() -> None:
    signals = rhythm(np.delete(np.arange(0.5, 69, 0.8), np.arange(20, 80, 15)), 70.0)
    t = np.arange(signals.shape[1]) / 250.0
    places = (np.arange(0.5, 69, 0.8)[np.arange(20, 80, 15)]) - 0.25
    for place in places:
        signals += np.float32(1.5) * np.exp(-(((t - place) / 0.06) ** 2)).astype(np.float32)
        signals -= np.float32(1.0) * np.exp(-(((t - place - 0.14) / 0.07) ** 2)).astype(np.float32)
    results, _ = run(signals, 250.0)
    broad = [beat.at_s for beat in of(results, LiveBeat) if beat.kind == "V"]
    assert broad == pytest.approx(list(places), abs=0.15)
    assert "broad_extrasystoles" in statements(results)


def test_no_rr_interval_spans_a_hidden_beat_and_every_gap_is_reported() -> None:
    record = make_record(seconds=60.0)
    faults = ReplayFaults(lost=0.05, doubled=0.05, swapped=0.05, drift=1e-4)
    packets = list(cut_packets(record, faults=faults, rng=np.random.default_rng(4)))
    results, monitor = run(record.signals_mv, 250.0, packets=packets)
    gaps = [event for event in of(results, StreamEvent) if event.kind == "gap"]
    assert sum(gap.values["samples"] for gap in gaps) == monitor.faults.lost_samples > 0
    assert monitor.faults.duplicates > 0
    assert monitor.faults.reordered > 0
    for beat in of(results, LiveBeat):
        if beat.rr_s is not None:
            assert beat.rr_s == pytest.approx(0.8, abs=0.03)


def lose(signals: np.ndarray, lost: float) -> list[Packet]:
    """Return packets of 50 ms of which some never arrive."""
    record = EcgRecord(signals, 250.0, ("L0", "L1"))
    return list(cut_packets(record, faults=ReplayFaults(lost=lost), rng=np.random.default_rng(7)))


def test_with_a_tenth_of_the_packets_lost_beats_and_rate_go_on() -> None:
    signals = rhythm(np.arange(0.5, 79, 0.8), 80.0)
    results, _ = run(signals, 250.0, packets=lose(signals, 0.1))
    beats = of(results, LiveBeat)
    assert len(beats) > 0.9 * 99
    assert all(beat.rr_s == pytest.approx(0.8, abs=0.03) for beat in beats if beat.rr_s is not None)
    rates = [each for each in of(results, LiveFigures) if each.window == "rate"]
    assert len(rates) > 45
    assert all(each.figures["rate_bpm"].value == pytest.approx(75, abs=2) for each in rates)
    assert not [event for event in of(results, StreamEvent) if event.state == "begins"]


@pytest.mark.parametrize("lost", [0.0, 0.05, 0.1])
def test_an_asystole_rings_whether_packets_are_lost_or_not(lost: float) -> None:
    signals = rhythm(np.arange(0.5, 39.6, 0.8), 60.0)
    results, _ = run(signals, 250.0, packets=lose(signals, lost))
    rings = [event for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert [event.state for event in rings] == ["begins"]
    assert 43.0 < rings[0].end_s < 47.0


def test_a_rate_that_cannot_be_measured_rings() -> None:
    signals = rhythm(np.arange(0.5, 39, 0.8), 40.0)
    results, _ = run(signals, 250.0, packets=lose(signals, 0.4))
    assert "no_rate" in statements(results)
    assert "asystole" not in statements(results)


@pytest.mark.parametrize("step_mv", [0.5, 2.0, 20.0, 300.0])
def test_a_step_of_the_baseline_rings_nothing(step_mv: float) -> None:
    signals = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    signals[:, 7550:] += np.float32(step_mv)
    results, _ = run(signals, 250.0)
    assert len(of(results, LiveBeat)) in (73, 74, 75)
    assert not [event for event in of(results, StreamEvent) if event.state == "begins"]


@pytest.mark.parametrize("noise_mv", [0.003, 0.01, 0.03])
def test_noise_behind_the_last_beat_has_no_beats_and_one_beat_ends_no_asystole(noise_mv: float) -> None:
    onsets = np.r_[np.arange(0.5, 20, 0.8), 50.0]
    signals = synthesize_ecg(onsets, seconds=70.0, fs_hz=250.0, noise_mv=noise_mv).signals_mv[:2]
    results, _ = run(signals, 250.0)
    late = [beat.at_s for beat in of(results, LiveBeat) if 20.5 < beat.at_s < 49.5]
    rings = [event for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert (late, [event.state for event in rings]) == ([], ["begins"])


def test_a_monitor_goes_on_from_the_state_of_another() -> None:
    record = make_record(seconds=90.0)
    packets = list(cut_packets(record))
    info = StreamInfo("x", record.leads, 250.0)
    whole, first = Monitor(info), Monitor(info)
    expected = [result.to_dict() for packet in packets for result in whole.feed(packet)[1]]
    out = [result.to_dict() for packet in packets[:417] for result in first.feed(packet)[1]]
    second = Monitor(info, state=first.save())
    out += [result.to_dict() for packet in packets[417:] for result in second.feed(packet)[1]]
    assert out == expected


def test_a_flat_lead_fails_with_its_reason() -> None:
    signals = make_record(seconds=20.0).signals_mv.copy()
    signals[1, 2000:] = 0.3
    results, _ = run(signals, 250.0)
    last = of(results, LeadQuality)[-1]
    assert last.quality["L1"] == 0
    assert last.reasons["L1"] == "the lead is flat"
    assert "L0" not in last.reasons


def test_battery_and_refused_messages_are_events() -> None:
    monitor = Monitor(StreamInfo("x", ("I",), 250.0))
    assert monitor.feed(Battery(5))[1][0].values == {"battery_percent": 5.0}
    (event,) = monitor.feed(Refused("Expected something else."))[1]
    assert (event.kind, event.detail) == ("refused", "Expected something else.")
    assert monitor.faults.refused == 1


def test_a_silent_stream_rings() -> None:
    monitor = Monitor(StreamInfo("x", ("I",), 250.0))
    assert [event.kind for second in range(1, 6) for event in monitor.wait(float(second))] == ["no_signal"]


def test_rr_intervals_alone_give_rate_and_variability() -> None:
    monitor = Monitor(StreamInfo("strap", (), 1.0))
    rng = np.random.default_rng(0)
    results = []
    for _ in range(200):
        results += monitor.feed(RrIntervals((0.8 + float(rng.normal(0, 0.03)),), 75.0))[1]
    minute = [each for each in of(results, LiveFigures) if each.window == "minute"][-1]
    assert minute.figures["sdnn_ms"].value == pytest.approx(30, abs=8)
    assert len(of(results, LiveBeat)) == 200


def asystole_of(signals: np.ndarray, lost: set[int]) -> list[tuple[str, float]]:
    """Return when the alarm of no beat begins and ends, where packets of 0.1 s are lost."""
    packets = [Packet(signals[:, n * 25 : n * 25 + 25], n) for n in range(signals.shape[1] // 25) if n not in lost]
    results, _ = run(signals, 250.0, packets=packets)
    return [(each.state, each.end_s) for each in of(results, StreamEvent) if each.kind == "asystole"]


def test_an_asystole_rings_after_a_gap_too_and_a_gap_does_not_end_it() -> None:
    beats = rhythm(np.r_[np.arange(0.5, 20, 0.8), np.arange(50.0, 58, 0.8)], 60.0)
    quiet = beats.copy()
    quiet[:, round(20.5 * 250) : round(49.5 * 250)] *= 0
    # Lost: a long gap before the alarm, one while it rings, and a packet each second.
    for lost in (set(range(215, 230)), set(range(300, 330)), set(range(205, 480, 10))):
        alarms = asystole_of(quiet, lost)
        assert [state for state, _ in alarms] == ["begins", "ends"], lost
        assert 23.5 <= alarms[0][1] <= 36.0
        assert alarms[1][1] > 50


def test_beats_beside_gaps_ring_no_asystole() -> None:
    beats = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    assert asystole_of(beats, set(range(200, 235))) == []
    rng = np.random.default_rng(0)
    for share in (0.15, 0.3, 0.5):
        assert asystole_of(beats, set(np.flatnonzero(rng.random(600) < share).tolist())) == []


def test_a_stream_that_is_flat_from_its_start_rings() -> None:
    ((state, at_s),) = asystole_of(np.zeros((2, 2500), np.float32), set())
    assert state == "begins"
    assert at_s <= 6.0


def test_a_description_again_begins_again_and_other_leads_are_refused() -> None:
    record = make_record(seconds=12.0)
    info, packets = StreamInfo("x", record.leads, 250.0), list(cut_packets(record))
    monitor = Monitor(info)
    results: list[Any] = []
    for message in (info, *packets, info, *packets, StreamInfo("x", ("V1",), 250.0)):
        results += monitor.feed(message)[1]
    assert monitor.now_s == pytest.approx(24.0, abs=0.01)
    events = of(results, StreamEvent)
    assert [event.kind for event in events if event.kind in ("gap", "refused")] == ["gap", "refused"]
    assert "restarts its count" in events[-2].detail or "restarts its count" in events[0].detail
    assert not [beat for beat in of(results, LiveBeat) if beat.rr_s and beat.at_s > 12 > beat.at_s - beat.rr_s]


def test_the_state_of_a_stream_with_other_leads_is_refused() -> None:
    monitor = Monitor(StreamInfo("x", ("I", "II"), 250.0))
    with pytest.raises(StreamError, match="Expected the state of a stream with the leads and the rate of x"):
        Monitor(StreamInfo("x", ("I",), 250.0), state=monitor.save())


def test_another_device_with_the_same_leads_is_an_event_and_nothing_is_glued_to_it() -> None:
    record = make_record(seconds=10.0)
    packets = list(cut_packets(record))
    monitor = Monitor(StreamInfo("x", record.leads, 250.0))
    results: list[Any] = []
    for message in (*packets[:100], StreamInfo("y", record.leads, 250.0), *packets[100:]):
        results += monitor.feed(message)[1]
    events = [(event.kind, event.detail) for event in of(results, StreamEvent) if event.kind in ("connection", "gap")]
    assert events[0] == ("connection", "The device y sends in place of x.")
    assert [kind for kind, _ in events] == ["connection", "gap"]


def test_packets_that_wait_are_part_of_the_state() -> None:
    record = make_record(seconds=10.0)
    packets = list(cut_packets(record))
    packets[20], packets[21] = packets[21], packets[20]
    packets[40:] = [Packet(each.samples_mv, number) for number, each in enumerate(packets[40:])]
    info = StreamInfo("x", record.leads, 250.0)
    for cut in (21, 41, 42):
        monitor, total = Monitor(info), 0
        for place, packet in enumerate(packets):
            if place == cut:
                monitor = Monitor(info, state=monitor.save())
            total += sum(part.samples_mv.shape[1] for part in monitor.feed(packet)[0])
        assert total == 2500


def test_samples_of_leads_that_were_described_otherwise_are_refused() -> None:
    record = make_record(seconds=4.0)
    info, packets = StreamInfo("x", record.leads, 250.0), list(cut_packets(record))
    monitor = Monitor(info)
    for message in (*packets[:20], StreamInfo("x", record.leads, 500.0), *packets[20:40]):
        results = monitor.feed(message)[1]
    assert results == []
    assert monitor.now_s == pytest.approx(0.96)
    assert monitor.faults.refused == 21
    again = Monitor(info, state=monitor.save())
    assert again.feed(packets[40]) == ([], [])
    stretches = [each for message in (info, *packets[40:42]) for each in again.feed(message)[0]]
    assert [*stretches, *again.finish()[0]]


def test_electrodes_that_are_off_are_no_asystole() -> None:
    signals = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    signals[:, 5000:10000] = np.nan
    results, _ = run(signals, 250.0)
    assert statements(results) == {"poor_signal", "no_signal", "leads_off"}


def test_no_rate_is_stated_while_there_is_no_beat() -> None:
    results, _ = run(rhythm(np.arange(0.5, 29.6, 0.8), 50.0), 250.0)
    rates = [each.end_s for each in of(results, LiveFigures) if each.window == "rate"]
    assert 31.0 < max(rates) < 34.0


def test_of_many_refused_messages_five_a_minute_are_events_and_all_are_counted() -> None:
    monitor, results = Monitor(StreamInfo("x", ("I",), 250.0)), []
    for _ in range(100):
        results += monitor.feed(Refused("Expected a line of JSON."))[1]
    results += monitor.finish()[1]
    assert [event.values["refused"] for event in of(results, StreamEvent)] == [1.0] * 5 + [95.0]


@pytest.mark.parametrize("hole_s", [0.5, 1.2, 1.9, 2.5])
def test_a_hole_in_an_asystole_makes_no_beats_of_noise(hole_s: float) -> None:
    signals = synthesize_ecg(np.arange(0.5, 20, 0.8), seconds=45.0, fs_hz=250.0, noise_mv=0.01).signals_mv[:2]
    packets = list(cut_packets(EcgRecord(signals, 250.0, ("L0", "L1")), packet_s=0.1))
    arrived = [packet for packet in packets if not 300 <= (packet.sequence or 0) < 300 + 10 * hole_s]
    results, _ = run(signals, 250.0, packets=arrived)
    assert not [beat.at_s for beat in of(results, LiveBeat) if beat.at_s > 20.5]
    rings = [event.state for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert rings == ["begins"]


@pytest.mark.parametrize("lost", [0.2, 0.4])
def test_an_asystole_rings_within_nine_seconds_however_many_packets_are_lost(lost: float) -> None:
    signals = rhythm(np.arange(0.5, 39.6, 0.8), 60.0)
    results, _ = run(signals, 250.0, packets=lose(signals, lost))
    rings = [event for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert [event.state for event in rings] == ["begins"]
    assert rings[0].end_s < 48.5
    assert rings[0].values["since_beat_s"] == pytest.approx(rings[0].end_s - 38.95, abs=0.3)


@pytest.mark.parametrize("kind", ["saturated", "mains"])
def test_no_rr_interval_reaches_across_leads_without_an_ecg(kind: str) -> None:
    signals = rhythm(np.arange(0.5, 89, 0.8), 90.0)
    times = np.arange(5000) / 250.0
    fault = {"saturated": 5.0, "mains": 3.0 * np.sin(2 * np.pi * 50 * times)}
    signals[:, 7500:12500] = fault[kind]
    results, _ = run(signals, 250.0)
    assert max(beat.rr_s or 0.0 for beat in of(results, LiveBeat)) < 1.7
    assert not {"pause", "bradycardia", "rate_low", "rate_very_low"} & statements(results)
    assert "asystole" in statements(results)


def test_steps_of_the_baseline_are_no_beats() -> None:
    signals = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    for second in range(10, 50, 2):
        signals[:, round((second + 0.5) * 250) :] += np.float32(3.0 if second % 4 else -3.0)
    results, _ = run(signals, 250.0)
    beats = [beat.at_s for beat in of(results, LiveBeat)]
    assert len(beats) == len(set(np.round(np.subtract(beats, 0.545) / 0.8).astype(int)))
    assert statements(results) <= {"pacing_spikes"}


def test_leads_without_a_signal_are_events() -> None:
    signals = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    signals[1, 5000:10000] = 0.0
    signals[0, 7500:8750] = np.nan
    results, _ = run(signals, 250.0)
    events = [(event.state, event.detail) for event in of(results, StreamEvent) if event.kind == "leads_off"]
    assert events == [
        ("begins", "L1: the lead is flat."),
        ("begins", "L0: samples are missing; L1: the lead is flat."),
        ("begins", "L1: the lead is flat."),
        ("ends", ""),
    ]


def add_waves(signals: np.ndarray, starts: np.ndarray, height_mv: float, width_s: float) -> np.ndarray:
    """Return the signals with waves in the form of a bell at these times."""
    times = np.arange(signals.shape[1]) / 250.0
    waves = sum(height_mv * np.exp(-0.5 * ((times - start) / width_s) ** 2) for start in starts)
    return np.asarray(signals + waves, dtype=np.float32)


@pytest.mark.parametrize("lost", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["P waves", "pacing spikes", "mains"])
def test_an_asystole_rings_and_goes_on_whatever_is_left(kind: str, lost: float) -> None:
    signals = rhythm(np.arange(0.5, 29, 0.8), 55.0)
    left = np.arange(30.5, 54, 0.8)
    if kind == "P waves":
        signals = add_waves(signals, left, 0.1, 0.025)
    elif kind == "pacing spikes":
        for start in left:
            signals[:, round(start * 250) : round(start * 250) + 2] += np.float32(2.0)
    else:
        times = np.arange(signals.shape[1]) / 250.0
        signals = signals + np.where(times > 30.6, 0.05 * np.sin(2 * np.pi * 50 * times), 0.0).astype(np.float32)
    results, _ = run(signals, 250.0, packets=lose(signals, lost))
    rings = [event for event in of(results, StreamEvent) if event.kind == "asystole"]
    assert [event.state for event in rings] == ["begins"]
    # A spike of which a sample is lost has the width of a QRS complex.
    assert rings[0].end_s < (50.0 if kind == "pacing spikes" and lost else 39.0)


def test_no_rr_interval_reaches_across_a_gap_of_unknown_length() -> None:
    signals = rhythm(np.arange(0.5, 39, 0.8), 40.0)
    info, results = StreamInfo("x", ("L0", "L1"), 250.0), []
    monitor = Monitor(info)
    for number in range(800):
        if number == 400:  # the device starts again
            results += monitor.feed(info)[1]
        part = signals[:, number * 12 : number * 12 + 12]
        results += monitor.feed(Packet(part, number % 400, (number % 400 * 12 + 11) / 250.0))[1]
    late = [beat for beat in of(results, LiveBeat) if beat.at_s > 400 * 12 / 250]
    assert late[0].rr_s is None
    assert late[1].rr_s == pytest.approx(0.8, abs=0.02)


def test_a_step_beside_a_beat_leaves_no_long_rr_interval() -> None:
    signals = rhythm(np.arange(0.5, 39, 0.8), 40.0)
    signals[:, round((24.5 - 0.15) * 250) :] += np.float32(3.0)
    results, _ = run(signals, 250.0)
    assert max(beat.rr_s or 0.0 for beat in of(results, LiveBeat)) < 1.0


def test_no_beat_is_named_while_no_lead_has_a_usable_signal() -> None:
    signals = rhythm(np.arange(0.5, 59, 0.8), 60.0)
    times = np.arange(5000) / 250.0
    signals[:, 5000:10000] += (2.0 * np.sin(2 * np.pi * 50 * times)).astype(np.float32)
    results, _ = run(signals, 250.0)
    assert "poor_signal" in statements(results)
    assert not [beat for beat in of(results, LiveBeat) if beat.kind == "V" and beat.at_s > 29.0]
