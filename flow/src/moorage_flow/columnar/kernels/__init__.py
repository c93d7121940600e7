"""The stateful inner loops of the columnar path: compiled where there is a library for this
machine, else in Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...events import CURRENT
from . import library, packed, plain, plain_patterns
from .library import address, whole

__all__ = [
    "absent_fire",
    "absent_take",
    "bucket_index",
    "chain",
    "compiled",
    "expire",
    "extreme",
    "find_buckets",
    "follow",
    "holding",
    "library",
    "packed",
    "probe",
    "slide",
    "slide_summarise",
    "summarise",
    "within",
]

Array = NDArray[Any]


def _at(array: Any) -> int | None:
    return None if array is None else address(array)


def holding() -> ctypes.PyDLL | None:
    """Give the library for functions that call back into CPython, and so need its lock held."""
    return None if library.opened is None else ctypes.PyDLL(None, handle=library.opened._handle)


def compiled() -> bool:
    """Tell whether the compiled kernels are here."""
    return library.opened is not None


def within(values: Array, least: int, most: int) -> bool:
    """Tell whether all whole numbers lie in a range, its ends included."""
    if library.opened is None:
        return len(values) == 0 or bool(least <= values.min() <= values.max() <= most)
    return bool(library.opened.flow_within(len(values), _at(values), least, most))


def slide(
    queues: tuple[Array, Array, Array, Array],
    time: Array,
    count: int,
    parts: Array | None,
    limit: Array | int | None,
    first: int,
    length: int,
    *,
    resets: bool,
) -> tuple[Array, Array, Array]:
    """Move rows through the queues of their partitions, as `plain.slide` says."""
    if library.opened is None:
        return plain.slide(queues, time, count, parts, limit, first, length, resets=resets)
    most = 3 * count if limit is None else 2 * count + first
    rows, kinds = np.empty(most, np.int64), np.empty(most, np.int8)
    at = np.empty(most, np.int64)
    parts = None if parts is None else np.ascontiguousarray(parts, np.int64)
    one = limit if isinstance(limit, int) else 0
    limits = None if limit is None or isinstance(limit, int) else np.ascontiguousarray(limit)
    n = library.opened.flow_slide(
        count,
        *map(_at, (parts, *queues, time)),
        int(limit is not None),
        one,
        _at(limits),
        first,
        length,
        int(resets),
        *map(_at, (rows, kinds, at)),
    )
    return rows[:n], kinds[:n], at[:n]


def expire(following: Array, head: Array, held: Array, time: Array, part: int, limit: int) -> Array:
    """Let the rows of one queue leave that are of `limit` or older."""
    if library.opened is None:
        return plain.expire(following, head, held, time, part, limit)
    rows = np.empty(int(held[part]), np.int64)
    n = library.opened.flow_expire(*map(_at, (following, head, held, time)), part, limit, _at(rows))
    return rows[:n]


def bucket_index(
    index: Any, held: tuple[Array, Array, Array], size: int, most: int
) -> Array | dict[tuple[int, int], int]:
    """Give what buckets are found through, with room for so many; `index` is that of before."""
    starts, groups, _ = held
    if library.opened is None:
        return plain.bucket_index(index, starts, groups, size)
    if isinstance(index, np.ndarray) and len(index) >= 2 * most:
        return index
    table = np.full(1 << (4 * most).bit_length(), -1, np.int64)
    library.opened.flow_bucket_index(0, size, _at(starts), _at(groups), len(table) - 1, _at(table))
    return table


def find_buckets(
    index: Any, coming: tuple[Array, Array, Array], held: tuple[Array, Array, Array], size: int
) -> tuple[Array, Array, int]:
    """Find the bucket of each event, as `plain.find_buckets` says."""
    if library.opened is None:
        return plain.find_buckets(index, coming, held, size)
    count = len(coming[0])
    coming = tuple(np.ascontiguousarray(array, np.int64) for array in coming)  # type: ignore[assignment]
    found, latest = np.empty(count, np.int64), np.empty(count, np.bool_)
    size = library.opened.flow_find_buckets(
        count,
        *map(_at, coming),
        len(index) - 1,
        *map(_at, (index, *held)),
        size,
        *map(_at, (found, latest)),
    )
    return found, latest, size


def _masked(nulls: Array | None) -> Array | None:
    return None if nulls is None else np.ascontiguousarray(nulls, np.bool_)


def summarise(
    steps: tuple[Array, Array, Array | None],
    groups: Array,
    parts: Array | None,
    epochs: tuple[Array, Array],
    sums: Sequence[plain.Sum],
    wanted: int,
    mode: int,
    seen: tuple[Array, Array, int],
) -> tuple[Array, list[tuple[Array, Array, bool]]]:
    """Take steps into sums and choose those that are told, as `plain.summarise` says."""
    if library.opened is None:
        return plain.summarise(steps, groups, parts, epochs, sums, wanted, mode)
    telling = _Telling(len(steps[0]), sums, mode, seen)
    n = library.opened.flow_summarise(
        len(steps[0]),
        *map(_at, (*steps, groups, parts, *epochs)),
        len(sums),
        telling.table,
        wanted,
        *telling.rest,
    )
    return telling.found(n)


def slide_summarise(
    moving: plain.Moving,
    chunks: Array | None,
    groups: Array,
    parts: Array | None,
    epochs: tuple[Array, Array],
    sums: Sequence[plain.Sum],
    mode: int,
    seen: tuple[Array, Array, int],
) -> tuple[Array, list[tuple[Array, Array, bool]]]:
    """Move rows through sliding windows and take all that comes and leaves into sums, as `slide`
    and `summarise` do; only what comes is told, by its position in it.
    """
    if library.opened is None:
        of = None if parts is None else parts[moving.first : moving.first + moving.size]
        rows, kinds, at = plain.slide(
            moving.queues,
            moving.time,
            moving.size,
            of,
            moving.limit,
            moving.first,
            moving.length,
            resets=False,
        )
        steps = (rows, kinds, None if chunks is None else chunks[at])
        chosen, found = plain.summarise(steps, groups, parts, epochs, sums, 1 << CURRENT, mode)
        return at[chosen], found
    telling = _Telling(moving.size, sums, mode, seen)
    limit = moving.limit
    one = limit if isinstance(limit, int) else 0
    n = library.opened.flow_slide_summarise(
        moving.size,
        *map(_at, (*moving.queues, moving.time)),
        int(limit is not None),
        one,
        None if limit is None or isinstance(limit, int) else _at(limit),
        moving.first,
        moving.length,
        *map(_at, (chunks, groups, parts)),
        len(sums),
        telling.table,
        *telling.rest,
    )
    return telling.found(n)


class _Telling:
    """What a kernel is given to sum and where it writes what is told."""

    def __init__(
        self, room: int, sums: Sequence[plain.Sum], mode: int, seen: tuple[Array, Array, int]
    ) -> None:
        fields: list[int | None] = []
        self._nulls = [_masked(one.nulls) for one in sums]  # They live until the call has ended.
        for one, nulls in zip(sums, self._nulls, strict=True):
            kind = plain.COUNT if one.values is None else 1 + (one.totals.dtype == np.float64)
            fields += (kind, _at(one.values), _at(nulls), _at(one.totals), _at(one.held), 0)
        self.table = (whole * len(fields))(*(field or 0 for field in fields))
        self._sums = sums
        self._room = room
        self._chosen = np.empty(room, np.int64)
        self._out = np.empty(2 * len(sums) * room, np.int64)
        slots, places, stamp = seen
        self.rest = (
            *(mode, _at(slots), _at(places), stamp, room),
            *(_at(self._chosen), _at(self._out)),
        )

    def found(self, n: int) -> tuple[Array, list[tuple[Array, Array, bool]]]:
        """Give the steps told and each sum's totals, counts and whether one is of nothing."""
        found = []
        for at, one in enumerate(self._sums):
            first = 2 * at * self._room
            held = self._out[first + self._room : first + self._room + n]
            totals = self._out[first : first + n].view(one.totals.dtype)
            found.append((totals, held, bool(self.table[6 * at + 5])))
        return self._chosen[:n], found


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
    if library.opened is None:
        return plain.extreme(rows, kinds, groups, parts, epochs, cells, rule, state)
    heads, tails, before, after, nodes, pool = state
    values = np.ascontiguousarray(cells[0], nodes.dtype)
    nulls = _masked(cells[1])
    out, out_nulls = np.empty(len(rows), nodes.dtype), np.empty(len(rows), np.bool_)
    run = (
        library.opened.flow_extreme_long
        if nodes.dtype == np.int64
        else library.opened.flow_extreme_double
    )
    run(
        len(rows),
        *map(_at, (rows, kinds, groups, parts, *epochs, values, nulls)),
        *rule,
        *map(_at, (heads, tails, before, after, nodes, pool, out, out_nulls)),
    )
    return out, out_nulls


