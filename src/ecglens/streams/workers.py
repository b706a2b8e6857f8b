"""Many streams over many workers: Redis Streams hold the packets, a lease says which worker has a device.

Each device has a Redis stream of its packets, read by one consumer group. A worker that holds the device's lease reads
its packets, publishes its results and saves the state of its monitor about once a second. Publishing and saving check
the lease in the same step, so that a worker that lost it changes nothing more. Results are numbered, and a monitor
gives the same results for the same packets: the worker that takes over starts from the saved state, reads the packets
after it once more, and publishes only the numbers that are not there yet. So nothing is lost and nothing comes twice.

Each feeder marks its description, behind which the device may restart its count. A stream that cannot go on, by a
description with other leads or an error of the program, says so in an event; the next feeder's begins again, and its
worker lives.
"""

import asyncio
import json
import logging
import secrets
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ecglens.errors import StreamError
from ecglens.extras import require
from ecglens.streams.describing import describe_first
from ecglens.streams.digital import choose_offsets, digitize
from ecglens.streams.json_lines import LineParser, write_line
from ecglens.streams.monitor import Monitor
from ecglens.streams.packets import Connection, Message, Packet, RrIntervals, StreamInfo, Stretch
from ecglens.streams.results import Result, StreamEvent

__all__ = ["Broker", "StreamWorker", "connect_broker", "feed_broker", "results_key"]

_LOG = logging.getLogger(__name__)
_PREFIX = "ecglens:streams"
_GROUP = "workers"
_LEASE_MS = 2000
"""Time after which a worker that does not renew its leases has lost them."""
_RENEW_S = 0.4
_SILENCE_S = 1.0
"""Interval at which a silent device is compared with the alarm rules."""
_SAVE_S = 1.0
"""Signal after which the state is saved."""
_BLOCK_MS = 50
_RETRY_S = 0.2
_BATCH = 200
_MAX_PACKETS = 20_000
"""Packets of a device that wait while no worker takes them; older ones are dropped."""
_MAX_RESULTS = 100_000

_RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""
_PUBLISH = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
local published = tonumber(redis.call('hget', KEYS[2], 'published') or '0')
local number = tonumber(ARGV[2])
for place = 4, #ARGV do
  if number > published then
    redis.call('xadd', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'number', number, 'result', ARGV[place])
    published = number
  end
  number = number + 1
end
redis.call('hset', KEYS[2], 'published', published)
return 1
"""
_SAVE = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('hset', KEYS[2], 'last', ARGV[2], 'number', ARGV[3], 'state', ARGV[4], 'info', ARGV[5])
for place = 6, #ARGV do redis.call('xack', KEYS[3], 'workers', ARGV[place]) end
redis.call('xtrim', KEYS[3], 'MINID', ARGV[2])
return 1
"""

Broker = Any
"""A client of Redis that returns bytes."""


def connect_broker(url: str) -> Broker:
    """Connect to a Redis server.

    Args:
        url: Address, ``redis://HOST:PORT`` or ``rediss://``.

    Raises:
        StreamError: There is no server.
        MissingExtraError: redis is not installed.
    """
    redis = require("redis", extra="stream")
    try:
        broker = redis.Redis.from_url(url, socket_timeout=10, health_check_interval=5)
        broker.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise StreamError(
            f"Expected a Redis server at {url.rpartition('@')[2][:120]}, but there is none: {error}."
        ) from error
    return broker


def results_key(device: str) -> str:
    """Return the key of the Redis stream with the results of a device."""
    return f"{_PREFIX}:results:{device}"


