"""Brokers that stand in front of the platform, and what they ask of it."""

from .model import Broker, BrokerKind, NewBroker, ShownToken
from .service import Guard, Registry, add, get, remove, rotate_token

__all__ = [
    "Broker",
    "BrokerKind",
    "Guard",
    "NewBroker",
    "Registry",
    "ShownToken",
    "add",
    "get",
    "remove",
    "rotate_token",
]
