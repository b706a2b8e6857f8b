"""``ecglens stream`` and ``ecglens replay``: live ECGs."""

import asyncio
import json
import math
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from ecglens.cli.answers import DISCLAIMER, INTERRUPTED, error_line
from ecglens.cli.choices import complete_models
from ecglens.cli.names import printable
from ecglens.cli.signals import run_until_signal
from ecglens.errors import EcgLensError

if TYPE_CHECKING:
    from ecglens.streams import Message, Result, Step, StreamInfo
    from ecglens.streams.outputs import Output
    from ecglens.streams.recording import Recorder

__all__ = ["command", "replay_command", "worker_command"]

_STYLES = {"high": "bold red", "medium": "yellow", "low": "cyan", "info": "dim"}
_RATE_S = 10.0
"""Interval of the lines with the rate."""
_LONG_GAP_S = 1.0
"""Length from which a gap has a line of its own."""
_FIGURES = {
    "rate_bpm": "{:g}/min",
    "since_beat_s": "{:.1f} s without a beat",
    "since_rate_s": "{:.0f} s without a rate",
    "gap_s": "{:.0f} s without a signal",
    "quality": "quality {:.2f}",
    "battery_percent": "{:g} %",
}
"""Figures of an event as they are printed; others are in its JSON."""
_SILENT_S = 5.0
"""Time after which a source that is silent from the start is reported."""


def command(
    source: Annotated[
        str,
        typer.Argument(
            help="Source: ble:ADDRESS, lsl:NAME, mqtt://HOST/TOPIC, ws://HOST/PATH, wss://HOST/PATH, tcp://HOST:PORT, "
            "serial:DEVICE, replay:FILE, or - for JSON lines from stdin.",
            show_default=False,
        ),
    ],
    record: Annotated[
        Path | None, typer.Option(help="Folder to record into, as WFDB segments and JSON lines.", show_default=False)
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the stream live on the web application at --site, under your account.")
    ] = False,
    site: Annotated[
        str, typer.Option(help="Address of the web application; the variable ECGLENS_TOKEN holds your token.")
    ] = "http://127.0.0.1:8000",
    broker: Annotated[
        str | None,
        typer.Option(
            help="Redis server, redis://HOST:PORT, whose workers monitor the stream in place of this process.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(help="Further output: mqtt://HOST/TOPIC or lsl:NAME; may be repeated.", show_default=False),
    ] = None,
    alarms: Annotated[
        Path | None, typer.Option(help="TOML file with alarm rules in place of the default ones.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model of signals that reads every 10 s of a stream with twelve leads.",
            show_default=False,
            autocompletion=complete_models,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds of signal.", show_default=False)
    ] = None,
    attempts: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of times that a connection is tried again where it cannot be made or was lost; without end by "
            "default.",
            show_default=False,
        ),
    ] = None,
    fhir: Annotated[
        bool, typer.Option("--fhir", help="Also write the recorded stream as FHIR at its end; needs --record.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print every result as a JSON line, beats too.")] = False,
) -> None:
    """Monitor a live ECG: beats, rate, rhythm, signal quality and alarms; record it, and show it on the web.

    Ctrl+C, SIGTERM and SIGHUP end the recording as the end of the stream does; the exit code is then 130, 143 or 129.
    """
    from ecglens.streams import load_alarms, open_source
    from ecglens.streams.outputs import Output, QueuedOutput, open_output
    from ecglens.streams.site import SiteOutput
    from ecglens.streams.sources.reconnecting import Retries
    from ecglens.streams.watching import check_signal_model

    _check_finite(seconds, "--seconds")
    if fhir and record is None:
        raise EcgLensError("Expected a folder to record into beside --fhir, got none; add --record DIR.")
    if broker is not None:
        names = ("--record", "--serve", "--to", "--alarms", "--model", "--seconds", "--fhir", "--json")
        used = (
            record is not None,
            serve,
            to,
            alarms is not None,
            model is not None,
            seconds is not None,
            fhir,
            as_json,
        )
        _check_beside_broker([name for name, is_used in zip(names, used, strict=True) if is_used])
        _feed(broker, open_source(source, retries=Retries(attempts=attempts)))
        return
    err = Console(stderr=True, highlight=False)
    outputs: list[Output] = [QueuedOutput(open_output(address), address.rpartition("@")[2]) for address in to or ()]
    if serve:
        outputs.append(SiteOutput(site, os.environ.get("ECGLENS_TOKEN", "")))
    rules = load_alarms(alarms)
    if model is not None:
        check_signal_model(model)
    messages = open_source(source, retries=Retries(attempts=attempts))
    printer = _Printer(as_json=as_json)
    session = _Session(messages, outputs, record, printer, seconds, lambda text: error_line(err, text))
    code = run_until_signal(session.run(rules, model))
    is_written = True
    if session.recorder is not None and record is not None:
        is_written = _report_recording(err, record, fhir=fhir)
    if code:
        error_line(err, "Stopped.")
    elif not session.has_begun:
        error_line(err, f"Expected samples of the stream, got none; {session.refused} messages were refused.")
    code = _report_outputs(err, outputs) or code or (0 if is_written and session.has_begun else 2)
    if not as_json:
        print(DISCLAIMER)
    if code:
        raise typer.Exit(code)


