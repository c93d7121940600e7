"""The only SQL of readings."""

from moorage.kit.copying import from_us, to_us

from .blocks import Kept
from .history import (
    HistoryRow,
    add_history,
    find_message,
    first_at,
    last_places,
    list_messages,
    read,
    read_stretch,
    series_of,
)
from .hours import HOUR_US, merged, read_hours, sum_of, tally
from .latest import LatestRow, get_state, get_states, put_latest, read_latest, states_at
from .renewal import STALE_CHANNEL, newest_values, take_stale
from .retention import (
    count_series,
    devices_after,
    erase,
    forget,
    forget_hours,
    forget_others,
    stored_bytes,
)
from .sealing import (
    days_with_rows,
    empty_day,
    next_devices,
    seal,
)
from .shapes import add_shape, kind_of, pack_values, packer
from .staging import discard, put_in_place, rows_of, stage, staged_days

__all__ = [
    "HOUR_US",
    "STALE_CHANNEL",
    "HistoryRow",
    "Kept",
    "LatestRow",
    "add_history",
    "add_shape",
    "count_series",
    "days_with_rows",
    "devices_after",
    "discard",
    "empty_day",
    "erase",
    "find_message",
    "first_at",
    "forget",
    "forget_hours",
    "forget_others",
    "from_us",
    "get_state",
    "get_states",
    "kind_of",
    "last_places",
    "list_messages",
    "merged",
    "newest_values",
    "next_devices",
    "pack_values",
    "packer",
    "put_in_place",
    "put_latest",
    "read",
    "read_hours",
    "read_latest",
    "read_stretch",
    "rows_of",
    "seal",
    "series_of",
    "stage",
    "staged_days",
    "states_at",
    "stored_bytes",
    "sum_of",
    "take_stale",
    "tally",
    "to_us",
]
