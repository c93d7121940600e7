"""The kernels in Python: what they do, and what runs where the compiled ones are missing.

All arrays are written in place; the state is the same on both, so that a snapshot of one goes on in
the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...events import CURRENT, EXPIRED, RESET
from ...values import to_int64

Array = NDArray[Any]


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
    """Move rows `first`… through the queues of their partitions.

    Args:
        queues: the row behind each row of the store, -1 at a queue's end; of each partition's queue
            the first row, the last, and how many there are.
        time: the time by which each row of the store leaves.
        count: how many rows come.
        parts: the partition of each; None: all are of partition 0.
        limit: before a row comes, rows of this time or older leave: one for all, or each its own;
            None: none leaves by age.
        first: the position in the store of the first row that comes.
        length: how many rows a queue holds; -1: any number.
        resets: whether with a length of 0 a row leaves as it comes, and a reset behind it.

    Returns:
        Rows of the store, what each means, and which of the rows that come it belongs to.
    """
    following, head, tail, held = queues
    steps: list[tuple[int, int, int]] = []
    for at, part in enumerate([0] * count if parts is None else parts.tolist()):
        row = first + at
        if limit is not None:
            oldest = limit if isinstance(limit, int) else limit[at]
            while held[part] > 0 and time[head[part]] <= oldest:
                steps.append((int(head[part]), EXPIRED, at))
                head[part] = following[head[part]]
                held[part] -= 1
        keeps = True
        if 0 <= length <= held[part]:
            if held[part] > 0:
                steps.append((int(head[part]), EXPIRED, at))
                head[part] = following[head[part]]
                held[part] -= 1
            else:
                keeps = False
        steps.append((row, CURRENT, at))
        if keeps:
            following[row] = -1
            if held[part] > 0:
                following[tail[part]] = row
            else:
                head[part] = row
            tail[part] = row
            held[part] += 1
        elif resets:
            steps += [(row, EXPIRED, at), (row, RESET, at)]
    size = len(steps)
    return (
        np.fromiter((s[0] for s in steps), np.int64, size),
        np.fromiter((s[1] for s in steps), np.int8, size),
        np.fromiter((s[2] for s in steps), np.int64, size),
    )


def expire(following: Array, head: Array, held: Array, time: Array, part: int, limit: int) -> Array:
    """Let the rows of one queue leave that are of `limit` or older; arguments as of `slide`."""
    found: list[int] = []
    at = int(head[part])
    while held[part] > 0 and time[at] <= limit:
        found.append(at)
        at = int(following[at])
        held[part] -= 1
    head[part] = at
    return np.array(found, np.int64)


def _begun(part: int, group: int, epochs: tuple[Array, Array]) -> bool:
    """Tell whether a group's state is of before its partition's last reset, and note that it no
    longer is.
    """
    of_groups, of_parts = epochs
    if of_groups[group] == of_parts[part]:
        return False
    of_groups[group] = of_parts[part]
    return True


class Moving(NamedTuple):
    """Rows on their way into sliding windows: the arguments of `slide`, `length` never 0."""

    queues: tuple[Array, Array, Array, Array]
    time: Array
    size: int
    limit: Array | int | None
    first: int
    length: int


COUNT = 0
EACH, LAST, LAST_OF_GROUP = range(3)
"""Which steps are told: each, the last of each chunk, the last of each chunk's groups."""


class Sum(NamedTuple):
    """A sum, or with no values a count: the values by row of the store and where they are null; by
    group the sum, wrapping in 64 bits where it is whole, and how many values it holds.
    """

    values: Array | None
    nulls: Array | None
    totals: Array
    held: Array

    def begin(self, group: int) -> None:
        """Begin a group anew."""
        self.held[group] = 0
        if self.values is not None:
            self.totals[group] = 0

    def take(self, row: int, group: int, kind: int) -> None:
        """Take a row in or out."""
        if self.nulls is not None and self.nulls[row]:
            return
        if self.values is not None:
            value, total = self.values[row].item(), self.totals[group].item()
            total = total + value if kind == CURRENT else total - value
            self.totals[group] = to_int64(total) if isinstance(total, int) else total
        self.held[group] += 1 if kind == CURRENT else -1
        if kind == EXPIRED and self.held[group] == 0 and self.values is not None:
            self.totals[group] = 0


