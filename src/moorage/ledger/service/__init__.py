"""The message log: durable appends in envelopes, reading by position, days that come and go."""

from .blocks import seal, stored_bytes
from .days import day_tables, drop_day_table, drop_old, make_day_tables, make_days
from .postgres import PostgresLog
from .reading import (
    FIRST_DAY,
    after,
    at_end,
    end_of,
    frame_of,
    get,
    get_many,
    is_behind,
    messages,
    move,
    open_log,
    partitions_of,
    place,
    position_of,
    read,
    read_back,
    read_of,
    standings,
)
from .writer import HIGH_WATER_FRAMES, Writer

__all__ = [
    "FIRST_DAY",
    "HIGH_WATER_FRAMES",
    "PostgresLog",
    "Writer",
    "after",
    "at_end",
    "day_tables",
    "drop_day_table",
    "drop_old",
    "end_of",
    "frame_of",
    "get",
    "get_many",
    "is_behind",
    "make_day_tables",
    "make_days",
    "messages",
    "move",
    "open_log",
    "partitions_of",
    "place",
    "position_of",
    "read",
    "read_back",
    "read_of",
    "seal",
    "standings",
    "stored_bytes",
]
