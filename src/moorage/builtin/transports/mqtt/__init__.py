"""The platform's own MQTT door: MQTT 3.1.1 and 5 over TCP and TLS."""

from __future__ import annotations

from dataclasses import replace

from moorage.plugin import Listening

from .door import MqttDoor
from .settings import DoorSettings, default_limits

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
                limits,
            )
        )


KIND = MqttKind()
