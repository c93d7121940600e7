"""Brokers of organisations that messages of devices are fetched from."""

from .errors import SourceNameTaken, SourcesTooMany
from .model import (
    FRONT,
    MOST_CONNECTIONS,
    BrokerKind,
    NewSource,
    Source,
    State,
    Subscription,
    Version,
)
from .service import (
    Keeper,
    add,
    count_by_state,
    get,
    left,
    login_of,
    pause,
    remove,
    seal_anew,
    signed_in,
)

__all__ = [
    "FRONT",
    "MOST_CONNECTIONS",
    "BrokerKind",
    "Keeper",
    "NewSource",
    "Source",
    "SourceNameTaken",
    "SourcesTooMany",
    "State",
    "Subscription",
    "Version",
    "add",
    "count_by_state",
    "get",
    "left",
    "login_of",
    "pause",
    "remove",
    "seal_anew",
    "signed_in",
]
