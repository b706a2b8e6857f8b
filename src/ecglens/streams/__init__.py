"""Live ECGs: packets of wearables and monitors become samples on one count, and results while they arrive.

>>> import asyncio
>>> import numpy as np
>>> from ecglens.records import EcgRecord
>>> from ecglens.streams import replay, watch
>>> async def count_samples(record):
...     stretches = [part async for step in watch(replay(record, speed=0)) for part in step.stretches]
...     return sum(part.samples_mv.shape[1] for part in stretches)
>>> asyncio.run(count_samples(EcgRecord(np.zeros((1, 500), np.float32), 250.0, ("I",))))
500
"""

from ecglens.streams.alarms import AlarmRule, load_alarms
from ecglens.streams.monitor import Monitor
from ecglens.streams.packets import (
    Battery,
    Connection,
    Faults,
    Gap,
    Message,
    Packet,
    Refused,
    RrIntervals,
    StreamInfo,
    Stretch,
)
from ecglens.streams.recording import Recorder, Session, read_results, read_session
from ecglens.streams.replay import ReplayFaults, replay
from ecglens.streams.results import (
    LeadQuality,
    LiveBeat,
    LiveFigures,
    LivePrediction,
    Result,
    StreamEvent,
)
from ecglens.streams.sources import SCHEMES, open_source
from ecglens.streams.watching import Step, watch

__all__ = [
    "SCHEMES",
    "AlarmRule",
    "Battery",
    "Connection",
    "Faults",
    "Gap",
    "LeadQuality",
    "LiveBeat",
    "LiveFigures",
    "LivePrediction",
    "Message",
    "Monitor",
    "Packet",
    "Recorder",
    "Refused",
    "ReplayFaults",
    "Result",
    "RrIntervals",
    "Session",
    "Step",
    "StreamEvent",
    "StreamInfo",
    "Stretch",
    "load_alarms",
    "open_source",
    "read_results",
    "read_session",
    "replay",
    "watch",
]
