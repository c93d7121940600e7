"""The rules of sources."""

from .catalogue import (
    add,
    change,
    count_by_state,
    get,
    left,
    list_sources,
    log_of,
    login_of,
    pause,
    remove,
    seal_anew,
    signed_in,
    trim_log,
)
from .keeper import Keeper
from .trial import try_change, try_new

__all__ = [
    "Keeper",
    "add",
    "change",
    "count_by_state",
    "get",
    "left",
    "list_sources",
    "log_of",
    "login_of",
    "pause",
    "remove",
    "seal_anew",
    "signed_in",
    "trim_log",
    "try_change",
    "try_new",
]
