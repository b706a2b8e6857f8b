"""Measure live ECGs: beats, delay, memory, streams on one core, faults, atrial fibrillation.

python benchmarks/streams.py [--write] [--data ../shared/data] [--only NAME ...] [--hours 24]

Sections: beats, classes, quality, delay, core, faults, workers, fibrillation, clocks; each can be run alone, and
--write replaces those that were run. The thresholds of live beats and of classes were set on the records of MIT-BIH
in the tables, those that live beats take over from records on the odd records of LUDB; no other annotated set was at
hand, so that these are no figures of unseen records. The limits of fibrillation are those of
``benchmarks/criteria.md``, set on the odd records of LUDB and PTB-XL; a stream applies them to the irregularity of a
minute without the intervals beside broad extrasystoles. The even records are printed apart.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
sys.path.insert(0, str(ROOT / "benchmarks"))

from criteria import MEANINGS, Share, load_cases
from ecglens.datasets.annotations import ludb
from ecglens.formats.wfdb import read_wfdb
from ecglens.measuring.analysis import _resample
from ecglens.measuring.beats import find_beats
from ecglens.measuring.signals import FS_HZ
from ecglens.records import EcgRecord
from ecglens.statements import Outcome
from ecglens.streams import Monitor, Packet, ReplayFaults, StreamInfo, replay, watch
from ecglens.streams.beats import BeatDetector
from ecglens.streams.clock import SampleClock
from ecglens.streams.replay import cut_packets
from ecglens.streams.results import LeadQuality, LiveBeat, LiveFigures, StreamEvent

TOLERANCE_S = 0.15
PACKET_S = 0.05
LOSS_S = 300.0
"""Time of each record that is replayed with packets lost, in s."""
QUALITY_S = 300.0
"""Time of each record that is disturbed, in s."""
HARD = ("208",)
"""Records that issue 37 counts apart."""
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
AAMI = {
    **dict.fromkeys("NLRejB", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VE", "V"),
    "F": "F",
}
OTHER = "Q"


@dataclass(frozen=True)
class Annotated:
    """A record of MIT-BIH with its beats and rhythms."""

    name: str
    record: EcgRecord
    samples: np.ndarray
    symbols: tuple[str, ...]
    rhythms: tuple[tuple[int, str], ...]


def load_mitbih(data: Path) -> list[Annotated]:
    """Load all records with their annotations."""
    import wfdb

    out = []
    for header in [*sorted((data / "mitbih").glob("*.hea")), *sorted((data / "mitbih" / "first10min").glob("*.hea"))]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notes = wfdb.rdann(str(header.with_suffix("")), "atr")
        pairs = [(int(at), symbol) for at, symbol in zip(notes.sample, notes.symbol, strict=True) if symbol in BEATS]
        rhythms = [
            (int(at), note.strip("\x00"))
            for at, symbol, note in zip(notes.sample, notes.symbol, notes.aux_note, strict=True)
            if symbol == "+" and note.startswith("(")
        ]
        out.append(
            Annotated(
                header.stem,
                read_wfdb(header),
                np.array([at for at, _ in pairs]),
                tuple(symbol for _, symbol in pairs),
                tuple(rhythms),
            )
        )
    return out


def detect_live(record: EcgRecord) -> tuple[np.ndarray, np.ndarray, Counter[str]]:
    """Return the beats at the end, the delay of each in s of signal, and how many came late or went."""
    detector, fs = BeatDetector(len(record.leads), record.fs_hz), record.fs_hz
    length, beats, counts = round(PACKET_S * fs), {}, Counter[str]()
    for first in range(0, record.signals_mv.shape[1], length):
        part = record.signals_mv[:, first : first + length]
        for beat in detector.feed(first, part):
            if beat.replaces is not None:
                beats.pop(beat.replaces, None)
                counts["withdrawn"] += 1
            counts["late"] += beat.is_late
            beats[beat.sample] = (first + part.shape[1] - beat.sample) / fs
    for beat in detector.finish():
        beats[beat.sample] = np.nan
    places = np.array(sorted(beats), dtype=int)
    return places, np.array([beats[place] for place in places]), counts


def detect_offline(record: EcgRecord) -> np.ndarray:
    """Return the beats that the detector of whole records finds."""
    rows = np.array([_resample(row.astype(np.float64), record.fs_hz) for row in record.signals_mv])
    return np.sort(np.rint(find_beats(rows).samples / FS_HZ * record.fs_hz)).astype(int)


def match(reference: np.ndarray, detected: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each reference beat was detected, and whether each detected beat is extra; each is used once."""
    is_hit, is_free = np.zeros(len(reference), dtype=bool), np.ones(len(detected), dtype=bool)
    for number, place in enumerate(reference):
        low, high = np.searchsorted(detected, (place - tolerance, place + tolerance + 1e-9))
        free = [other for other in range(low, high) if is_free[other]]
        if free:
            is_free[min(free, key=lambda other: abs(detected[other] - place))] = False
            is_hit[number] = True
    return is_hit, is_free


