"""The only SQL of the ledger."""

from .log import (
    LARGEST_ENVELOPE,
    TABLE,
    days_of,
    drop_day,
    find_envelope,
    forget,
    make_day_tables,
    make_days,
    move,
    next_position,
    open_partitions,
    partitions_of,
    place,
    position_of,
    read,
    slowest,
    trim,
)
from .pen import Pen

__all__ = [
    "LARGEST_ENVELOPE",
    "TABLE",
    "Pen",
    "days_of",
    "drop_day",
    "find_envelope",
    "forget",
    "make_day_tables",
    "make_days",
    "move",
    "next_position",
    "open_partitions",
    "partitions_of",
    "place",
    "position_of",
    "read",
    "slowest",
    "trim",
]
