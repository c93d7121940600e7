"""The platform's own MQTT door: MQTT 3.1.1 and 5 over TCP, TLS and WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from moorage.plugin import Listening

from .lab import OpenHost, open_lab
from .settings import DoorSettings, default_limits
from .transport import MqttDoor

__all__ = ["KIND", "DoorSettings", "MqttDoor", "MqttKind"]


class MqttKind:
    """The transport plugin `mqtt`."""

    api_version = 1

    def open(self, listening: Listening) -> MqttDoor:
        """Make the door."""
        limits = replace(default_limits(), packet_bytes=listening.largest_message)
        return MqttDoor(
            DoorSettings(
                listening.host,
                listening.port,
                listening.tls_host,
                listening.tls_port,
                listening.tls,
                limits=limits,
                peers=listening.peers,
                trusted_proxies=listening.trusted_proxies,
            )
        )

    def open_lab(
        self, listening: Listening, websocket_port: int, merges: bool = True
    ) -> Callable[[Callable[[], None]], Coroutine[Any, Any, None]]:
        """Give what serves lab mode until cancelled; it calls its argument once it listens.

        Raises:
            NotLoopback: an address is not of the loopback.
        """
        return partial(open_lab(listening, websocket_port, merges).run, OpenHost())


KIND = MqttKind()
