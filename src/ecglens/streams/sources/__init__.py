"""Sources of streams: Bluetooth, Lab Streaming Layer, MQTT, WebSocket, TCP, serial lines, stdin and replay."""

from ecglens.streams.sources.addresses import SCHEMES, open_source

__all__ = ["SCHEMES", "open_source"]
