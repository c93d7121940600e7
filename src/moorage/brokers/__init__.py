"""Brokers that stand in front of the platform, and what they ask of it."""

from .model import Broker, NewBroker, ShownToken
from .service import (
    Callouts,
    Guard,
    Registry,
    Watches,
    add,
    connect,
    get,
    remove,
    rotate_token,
    seal_anew,
)

__all__ = [
    "Broker",
    "Callouts",
    "Guard",
    "NewBroker",
    "Registry",
    "ShownToken",
    "Watches",
    "add",
    "connect",
    "get",
    "remove",
    "rotate_token",
    "seal_anew",
]
