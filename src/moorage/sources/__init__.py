"""Brokers of organisations that messages of devices are fetched from."""

from .model import NewSource, Source, State, Subscription, Version
from .service import Keeper, add, count_by_state, get, pause, remove, seal_anew

__all__ = [
    "Keeper",
    "NewSource",
    "Source",
    "State",
    "Subscription",
    "Version",
    "add",
    "count_by_state",
    "get",
    "pause",
    "remove",
    "seal_anew",
]
