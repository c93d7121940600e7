"""The only SQL about decoders."""

from .kept import (
    add,
    change,
    count_devices,
    get,
    get_overview,
    in_force,
    list_decoders,
    list_newest,
    remove,
)
from .problems import failing, forget_problems, list_problems, note_problems
from .texts import cases_of, get_version, list_versions, set_cases, sources, take_version

__all__ = [
    "add",
    "cases_of",
    "change",
    "count_devices",
    "failing",
    "forget_problems",
    "get",
    "get_overview",
    "get_version",
    "in_force",
    "list_decoders",
    "list_newest",
    "list_problems",
    "list_versions",
    "note_problems",
    "remove",
    "set_cases",
    "sources",
    "take_version",
]