def worker_command(
    broker: Annotated[
        str, typer.Option(help="Redis server that holds the streams, redis://HOST:PORT.")
    ] = "redis://127.0.0.1:6379",
) -> None:
    """Monitor streams that ecglens stream --broker feeds; several workers share them, one for each stream."""
    import signal

    from ecglens.streams.workers import StreamWorker, connect_broker

    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda code, _: stopped.append(code))
    worker = StreamWorker(connect_broker(broker))
    print(f"{worker.name} is ready.  Ctrl+C stops it.", flush=True)
    worker.run(is_stopped=lambda: bool(stopped))


def _feed(url: str, messages: "AsyncIterator[Message]") -> None:
    from ecglens.streams.workers import connect_broker, feed_broker

    async def feed() -> None:
        print(f"{await feed_broker(connect_broker(url), messages)} messages were fed to the broker.")

    if code := run_until_signal(feed()):
        raise typer.Exit(code)


def _check_finite(value: float | None, name: str) -> None:
    """Refuse a value that is no number, which is neither below nor above a limit.

    Raises:
        EcgLensError: It is NaN or endless.
    """
    if value is not None and not math.isfinite(value):
        raise EcgLensError(f"Expected a number as {name}, got {value}; correct it.")


def _check_beside_broker(names: list[str]) -> None:
    """Refuse options that a stream for workers would ignore.

    Raises:
        EcgLensError: There are some.
    """
    if names:
        raise EcgLensError(
            f"Expected --broker without {', '.join(names)}, as the workers monitor the stream; leave one of them out."
        )


class _Session:
    """One run of the command."""

    def __init__(
        self,
        messages: "AsyncIterator[Message]",
        outputs: "list[Output]",
        folder: Path | None,
        printer: "_Printer",
        seconds: float | None,
        note: Callable[[str], None],
    ) -> None:
        self._note = note
        self._messages, self._outputs, self._folder = messages, outputs, folder
        self._printer, self._seconds = printer, seconds
        self.recorder: Recorder | None = None
        self.has_begun = False
        self.refused = 0
        self._now_s = 0.0
        self._reported: set[str] = set()

    async def run(self, rules: object, model: str | None) -> None:
        from ecglens.streams import watch

        waiting = asyncio.ensure_future(self._announce_silence())
        try:
            async with aclosing(watch(self._messages, rules=rules, model=model)) as steps:  # type: ignore[arg-type, type-var]
                async for step in steps:
                    waiting.cancel()
                    await self._take(step)
                    self._now_s = step.monitor.now_s
                    self.has_begun = self.has_begun or self._now_s > 0
                    self.refused = step.monitor.faults.refused
                    if self._seconds is not None and step.monitor.now_s >= self._seconds:
                        break
            self._printer.finish(self._now_s)
        finally:
            waiting.cancel()
            if self.recorder is not None:
                self.recorder.close()
            for output in self._outputs:
                await output.close()

    async def _announce_silence(self) -> None:
        """Report a source from which nothing comes at the start."""
        await asyncio.sleep(_SILENT_S)
        self._note(f"Nothing has come from the source for {_SILENT_S:g} s; it is waited for. Ctrl+C stops it.")

    async def _take(self, step: "Step") -> None:
        from ecglens.streams import Recorder

        if self._folder is not None and self.recorder is None:
            self.recorder = Recorder(self._folder, step.info)
        if self.recorder is not None:
            self.recorder.write(step.stretches, step.results)
        for output in self._outputs:
            await output.write(step.info, step.stretches, step.results)
        self._report_failures()
        self._printer.show(step)

    def _report_failures(self) -> None:
        """Report once that results do not reach an output."""
        from ecglens.streams.outputs import QueuedOutput

        for output in self._outputs:
            if isinstance(output, QueuedOutput) and output.failure and output.name not in self._reported:
                self._reported.add(output.name)
                name, why = printable(output.name), printable(output.failure)
                self._note(f"Results do not reach {name} ({why}); they are dropped until it responds.")


