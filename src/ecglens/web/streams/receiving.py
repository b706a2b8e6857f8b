"""Receiver of one stream in a serving process: monitors its lines, and writes them for viewers and the recording.

The lines are parsed here, in a thread, at the pace of the stream: those that come too fast wait, and so does their
sender. A disk without room ends the recording, and the live view only where its few megabytes cannot be written either.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ecglens.errors import StreamError
from ecglens.streams import Monitor, Recorder, StreamInfo
from ecglens.streams.json_lines import LineParser, LineSplitter
from ecglens.streams.pace import (
    BURST_S,
    FASTER,
    MAX_SAMPLES_A_S,
    Budget,
    count_cost,
    count_samples_a_second,
    limit_line,
)
from ecglens.streams.packets import Connection, Message, RrIntervals, Stretch
from ecglens.streams.results import Result, StreamEvent
from ecglens.web.http.uploads import has_room
from ecglens.web.streams.folders import LIVE, RECORDING, STATE, SWITCH

__all__ = ["DELETED", "INFO_BYTES", "NO_ROOM", "Lines", "Receiver", "StreamRefusedError", "create_account_budget"]

_LOG = logging.getLogger(__name__)
INFO_BYTES = 1 << 16
"""Bytes up to the end of the description; 64 leads with the longest names take 61 kB where each sign is escaped."""
NO_ROOM = "Expected room for the stream, but the disk of this site is full; tell its operator."
DELETED = "Expected a stream of your account, got one that was deleted; begin another."
_END_LINES = (b'{"type": "end"}', b'{"type":"end"}')
_SAVE_S = 2.0
_SWITCH_S = 1.0
_SILENCE_S = 1.0
_ROOM_S = 2.0
"""Interval of looking at the free space; a stream that is as fast as it may be writes 4 MB in it."""
_SEGMENT_S, _SEGMENTS = 30.0, 3
"""Length and number of the segments that viewers read."""
_MAX_FILLED_S = 10.0
"""Longest gap that counts for the pace: a longer one is not written, see :mod:`ecglens.streams.recording`."""
_ACCOUNT_FACTOR = 2.0
"""Streams of the largest size that an account may send to a serving process without being slowed down."""
_ACCOUNT_BURST_S = 20.0


class StreamRefusedError(Exception):
    """A stream that does not go on.

    Args:
        status: Status of the response.
        sentence: Why.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def create_account_budget() -> Budget:
    """Return the samples of all streams of an account that a serving process takes."""
    rate = _ACCOUNT_FACTOR * MAX_SAMPLES_A_S
    return Budget(rate, _ACCOUNT_BURST_S * rate)


class Lines:
    """Lines of a body, each of which is parsed only when it is its turn."""

    def __init__(self) -> None:
        self._splitter, self._parser = LineSplitter(INFO_BYTES), LineParser()
        self._waiting: deque[bytes | None] = deque()
        self._before_info, self._reason = 0, "what the longest description needs"

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, part: bytes) -> None:
        """Add the next bytes.

        Raises:
            StreamRefusedError: A line is longer than a second of the stream.
        """
        self._waiting.extend(self._splitter.feed(part))
        if self._splitter.is_dropping or None in self._waiting:
            raise StreamRefusedError(
                413,
                f"Expected lines of at most {self._splitter.limit:,} bytes, {self._reason}, got a longer one; send "
                "shorter ones.",
            )

    def read_info(self, part: bytes) -> StreamInfo | None:
        """Return the description, which comes first; ``None`` where it has not arrived.

        Args:
            part: The next bytes.

        Raises:
            StreamError: Something else comes first, or a description that cannot be used; the sentence says why.
            StreamRefusedError: It is too long.
        """
        start = 0
        while start < len(part):
            end = part.find(b"\n", start) + 1 or len(part)
            self.add(part[start:end])  # by itself, since the limit of the lines behind it is not known yet
            self._before_info += end - start
            start = end
            first = self._parser.parse(self._waiting.popleft() or b"") if self._waiting else None
            if isinstance(first, StreamInfo):
                self._splitter.limit, self._reason = limit_line(first), "what a second of the stream needs"
                self.add(part[start:])
                return first
            if first is not None:
                raise StreamError("Expected a line of type info first, got something else; describe the stream.")
            if self._before_info > INFO_BYTES:
                raise StreamError(
                    f"Expected a line of type info within {INFO_BYTES:,} bytes, got none; describe the stream."
                )
        return None

    def read(self) -> tuple[bytes, Message | None]:
        """Return the next line that waits, and its message."""
        line = self._waiting.popleft() or b""
        return line, None if line.strip() in _END_LINES else self._parser.read(line)


