"""The rules of user stores: who may set them up, who signs in by them, who stays in step."""

from .people import change_entry, give_account, list_entries, make_entry
from .registry import add, ask_sync, change, get, list_stores, remove, seal_anew
from .sign_in import People
from .sync import Keeper
from .trial import try_change, try_new
from .wire import Directories

__all__ = [
    "Directories",
    "Keeper",
    "People",
    "add",
    "ask_sync",
    "change",
    "change_entry",
    "get",
    "give_account",
    "list_entries",
    "list_stores",
    "make_entry",
    "remove",
    "seal_anew",
    "try_change",
    "try_new",
]
