"""Help for tests of streams: messages of a source, and records with known beats."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from synthetic_ecgs import synthesize_ecg

from ecglens.records import EcgRecord
from ecglens.streams import Message


def make_record(seconds: float = 20.0, fs_hz: float = 250.0, leads: int = 2) -> EcgRecord:
    """Return a record with a beat every 0.8 s from 0.545 s on."""
    record = synthesize_ecg(seconds=seconds, fs_hz=fs_hz, noise_mv=0.01, rng=np.random.default_rng(1))
    return EcgRecord(record.signals_mv[:leads], fs_hz, record.leads[:leads])


async def collect(source: AsyncIterator[Message], *, limit: int = 100_000, timeout_s: float = 30.0) -> list[Message]:
    """Return the messages of a source, up to a number of them."""
    out: list[Message] = []
    async with asyncio.timeout(timeout_s):
        async for message in source:
            out.append(message)
            if len(out) >= limit:
                break
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
    return out
