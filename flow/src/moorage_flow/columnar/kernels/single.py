"""Kernels that take what a program has sent in one call: arrays as they are, read where NumPy keeps
what they hold.

A call is given Python's objects themselves and holds the interpreter's lock: it costs a third of a
microsecond, whatever the batch. They are only here where the library is, where objects stand as
expected, and where there is such a lock (a Python built without it, PEP 703, has another thread
change what is read); without them, callers go the way in steps, which gives the same rows.
"""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Callable
from typing import Any

import numpy as np

from . import library

NOT_PLAIN, OTHER_WORDS, NOT_READY, NO_ROOM, NO_KEY = -1, -2, -3, -4, -5
"""Why a kernel has done nothing: a column is not plain, its words are not those of the plan, or
what is remembered has no room for it yet; the windows of keys have none, or a key is new.
"""

KINDS = {"string": 0, "int": 1, "long": 2, "float": 3, "double": 4, "bool": 5}
"""The types of attributes that kernels read, in the order of `given.h`."""

MOST_COLUMNS = 64
"""So many columns and sums kernels have room for; as in `given.h`."""

_WORD = 8
_TAKES = {
    "flow_collect": "oiii",
    "flow_complete": "oooooii",
    "flow_completed": "ooii",
    "flow_glide": "ooooooiiii",
    "flow_roll": "ooooooiiii",
    "flow_sift": "o",
}
"""What each kernel takes: `o` an object, `i` a whole number. Several objects cost less
as one tuple.
"""

_LETTERS: dict[str, Any] = {"o": ctypes.py_object, "i": library.whole}

Kernel = Callable[..., int]
_word = ctypes.c_int64.from_address


def slot(holder: Any, held: Any) -> int:
    """Tell where an object keeps another, in bytes from where it begins; 0: nowhere."""
    places = range(object.__basicsize__, type(holder).__basicsize__, _WORD)
    return next((at for at in places if _word(id(holder) + at).value == id(held)), 0)


def layout(dictionary: Any, words: Any) -> np.ndarray[Any, Any] | None:
    """Find where things stand in objects; None where they do not stand as expected.

    Args:
        dictionary: a `Dictionary` of `words`.
        words: its `Words`.

    Source: NumPy C-API, Python types and C-structures, PyArrayObject.
    """
    head, items = object.__basicsize__, tuple.__basicsize__
    whole = np.zeros((3, 4), np.int64)
    line, spread = whole[1], whole[:, 1]
    crooked = np.frombuffer(bytes(33), np.uint8)[1:].view(np.int64)
    for array in (whole, line, spread, crooked, np.zeros(2), np.zeros(2, np.bool_)):
        at = id(array) + head
        sizes = _word(at + 16).value
        flags = _word(at + 48).value
        told = (
            _word(id(array) + head - _WORD).value == id(np.ndarray),
            _word(at).value == array.ctypes.data,
            _word(at + 8).value & 0xFFFF_FFFF == array.ndim,
            [_word(sizes + _WORD * i).value for i in range(array.ndim)] == list(array.shape),
            _word(at + 40).value == id(array.dtype),
            bool(flags & 0x0001) == array.flags.c_contiguous,
            bool(flags & 0x0100) == array.flags.aligned,
        )
        if not all(told):
            return None
    pair = (line, spread)
    if [_word(id(pair) + items + _WORD * i).value for i in range(2)] != [id(one) for one in pair]:
        return None
    slots = (slot(dictionary, dictionary.codes), slot(dictionary, words), slot(words, words.array))
    if not all(slots):
        return None
    kinds = [id(np.dtype(kind)) for kind in (np.int64, np.float64, np.bool_)]
    types = [id(np.ndarray), id(type(dictionary)), id(type(words))]
    return np.array([head, items, *types, *slots, *kinds], np.int64)


_kernels: dict[str, Kernel] = {}


def prepare(dictionary: Any, words: Any) -> None:
    """Find the kernels, and tell them where things stand; see `layout`."""
    _kernels.clear()
    if library.opened is None or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return
    if (found := layout(dictionary, words)) is None:
        return
    held = ctypes.PyDLL(None, handle=library.opened._handle)
    try:
        functions = {name: getattr(held, name) for name in _TAKES}
        learn = held.flow_layout
    except AttributeError:  # The library is of another version.
        return
    learn.argtypes = [ctypes.c_void_p]
    learn(library.address(found))
    for name, function in functions.items():
        function.argtypes = [_LETTERS[letter] for letter in _TAKES[name]]
        function.restype = library.whole
        _kernels[name] = function


def kernel(name: str) -> Kernel | None:
    """Give a kernel; None where it is not here."""
    return _kernels.get(name) if library.opened is not None else None