async def feed_broker(broker: Broker, source: AsyncIterator[Message], *, clock: Callable[[], float] = time.time) -> int:
    """Put the messages of a source into the broker, and return their number; a broker that is away is waited for.

    Args:
        broker: Client of Redis.
        source: Messages of one device.
        clock: Function for the time in s since 1970.
    """
    device, count = "", 0
    async with aclosing(describe_first(source)) as messages:  # type: ignore[type-var]  # a generator
        async for message in messages:
            received = message.received_s if isinstance(message, Packet | RrIntervals) else None
            fields = {"line": write_line(message), "received": repr(clock() if received is None else received)}
            described = None
            if isinstance(message, StreamInfo) and not count:
                device, described = message.device, write_line(message)
                fields["feeder"] = secrets.token_hex(8)
            # A packet that was added before the answer was lost comes twice, which its number and samples tell.
            while not await asyncio.to_thread(_add, broker, device, fields, described):
                await asyncio.sleep(_RETRY_S)
            count += 1
    return count


def _add(broker: Broker, device: str, fields: dict[str, str], described: str | None) -> bool:
    """Add a message to the stream of a device, and return whether the broker took it."""
    redis = require("redis", extra="stream")
    try:
        broker.xadd(_packets_key(device), fields, maxlen=_MAX_PACKETS, approximate=True)
        if described is not None:
            broker.hset(f"{_PREFIX}:info", device, described)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        _LOG.warning("The broker is away: %s", error)
        return False
    return True


@dataclass
class _Device:
    """A device whose lease this worker has; without a monitor until its next description."""

    monitor: Monitor | None = None
    received_s: float = 0.0
    arrived_s: float = 0.0
    compared_s: float = 0.0
    parser: LineParser = field(init=False)
    number: int = 0
    last: str = "0-0"
    unsaved: list[str] = field(default_factory=list)
    saved_s: float = 0.0

    def __post_init__(self) -> None:
        # A packet's time of arrival is that at the broker, so that reading it again gives the same results.
        self.parser = LineParser(clock=lambda: self.received_s)