def summarise(
    steps: tuple[Array, Array, Array | None],
    groups: Array,
    parts: Array | None,
    epochs: tuple[Array, Array],
    sums: Sequence[Sum],
    wanted: int,
    mode: int,
) -> tuple[Array, list[tuple[Array, Array, bool]]]:
    """Take steps into sums and choose those that are told.

    Args:
        steps: rows of the store, what each means, and the chunk each is of, ascending (None: one).
        groups: the group of each row of the store.
        parts: its partition; None: all are of partition 0.
        epochs: how often each partition was reset, as each group last saw it and as it is.
        sums: what is summed; written in place.
        wanted: the kinds of steps that may be told, a bit each.
        mode: which of them are.

    Returns:
        The steps chosen, groups in the order they first came; and of each sum, at each of these,
        its total, how many values it holds, and whether one is of none.
    """
    rows, kinds, chunks = steps
    last: dict[Any, tuple[int, list[tuple[Any, int]]]] = {}
    in_chunks = [0] * len(rows) if chunks is None else chunks.tolist()
    for at, (row, kind, chunk) in enumerate(
        zip(rows.tolist(), kinds.tolist(), in_chunks, strict=True)
    ):
        part = 0 if parts is None else int(parts[row])
        if kind == RESET:
            epochs[1][part] += 1
            continue
        group = int(groups[row])
        begun = _begun(part, group, epochs)
        for one in sums:
            if begun:
                one.begin(group)
            one.take(row, group, kind)
        if wanted >> kind & 1:
            key: Any = (at, (chunk,), (chunk, group))[mode]
            totals = [(one.totals[group], int(one.held[group])) for one in sums]
            last[key] = (at, totals)
    chosen = np.fromiter((at for at, _ in last.values()), np.int64, len(last))
    found = []
    for at, one in enumerate(sums):
        told = [totals[at] for _, totals in last.values()]
        held = np.fromiter((count for _, count in told), np.int64, len(told))
        sums_told = np.fromiter((total for total, _ in told), one.totals.dtype, len(told))
        found.append((sums_told, held, one.values is not None and not held.all()))
    return chosen, found


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
    """Give each step's greatest or least value, and where there is none.

    Args:
        rows: the steps, as rows of the store.
        kinds: what each step means.
        groups: the group of each row of the store.
        parts: its partition.
        epochs: as of `summarise`.
        cells: the values by row of the store, and where they are null.
        rule: 1 for the greatest, -1 for the least; whether values leave again.
        state: each group's first and last candidate; of each node of the pool the one before and
            behind it and its
            value; the first free node (-1: none) and how many were ever used.
    """
    heads, tails, before, after, nodes, pool = state
    sign, tracked = rule
    values, nulls = cells
    out, out_nulls = np.zeros(len(rows), nodes.dtype), np.ones(len(rows), np.bool_)

    def free(node: int) -> None:
        after[node] = pool[0]
        pool[0] = node

    def push(group: int, value: Any) -> None:
        while tails[group] >= 0 and (
            nodes[tails[group]] < value if sign > 0 else nodes[tails[group]] > value
        ):
            gone = int(tails[group])
            tails[group] = before[gone]
            if tails[group] >= 0:
                after[tails[group]] = -1
            else:
                heads[group] = -1
            free(gone)
        if not tracked and heads[group] >= 0:
            return
        node = int(pool[0])
        if node >= 0:
            pool[0] = after[node]
        else:
            node = int(pool[1])
            pool[1] += 1
        nodes[node], before[node], after[node] = value, tails[group], -1
        if tails[group] >= 0:
            after[tails[group]] = node
        else:
            heads[group] = node
        tails[group] = node

    def drop(group: int, value: Any) -> None:
        node = int(heads[group])
        # NaN is NaN here, as Java's equals says.
        while node >= 0 and not (nodes[node] == value or (isnan(nodes[node]) and isnan(value))):
            node = int(after[node])
        if node < 0:
            return
        if before[node] >= 0:
            after[before[node]] = after[node]
        else:
            heads[group] = after[node]
        if after[node] >= 0:
            before[after[node]] = before[node]
        else:
            tails[group] = before[node]
        free(node)

    for at, (row, kind) in enumerate(zip(rows.tolist(), kinds.tolist(), strict=True)):
        part = int(parts[row])
        if kind == RESET:
            epochs[1][part] += 1
            continue
        group = int(groups[row])
        if _begun(part, group, epochs) and heads[group] >= 0:
            after[tails[group]] = pool[0]
            pool[0] = heads[group]
            heads[group] = tails[group] = -1
        if nulls is None or not nulls[row]:
            (push if kind == CURRENT else drop)(group, values[row])
        if heads[group] >= 0:
            out[at], out_nulls[at] = nodes[heads[group]], False
    return out, out_nulls