class _Printer:
    """Results on stdout: as JSON lines, or events and the rate in words."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json, self._console = as_json, Console(highlight=False)
        self._is_introduced, self._due_s = False, 0.0
        self._gaps: list[float] = []
        self._gaps_due_s = 0.0

    def show(self, step: "Step") -> None:
        if self._as_json:
            for result in step.results:
                print(json.dumps(result.to_dict(), allow_nan=False), flush=bool(step.results))
            return
        if not self._is_introduced:
            self._is_introduced = True
            self._print(f"{printable(step.info.device)}: {_describe(step.info)}", "bold")
        for result in step.results:
            self._show_result(result)

    def _show_result(self, result: "Result") -> None:
        from ecglens.streams import LiveFigures, StreamEvent

        is_short = result.end_s - result.start_s < _LONG_GAP_S
        if isinstance(result, StreamEvent) and result.kind == "gap" and is_short and result.values["samples"] > 1:
            self._gaps.append(result.end_s - result.start_s)
            if result.end_s >= self._gaps_due_s:
                self._gaps_due_s = result.end_s + _RATE_S
                self._print_gaps(result.end_s)
        elif isinstance(result, StreamEvent):
            state = "" if result.state == "once" else f" {result.state}"
            detail = f": {printable(result.detail)}" if result.detail else ""
            values = {} if result.state == "ends" else dict(result.values)
            figures = ", ".join(_FIGURES[name].format(value) for name, value in values.items() if name in _FIGURES)
            figures = f" ({figures})" if figures else ""
            alarm = "" if result.priority == "info" else f"{result.priority.capitalize()} alarm: "
            text = f"{alarm}{printable(result.title)}{state}{detail}{figures}"
            self._print(f"{result.reported_s:9.1f} s  {text}", _STYLES[result.priority])
        elif isinstance(result, LiveFigures) and result.window == "rate" and result.end_s >= self._due_s:
            self._due_s = result.end_s + _RATE_S
            rate = result.figures["rate_bpm"]
            self._print(f"{result.end_s:9.1f} s  {rate.value:.0f}/min", "")

    def _print_gaps(self, end_s: float) -> None:
        """Print the short gaps since the last line about some as one line, as there may be several in a second."""
        count = "1 gap" if len(self._gaps) == 1 else f"{len(self._gaps)} gaps"
        self._print(f"{end_s:9.1f} s  {count}: {sum(self._gaps):.2f} s are missing.", _STYLES["info"])
        self._gaps.clear()

    def finish(self, end_s: float) -> None:
        """Print what was not printed yet, as the stream has ended."""
        if self._gaps and not self._as_json:
            self._print_gaps(end_s)

    def _print(self, text: str, style: str) -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)


def _describe(info: "StreamInfo") -> str:
    if not info.leads:
        return "RR intervals without an ECG"
    leads = "1 lead" if len(info.leads) == 1 else f"{len(info.leads)} leads"
    return f"{leads} at {info.fs_hz:g} Hz: {printable(' '.join(info.leads))}"


def _report_recording(console: Console, folder: Path, *, fhir: bool) -> bool:
    """Print what was recorded, and return whether all was written that was requested."""
    from ecglens.streams.recording import read_session_info, span_session

    session, words, is_written = read_session_info(folder), "", True
    if session.info.leads:
        start, end = span_session(folder)
        words = f", {end - start:.1f} s"
    elif fhir:
        is_written = False
        words = "\nNo FHIR was written, as the stream has RR intervals without samples."
    if fhir and session.info.leads:
        try:
            words += f"\nWritten: {_write_fhir(folder)}"
        except EcgLensError as error:
            is_written = False
            words += f"\nNo FHIR was written; the segments hold the recording: {printable(str(error))}"
    console.print(f"Recorded: {printable(str(folder))}{words}", soft_wrap=True, markup=False)
    return is_written


def _write_fhir(folder: Path) -> str:
    """Write the first part of a session that fits into memory as FHIR, mostly all of it, and return its path."""
    from datetime import UTC, datetime, timedelta

    from ecglens.formats.files import write_record
    from ecglens.streams.recording import MAX_SAMPLES, read_session, read_session_info, span_session

    session = read_session_info(folder)
    longest_s = MAX_SAMPLES // len(session.info.leads) / session.info.fs_hz
    start, end = span_session(folder)
    began = datetime.fromtimestamp(session.began_s, UTC) + timedelta(seconds=start)
    record = read_session(folder, seconds=longest_s)
    written = Path(write_record(record, folder / "session", "fhir", recorded=began))
    written.chmod(0o600)
    path = printable(str(written))
    is_whole = end - start <= longest_s
    return path if is_whole else f"{path}, the first {longest_s:.0f} s alone; the segments hold all of it."


def _report_outputs(console: Console, outputs: "list[Output]") -> int:
    """Report what outputs did not send, and return the exit code."""
    from ecglens.streams.outputs import QueuedOutput
    from ecglens.streams.site import SiteOutput

    code = 0
    for output in outputs:
        if isinstance(output, QueuedOutput) and output.dropped:
            error_line(console, f"{output.dropped} results were not sent to {printable(output.name)}.")
            code = code if output.has_sent else 2
        if isinstance(output, SiteOutput) and output.failure is not None:
            error_line(console, printable(output.failure))
            code = 2
        elif isinstance(output, SiteOutput) and output.dropped:
            error_line(console, f"{output.dropped} packets were not sent to the site.")
    return code


def replay_command(
    file: Annotated[str, typer.Argument(help="Digital ECG in any format that ecglens reads.", show_default=False)],
    speed: Annotated[float, typer.Option(min=0, help="Multiple of real time; 0 for as fast as it is read.")] = 1.0,
    repeat: Annotated[int, typer.Option(min=1, help="Number of times that the recording is replayed.")] = 1,
    packet: Annotated[float, typer.Option(min=0.004, max=10, help="Length of a packet, in s.")] = 0.05,
    lost: Annotated[float, typer.Option(min=0, max=1, help="Share of packets that do not arrive.")] = 0.0,
    doubled: Annotated[float, typer.Option(min=0, max=1, help="Share of packets that arrive twice.")] = 0.0,
    swapped: Annotated[float, typer.Option(min=0, max=1, help="Share of packets that the next one overtakes.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Random seed of these faults.")] = 0,
    listen: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port on this machine at which a TCP client gets the stream.", show_default=False
        ),
    ] = None,
) -> None:
    """Replay a digital ECG as a live stream of JSON lines to stdout or to a TCP client, with faults on request."""
    import numpy as np

    from ecglens.formats.files import read_record
    from ecglens.streams import ReplayFaults, replay
    from ecglens.streams.json_lines import write_line

    _check_finite(speed, "--speed")
    for share, name in ((lost, "--lost"), (doubled, "--doubled"), (swapped, "--swapped"), (packet, "--packet")):
        _check_finite(share, name)
    record = read_record(file)
    faults = ReplayFaults(lost=lost, doubled=doubled, swapped=swapped)

    def open_stream() -> "AsyncIterator[Message]":
        rng, name = np.random.default_rng(seed), printable(Path(file).name)[:80]
        return replay(record, device=name, speed=speed, packet_s=packet, repeat=repeat, faults=faults, rng=rng)

    async def print_lines() -> None:
        async for message in open_stream():
            sys.stdout.write(f"{write_line(message)}\n")
            sys.stdout.flush()

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for message in open_stream():
                writer.write(f"{write_line(message)}\n".encode())
                await writer.drain()
        except OSError:
            return  # the client has left
        finally:
            writer.close()

    async def serve() -> None:
        try:
            server = await asyncio.start_server(send, "127.0.0.1", listen)
        except OSError as error:
            raise EcgLensError(
                f"Expected a free port as --listen, but {listen} cannot be used; choose another one."
            ) from error
        port = server.sockets[0].getsockname()[1]
        print(f"ecglens replays at tcp://127.0.0.1:{port}  Ctrl+C stops it.", file=sys.stderr, flush=True)
        async with server:
            await server.serve_forever()

    try:
        asyncio.run(print_lines() if listen is None else serve())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
