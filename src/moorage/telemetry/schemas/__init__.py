"""Bodies of the routes about readings and messages, and the forms of exports."""

from .bodies import (
    DeviceLatestOut,
    DeviceRowOut,
    ManyQuery,
    MessageOut,
    ReadingsOut,
    RecentOut,
    StateOut,
    WindowQuery,
    instant,
    message_out,
    recent_out,
)
from .exports import tables_of

__all__ = [
    "DeviceLatestOut",
    "DeviceRowOut",
    "ManyQuery",
    "MessageOut",
    "ReadingsOut",
    "RecentOut",
    "StateOut",
    "WindowQuery",
    "instant",
    "message_out",
    "recent_out",
    "tables_of",
]
