"""The rules of brokers in front."""

from .callout import Callouts
from .catalogue import add, change, connect, get, list_brokers, remove, rotate_token, seal_anew
from .files import files_of
from .guard import ITSELF, Guard, Guest, SigningIn, absolute, owns_client_id, relative
from .registry import Registry
from .setup import pieces
from .watching import Watches

__all__ = [
    "ITSELF",
    "Callouts",
    "Guard",
    "Guest",
    "Registry",
    "SigningIn",
    "Watches",
    "absolute",
    "add",
    "change",
    "connect",
    "files_of",
    "get",
    "list_brokers",
    "owns_client_id",
    "pieces",
    "relative",
    "remove",
    "rotate_token",
    "seal_anew",
]