def compare(reference: np.ndarray, detected: np.ndarray, tolerance: float) -> tuple[int, int, int]:
    """Return hits, missed and extra beats."""
    is_hit, is_extra = match(reference, detected, tolerance)
    return int(is_hit.sum()), int((~is_hit).sum()), int(is_extra.sum())


def rates(counts: tuple[int, int, int]) -> tuple[float, float]:
    """Return sensitivity and precision."""
    hits, missed, extra = counts
    return hits / max(hits + missed, 1), hits / max(hits + extra, 1)


def add(one: tuple[int, int, int], two: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the sums of two counts."""
    return one[0] + two[0], one[1] + two[1], one[2] + two[2]


def row(name: str, live: tuple[int, int, int], offline: tuple[int, int, int], more: str = "") -> str:
    """Return a line of the table of beats."""
    (se, p), (se2, p2) = rates(live), rates(offline)
    worse = 100 * max(se2 - se, p2 - p)
    return (
        f"| {name} | {live[0] + live[1]} | {100 * se:.2f} | {100 * p:.2f} | {live[1]} | {live[2]} | {100 * se2:.2f} | "
        f"{100 * p2:.2f} | {worse:+.2f} | {more}"
    )


def measure_beats(data: Path) -> list[str]:
    """Compare live and offline beats with annotations."""
    out = [
        "## Beats",
        "",
        f"Packets of {1000 * PACKET_S:.0f} ms, window of 150 ms. *Offline* is `measuring.beats.find_beats` on "
        f"the whole "
        "record. *Worse*: percentage points by which live is behind offline in sensitivity or precision, whichever is "
        "more. *Delay*: end of the packet with which the beat was reported less the time of the beat, without "
        "computing. *Withdrawn*: beats that were reported and replaced by a higher one within 0.25 s.",
        "",
        "| record | beats | live Se % | live P % | missed | extra | offline Se % | offline P % | worse |"
        " delay p50 / p95 "
        "ms | late | withdrawn |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    totals: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {}
    for each in load_mitbih(data):
        tolerance = TOLERANCE_S * each.record.fs_hz
        places, delays, counts = detect_live(each.record)
        live = compare(each.samples, places, tolerance)
        offline = compare(each.samples, detect_offline(each.record), tolerance)
        measured = 1000 * delays[~np.isnan(delays)]
        more = f"{np.median(measured):.0f} / {np.percentile(measured, 95):.0f}"
        more += f" | {counts['late']} | {counts['withdrawn']} |"
        out.append(row(f"MIT-BIH {each.name}", live, offline, more))
        for name in ("all of MIT-BIH", *(["MIT-BIH without " + ", ".join(HARD)] if each.name not in HARD else [])):
            before = totals.get(name, ((0, 0, 0), (0, 0, 0)))
            totals[name] = add(before[0], live), add(before[1], offline)
    single, single2 = (0, 0, 0), (0, 0, 0)
    worst: Counter[str] = Counter()
    for marked in ludb(data / "ludb"):
        fs = marked.record.fs_hz
        for number, lead in enumerate(marked.record.leads):
            peaks = np.array([wave.peak for wave in marked.marks.get(lead, ()) if wave.wave == "QRS"])
            if not len(peaks):
                continue
            one = replace(marked.record, leads=(lead,), signals_mv=marked.record.signals_mv[number : number + 1])
            low, high = peaks[0] - TOLERANCE_S * fs, peaks[-1] + TOLERANCE_S * fs
            results = []
            for places in (detect_live(one)[0], detect_offline(one)):
                inside = places[(places >= low) & (places <= high)]
                results.append(compare(peaks, inside, TOLERANCE_S * fs))
            single, single2 = add(single, results[0]), add(single2, results[1])
            worst[marked.name] += results[0][1] + results[0][2]
    totals["LUDB, each lead alone"] = single, single2
    out += [row(name, *both, "- | - | - |") for name, both in totals.items()]
    hard = ", ".join(f"{name} ({count})" for name, count in worst.most_common(5) if count)
    out += [
        "",
        "LUDB is compared between its first and its last mark, as it marks no others. Its records with the most errors "
        f"over all leads: {hard}.",
        "",
    ]
    return out


def measure_classes(data: Path) -> list[str]:
    """Compare the classes of beats with annotations."""
    out = [
        "## Classes of beats",
        "",
        "By templates, width and time alone; no model is trained. Annotations in the groups of AAMI; beats that were "
        "not detected are left out, F (fusion) and Q (paced and others) count neither way. `-` are beats before the "
        "normal shape is known.",
        "",
        "| record | N as N / S / V / - | S as N / S / V / - | V as N / S / V / - | V: Se % | V: P % |"
        " S: Se % | S: P % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in load_mitbih(data):
        results, _ = run_monitor(each.record, each.name)
        beats: dict[float, LiveBeat] = {}
        for beat in (result for result in results if isinstance(result, LiveBeat)):
            if beat.replaces_s is not None:
                beats.pop(beat.replaces_s, None)
            beats[beat.at_s] = beat
        times = np.array(sorted(beats))
        table: Counter[tuple[str, str]] = Counter()
        for at, symbol in zip(each.samples / each.record.fs_hz, each.symbols, strict=True):
            nearest = times[np.abs(times - at).argmin()]
            if abs(nearest - at) <= TOLERANCE_S:
                table[AAMI.get(symbol, OTHER), beats[nearest].kind or "-"] += 1
        cells = [" / ".join(str(table[truth, kind]) for kind in "NSV-") for truth in "NSV"]
        figures = []
        for kind in "VS":
            hits, total = table[kind, kind], sum(table[kind, other] for other in "NSV-")
            named = sum(table[truth, kind] for truth in "NSV")
            figures += [f"{100 * hits / total:.1f}" if total else "-", f"{100 * hits / named:.1f}" if named else "-"]
        out.append(f"| {each.name} | {' | '.join(cells)} | {' | '.join(figures)} |")
    return [*out, ""]


def measure_quality(data: Path) -> list[str]:
    """Compare the quality of a lead with the beats that are detected in it while it is disturbed."""
    out = [
        "## Signal quality",
        "",
        f"The first lead of each record of MIT-BIH, its first {QUALITY_S / 60:.0f} min, as it is and disturbed: muscle "
        "noise of 15 to 60 Hz at a ratio of powers; all samples smaller; the highest and lowest samples cut off, so "
        "that a share of them has one value; packets of 0.2 s lost; an electrode off, with noise of 5 uV. *Passed*: "
        "stretches of 2 s whose quality is 0.5 or more. Beats are those of the stream beside the annotated ones, in "
        "stretches that passed and in those that failed.",
        "",
        "| disturbance | passed % | beats in passed: Se % | P % | beats in failed: Se % | P % | most frequent reason |",
        "|---|---|---|---|---|---|---|",
    ]
    records = load_mitbih(data)
    for name, disturb in list_disturbances():
        counts, reasons = {True: (0, 0, 0), False: (0, 0, 0)}, Counter[str]()
        passed = total = 0
        for each in records:
            rng = np.random.default_rng(37)
            fs = each.record.fs_hz
            signal = each.record.signals_mv[:1, : round(QUALITY_S * fs)]
            record = EcgRecord(disturb(signal.copy(), fs, rng), fs, each.record.leads[:1])
            results, _ = run_monitor(record, each.name)
            rated = [result for result in results if isinstance(result, LeadQuality)]
            is_good = np.array([min(result.quality.values()) >= 0.5 for result in rated])
            edges = np.array([result.end_s for result in rated])
            reasons.update(reason for result in rated for reason in result.reasons.values())
            passed, total = passed + int(is_good.sum()), total + len(is_good)
            true = each.samples[each.samples < signal.shape[1]] / fs
            beats = np.array([beat.at_s for beat in final_beats(results)])
            is_hit, is_extra = match(true, beats, TOLERANCE_S)
            for good in (True, False):
                of_true, of_beats = (
                    is_good[np.minimum(np.searchsorted(edges, times), len(edges) - 1)] == good
                    for times in (true, beats)
                )
                group = int((is_hit & of_true).sum()), int((~is_hit & of_true).sum()), int((is_extra & of_beats).sum())
                counts[good] = add(counts[good], group)
        cells = [
            f"{100 * value:.1f}" if any(counts[good]) else "-"
            for good in (True, False)
            for value in rates(counts[good])
        ]
        reason = reasons.most_common(1)[0][0] if reasons else "-"
        out.append(f"| {name} | {100 * passed / total:.1f} | {' | '.join(cells)} | {reason} |")
    return [*out, ""]


def list_disturbances() -> list[tuple[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]]]:
    """Return disturbances of a lead by name."""
    from scipy.signal import butter, sosfiltfilt

    def add_noise(signal: np.ndarray, fs: float, rng: np.random.Generator, ratio_db: float) -> np.ndarray:
        noise = sosfiltfilt(butter(2, (15, 60), "bandpass", fs=fs, output="sos"), rng.normal(size=signal.shape))
        return signal + (noise * signal.std() / noise.std() * 10 ** (-ratio_db / 20)).astype(np.float32)

    def cut_off(signal: np.ndarray, share: float) -> np.ndarray:
        return np.clip(signal, *np.quantile(signal, (share, 1 - share)))

    def lose(signal: np.ndarray, fs: float, rng: np.random.Generator, share: float) -> np.ndarray:
        length = round(0.2 * fs)
        is_lost = np.repeat(rng.random(-(-signal.shape[1] // length)) < share, length)[: signal.shape[1]]
        return np.where(is_lost, np.nan, signal).astype(np.float32)

    return [
        ("none", lambda signal, fs, rng: signal),
        *(
            (f"noise {ratio:+d} dB", lambda signal, fs, rng, ratio=ratio: add_noise(signal, fs, rng, ratio))
            for ratio in (12, 6, 3, 0, -3, -6)
        ),
        *(
            (f"{part:g} of its size", lambda signal, fs, rng, part=part: (part * signal).astype(np.float32))
            for part in (0.2, 0.1, 0.05, 0.02)
        ),
        *(
            (f"{100 * share:.0f} % cut off at each end", lambda signal, fs, rng, share=share: cut_off(signal, share))
            for share in (0.02, 0.05, 0.1, 0.2, 0.4)
        ),
        *(
            (f"{100 * share:.0f} % lost", lambda signal, fs, rng, share=share: lose(signal, fs, rng, share))
            for share in (0.05, 0.1, 0.2, 0.4)
        ),
        (
            "electrode off",
            lambda signal, fs, rng: rng.normal(0, 0.005, signal.shape).astype(np.float32),
        ),
    ]


def run_monitor(record: EcgRecord, name: str, packet_s: float = 0.05) -> tuple[list[Any], Monitor]:
    """Return all results of a record."""
    monitor, results = Monitor(StreamInfo(name, record.leads, record.fs_hz)), []
    for packet in cut_packets(record, packet_s=packet_s):
        results += monitor.feed(packet)[1]
    return results + monitor.finish()[1], monitor


def three_leads(data: Path) -> EcgRecord:
    """Return 30 min of MIT-BIH 100 as three leads at 250 Hz; the third is the difference of its two."""
    from scipy.signal import resample_poly

    record = read_wfdb(data / "mitbih" / "100.hea")
    two = resample_poly(record.signals_mv, 25, 36, axis=1).astype(np.float32)
    return EcgRecord(np.concatenate([two, two[:1] - two[1:]]), 250.0, ("MLII", "V5", "difference"))


def measure_delay(data: Path, hours: float) -> list[str]:
    """Replay a day at 200 times real time and measure delay and memory."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import streams; streams.replay_long()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(data), str(hours)], stdout=subprocess.PIPE, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    live = subprocess.run(
        [sys.executable, "-c", code.replace("replay_long", "replay_live"), str(data)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    slow = json.loads(live.stdout)
    first, last = rows[0], rows[-1]
    out = [
        "## Delay and memory",
        "",
        f"Three leads at 250 Hz through `replay` and `watch`, packets of 0.05 s, in real time for "
        f"{slow['seconds']:.0f} s "
        f"({slow['beats']} beats): from the R peak to the result in the hands of the caller p50 {slow['p50']:.0f} ms, "
        f"p95 {slow['p95']:.0f} ms, largest {slow['max']:.0f} ms, by the wall clock.",
        "",
        f"The same for {hours:g} h at 200 times real time, packets of 0.2 s. *Behind*: how long after a packet was due "
        "its results were there, by the wall clock. *Signal*: end of the packet less the time of the beat, in time of "
        "the stream; packets of 0.2 s add up to 0.2 s to it.",
        "",
        "| hour | beats | behind p50 / p95 ms | signal p50 / p95 ms | memory MB | CPU s of 18 | load of the machine |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in rows[:: max(len(rows) // 12, 1)]:
        out.append(
            f"| {each['hour']} | {each['beats']} | {each['behind50']:.2f} / {each['behind95']:.2f} | "
            f"{each['signal50']:.0f} / {each['signal95']:.0f} | {each['memory_mb']:.1f} | "
            f"{each['cpu_s']:.1f} | {each['load']:.1f} |"
        )
    change = 100 * (last["memory_mb"] / first["memory_mb"] - 1)
    out += [
        "",
        f"An hour of signal lasts 18 s, so that a core that has less than that for this process falls behind, as where "
        f"other work runs beside ({os.cpu_count()} cores here; the load says how many processes want one). "
        f"Memory from the first hour to the last: {change:+.1f} %. Behind, p95, first and last hour: "
        f"{first['behind95']:.2f} and {last['behind95']:.2f} ms.",
        "",
    ]
    return out


def _memory_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def replay_long() -> None:
    """Print a JSON line for each hour of a long replay."""
    data, hours, speed = Path(sys.argv[1]), float(sys.argv[2]), 200.0
    record = three_leads(data)
    repeat = int(np.ceil(hours * 3600 / record.duration_s))

    async def run() -> None:
        began, hour, used = 0.0, 0, time.process_time()
        behind: list[float] = []
        signal: list[float] = []
        async for step in watch(replay(record, speed=speed, packet_s=0.2, repeat=repeat)):
            now = time.time()
            if not began:
                began = now
                continue
            position = step.monitor.now_s
            if step.message is not None:
                behind.append(1000 * (now - began - position / speed))
            signal += [1000 * (position - each.at_s) for each in step.results if isinstance(each, LiveBeat)]
            if position >= (hour + 1) * 3600:
                hour += 1
                numbers = {
                    "behind50": np.median(behind),
                    "behind95": np.percentile(behind, 95),
                    "signal50": np.median(signal),
                    "signal95": np.percentile(signal, 95),
                    "memory_mb": _memory_mb(),
                    "cpu_s": time.process_time() - used,
                    "load": os.getloadavg()[0],
                }
                print(
                    json.dumps({"hour": hour, "beats": len(signal), **{k: float(v) for k, v in numbers.items()}}),
                    flush=True,
                )
                used = time.process_time()
                behind.clear()
                signal.clear()
            if position >= hours * 3600:
                return

    asyncio.run(run())


def replay_live() -> None:
    """Print the delay of a replay in real time as JSON."""
    record, seconds = three_leads(Path(sys.argv[1])), 90.0

    async def run() -> list[float]:
        delays, began = [], 0.0
        async for step in watch(replay(record)):
            now = time.time()
            began = began or now
            delays += [
                1000 * (now - began - each.at_s)
                for each in step.results
                if isinstance(each, LiveBeat) and each.at_s > 3
            ]
            if step.monitor.now_s >= seconds:
                break
        return delays

    delays = asyncio.run(run())
    figures = {"p50": np.median(delays), "p95": np.percentile(delays, 95), "max": max(delays)}
    print(json.dumps({"seconds": seconds, "beats": len(delays), **{k: float(v) for k, v in figures.items()}}))


def measure_core(data: Path) -> list[str]:
    """Measure how many streams one core can monitor."""
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import streams; streams.fill_core()"
    done = subprocess.run([sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout)
    return [
        "## Streams on one core",
        "",
        f"{result['streams']} monitors, each of three leads at 250 Hz from another minute of MIT-BIH 100, packets of "
        f"0.1 s in turn, one process bound to one core, {result['seconds']:.0f} s of signal: "
        f"{result['cpu_s']:.1f} s of "
        f"CPU time, so that one core carries {result['capacity']:.0f} streams in real time. Longest round of all "
        f"streams: {result['longest_ms']:.0f} ms, 99 % of the rounds below {result['p99_ms']:.0f} ms.",
        "",
    ]


def fill_core() -> None:
    """Print the CPU time of many monitors as JSON."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    import cv2

    cv2.setNumThreads(1)
    record, streams, seconds, step = three_leads(Path(sys.argv[1])), 100, 60, 25
    monitors = [Monitor(StreamInfo(f"bed {number}", record.leads, 250.0)) for number in range(streams)]
    starts = [(number * 997 * step) % (record.signals_mv.shape[1] - seconds * 250) for number in range(streams)]
    rounds, began = [], time.process_time()
    for place in range(0, seconds * 250, step):
        start = time.perf_counter()
        for monitor, first in zip(monitors, starts, strict=True):
            part = record.signals_mv[:, first + place : first + place + step]
            monitor.feed(Packet(part, place // step, (place + step - 1) / 250))
        rounds.append(1000 * (time.perf_counter() - start))
    cpu = time.process_time() - began
    figures = {"cpu_s": cpu, "capacity": streams * seconds / cpu, "longest_ms": max(rounds)}
    figures["p99_ms"] = float(np.percentile(rounds, 99))
    print(json.dumps({"streams": streams, "seconds": seconds, **figures}))


def measure_faults(data: Path) -> list[str]:
    """Replay records over a bad connection."""
    out = [
        "## Faults of the connection",
        "",
        "5 % of the packets lost, 5 % doubled, 5 % overtaken by the next one, a device whose clock is 100 ppm off; "
        "packets of 0.2 s. *Across*: RR intervals that span a gap. *Wrong*: beats within no 150 ms of an "
        "annotated one, "
        "beside those that the same record has without faults. *Se*: of the annotated beats at least 0.2 s away from "
        "any gap.",
        "",
        "| record | lost s | reported s | doubled, reordered, late | across |"
        " extra with / without faults | Se % with / "
        "without faults |",
        "|---|---|---|---|---|---|---|",
    ]
    faults = ReplayFaults(lost=0.05, doubled=0.05, swapped=0.05, drift=1e-4)
    for each in load_mitbih(data):
        if each.name in HARD:
            continue
        record, fs = each.record, each.record.fs_hz
        packets = list(cut_packets(record, packet_s=0.2, faults=faults, rng=np.random.default_rng(37)))
        numbers = {packet.sequence for packet in packets}
        length = round(0.2 * fs)
        total = -(-record.signals_mv.shape[1] // length)
        # Packets lost at the very end have no packet behind them that shows the gap.
        lost = sum(length for number in range(max(numbers)) if number not in numbers) / fs
        assert total >= max(numbers)
        monitor = Monitor(StreamInfo(each.name, record.leads, fs))
        results = [result for packet in packets for result in monitor.feed(packet)[1]] + monitor.finish()[1]
        gaps = [event for event in results if isinstance(event, StreamEvent) and event.kind == "gap"]
        edges = np.array([(gap.start_s, gap.end_s) for gap in gaps])
        beats = final_beats(results)
        across = sum(
            bool(((beat.at_s - beat.rr_s < edges[:, 1]) & (beat.at_s > edges[:, 0])).any())
            for beat in beats
            if beat.rr_s is not None
        )
        true = each.samples / fs
        is_clear = np.array([not ((edges[:, 0] - 0.2 < at) & (at < edges[:, 1] + 0.2)).any() for at in true])
        whole = final_beats(run_monitor(record, each.name)[0])
        figures = []
        for these in (beats, whole):
            times = np.array([beat.at_s for beat in these])
            extra = compare(true, times, TOLERANCE_S)[2]
            hits, missed, _ = compare(true[is_clear], times, TOLERANCE_S)
            figures.append((extra, 100 * hits / (hits + missed)))
        counts = monitor.faults
        out.append(
            f"| {each.name} | {lost:.1f} | {counts.lost_samples / fs:.1f} | {counts.duplicates}, {counts.reordered}, "
            f"{counts.late} | {across} | {figures[0][0]} / {figures[1][0]} | {figures[0][1]:.2f} / "
            f"{figures[1][1]:.2f} |"
        )
    return [*out, "", *measure_losses(data)]


def measure_losses(data: Path) -> list[str]:
    """Replay the first minutes of each record with more and more short packets lost."""
    out = [
        "The first 5 min of each record in packets of 50 ms, of which single ones are lost. *RR*: beats with an RR "
        "interval. *Hidden*: RR intervals that span an annotated beat. *Rate*: seconds of the 5 min with a rate. "
        "*Alarms*: those of no beat.",
        "",
        "| lost % | beats | Se % | P % | RR % | hidden | rate % | alarms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    records = load_mitbih(data)
    for lost in (0.0, 0.02, 0.05, 0.1, 0.2):
        counts, spans, hidden, rated, alarms, seconds = (0, 0, 0), 0, 0, 0, 0, 0.0
        for each in records:
            fs = each.record.fs_hz
            samples = round(LOSS_S * fs)
            record = replace(each.record, signals_mv=each.record.signals_mv[:, :samples], confidence=None)
            faults = ReplayFaults(lost=lost) if lost else None
            monitor, results = Monitor(StreamInfo(each.name, record.leads, fs)), []
            for packet in cut_packets(record, packet_s=PACKET_S, faults=faults, rng=np.random.default_rng(3)):
                results += monitor.feed(packet)[1]
            results += monitor.finish()[1]
            beats, true = final_beats(results), each.samples[each.samples < samples] / fs
            counts = add(counts, compare(true, np.array([beat.at_s for beat in beats]), TOLERANCE_S))
            for beat in beats:
                if beat.rr_s is not None:
                    spans += 1
                    start = beat.at_s - beat.rr_s + TOLERANCE_S
                    hidden += bool(((start < true) & (true < beat.at_s - TOLERANCE_S)).any())
            rated += sum(isinstance(result, LiveFigures) and result.window == "rate" for result in results)
            alarms += sum(
                isinstance(result, StreamEvent) and result.kind == "asystole" and result.state == "begins"
                for result in results
            )
            seconds += LOSS_S
        hits, missed, extra = counts
        out.append(
            f"| {100 * lost:g} | {hits + missed} | {100 * hits / (hits + missed):.2f} | "
            f"{100 * hits / (hits + extra):.2f} | {100 * spans / (hits + missed):.1f} | {hidden} | "
            f"{100 * rated / seconds:.1f} | {alarms} |"
        )
    return [*out, ""]


def final_beats(results: list[Any]) -> list[LiveBeat]:
    """Return the beats at the end, without those that were replaced."""
    beats: dict[float, LiveBeat] = {}
    for beat in (result for result in results if isinstance(result, LiveBeat)):
        if beat.replaces_s is not None:
            beats.pop(beat.replaces_s, None)
        beats[beat.at_s] = beat
    return [beats[at] for at in sorted(beats)]


def measure_workers(data: Path) -> list[str]:
    """Kill a worker of 20 streams, and kill and restart the broker."""
    import signal
    import tempfile

    from broker_help import (
        Server,
        count_samples,
        end,
        expected_results,
        feed_all,
        keys_of,
        read_results,
        start_workers,
        wait_for,
    )

    from ecglens.streams.workers import connect_broker

    devices, seconds = [f"bed {number}" for number in range(20)], 40.0
    out = ["## Workers and the broker", ""]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        workers = start_workers(server.url, 3)
        pauses: dict[str, float] = {}

        async def run() -> tuple[int, list[str]]:
            feeding = asyncio.ensure_future(feed_all(server.url, devices, seconds, speed=1.0))
            broker = connect_broker(server.url)
            await asyncio.sleep(12)
            leases = {name: broker.get(f"ecglens:streams:lease:{name}") or b"" for name in devices}
            victims = [name for name, lease in leases.items() if lease.startswith(b"w0:")]
            os.kill(workers[0].pid, signal.SIGKILL)
            killed = time.time()
            while len(pauses) < len(victims):
                for name in victims:
                    lease = broker.get(f"ecglens:streams:lease:{name}") or b""
                    if name not in pauses and lease and not lease.startswith(b"w0:"):
                        pauses[name] = time.time() - killed
                await asyncio.sleep(0.05)
            await asyncio.sleep(4)
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(1)
            await asyncio.to_thread(server.start)
            await feeding
            broker.close()
            return len(victims), victims

        try:
            count, _ = asyncio.run(run())
            wait_for(server.url, devices, round(seconds * 250), timeout_s=120)
            samples = [count_samples(read_results(server.url, name)) for name in devices]
            equal = sum(
                keys_of(read_results(server.url, name)) == keys_of(expected_results(name, seconds)) for name in devices
            )
        finally:
            end(workers)
            server.stop()
    out += [
        f"20 streams of 3 leads at 250 Hz for {seconds:.0f} s in real time through Redis and 3 worker processes; one "
        "worker is killed with SIGKILL after 12 s, and 4 s after its streams went on elsewhere the broker is "
        "killed and "
        "started again a second later (it writes each command to its disk).",
        "",
        f"- streams of the killed worker: {count}; they went on elsewhere after {min(pauses.values()):.1f} to "
        f"{max(pauses.values()):.1f} s, from the packets that the broker held",
        f"- samples: {sum(samples)} of {round(seconds * 250) * len(devices)} came out, each once and in its order",
        f"- streams whose results equal those of one undisturbed monitor, kind and second of each: {equal} of "
        f"{len(devices)}",
        "",
    ]
    return out


def measure_clocks(data: Path) -> list[str]:
    """Measure the error of the clock over a day."""
    out = [
        "## Clocks",
        "",
        "24 h of packets with 73 samples at 130 Hz, one time each, late by an exponential delay of 20 ms on average. "
        "Error: time of the last sample by the clock less its true time.",
        "",
        "| drift ppm | measured ppm | largest error after 10 min, ms | error in the last hour p95, ms |"
        " without a correction, s |",
        "|---|---|---|---|---|",
    ]
    for ppm in (0, 20, 100, -100, 500):
        rng, clock, errors = np.random.default_rng(1), SampleClock(130.0), []
        for number in range(1, round(24 * 3600 * 130 / 73) + 1):
            last = number * 73 - 1
            true = last / (130.0 * (1 + ppm * 1e-6))
            clock.update(last, 1e9 + true + rng.exponential(0.02))
            errors.append(clock.time_at(last) - 1e9 - true)
        after = np.abs(errors[round(600 * 130 / 73) :])
        hour = np.abs(errors[-round(3600 * 130 / 73) :])
        out.append(
            f"| {ppm} | {-1e6 * clock.drift:.1f} | {1000 * after.max():.1f} | {1000 * np.percentile(hour, 95):.1f} | "
            f"{24 * 3600 * ppm * 1e-6:.1f} |"
        )
    return [*out, ""]


def measure_fibrillation(data: Path) -> list[str]:
    """Count minutes in which fibrillation is suspected."""
    out = [
        "## Atrial fibrillation suspected, a minute of signal",
        "",
        "Records of 10 s (LUDB, PTB-XL; leads I, II, V1) are replayed six times with a second of lost samples between, "
        "so that no RR interval spans two copies: one minute a record. Minutes of MIT-BIH are those of one annotated "
        "rhythm. With 95 % intervals by Wilson; those of MIT-BIH treat minutes of one person as independent, which "
        "they are not. Flutter and pacing are left out, as in `benchmarks/criteria.md`.",
        "",
        "| set | minutes with | suspected | sensitivity | minutes without | not suspected | specificity |",
        "|---|---|---|---|---|---|---|",
    ]
    answers: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for case in load_cases(data):
        truth = MEANINGS["atrial_fibrillation"].truth(case.codes)
        if truth is None:
            continue
        answer = suspect_in_record(case.record)
        source = case.name.split()[0].upper().replace("PTBXL", "PTB-XL")
        answers[source].append((truth, answer))
        answers["LUDB and PTB-XL, odd" if case.odd else "LUDB and PTB-XL, even"].append((truth, answer))
    for each in load_mitbih(data):
        for truth, answer in suspect_in_minutes(each):
            answers["MIT-BIH"].append((truth, answer))
            answers[f"MIT-BIH {each.name}"].append((truth, answer))
    total = [pair for name in ("LUDB", "PTB-XL", "MIT-BIH") for pair in answers[name]]
    for name, pairs in [*answers.items(), ("all", total)]:
        positive = [answer for truth, answer in pairs if truth]
        negative = [not answer for truth, answer in pairs if not truth]
        se, sp = Share(sum(positive), len(positive)), Share(sum(negative), len(negative))
        out.append(f"| {name} | {len(positive)} | {sum(positive)} | {se} | {len(negative)} | {sum(negative)} | {sp} |")
    return [*out, ""]


def suspect_in_record(record: EcgRecord) -> bool:
    """Return whether a minute of a record of 10 s is suspected."""
    keep = [number for number, lead in enumerate(record.leads) if lead in ("I", "II", "V1")]
    signals, fs = record.signals_mv[keep], record.fs_hz
    monitor = Monitor(StreamInfo("x", tuple(record.leads[number] for number in keep), fs))
    step, shift, latest = round(fs / 4), signals.shape[1] + round(fs), None
    for copy in range(6):
        for start in range(0, signals.shape[1], step):
            part = signals[:, start : start + step]
            last = copy * shift + start + part.shape[1] - 1
            for result in monitor.feed(Packet(part, time_s=last / fs))[1]:
                latest = result if isinstance(result, LiveFigures) and result.window == "minute" else latest
    return latest is not None and is_suspected(latest)


def suspect_in_minutes(each: Annotated) -> Iterator[tuple[bool, bool]]:
    """Yield truth and answer of each minute of one rhythm; paced minutes and flutter are left out."""
    results, _ = run_monitor(each.record, each.name)
    starts, due = np.array([at / each.record.fs_hz for at, _ in each.rhythms]), 60.0
    for result in results:
        is_whole = isinstance(result, LiveFigures) and result.window == "minute" and result.end_s >= due
        if not is_whole:
            continue
        due = result.end_s + 59.5  # figures come every 10 s, and those of the next minute share no second with these
        first = int(np.searchsorted(starts, result.start_s + 0.5, side="right")) - 1
        names = {each.rhythms[max(first, 0)][1]}
        names |= {
            name for at, (_, name) in zip(starts, each.rhythms, strict=True) if result.start_s < at < result.end_s
        }
        if names & {"(P", "(AFL"} or ("(AFIB" in names and len(names) > 1):
            continue
        yield "(AFIB" in names, is_suspected(result)


def is_suspected(figures: LiveFigures) -> bool:
    """Return whether the criterion is met."""
    return any(each.name == "atrial_fibrillation" and each.outcome is Outcome.MET for each in figures.statements)


SECTIONS: dict[str, Callable[[Path], list[str]]] = {
    "beats": measure_beats,
    "classes": measure_classes,
    "quality": measure_quality,
    "core": measure_core,
    "faults": measure_faults,
    "workers": measure_workers,
    "fibrillation": measure_fibrillation,
    "clocks": measure_clocks,
}


def main() -> None:
    """Print the tables; with --write, also to streams.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="*", choices=[*SECTIONS, "delay"], default=[*SECTIONS, "delay"])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    texts = []
    for name in options.only:
        lines = measure_delay(options.data, options.hours) if name == "delay" else SECTIONS[name](options.data)
        texts.append("\n".join(lines))
        print(texts[-1], flush=True)
    if options.write:
        write_sections(ROOT / "benchmarks" / "streams.md", texts)


def write_sections(path: Path, texts: Sequence[str]) -> None:
    """Replace sections of the report by those that were measured, each with its heading, and leave the others."""
    introduction = __doc__.split("\n\n", 2)[2].strip()
    sections = path.read_text(encoding="utf-8").split("\n## ")[1:]
    by_title = {section.partition("\n")[0]: section.rstrip() for section in sections}
    for text in texts:
        section = text.removeprefix("## ")
        by_title[section.partition("\n")[0]] = section.rstrip()
    head = f"# Live ECGs\n\n`python benchmarks/streams.py --write`\n\n{introduction}"
    path.write_text("\n\n## ".join([head, *by_title.values()]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