class Receiver:
    """The monitor and the files of a session; used by one thread at a time.

    Args:
        info: The stream.
        folder: Folder of the session.
        lines: Its lines, of which the description was read.
        account: Budget of the account that sends it.
        clock: Function for the time in s.

    Raises:
        StreamRefusedError: The files of the live view cannot be written.
    """

    def __init__(
        self,
        info: StreamInfo,
        folder: Path,
        lines: Lines,
        account: Budget,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._info, self._lines, self._clock = folder, info, lines, clock
        self._account = account
        a_second = count_samples_a_second(info)
        self._budget = Budget(FASTER * a_second, BURST_S * a_second, clock=clock)
        self.is_ended = False
        self._monitor, self._end = self._create_monitor(), -1
        self._arrived_s = self._compared_s = clock()
        try:
            self._live = Recorder(folder / LIVE, info, segment_s=_SEGMENT_S, keep_segments=_SEGMENTS)
        except StreamError as error:
            raise self._refuse(error) from error
        self._recording: Recorder | None = None
        self._saved_s = float("-inf")
        self._switched_s = self._looked_s = clock()
        self._switch()
        self._was_cut_off = self._monitor.now_s > 0

    @property
    def is_waiting(self) -> bool:
        """Whether lines have arrived that were not taken."""
        return len(self._lines) > 0

    @property
    def is_recording(self) -> bool:
        """Whether the stream is being recorded."""
        return self._recording is not None

    def take(self, part: bytes) -> float:
        """Monitor the lines that have arrived, and write what follows; return the time in s until the next call.

        Args:
            part: The next bytes.

        Raises:
            StreamRefusedError: A line is too long, the stream is too fast for too long, or the disk is full.
        """
        if self._was_cut_off:  # the sender may restart its count
            self._was_cut_off = False
            self._feed(Connection(False, "The sender was cut off."))
            self._feed(Connection(True))
        self._lines.add(part)
        wait_s = self._measure_wait()
        while len(self._lines) and not wait_s and not self.is_ended:
            self._take_line()
            wait_s = self._measure_wait()
        self._look_around()
        return wait_s

    def stop_recording(self, sentence: str) -> None:
        """End the recording before its owner does, and tell viewers why; the live view goes on.

        Args:
            sentence: Why.
        """
        _LOG.warning("The recording of the stream %s ends: %s", self._folder.name, sentence)
        recording, self._recording = self._recording, None
        (self._folder / SWITCH).unlink(missing_ok=True)
        if recording is not None:
            _close(recording)
        now_s = self._monitor.now_s
        self._write_live([], [StreamEvent("recording", "Recording ended", now_s, now_s, detail=sentence)])

    def close(self) -> None:
        """End the files; without an end of the stream, store the state to go on from. All files are closed after it."""
        try:
            if self.is_ended:
                self._write(*self._monitor.finish())
            else:
                self._save()
        except StreamRefusedError as error:
            _LOG.warning("The end of the stream %s is lost: %s", self._folder.name, error)
        finally:
            if self._recording is not None:
                _close(self._recording)
            if self.is_ended:
                _close(self._live)
            else:
                self._live.release()  # the session goes on, so that its file states no end

    def _create_monitor(self) -> Monitor:
        state = self._folder / STATE
        try:
            return Monitor(self._info, state=state.read_bytes() if state.is_file() else None)
        except StreamError:
            _LOG.warning("The state of the stream %s cannot be read; it starts again", self._folder.name)
            return Monitor(self._info)

    def _measure_wait(self) -> float:
        """Return the time in s until the next line may be taken.

        Raises:
            StreamRefusedError: The sender is too fast for longer than it may be.
        """
        if self._budget.is_exceeded:
            raise StreamRefusedError(
                429,
                f"Expected at most {FASTER:g} times the {self._info.fs_hz:g} Hz of the stream, got more for too long; "
                "send the samples as they are measured.",
            )
        if self._account.is_exceeded:
            raise StreamRefusedError(
                429,
                f"Expected at most {_ACCOUNT_FACTOR * MAX_SAMPLES_A_S:,.0f} samples a second in all streams of an "
                "account, got more for too long; send fewer at a time.",
            )
        return max(self._budget.wait_s, self._account.wait_s)

    def _take_line(self) -> None:
        line, message = self._lines.read()
        if message is None:
            self.is_ended = line.strip() in _END_LINES
            self._spend(count_cost(len(line), 0))
            return
        self._spend(count_cost(len(line), self._feed(message)))

    def _feed(self, message: Message) -> float:
        """Monitor a message, write what follows, and return the samples by which the stream moves on."""
        try:
            stretches, results = self._monitor.feed(message)
        except StreamError as error:
            _LOG.warning("A packet of the stream %s was refused: %s", self._folder.name, error)
            return 0.0
        if stretches or isinstance(message, RrIntervals):
            self._arrived_s = self._compared_s = self._clock()
        self._write(stretches, results)
        return self._count_samples(stretches)

    def _spend(self, cost: float) -> None:
        self._budget.spend(cost)
        self._account.spend(cost)

    def _count_samples(self, stretches: Sequence[Stretch]) -> float:
        """Return the samples of all leads by which the stream moves on, gaps among them."""
        count, longest = 0.0, _MAX_FILLED_S * self._info.fs_hz
        for stretch in stretches:
            gap = 0 if self._end < 0 else min(max(stretch.first - self._end, 0), longest)
            count += gap + stretch.samples_mv.shape[1]
            self._end = stretch.end
        return count * len(self._info.leads)

    def _look_around(self) -> None:
        """Look at the switch and at the disk, and save the state, each at its interval."""
        now = self._clock()
        if now - self._compared_s > _SILENCE_S:
            self._compared_s = now
            self._write([], list(self._monitor.wait(now - self._arrived_s)))
        if now - self._switched_s > _SWITCH_S:
            self._switched_s = now
            self._switch()
        if self._recording is not None and now - self._looked_s > _ROOM_S:
            self._looked_s = now
            if not has_room(0):
                self.stop_recording(NO_ROOM)
        if now - self._saved_s > _SAVE_S:  # at once the first time, so that the count never starts again
            self._saved_s = now
            self._save()

    def _write(self, stretches: list[Stretch], results: list[Result]) -> None:
        self._write_live(stretches, results)
        if self._recording is not None:
            try:
                self._recording.write(stretches, results)
            except StreamError as error:
                _LOG.warning("%s", error)
                self.stop_recording(NO_ROOM)

    def _write_live(self, stretches: list[Stretch], results: list[Result]) -> None:
        try:
            self._live.write(stretches, results)
        except StreamError as error:
            raise self._refuse(error) from error

    def _switch(self) -> None:
        """Start or stop recording, as its owner has said."""
        is_on = (self._folder / SWITCH).exists()
        if is_on and self._recording is None:
            try:
                self._recording = Recorder(self._folder / RECORDING, self._info)
            except StreamError as error:
                _LOG.warning("%s", error)
                self.stop_recording(NO_ROOM)
        elif not is_on and self._recording is not None:
            recording, self._recording = self._recording, None
            _close(recording)

    def _save(self) -> None:
        part = self._folder / f".{STATE}.part"
        try:
            part.write_bytes(self._monitor.save())
            part.chmod(0o600)
            part.replace(self._folder / STATE)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise self._refuse(error) from error

    def _refuse(self, error: Exception) -> StreamRefusedError:
        """Return the refusal of a stream whose files cannot be written; the log alone names them."""
        _LOG.warning("The stream %s ends: %s", self._folder.name, error)
        if not self._folder.exists():
            return StreamRefusedError(404, DELETED)
        return StreamRefusedError(507, NO_ROOM)


def _close(recorder: Recorder) -> None:
    """Close the files of a recorder; where their end cannot be written, they are as long as they are."""
    try:
        recorder.close()
    except StreamError as error:
        _LOG.warning("%s", error)
