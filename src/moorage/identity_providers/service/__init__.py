"""The rules of identity providers: who sets them up, who signs in by them, who asks for access."""

from .accounts import clear_away
from .flow import Arrival, Departure, come_back, own_path, set_out
from .issuers import Issuers
from .logout import end_by_provider, sign_out
from .outside import People
from .registry import add, change, get, list_providers, offers, remove, seal_anew
from .requests import accept, list_requests, reject
from .requests import get as get_request
from .trial import try_change, try_new

__all__ = [
    "Arrival",
    "Departure",
    "Issuers",
    "People",
    "accept",
    "add",
    "change",
    "clear_away",
    "come_back",
    "end_by_provider",
    "get",
    "get_request",
    "list_providers",
    "list_requests",
    "offers",
    "own_path",
    "reject",
    "remove",
    "seal_anew",
    "set_out",
    "sign_out",
    "try_change",
    "try_new",
]