class StreamWorker:
    """One worker.

    Args:
        broker: Client of Redis.
        name: Name of the worker; a random one by default.
        clock: Function for a time in s that never goes back.
    """

    def __init__(self, broker: Broker, *, name: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._broker, self._clock = broker, clock
        self.name = name or f"worker-{secrets.token_hex(4)}"
        self._token = f"{self.name}:{secrets.token_hex(8)}"
        self._devices: dict[str, _Device] = {}
        self._renewed_s = -1e9
        self._renew, self._release = broker.register_script(_RENEW), broker.register_script(_RELEASE)
        self._publish, self._save = broker.register_script(_PUBLISH), broker.register_script(_SAVE)

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices whose lease this worker has."""
        return tuple(self._devices)

    def run(self, *, is_stopped: Callable[[], bool]) -> None:
        """Work until stopped; a broker that is away is waited for.

        Args:
            is_stopped: Function that says whether to stop.
        """
        redis = require("redis", extra="stream")
        while not is_stopped():
            try:
                self.work()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                # Leases may have passed to others meanwhile: everything starts from the saved states.
                _LOG.warning("The broker is away: %s", error)
                self._devices.clear()
                self._renewed_s = -1e9
                time.sleep(0.2)
        self.stop()

    def work(self) -> int:
        """Return the number of packets of one round: leases are renewed, free devices taken, packets read once."""
        if self._clock() - self._renewed_s >= _RENEW_S:
            self._renewed_s = self._clock()
            self._renew_leases()
            self._take_devices()
        if not self._devices:
            time.sleep(_BLOCK_MS / 1000)
            return 0
        keys = {_packets_key(device): ">" for device in self._devices}
        answer = self._broker.xreadgroup(_GROUP, self.name, keys, count=_BATCH, block=_BLOCK_MS) or []
        total = 0
        for key, entries in answer:
            device = key.decode().removeprefix(f"{_PREFIX}:packets:")
            total += len(entries)
            self._process(device, entries)
        for device in list(self._devices):
            self._compare_silence(device)
        return total

    def stop(self) -> None:
        """Save all states and give the leases back."""
        for device in list(self._devices):
            self._save_state(device)
            self._release(keys=[_lease_key(device)], args=[self._token])
        self._devices.clear()
        self._broker.zrem(f"{_PREFIX}:workers", self.name)

    def _renew_leases(self) -> None:
        now = time.time()
        self._broker.zadd(f"{_PREFIX}:workers", {self.name: now})
        self._broker.zremrangebyscore(f"{_PREFIX}:workers", 0, now - _LEASE_MS / 1000)
        for device in list(self._devices):
            if not self._renew(keys=[_lease_key(device)], args=[self._token, _LEASE_MS]):
                _LOG.warning("%s lost the lease of %s", self.name, device)
                del self._devices[device]

    def _take_devices(self) -> None:
        """Take free devices up to a fair share, and give one back where there are more."""
        names = [name.decode() for name in self._broker.hkeys(f"{_PREFIX}:info")]
        workers = max(int(self._broker.zcard(f"{_PREFIX}:workers")), 1)
        share = -(-len(names) // workers)
        if len(self._devices) > share:
            device = next(iter(self._devices))
            self._save_state(device)
            self._release(keys=[_lease_key(device)], args=[self._token])
            self._devices.pop(device, None)
        for device in names:
            if len(self._devices) >= share:
                return
            if device not in self._devices and self._broker.set(_lease_key(device), self._token, nx=True, px=_LEASE_MS):
                self._devices[device] = _Device()
                self._restore(device)

    def _restore(self, device: str) -> None:
        """Start from the saved state, and read the packets after it once more."""
        redis, key = require("redis", extra="stream"), _packets_key(device)
        try:
            self._broker.xgroup_create(key, _GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        stored = self._broker.hgetall(_state_key(device))
        own = self._devices[device]
        own.arrived_s = own.compared_s = self._clock()
        own.number, own.last = int(stored.get(b"number", b"0")), stored.get(b"last", b"0-0").decode()
        info = own.parser.read(stored.get(b"info") or self._broker.hget(f"{_PREFIX}:info", device))
        if isinstance(info, StreamInfo) and stored.get(b"state") != b"":
            try:
                own.monitor = Monitor(info, state=stored.get(b"state"))
            except StreamError as error:
                _LOG.warning("The stream %s begins again: %s", device, error)
                own.monitor = Monitor(info)
        start = "0-0"
        while True:  # packets that another worker read and did not save
            start, entries, *_ = self._broker.xautoclaim(key, _GROUP, self.name, 0, start, count=_BATCH)
            self._process(device, [entry for entry in entries if entry[1]])
            if device not in self._devices or start in (b"0-0", "0-0"):
                return

    def _process(self, device: str, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        own = self._devices.get(device)
        if own is None:
            return
        documents: list[dict[str, Any]] = []
        for identity, fields in entries:
            own.unsaved.append(identity.decode())
            if _order(identity.decode()) <= _order(own.last):
                continue
            own.last = identity.decode()
            try:
                documents += self._take(own, fields)
            except Exception as error:
                _LOG.exception("The stream %s ends until it is fed again", device)
                documents.append(_describe_end(own, error).to_dict())
                own.monitor = None
        now_s = own.monitor.now_s if own.monitor is not None else float("inf")
        self._publish_documents(device, documents, is_saved=bool(entries) and not 0 <= now_s - own.saved_s < _SAVE_S)

    def _take(self, own: _Device, fields: dict[bytes, bytes]) -> list[dict[str, Any]]:
        """Return the results of an entry."""
        own.received_s = float(fields[b"received"])
        messages: list[Message] = []
        if b"feeder" in fields:
            messages = _begin_feeder(own, fields[b"line"])
        elif own.monitor is not None and (message := own.parser.read(fields[b"line"])) is not None:
            messages = [message]
        out: list[dict[str, Any]] = []
        for message in messages:
            assert own.monitor is not None
            stretches, results = own.monitor.feed(message)
            if stretches or isinstance(message, RrIntervals):
                own.arrived_s = own.compared_s = self._clock()
            out += [_describe(part) for part in stretches] + [result.to_dict() for result in results]
        return out

    def _compare_silence(self, device: str) -> None:
        """Publish the alarms of a device without samples."""
        own, now = self._devices[device], self._clock()
        if own.monitor is None or now - own.compared_s < _SILENCE_S:
            return
        own.compared_s = now
        results = own.monitor.wait(now - own.arrived_s)
        if results:
            # Published and saved in one step: no packet gives these results again.
            self._publish_documents(device, [result.to_dict() for result in results], is_saved=True)

    def _publish_documents(self, device: str, documents: list[dict[str, Any]], *, is_saved: bool) -> None:
        """Publish results, and save the state in the same step where it is due."""
        own = self._devices[device]
        with self._broker.pipeline(transaction=True) as step:
            if documents:
                lines = [json.dumps(document, allow_nan=False) for document in documents]
                arguments = [self._token, own.number + 1, _MAX_RESULTS, *lines]
                self._publish(keys=_keys(device), args=arguments, client=step)
                own.number += len(lines)
            if is_saved:
                self._add_save(device, step)
            if not all(step.execute()):
                self._devices.pop(device, None)
                return
        if is_saved:
            own.unsaved, own.saved_s = [], own.monitor.now_s if own.monitor is not None else 0.0

    def _save_state(self, device: str) -> None:
        if device in self._devices:
            self._publish_documents(device, [], is_saved=self._devices[device].last != "0-0")

    def _add_save(self, device: str, step: Any) -> None:
        """Add the saving of the state to a step; a stream that has ended has no state."""
        own = self._devices[device]
        state = b"" if own.monitor is None else own.monitor.save()
        info = "" if own.parser.info is None else write_line(own.parser.info)
        keys = [_lease_key(device), _state_key(device), _packets_key(device)]
        self._save(keys=keys, args=[self._token, own.last, own.number, state, info, *own.unsaved], client=step)


def _begin_feeder(own: _Device, line: bytes) -> list[Message]:
    """Return what a monitor gets as a feeder begins; with other leads or after an end, the stream begins again."""
    info = LineParser().parse(line)
    assert isinstance(info, StreamInfo)
    before = own.monitor
    has_begun = before is not None and before.now_s > 0
    if before is not None and (before.info.leads, before.info.fs_hz) == (info.leads, info.fs_hz):
        return [Connection(False, "Another feeder begins."), Connection(True)] if has_begun else []
    own.parser, own.monitor = LineParser(info, clock=lambda: own.received_s), Monitor(info)
    detail = "The device describes other leads or another rate; the stream begins again."
    return [Connection(True, detail)] if has_begun else []


def _describe_end(own: _Device, error: Exception) -> Result:
    now_s = 0.0 if own.monitor is None else own.monitor.now_s
    reason = str(error) if isinstance(error, StreamError) else "The program failed on a message of the device."
    detail = f"{reason} The stream ends until it is fed again."
    return StreamEvent("connection", "Stream ended", now_s, now_s, priority="high", detail=detail)


def _describe(stretch: Stretch) -> dict[str, Any]:
    """Return samples as a result: microvolts less an offset of each lead, 16 bits each, lead by lead."""
    offsets_mv = choose_offsets(stretch.samples_mv)
    digital = digitize(stretch.samples_mv, offsets_mv)
    return {
        "type": "samples",
        "first": stretch.first,
        "samples": int(digital.shape[1]),
        "uv": b64encode(digital.tobytes()).decode(),
        "offset_mv": offsets_mv.tolist(),
    }


def _order(identity: str) -> tuple[int, int]:
    time_ms, _, number = identity.partition("-")
    return int(time_ms), int(number)


def _packets_key(device: str) -> str:
    return f"{_PREFIX}:packets:{device}"


def _lease_key(device: str) -> str:
    return f"{_PREFIX}:lease:{device}"


def _state_key(device: str) -> str:
    return f"{_PREFIX}:state:{device}"


def _keys(device: str) -> list[str]:
    return [_lease_key(device), _state_key(device), results_key(device)]
