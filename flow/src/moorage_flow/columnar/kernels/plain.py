"""The kernels in Python: what they do, and what runs where the compiled ones are missing.

All arrays are written in place; the state is the same on both, so that a snapshot of one goes on in
the other.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
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
        while node >= 0 and nodes[node] != value:
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


BOTH, FIRST, SECOND = range(3)
TESTS: tuple[Any, ...] = (
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
)


class Waiting(NamedTuple):
    """The queues of a pattern's waiting rows, linked through arrays; -1 is no row.

    `head` to `fresh_tail` are by partition, `key_head` and `key_tail` by key, the others by row.
    """

    head: Array
    tail: Array
    fresh_head: Array
    fresh_tail: Array
    key_head: Array
    key_tail: Array
    next: Array
    previous: Array
    key_next: Array
    key_previous: Array
    waiting: Array

    def leave(self, part: int, key: int, row: int) -> None:
        """Take a row out of its queues."""
        for head, tail, after, before, at in (
            (self.head, self.tail, self.next, self.previous, part),
            (self.key_head, self.key_tail, self.key_next, self.key_previous, key),
        ):
            back, on = int(before[row]), int(after[row])
            if back >= 0:
                after[back] = on
            else:
                head[at] = on
            if on >= 0:
                before[on] = back
            else:
                tail[at] = back
        self.waiting[row] = 0

    def enter(self, part: int, key: int, row: int) -> None:
        """Put a row at the end of its queues."""
        for head, tail, after, before, at in (
            (self.head, self.tail, self.next, self.previous, part),
            (self.key_head, self.key_tail, self.key_next, self.key_previous, key),
        ):
            before[row], after[row] = tail[at], -1
            if tail[at] >= 0:
                after[tail[at]] = row
            else:
                head[at] = row
            tail[at] = row

    def fresh(self, part: int) -> list[int]:
        """Give the rows let in since the last update."""
        found = []
        row = int(self.fresh_head[part])
        while row >= 0:
            found.append(row)
            row = int(self.next[row])
        return found

    def set_fresh(self, part: int, rows: list[int]) -> None:
        """Say which rows were let in since the last update."""
        self.fresh_head[part] = rows[0] if rows else -1
        self.fresh_tail[part] = rows[-1] if rows else -1
        for row, on in zip(rows, [*rows[1:], -1], strict=False):
            self.next[row] = on


def follow(
    mode: int,
    within: int,
    coming: tuple[Array, Array, Array, Array],
    rows: tuple[Array, Array, Array],
    queues: Waiting,
    tests: list[tuple[int, Array, Array]],
) -> tuple[Array, Array]:
    """Run events through `every A -> B within`.

    Args:
        mode: whether the events are of both positions' stream, the first's or the second's.
        within: the milliseconds after which an A no longer waits; -1: it waits for ever.
        coming: of each event its time, its partition, the row at which it waits as an A and the key
            it asks for as a B, -1 where it does not.
        rows: of each waiting row its time, its key and whether it can be completed at all.
        queues: the waiting rows.
        tests: comparisons (position in `TESTS`, values by waiting row, values by event) that hold
            between an A and the B that completes it.

    Returns:
        The waiting rows completed and the events that did, in the order of the events.
    """
    times, keys, able = rows
    firsts: list[int] = []
    seconds: list[int] = []

    def over(row: int, now: int) -> bool:
        return within >= 0 and abs(now - int(times[row])) > within

    events = zip(*(array.tolist() for array in coming), strict=True)
    for at, (now, part, entering, asking) in enumerate(events):
        while (row := int(queues.head[part])) >= 0 and over(row, now):
            queues.leave(part, int(keys[row]), row)
        fresh = queues.fresh(part)
        kept = [row for row in fresh if not over(row, now)]
        for row in fresh:
            queues.waiting[row] = not over(row, now)
        if mode != FIRST:
            for row in sorted(kept, key=lambda r: int(times[r])):
                queues.enter(part, int(keys[row]), row)
            kept = []
        queues.set_fresh(part, kept)
        row = int(queues.key_head[asking]) if asking >= 0 else -1
        while row >= 0:
            on = int(queues.key_next[row])
            if able[row] and all(TESTS[op](a[row], b[at]) for op, a, b in tests):
                firsts.append(row)
                seconds.append(at)
                queues.leave(part, asking, row)
            row = on
        if entering >= 0:
            queues.waiting[entering] = 1
            queues.set_fresh(part, [*queues.fresh(part), entering])
    return np.array(firsts, np.int64), np.array(seconds, np.int64)


class Timers(NamedTuple):
    """Timers in queues by partition, served in the order they were asked for.

    By partition the first and last (-1: none), since when it has some (-1: it has none), the time
    asked for last, and whether what waits goes by time; by timer its time, the next one, and
    whether it was asked for once or more often; the first free timer, how many were ever used, and
    the next turn.
    """

    head: Array
    tail: Array
    turn: Array
    scheduled: Array
    ordered: Array
    time: Array
    next: Array
    asked: Array
    pool: Array

    def ask(self, part: int, time: int, asked: int) -> None:
        """Ask for a time."""
        tail, pool = int(self.tail[part]), self.pool
        self.scheduled[part] = time
        if self.turn[part] < 0:
            self.turn[part] = pool[2]
            pool[2] += 1
        if self.head[part] >= 0 and self.time[tail] == time:
            self.asked[tail] = 2
            return
        node = int(pool[0])
        if node >= 0:
            pool[0] = self.next[node]
        else:
            node = int(pool[1])
            pool[1] += 1
        self.time[node], self.asked[node], self.next[node] = time, asked, -1
        if self.head[part] >= 0:
            self.next[tail] = node
        else:
            self.head[part] = node
        self.tail[part] = node

    def serve(self, part: int) -> tuple[int, int]:
        """Take a partition's first timer; give its time and how often it was asked for."""
        node = int(self.head[part])
        self.head[part] = self.next[node]
        self.next[node], self.pool[0] = self.pool[0], node
        return int(self.time[node]), int(self.asked[node])


