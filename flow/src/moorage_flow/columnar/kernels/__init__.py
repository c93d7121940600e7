"""The stateful inner loops of the columnar path: compiled where there is a library for this
machine, else in Python.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plain

__all__ = [
    "chain",
    "compiled",
    "expire",
    "extreme",
    "follow",
    "holding",
    "last_of_groups",
    "probe",
    "running_count",
    "running_sum",
    "slide",
]

Array = NDArray[Any]


def _load() -> ctypes.CDLL | None:
    """Open the library beside this file; None where this machine has none."""
    path = Path(__file__).with_name("kernels.so")
    if not path.exists():
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # It is for another machine.
        return None


_library = _load()


def holding() -> ctypes.PyDLL | None:
    """Give the library for functions that call back into CPython, and so need its lock held."""
    return None if _library is None else ctypes.PyDLL(None, handle=_library._handle)


def compiled() -> bool:
    """Tell whether the compiled kernels are here."""
    return _library is not None


def _at(array: Any) -> ctypes.c_void_p:
    """Give where an array's values are; they are in one piece."""
    if array is None:
        return ctypes.c_void_p(None)
    try:
        # A third of the time `array.ctypes` takes; not for what is empty or read-only.
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(array)))
    except (TypeError, ValueError):
        return ctypes.c_void_p(array.ctypes.data)


def _whole(number: int) -> ctypes.c_int64:
    return ctypes.c_int64(number)


def slide(
    following: Array,
    head: Array,
    tail: Array,
    held: Array,
    time: Array,
    parts: Array,
    limit: Array | None,
    first: int,
    length: int,
    *,
    resets: bool,
) -> tuple[Array, Array, Array]:
    """Move rows through the queues of their partitions, as `plain.slide` says."""
    if _library is None:
        return plain.slide(
            following, head, tail, held, time, parts, limit, first, length, resets=resets
        )
    count = len(parts)
    most = 3 * count if limit is None else 2 * count + first
    rows, kinds = np.empty(most, np.int64), np.empty(most, np.int8)
    at = np.empty(most, np.int64)
    parts = np.ascontiguousarray(parts, np.int64)
    limit = None if limit is None else np.ascontiguousarray(limit, np.int64)
    _library.flow_slide.restype = ctypes.c_int64
    n = _library.flow_slide(
        _whole(count),
        *map(_at, (parts, following, head, tail, held, time, limit)),
        _whole(first),
        _whole(length),
        _whole(int(resets)),
        *map(_at, (rows, kinds, at)),
    )
    return rows[:n], kinds[:n], at[:n]


def expire(following: Array, head: Array, held: Array, time: Array, part: int, limit: int) -> Array:
    """Let the rows of one queue leave that are of `limit` or older."""
    if _library is None:
        return plain.expire(following, head, held, time, part, limit)
    rows = np.empty(int(held[part]), np.int64)
    _library.flow_expire.restype = ctypes.c_int64
    n = _library.flow_expire(
        *map(_at, (following, head, held, time)), _whole(part), _whole(limit), _at(rows)
    )
    return rows[:n]


def _masked(nulls: Array | None) -> Array | None:
    return None if nulls is None else np.ascontiguousarray(nulls, np.bool_)