def chain(
    rows: Array, kinds: Array, keys: Array, head: Array, tail: Array, held: Array, following: Array
) -> None:
    """Chain the rows that enter a window to those of their key, and take off those that leave.

    Args:
        rows: the steps, as rows of the store.
        kinds: what each step means.
        keys: each row's key, -1 for none. Rows of one key leave in the order they came.
        head: of each key, the first row.
        tail: the last.
        held: how many there are.
        following: the next row of the same key.
    """
    for row, kind in zip(rows.tolist(), kinds.tolist(), strict=True):
        key = int(keys[row])
        if key < 0:
            continue
        if kind == CURRENT:
            following[row] = -1
            if held[key] > 0:
                following[tail[key]] = row
            else:
                head[key] = row
            tail[key] = row
            held[key] += 1
        elif kind == EXPIRED:
            head[key] = following[row]
            held[key] -= 1


def probe(asked: Array, head: Array, held: Array, following: Array) -> tuple[Array, Array]:
    """Give, for each key asked for, its position and every row of its chain; -1 asks for none."""
    probes: list[int] = []
    rows: list[int] = []
    for at, key in enumerate(asked.tolist()):
        row = int(head[key]) if key >= 0 else -1
        for _ in range(int(held[key]) if key >= 0 else 0):
            probes.append(at)
            rows.append(row)
            row = int(following[row])
    return np.array(probes, np.int64), np.array(rows, np.int64)


def bucket_index(index: Any, starts: Array, groups: Array, size: int) -> dict[tuple[int, int], int]:
    """Give each bucket by its beginning and group; `index` is that of before, None for none."""
    if index is None:
        return dict(
            zip(
                zip(starts[:size].tolist(), groups[:size].tolist(), strict=True),
                range(size),
                strict=True,
            )
        )
    known: dict[tuple[int, int], int] = index
    return known


def find_buckets(
    index: dict[tuple[int, int], int],
    coming: tuple[Array, Array, Array],
    held: tuple[Array, Array, Array],
    size: int,
) -> tuple[Array, Array, int]:
    """Find the bucket of each event, a new one where there is none.

    Args:
        index: the buckets by beginning and group; written in place, like `held`.
        coming: of each event where its bucket begins, its group and its time.
        held: of each bucket its beginning, its group and the time of its latest event.
        size: how many buckets there are.

    Returns:
        Each event's bucket, whether it is the latest of it so far, and how many buckets there are.
    """
    starts, groups, latest = held
    count = len(coming[0])
    found, wins = np.empty(count, np.int64), np.ones(count, np.bool_)
    for at, (start, group, time) in enumerate(
        zip(*(array.tolist() for array in coming), strict=True)
    ):
        bucket = index.get((start, group))
        if bucket is None:
            bucket = index[start, group] = size
            starts[bucket], groups[bucket] = start, group
            size += 1
        else:
            wins[at] = time >= latest[bucket]
        if wins[at]:
            latest[bucket] = time
        found[at] = bucket
    return found, wins, size