def follow(
    mode: int,
    within: int,
    coming: tuple[Array, Array, Array, Array],
    rows: tuple[Array, Array, Array],
    queues: plain_patterns.Waiting,
    tests: list[tuple[int, Array, Array]],
) -> tuple[Array, Array]:
    """Run events through `every A -> B within`, as `plain_patterns.follow` says."""
    if library.opened is None:
        return plain_patterns.follow(mode, within, coming, rows, queues, tests)
    most = len(queues.waiting)
    firsts, seconds = np.empty(most, np.int64), np.empty(most, np.int64)
    given = _Matching(coming, tests)
    n = library.opened.flow_follow(
        *(len(coming[0]), mode, within),
        *map(_at, (*given.coming, *rows, *queues)),
        *given.tests,
        *map(_at, (firsts, seconds)),
    )
    return firsts[:n], seconds[:n]


def absent_take(
    mode: int,
    wait: int,
    coming: tuple[Array, Array, Array, Array],
    rows: tuple[Array, Array, Array],
    queues: plain_patterns.Waiting,
    tests: list[tuple[int, Array, Array]],
    timers: plain_patterns.Timers,
) -> None:
    """Run events through `every A -> not B for t`, as `plain_patterns.absent_take` says."""
    if library.opened is None:
        plain_patterns.absent_take(mode, wait, coming, rows, queues, tests, timers)
        return
    given = _Matching(coming, tests)
    library.opened.flow_absent_take(
        *(len(coming[0]), mode, wait),
        *map(_at, (*given.coming, *rows, *queues)),
        *given.tests,
        *map(_at, timers),
    )


