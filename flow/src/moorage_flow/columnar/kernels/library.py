"""The library of compiled kernels beside this file, where there is one for this machine: that for
its processor, or else the one for all.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

whole = ctypes.c_int64
_LETTERS: dict[str, Any] = {"b": ctypes.c_char_p, "i": whole, "p": ctypes.c_void_p}

SIGNATURES = {
    "flow_absent_fire": "ipii" + 25 * "p",
    "flow_absent_take": "iii" + 18 * "p" + "i" + 13 * "p",
    "flow_bucket_index": "iippip",
    "flow_chain": "ippppppp",
    "flow_expire": "ppppiip",
    "flow_extreme_double": "ippppppppiipppppppp",
    "flow_extreme_long": "ippppppppiipppppppp",
    "flow_find_buckets": "ipppippppipp",
    "flow_follow": "iii" + 18 * "p" + "i" + 6 * "p",
    "flow_gather": "b",
    "flow_has_avx2": "",
    "flow_look_up": "ipipp",
    "flow_match": "pb",
    "flow_match_free": "p",
    "flow_match_load": "pb",
    "flow_match_new": "b",
    "flow_match_order": "ippppp",
    "flow_match_save": "pb",
    "flow_match_settle": "p",
    "flow_match_told": "pbi",
    "flow_meet": "b",
    "flow_meeting": "ippp",
    "flow_probe": "ipppppp",
    "flow_ring_copy": "b",
    "flow_ring_find": "b",
    "flow_ring_needed": "b",
    "flow_ring_put": "b",
    "flow_ring_spread": "b",
    "flow_runs": "ippppp",
    "flow_slide": "ippppppiipiiippp",
    "flow_slide_chain": "ipppppp" + "iipii" + 5 * "p",
    "flow_slide_summarise": "ipppppiipiipppipippiipp",
    "flow_summarise": "ipppppppipiippiipp",
    "flow_within": "ipii",
}
"""What each function takes: `p` an array, `i` a whole number, `b` words packed into bytes. Each
gives a whole number.
"""


_HEAD = object.__basicsize__
"""Where an array's object keeps the address of its values: right behind what every object begins
with. Source: NumPy C-API, Python types and C-structures, PyArrayObject.
"""
_word = ctypes.c_int64.from_address


def address(array: Any) -> int:
    """Give where an array's values are; they are in one piece.

    A sixth of the time that `array.ctypes` takes: it is asked for some twenty arrays a kernel.
    """
    return _word(id(array) + _HEAD).value


def _layout_known() -> bool:
    if sys.implementation.name != "cpython":
        return False  # Where an object's identity is no address.
    probe = np.zeros(2, np.int64)
    return (
        address(probe) == probe.ctypes.data
        and address(probe[1:]) == probe.ctypes.data + probe.itemsize
    )


def load(name: str) -> ctypes.CDLL | None:
    """Open a library beside this file; None where this machine has none of this name."""
    path = Path(__file__).with_name(name)
    if not path.exists() or not _layout_known():
        return None
    if ctypes.sizeof(ctypes.c_void_p) != ctypes.sizeof(whole):
        return None  # What is packed are words of 64 bits, addresses among them.
    try:
        library = ctypes.CDLL(str(path))
        functions = {called: getattr(library, called) for called in SIGNATURES}
    except (OSError, AttributeError):  # It is for another machine, or of another version.
        return None
    for called, takes in SIGNATURES.items():
        function = functions[called]
        function.argtypes = [_LETTERS[letter] for letter in takes]
        function.restype = whole
    return library


def _best() -> ctypes.CDLL | None:
    of_all = load("kernels.so")
    if of_all is not None and of_all.flow_has_avx2():
        return load("kernels_avx2.so") or of_all
    return of_all


opened = _best()
"""The library; None where this machine has none."""
