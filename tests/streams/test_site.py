"""Sending to a site: what its limits need of a sender."""

import asyncio
import threading

import numpy as np

from ecglens.streams.json_lines import LineParser
from ecglens.streams.pace import limit_line
from ecglens.streams.packets import Packet, StreamInfo, Stretch
from ecglens.streams.site import SiteOutput


def test_a_long_stretch_is_sent_in_packets_that_a_site_takes() -> None:
    info = StreamInfo("bed 1", ("I", "II"), 250.0)
    samples = np.linspace(-1, 1, 5000, dtype=np.float32).reshape(2, 2500)
    output = SiteOutput("http://localhost:1", "token")
    output._thread, output._info = threading.Thread(), info  # nothing is sent
    asyncio.run(output.write(info, [Stretch(1000, samples)], []))
    lines = [output._lines.get_nowait() for _ in range(output._lines.qsize())]
    assert max(len(line or "") for line in lines) <= limit_line(info)
    packets = [LineParser(info).parse(line or "") for line in lines]
    assert all(isinstance(packet, Packet) for packet in packets)
    np.testing.assert_allclose(np.concatenate([each.samples_mv for each in packets], axis=1), samples, atol=6e-5)
    assert [each.sequence for each in packets] == list(range(20))
    assert packets[-1].time_s == (3500 - 1) / 250
