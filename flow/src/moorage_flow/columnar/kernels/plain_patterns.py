"""The kernels of patterns in Python: what they do, and what runs where the compiled ones are
missing.

All arrays are written in place, as `plain` says.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from .plain import Array

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
