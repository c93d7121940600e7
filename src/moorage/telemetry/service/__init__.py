"""The rules of readings."""

from ..store import STALE_CHANNEL
from .feed import (
    Feed,
    Follower,
    Place,
    devices_in,
    entries_among,
    entries_of,
    read_id,
    write_id,
)
from .many import (
    export,
    export_messages,
    latest_of_many,
    note_export,
    note_message_export,
    readings_of_many,
    series_of,
)
from .readings import (
    MAX_SERIES,
    Keeper,
    Messages,
    last_messages,
    latest,
    make_days,
    message,
    messages,
    newest_messages,
    readings,
    states,
)
from .recent import recent_messages
from .restaging import discard, put_in_place, stage
from .retention import count_series, drop_old, erase_removed, stored_bytes
from .sealing import Sealer

__all__ = [
    "MAX_SERIES",
    "STALE_CHANNEL",
    "Feed",
    "Follower",
    "Keeper",
    "Messages",
    "Place",
    "Sealer",
    "count_series",
    "devices_in",
    "discard",
    "drop_old",
    "entries_among",
    "entries_of",
    "erase_removed",
    "export",
    "export_messages",
    "last_messages",
    "latest",
    "latest_of_many",
    "make_days",
    "message",
    "messages",
    "newest_messages",
    "note_export",
    "note_message_export",
    "put_in_place",
    "read_id",
    "readings",
    "readings_of_many",
    "recent_messages",
    "series_of",
    "stage",
    "states",
    "stored_bytes",
    "write_id",
]