def _join(queues: Waiting, timers: Timers, part: int, times: Array, keys: Array) -> None:
    """Put what was let in into the queue, and note whether the queue still goes by time."""
    fresh = sorted(queues.fresh(part), key=lambda row: int(times[row]))
    if not fresh:
        return
    last = int(queues.tail[part])
    for row in fresh:
        queues.enter(part, int(keys[row]), row)
    queues.set_fresh(part, [])
    if last < 0:
        timers.ordered[part] = 1
    elif times[fresh[0]] < times[last]:
        timers.ordered[part] = 0


def absent_take(
    mode: int,
    wait: int,
    coming: tuple[Array, Array, Array, Array],
    rows: tuple[Array, Array, Array],
    queues: Waiting,
    tests: list[tuple[int, Array, Array]],
    timers: Timers,
) -> None:
    """Run events through `every A -> not B for t`: an A waits from then on, a B stops those it
    meets; both ask for a timer.

    Args:
        mode: as of `follow`, like the next five.
        wait: the milliseconds in which no B may come.
        coming: the events.
        rows: the waiting rows.
        queues: their queues.
        tests: comparisons that hold between an A and the B that stops it.
        timers: the timers.
    """
    times, keys, able = rows
    for at, (now, part, entering, asking) in enumerate(
        zip(*(array.tolist() for array in coming), strict=True)
    ):
        if mode != FIRST:
            _join(queues, timers, part, times, keys)
        stopped = 0
        row = int(queues.key_head[asking]) if asking >= 0 else -1
        while row >= 0:
            on = int(queues.key_next[row])
            if able[row] and all(TESTS[op](a[row], b[at]) for op, a, b in tests):
                queues.leave(part, asking, row)
                stopped += 1
            row = on
        if stopped:
            timers.ask(part, now + wait, min(stopped, 2))
        if entering >= 0:
            queues.waiting[entering] = 1
            queues.set_fresh(part, [*queues.fresh(part), entering])
            timers.ask(part, now + wait, 1)


def absent_fire(
    due: Array,
    now: int,
    wait: int,
    rows: tuple[Array, Array],
    queues: Waiting,
    timers: Timers,
) -> tuple[Array, Array, Array]:
    """Fire the timers of partitions until `now`.

    Args:
        due: the partitions, in the order they are served.
        now: the time.
        wait: the milliseconds in which no B may come.
        rows: of each waiting row its time and its key.
        queues: the waiting rows.
        timers: the timers.

    Returns:
        The rows that no B has stopped, the time of the timer that found each, and its partition.
    """
    times, keys = rows
    found: list[tuple[int, int, int]] = []
    for part in due.tolist():
        while timers.head[part] >= 0 and timers.time[timers.head[part]] <= now:
            time, asked = timers.serve(part)
            for _ in range(asked):
                before = len(found)
                _join(queues, timers, part, times, keys)
                row = int(queues.head[part])
                while row >= 0:
                    on = int(queues.next[row])
                    if time >= times[row] + wait:
                        found.append((row, time, part))
                        queues.leave(part, int(keys[row]), row)
                    row = on
                if now > wait + time:
                    timers.scheduled[part] = now + wait
                if len(found) == before and timers.scheduled[part] < time:
                    timers.ask(part, time + wait, 1)
        if timers.head[part] < 0:
            timers.turn[part] = -1
    count = len(found)
    return (
        np.fromiter((row for row, _, _ in found), np.int64, count),
        np.fromiter((time for _, time, _ in found), np.int64, count),
        np.fromiter((part for _, _, part in found), np.int64, count),
    )


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
