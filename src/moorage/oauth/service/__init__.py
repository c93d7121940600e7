"""The rules of OAuth: clients, what people allow them, and who it is that shows a credential."""

from .certificates import shown as shown_certificate
from .clients import change, get, list_clients, make, remove, rotate_secret
from .clients import get as get_client
from .consent import allowed_by, answer, answer_device, ask, ask_for_device, end
from .protocol import Look, introspect, revoke, start_device, token
from .recognise import act_for, identify, identify_secret, is_token, recognise_again
from .registered import change_own, read_own, remove_own
from .registration import (
    clear_away,
    get_token,
    list_tokens,
    make_token,
    metadata,
    register,
    remove_token,
    sweep,
)

__all__ = [
    "Look",
    "act_for",
    "allowed_by",
    "answer",
    "answer_device",
    "ask",
    "ask_for_device",
    "change",
    "change_own",
    "clear_away",
    "end",
    "get",
    "get_client",
    "get_token",
    "identify",
    "identify_secret",
    "introspect",
    "is_token",
    "list_clients",
    "list_tokens",
    "make",
    "make_token",
    "metadata",
    "read_own",
    "recognise_again",
    "register",
    "remove",
    "remove_own",
    "remove_token",
    "revoke",
    "rotate_secret",
    "shown_certificate",
    "start_device",
    "sweep",
    "token",
]
