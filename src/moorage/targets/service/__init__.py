"""The rules of targets: where messages go next, and that they arrive."""

from .catalogue import (
    Kinds,
    add,
    change,
    count_by_health,
    find_kinds,
    get,
    list_targets,
    log_of,
    pause,
    remove,
    seal_anew,
    secrets_of,
    statement,
    to_manage,
    totals,
    trim_log,
)
from .decoding import Deriver
from .deliver import Means, Runner
from .dispatch import Dispatch
from .expand import Arrival, Routes, take_in
from .intake import Intake
from .letters import discard, edit_letter, get_letter, list_letters, send_again
from .receipts import (
    deliveries_of,
    drop_old_receipts,
    export_receipts,
    list_receipts,
    make_days,
    note_export,
)
from .replayer import Replayer
from .replaying import ask_replay, cancel_replay, get_replay, list_replays
from .routing import change_route, connect, get_route, list_routes, remove_route
from .trial import ping, try_out

__all__ = [
    "Arrival",
    "Deriver",
    "Dispatch",
    "Intake",
    "Kinds",
    "Means",
    "Replayer",
    "Routes",
    "Runner",
    "add",
    "ask_replay",
    "cancel_replay",
    "change",
    "change_route",
    "connect",
    "count_by_health",
    "deliveries_of",
    "discard",
    "drop_old_receipts",
    "edit_letter",
    "export_receipts",
    "find_kinds",
    "get",
    "get_letter",
    "get_replay",
    "get_route",
    "list_letters",
    "list_receipts",
    "list_replays",
    "list_routes",
    "list_targets",
    "log_of",
    "make_days",
    "note_export",
    "pause",
    "ping",
    "remove",
    "remove_route",
    "seal_anew",
    "secrets_of",
    "send_again",
    "statement",
    "take_in",
    "to_manage",
    "totals",
    "trim_log",
    "try_out",
]