def absent_fire(
    due: Array,
    now: int,
    wait: int,
    rows: tuple[Array, Array],
    queues: plain_patterns.Waiting,
    timers: plain_patterns.Timers,
) -> tuple[Array, Array, Array]:
    """Fire the timers of partitions, as `plain_patterns.absent_fire` says."""
    if library.opened is None:
        return plain_patterns.absent_fire(due, now, wait, rows, queues, timers)
    most = len(queues.waiting)
    found, times, parts = (np.empty(most, np.int64) for _ in range(3))
    n = library.opened.flow_absent_fire(
        len(due),
        _at(due),
        *(now, wait),
        *map(_at, (*rows, *queues, *timers, found, times, parts)),
    )
    return found[:n], times[:n], parts[:n]


class _Matching:
    """Events and comparisons as a pattern's kernels take them."""

    def __init__(
        self, coming: tuple[Array, Array, Array, Array], tests: list[tuple[int, Array, Array]]
    ) -> None:
        self.coming = [np.ascontiguousarray(array, np.int64) for array in coming]
        self._seconds = [np.ascontiguousarray(b) for _, _, b in tests]
        self.tests: list[Any] = [len(tests)]
        for of_tests in (
            [int(a.dtype == np.float64) for _, a, _ in tests],
            [op for op, _, _ in tests],
            [_at(a) or 0 for _, a, _ in tests],
            [_at(b) or 0 for b in self._seconds],
        ):
            self.tests.append((whole * len(tests))(*of_tests))


def chain(
    rows: Array, kinds: Array, keys: Array, head: Array, tail: Array, held: Array, following: Array
) -> None:
    """Chain the rows of a window by key, as `plain.chain` says."""
    if library.opened is None:
        plain.chain(rows, kinds, keys, head, tail, held, following)
        return
    arrays = (rows, kinds, keys, head, tail, held, following)
    library.opened.flow_chain(len(rows), *map(_at, arrays))


def probe(asked: Array, head: Array, held: Array, following: Array) -> tuple[Array, Array]:
    """Give the rows of each key asked for, as `plain.probe` says."""
    if library.opened is None:
        return plain.probe(asked, head, held, following)
    count = int(held[asked[asked >= 0]].sum())
    asked = np.ascontiguousarray(asked, np.int64)
    probes, rows = np.empty(count, np.int64), np.empty(count, np.int64)
    library.opened.flow_probe(len(asked), *map(_at, (asked, head, held, following, probes, rows)))
    return probes, rows
