"""The rules of identity providers: who sets them up, who signs in by them, who asks for access."""

from .accounts import clear_away
from .answers import Answered, receive
from .federation import our_metadata
from .flow import Arrival, Departure, come_back, own_path, set_out
from .issuers import Issuers
from .keys import Brought
from .leaving import end_by_request
from .logout import end_by_provider, sign_out
from .outside import People
from .registry import add, change, get, list_providers, offers, remove, seal_anew
from .requests import accept, list_requests, reject
from .requests import get as get_request
from .rollover import add_key, get_key, list_keys, remove_key, use_key
from .saml.messages import Sending
from .trial import try_change, try_new

__all__ = [
    "Answered",
    "Arrival",
    "Brought",
    "Departure",
    "Issuers",
    "People",
    "Sending",
    "accept",
    "add",
    "add_key",
    "change",
    "clear_away",
    "come_back",
    "end_by_provider",
    "end_by_request",
    "get",
    "get_key",
    "get_request",
    "list_keys",
    "list_providers",
    "list_requests",
    "offers",
    "our_metadata",
    "own_path",
    "receive",
    "reject",
    "remove",
    "remove_key",
    "seal_anew",
    "set_out",
    "sign_out",
    "try_change",
    "try_new",
    "use_key",
]
