"""The platform's own MQTT door: MQTT 3.1.1 and 5 over TCP and TLS."""

from .door import MqttDoor
from .settings import DoorSettings

__all__ = ["DoorSettings", "MqttDoor"]
