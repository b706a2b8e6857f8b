"""A clock that says when each sample was recorded, although the device's clock drifts and packets arrive late.

A device samples at a rate that differs from its nominal one by up to some 100 parts per million, 8.6 s a day. Packets
carry one time each, for their last sample, or none but that of their arrival, which is never early but often late. So
the clock keeps the earliest time, relative to the nominal rate, in each block of a few seconds, and fits a line to
these blocks: the line's slope is the drift.
"""

from dataclasses import dataclass

import numpy as np

from ecglens.limits import threshold

__all__ = ["LIMITS", "ClockLimits", "ClockState", "SampleClock"]

_STREAMS = "benchmarks/streams.md: clocks"


@dataclass(frozen=True)
class ClockLimits:
    """Thresholds of the clock."""

    block_s: float = threshold(
        5.0,
        "s",
        "Length of the blocks of which the earliest packet counts.",
        low="A block has no packet that arrived in time.",
        high="The clock follows a change of the drift late.",
        evidence=_STREAMS,
    )
    blocks: int = threshold(
        36,
        "1",
        "Number of blocks to which the line is fitted.",
        low="Late packets move the clock.",
        high="The clock follows a change of the drift late.",
        evidence=_STREAMS,
    )
    max_drift: float = threshold(
        1e-3,
        "1",
        "Largest drift that is believed, as a part of the nominal rate.",
        low="The drift of poor crystals is not corrected.",
        high="A burst of late packets counts as drift.",
        evidence=_STREAMS,
    )


LIMITS = ClockLimits()
_MIN_BLOCKS = 4
"""Number of blocks from which a slope is fitted."""


@dataclass
class ClockState:
    """State of a clock: the blocks that are complete, the one that is not, and the line.

    Attributes:
        origin_s: Time of the first packet; offsets are relative to it.
        blocks: Middle of each block by the count of samples in s, and its least offset in s.
        block: Number of the current block.
        middle_s: Where in the current block its least offset is.
        least_s: Least offset in the current block.
        offset_s: Offset of the line at ``center_s``.
        center_s: Center of the fitted blocks.
        drift: Slope of the line; 0 for a device whose rate is nominal.
    """

    origin_s: float | None = None
    blocks: list[tuple[float, float]] = None  # type: ignore[assignment]
    block: int = -1
    middle_s: float = 0.0
    least_s: float = 0.0
    offset_s: float = 0.0
    center_s: float = 0.0
    drift: float = 0.0

    def __post_init__(self) -> None:
        self.blocks = [] if self.blocks is None else self.blocks


class SampleClock:
    """Time of each sample by its number.

    Args:
        fs_hz: Nominal sampling rate.
        state: State of a clock before, to go on with.

    >>> clock = SampleClock(130.0)
    >>> for packet in range(1, 200):
    ...     clock.update(73 * packet - 1, 1000.0 + 73 * packet / 130.013)
    >>> round(clock.drift * 1e6)
    -100
    """

    def __init__(self, fs_hz: float, state: ClockState | None = None) -> None:
        self._fs_hz = fs_hz
        self.state = state or ClockState()

    @property
    def drift(self) -> float:
        """Length of a sample by the clock of the packets over the nominal one, less 1."""
        return self.state.drift

    @property
    def is_set(self) -> bool:
        """Whether the clock has a time."""
        return self.state.origin_s is not None

    def update(self, number: int, time_s: float) -> None:
        """Take the time of a packet.

        Args:
            number: Number of its last sample.
            time_s: Time of that sample, or the time at which the packet arrived.
        """
        state, position_s = self.state, number / self._fs_hz
        if state.origin_s is None:
            state.origin_s = time_s - position_s
        offset = time_s - position_s - state.origin_s
        block = int(position_s // LIMITS.block_s)
        if block != state.block:
            if state.block >= 0:
                state.blocks = [*state.blocks, (state.middle_s, state.least_s)][-LIMITS.blocks :]
                self._fit()
            state.block, state.middle_s, state.least_s = block, position_s, offset
        elif offset < state.least_s:
            state.middle_s, state.least_s = position_s, offset
        if len(state.blocks) < _MIN_BLOCKS:  # no line yet: the earliest packet counts
            earliest = min([state.least_s, *(least for _, least in state.blocks)])
            state.offset_s, state.center_s, state.drift = earliest, position_s, 0.0

    def time_at(self, number: int) -> float:
        """Return the time of a sample in s.

        Args:
            number: Number of the sample.

        Raises:
            ValueError: No packet had a time.
        """
        state = self.state
        if state.origin_s is None:
            raise ValueError("Expected a packet with a time before the time of a sample; update the clock first.")
        position_s = number / self._fs_hz
        return state.origin_s + position_s + state.offset_s + state.drift * (position_s - state.center_s)

    def shift(self, seconds: float) -> None:
        """Move the clock, as the device began to count from the start again.

        Args:
            seconds: By how much later each sample is.
        """
        if self.state.origin_s is not None:
            self.state.origin_s += seconds

    def _fit(self) -> None:
        state = self.state
        if len(state.blocks) < _MIN_BLOCKS:
            return
        positions, offsets = np.array(state.blocks).T
        center = float(positions.mean())
        away = positions - center
        power = float(away @ away)
        slope = float(away @ offsets) / power if power > 0 else 0.0
        state.drift = float(np.clip(slope, -LIMITS.max_drift, LIMITS.max_drift))
        # Below most of the blocks, since a packet may be late and never early.
        state.offset_s = float(np.quantile(offsets - state.drift * away, 0.25))
        state.center_s = center
