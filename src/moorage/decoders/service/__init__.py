"""The rules of decoding."""

from .cases import read_cases
from .cases import run_cases as run_given_cases
from .catalogue import (
    cases_of,
    change,
    copy,
    forget_old_problems,
    get,
    get_version,
    hold_usable,
    kinds,
    list_decoders,
    list_problems,
    list_versions,
    look,
    make,
    note_problems,
    remove,
    restore,
    set_cases,
)
from .readings import instant_of, number_of, take_readings, units_of
from .trial import run_cases, suggest, try_out
from .turns import Turns
from .watch import watch
from .workshop import Workshop, find_runtimes, hash_of

__all__ = [
    "Turns",
    "Workshop",
    "cases_of",
    "change",
    "copy",
    "find_runtimes",
    "forget_old_problems",
    "get",
    "get_version",
    "hash_of",
    "hold_usable",
    "instant_of",
    "kinds",
    "list_decoders",
    "list_problems",
    "list_versions",
    "look",
    "make",
    "note_problems",
    "number_of",
    "read_cases",
    "remove",
    "restore",
    "run_cases",
    "run_given_cases",
    "set_cases",
    "suggest",
    "take_readings",
    "try_out",
    "units_of",
    "watch",
]