def running_sum(
    rows: Array,
    kinds: Array,
    groups: Array,
    parts: Array,
    epochs: tuple[Array, Array],
    cells: tuple[Array, Array | None],
    state: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Give each step's running sum and count, as `plain.running_sum` says."""
    if _library is None:
        return plain.running_sum(rows, kinds, groups, parts, epochs, cells, state)
    totals, held = state
    values = np.ascontiguousarray(cells[0], totals.dtype)
    nulls = _masked(cells[1])
    out, out_held = np.empty(len(rows), totals.dtype), np.empty(len(rows), np.int64)
    run = _library.flow_sum_long if totals.dtype == np.int64 else _library.flow_sum_double
    run(
        _whole(len(rows)),
        *map(_at, (rows, kinds, groups, parts, *epochs, values, nulls, totals, held)),
        *map(_at, (out, out_held)),
    )
    return out, out_held


def running_count(
    rows: Array,
    kinds: Array,
    groups: Array,
    parts: Array,
    epochs: tuple[Array, Array],
    held: Array,
) -> Array:
    """Give each step's running count, as `plain.running_count` says."""
    if _library is None:
        return plain.running_count(rows, kinds, groups, parts, epochs, held)
    out = np.empty(len(rows), np.int64)
    _library.flow_count(
        _whole(len(rows)), *map(_at, (rows, kinds, groups, parts, *epochs, held, out))
    )
    return out


def extreme(
    rows: Array,
    kinds: Array,
    groups: Array,
    parts: Array,
    epochs: tuple[Array, Array],
    cells: tuple[Array, Array | None],
    rule: tuple[int, int],
    state: tuple[Array, Array, Array, Array, Array, Array],
) -> tuple[Array, Array]:
    """Give each step's greatest or least value and where there is none, as `plain.extreme` says."""
    if _library is None:
        return plain.extreme(rows, kinds, groups, parts, epochs, cells, rule, state)
    heads, tails, before, after, nodes, pool = state
    values = np.ascontiguousarray(cells[0], nodes.dtype)
    nulls = _masked(cells[1])
    out, out_nulls = np.empty(len(rows), nodes.dtype), np.empty(len(rows), np.bool_)
    run = _library.flow_extreme_long if nodes.dtype == np.int64 else _library.flow_extreme_double
    run(
        _whole(len(rows)),
        *map(_at, (rows, kinds, groups, parts, *epochs, values, nulls)),
        *map(_whole, rule),
        *map(_at, (heads, tails, before, after, nodes, pool, out, out_nulls)),
    )
    return out, out_nulls


def last_of_groups(rows: Array, wanted: Array, groups: Array, chunks: Array, count: int) -> Array:
    """Give the last wanted step of each of `count` groups of each chunk, in the order the groups
    first came.
    """
    if _library is None or len(rows) * 64 < count:  # Few steps are not worth arrays by group.
        return plain.last_of_groups(rows, wanted, groups, chunks)
    out = np.empty(len(rows), np.int64)
    seen, slots = np.zeros(count, np.int64), np.empty(count, np.int64)
    wanted = np.ascontiguousarray(wanted, np.bool_)
    _library.flow_last_of_groups.restype = ctypes.c_int64
    n = _library.flow_last_of_groups(
        _whole(len(rows)),
        *map(_at, (rows, wanted, groups, chunks, seen, slots)),
        _whole(0),
        _at(out),
    )
    return out[:n]


def follow(
    mode: int,
    within: int,
    coming: tuple[Array, Array, Array, Array],
    rows: tuple[Array, Array, Array],
    queues: plain.Waiting,
    tests: list[tuple[int, Array, Array]],
) -> tuple[Array, Array]:
    """Run events through `every A -> B within`, as `plain.follow` says."""
    if _library is None:
        return plain.follow(mode, within, coming, rows, queues, tests)
    count = len(coming[0])
    coming = tuple(np.ascontiguousarray(array, np.int64) for array in coming)  # type: ignore[assignment]
    most = len(queues.waiting)
    firsts, seconds = np.empty(most, np.int64), np.empty(most, np.int64)
    seen = [np.ascontiguousarray(b) for _, _, b in tests]
    types = np.array([a.dtype == np.float64 for _, a, _ in tests], np.int64)
    ops = np.array([op for op, _, _ in tests], np.int64)
    pointers = [
        np.array([array.ctypes.data for array in arrays], np.uintp)
        for arrays in ([a for _, a, _ in tests], seen)
    ]
    _library.flow_follow.restype = ctypes.c_int64
    n = _library.flow_follow(
        *map(_whole, (count, mode, within)),
        *map(_at, (*coming, *rows, *queues)),
        _whole(len(tests)),
        *map(_at, (types, ops, *pointers, firsts, seconds)),
    )
    return firsts[:n], seconds[:n]


def chain(
    rows: Array, kinds: Array, keys: Array, head: Array, tail: Array, held: Array, following: Array
) -> None:
    """Chain the rows of a window by key, as `plain.chain` says."""
    if _library is None:
        plain.chain(rows, kinds, keys, head, tail, held, following)
        return
    arrays = (rows, kinds, keys, head, tail, held, following)
    _library.flow_chain(_whole(len(rows)), *map(_at, arrays))


def probe(asked: Array, head: Array, held: Array, following: Array) -> tuple[Array, Array]:
    """Give the rows of each key asked for, as `plain.probe` says."""
    if _library is None:
        return plain.probe(asked, head, held, following)
    count = int(held[asked[asked >= 0]].sum())
    asked = np.ascontiguousarray(asked, np.int64)
    probes, rows = np.empty(count, np.int64), np.empty(count, np.int64)
    _library.flow_probe(_whole(len(asked)), *map(_at, (asked, head, held, following, probes, rows)))
    return probes, rows
