"""HTTP of brokers in front: the registry for people, and the door for the brokers."""

from .door import BrokerDoor, is_door
from .registry import router

__all__ = ["BrokerDoor", "is_door", "router"]
