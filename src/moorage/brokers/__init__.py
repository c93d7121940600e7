"""Brokers that stand in front of the platform, and what they ask of it."""

from .model import Broker, NewBroker, ShownToken
from .service import Guard, Registry, add, connect, get, remove, rotate_token

__all__ = [
    "Broker",
    "Guard",
    "NewBroker",
    "Registry",
    "ShownToken",
    "add",
    "connect",
    "get",
    "remove",
    "rotate_token",
]
