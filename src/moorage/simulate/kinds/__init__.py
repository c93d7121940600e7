"""The models of devices that can be simulated."""

from .meters import LOCK, POWER, WATER
from .movers import GATEWAY, PHONE, TRACKER
from .sensors import BIN, CLIMATE, PARKING, WEATHER

# Gateways stand apart: what is behind them falls silent with them.
KINDS = (CLIMATE, WATER, PARKING, BIN, POWER, WEATHER, TRACKER, LOCK, PHONE)

__all__ = [
    "BIN",
    "CLIMATE",
    "GATEWAY",
    "KINDS",
    "LOCK",
    "PARKING",
    "PHONE",
    "POWER",
    "TRACKER",
    "WATER",
    "WEATHER",
]
