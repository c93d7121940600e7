"""Windows over columns: each batch of rows becomes the steps its events take through the window.

A step is a row of the window's store and what it means: current, expired or reset. The rows are the reference's
(`moorage_flow.windows`), in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..events import CURRENT, EXPIRED, RESET
from ..language.syntax import Type
from ..values import remainder
from . import kernels
from .batch import Column, Index, Values
from .store import Buffer, Kept, grown


@dataclass(slots=True)
class Steps:
    """What passes a window: rows of its store, what each means and when, the selection's chunk and the call each belongs to."""

    rows: Index
    kinds: NDArray[np.int8]
    ts: Index
    chunks: Index
    calls: Index


@dataclass(slots=True)
class Arriving:
    """A batch on its way into a window: its first row in the store, its times, its chunks and partitions; `notify` sets a timer for a partition."""

    first: int
    ts: Index
    chunks: Index
    parts: Index
    time: Index
    now: int
    notify: Callable[[int, int], None]

    def __len__(self) -> int:
        return len(self.ts)


class Rows(Kept):
    """The rows a window holds: the columns needed later, each row's time and partition."""

    def __init__(self, kinds: list[Type]) -> None:
        self.columns = [Buffer(kind) for kind in kinds]
        self.ts = np.empty(0, np.int64)
        self.parts = np.empty(0, np.int64)
        self.groups = np.empty(0, np.int64)
        self.size = 0

    def put(self, columns: list[Column], ts: Index, parts: Index, groups: Index) -> int:
        """Add rows; give the position of the first."""
        first, end = self.size, self.size + len(ts)
        for buffer, column in zip(self.columns, columns, strict=True):
            buffer.put(first, column)
        for name, values in (("ts", ts), ("parts", parts), ("groups", groups)):
            array = grown(getattr(self, name), end)
            array[first:end] = values
            setattr(self, name, array)
        self.size = end
        return first

    def keep(self, index: Index) -> None:
        """Keep only the rows of an index."""
        for buffer in self.columns:
            buffer.keep(index)
        self.ts, self.parts, self.groups = self.ts[index], self.parts[index], self.groups[index]
        self.size = len(index)


class State(Kept):
    """The base of a window's state; `live` gives the rows still needed, `move` takes their new positions."""

    def __init__(self, kinds: list[Type]) -> None:
        self.rows = Rows(kinds)

    def live(self) -> Index:
        """Give the rows still needed, ascending."""
        raise NotImplementedError

    def move(self, where: Index) -> None:
        """Take the rows' new positions."""
        raise NotImplementedError

    def count(self) -> int:
        """Tell how many rows are still needed."""
        raise NotImplementedError

    def settle(self) -> None:
        """Drop rows no longer needed once they are most of all."""
        if self.rows.size < 1024 or self.count() * 2 > self.rows.size:
            return
        live = self.live()
        where = np.full(self.rows.size, -1, np.int64)
        where[live] = np.arange(len(live))
        self.rows.keep(live)
        self.move(where)


class Queues(State):
    """For each partition a queue of rows, linked through `following`; times by which rows leave in `time`."""

    def __init__(self, kinds: list[Type]) -> None:
        super().__init__(kinds)
        self.following = np.empty(0, np.int64)
        self.time = np.empty(0, np.int64)
        self.head = np.empty(0, np.int64)
        self.tail = np.empty(0, np.int64)
        self.length = np.empty(0, np.int64)
        self.last = np.empty(0, np.int64)

    def room(self, parts: int) -> None:
        """Make room for rows and partitions."""
        self.following = grown(self.following, self.rows.size, -1)
        self.time = grown(self.time, self.rows.size)
        self.head = grown(self.head, parts, -1)
        self.tail = grown(self.tail, parts, -1)
        self.length = grown(self.length, parts)
        self.last = grown(self.last, parts, -(1 << 63))

    def count(self) -> int:
        return int(self.length.sum())

    def live(self) -> Index:
        # Rows enter a queue in the order of the store: what is behind its head is still in it.
        size = self.rows.size
        parts = self.rows.parts[:size]
        first = np.where(self.length > 0, self.head, size)
        return np.flatnonzero(np.arange(size) >= first[parts])

    def move(self, where: Index) -> None:
        size = self.rows.size
        old = np.flatnonzero(where >= 0)
        after = self.following[old]
        self.following = np.where(after >= 0, where[after], -1)
        self.time = self.time[old]
        for ends in (self.head, self.tail):
            kept = self.length > 0
            ends[kept] = where[ends[kept]]
            ends[~kept] = -1
        assert len(self.following) == size

    def held(self, part: int) -> Index:
        """Give the rows a partition's window holds, oldest first."""
        if part >= len(self.head):
            return np.empty(0, np.int64)
        found = []
        at = int(self.head[part])
        for _ in range(int(self.length[part])):
            found.append(at)
            at = int(self.following[at])
        return np.array(found, np.int64)


@dataclass(slots=True)
class Sliding:
    """`length`, `time`, `timeLength` and `externalTime`: rows leave by number, by age, or by both."""

    length: int | None
    span: int | None
    external: bool = False
    each: bool = False

    def make(self, kinds: list[Type]) -> Queues:
        """Make its state."""
        return Queues(kinds)

    def pass_on(self, state: Queues, coming: Arriving) -> Steps:
        """Let rows in, and out what must leave before each."""
        count = len(coming)
        parts_seen = int(coming.parts.max()) + 1 if count else 1
        state.room(parts_seen)
        end = coming.first + count
        state.time[coming.first : end] = coming.time if self.external else coming.ts
        limit: Any = None
        if self.span is not None:
            now = coming.time if self.external else np.full(count, coming.now)
            limit = now - self.span
        rows, kinds, at = kernels.slide(
            state.following,
            state.head,
            state.tail,
            state.length,
            state.time,
            coming.parts,
            limit,
            coming.first,
            -1 if self.length is None else self.length,
            resets=self.span is None,
        )
        if self.span is not None and not self.external:
            for row in self.alarms(state, coming).tolist():
                coming.notify(int(coming.parts[row]), int(coming.ts[row]) + self.span)
        left = coming.time[at] if self.external else np.int64(coming.now)
        # With a length of 0 a row leaves as it comes, at its own time.
        ts = np.where((kinds == CURRENT) | (rows == coming.first + at), state.rows.ts[rows], left)
        return Steps(rows, kinds, ts, coming.chunks[at], coming.chunks[at])

    def expire(self, state: Queues, part: int, now: int) -> Steps | None:
        """Let out what is too old at a time."""
        assert self.span is not None
        if part >= len(state.head):
            return None
        rows = kernels.expire(
            state.following, state.head, state.length, state.time, part, now - self.span
        )
        if not len(rows):
            return None
        zeros = np.zeros(len(rows), np.int64)
        return Steps(rows, np.full(len(rows), EXPIRED, np.int8), zeros + now, zeros, zeros)

    def alarms(self, state: Queues, coming: Arriving) -> Index:
        """Give the arriving rows a timer is set for: those later than all before them, or each."""
        if self.each:
            return np.arange(len(coming))
        later = np.flatnonzero(coming.ts > state.last[coming.parts])
        if not coming.parts.any():
            before = np.maximum.accumulate(coming.ts)[:-1]
            first = np.concatenate([state.last[:1], np.maximum(before, state.last[0])])
            later = np.flatnonzero(coming.ts > first)
            if len(later):
                state.last[0] = coming.ts[later[-1]]
            return later
        found = []
        for at in later.tolist():
            part, ts = coming.parts[at], coming.ts[at]
            if ts > state.last[part]:
                state.last[part] = ts
                found.append(at)
        return np.array(found, np.int64)


class Part(Kept):
    """One partition's batch: the rows that gather, those let out last, and whether a border is due."""

    def __init__(self) -> None:
        self.current: list[Index] = []
        self.expired: list[Index] = []
        self.gathered = 0
        self.reset = -1
        self.count = 0
        self.due = -1
        self.start = 0
        self.end = -1
        self.latest = 0

    def __getstate__(self) -> dict[str, Any]:
        plain = dict(self.__dict__)
        plain["current"] = [piece.tolist() for piece in self.current]
        plain["expired"] = [piece.tolist() for piece in self.expired]
        return plain

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.current = [np.array(piece, np.int64) for piece in self.current]
        self.expired = [np.array(piece, np.int64) for piece in self.expired]

    def pieces(self) -> list[Index]:
        """Give every row held."""
        return [*self.current, *self.expired]


class Batched(State):
    """The batches of every partition; `time` holds the attribute some windows go by."""

    def __init__(self, kinds: list[Type]) -> None:
        super().__init__(kinds)
        self.parts: dict[int, Part] = {}

    def part(self, code: int) -> Part:
        """Give a partition's batch."""
        held = self.parts.get(code)
        if held is None:
            held = self.parts[code] = Part()
        return held

    def count(self) -> int:
        return sum(len(piece) for part in self.parts.values() for piece in part.pieces())

    def live(self) -> Index:
        pieces = [piece for part in self.parts.values() for piece in part.pieces()]
        resets = np.array([p.reset for p in self.parts.values() if p.reset >= 0], np.int64)
        return np.unique(np.concatenate([*pieces, resets]))

    def move(self, where: Index) -> None:
        for part in self.parts.values():
            part.current = [where[piece] for piece in part.current]
            part.expired = [where[piece] for piece in part.expired]
            if part.reset >= 0:
                part.reset = int(where[part.reset])

    def held(self, part: int) -> Index:
        """Give the rows of the batch let out last."""
        known = self.parts.get(part)
        return _joined(known.expired) if known is not None else np.empty(0, np.int64)


def _joined(pieces: list[Index]) -> Index:
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


class Writer:
    """Gathers steps piece by piece."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._steps: list[tuple[Index, int, int | None, int, int]] = []
        self.chunk = 0
        self.call = 0

    def add(self, pieces: list[Index], kind: int, ts: int | None = None) -> None:
        """Add rows of one kind; `ts` None leaves them their own times."""
        for piece in pieces:
            if len(piece):
                self._steps.append((piece, kind, ts, self.chunk, self.call))

    def mark(self, part: Part, ts: int | None = None) -> None:
        """Add the border between batches, where one is due."""
        if part.reset >= 0:
            self.add([np.array([part.reset], np.int64)], RESET, ts)
            part.reset = -1

    def steps(self) -> Steps | None:
        """Give what was gathered."""
        if not self._steps:
            return None
        sizes = [len(piece) for piece, *_ in self._steps]
        rows = np.concatenate([piece for piece, *_ in self._steps])
        own = self._rows.ts[rows]
        given = np.repeat([0 if ts is None else ts for _, _, ts, _, _ in self._steps], sizes)
        fixed = np.repeat([ts is not None for _, _, ts, _, _ in self._steps], sizes)
        return Steps(
            rows,
            np.repeat(np.array([s[1] for s in self._steps], np.int8), sizes),
            np.where(fixed, given, own),
            np.repeat(np.array([s[3] for s in self._steps], np.int64), sizes),
            np.repeat(np.array([s[4] for s in self._steps], np.int64), sizes),
        )


@dataclass(slots=True)
class Tumbling:
    """The base of windows that let rows out together; `expects` says whether someone looks at what leaves, `keeps` whether a batch is remembered."""

    expects: bool
    keeps: bool

    def make(self, kinds: list[Type]) -> Batched:
        """Make its state."""
        return Batched(kinds)

    def pass_on(self, state: Batched, coming: Arriving) -> Steps | None:
        """Let rows in, and out what is complete."""
        writer = Writer(state.rows)
        edges = np.flatnonzero(np.diff(coming.chunks)) + 1
        bounds = [0, *edges.tolist(), len(coming)]
        for start, end in zip(bounds, bounds[1:], strict=False):
            part = state.part(int(coming.parts[start]))
            self.take(part, coming, start, end, writer)
            writer.chunk += 1
            writer.call += 1
        return writer.steps()

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        """Take one chunk of one partition."""
        raise NotImplementedError


def _span(coming: Arriving, start: int, end: int) -> Index:
    return np.arange(coming.first + start, coming.first + end)


@dataclass(slots=True)
class LengthBatch(Tumbling):
    """Batches of `length` rows."""

    length: int
    streams: bool

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        now = coming.now
        at = start
        while at < end:
            if self.length == 0:
                row = _span(coming, at, at + 1)
                writer.add([row], CURRENT)
                if self.expects:
                    writer.add([row], EXPIRED, now)
                writer.add([row], RESET, now)
                at += 1
            elif self.streams:
                at = self._stream(part, coming, at, writer)
            else:
                at = self._gather(part, coming, at, end, writer)
            writer.chunk += 1

    def _gather(self, part: Part, coming: Arriving, at: int, end: int, writer: Writer) -> int:
        stop = min(end, at + self.length - part.gathered)
        if part.reset < 0:
            part.reset = coming.first + at
        part.current.append(_span(coming, at, stop))
        part.gathered += stop - at
        if part.gathered < self.length:
            return stop
        if self.expects:
            writer.add(part.expired, EXPIRED, coming.now)
        writer.mark(part, coming.now)
        writer.add(part.current, CURRENT)
        part.expired = part.current if self.keeps else []
        part.current, part.gathered = [], 0
        return stop

    def _stream(self, part: Part, coming: Arriving, at: int, writer: Writer) -> int:
        row = _span(coming, at, at + 1)
        if part.reset < 0:
            part.reset = coming.first + at
        part.count += 1
        if part.count == self.length + 1:
            if self.expects:
                writer.add(part.expired, EXPIRED, coming.now)
            part.expired = []
            writer.mark(part, coming.now)
            part.count = 1
        writer.add([row], CURRENT)
        if self.keeps:
            part.expired.append(row)
        return at + 1


@dataclass(slots=True)
class TimeBatch(Tumbling):
    """Batches of `span` milliseconds, counted from the first row or from `start`."""

    span: int
    start: int | None
    streams: bool

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        row = _span(coming, start, end)
        code = int(coming.parts[start])
        over = self.due(part, coming.now, lambda time: coming.notify(code, time))
        if part.reset < 0:
            part.reset = coming.first + start
        if self.streams:
            writer.add([row], CURRENT)
            if self.keeps:
                part.expired.append(row)
        else:
            part.current.append(row)
        if over:
            self.let_out(part, coming.now, writer)

    def due(self, part: Part, now: int, notify: Callable[[int], None]) -> bool:
        """Tell whether the batch is over, and set a timer for the end of the next."""
        if part.due == -1:
            part.due = now + self.span
            if self.start is not None:
                part.due = now + self.span - (now - self.start) % self.span
            notify(part.due)
        if now < part.due:
            return False
        # What is empty stays so, however many batches time passes by.
        filled = part.current or part.expired or part.reset >= 0
        part.due += self.span * (1 if filled else (now - part.due) // self.span + 1)
        notify(part.due)
        return True

    def let_out(self, part: Part, now: int, writer: Writer) -> None:
        """Let the batch out."""
        if self.expects:
            writer.add(part.expired, EXPIRED, now)
            part.expired = []
        writer.mark(part)
        if part.current:
            if self.keeps:
                if not self.expects:
                    part.expired = []
                part.expired = [*part.expired, *part.current]
            writer.add(part.current, CURRENT)
            part.current = []


@dataclass(slots=True)
class ChunkBatch(Tumbling):
    """Each chunk is a batch, or several of `length` rows."""

    length: int

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        if self.expects and part.expired:
            writer.add(part.expired, EXPIRED, coming.now)
            writer.mark(part)
        part.expired = [_span(coming, start, end)] if self.keeps else []
        size = self.length or end - start
        for at in range(start, end, size):
            writer.mark(part)
            if part.reset < 0:
                part.reset = coming.first + at
            writer.add([_span(coming, at, min(end, at + size))], CURRENT)
            writer.chunk += 1


@dataclass(slots=True)
class ExternalTimeBatch(Tumbling):
    """Batches of `span` milliseconds by an attribute, counted from the first row's or from `start`."""

    span: int
    start: int | None

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        time = coming.time
        if part.end < 0:
            first = int(time[start])
            part.start = first if self.start is None else self.start
            part.end = (
                first + self.span if self.start is None else self._end_after(first, part.start)
            )
        at = start
        while at < end:
            stop = _first_from(time, at, end, part.end)
            if stop > at:
                part.latest = max(part.latest, int(time[at:stop].max()))
                self._gather(part, coming, at, stop)
            if stop < end:
                part.latest = max(part.latest, int(time[stop]))
                self._flush(part, writer)
                part.end = self._end_after(part.latest, part.start)
                self._gather(part, coming, stop, stop + 1)
            at = stop + 1

    def _end_after(self, time: int, start: int) -> int:
        return time + self.span - remainder(time - start, self.span)

    @staticmethod
    def _gather(part: Part, coming: Arriving, start: int, end: int) -> None:
        part.current.append(_span(coming, start, end))
        if part.reset < 0:
            part.reset = coming.first + start

    def _flush(self, part: Part, writer: Writer) -> None:
        now = part.latest
        if self.expects:
            writer.add(part.expired, EXPIRED, now)
        part.expired = []
        if part.current:
            writer.mark(part, now)
            if self.keeps:
                part.expired = part.current
            writer.add(part.current, CURRENT)
        part.current = []
        writer.chunk += 1
        writer.call += 1


def _first_from(time: Values, start: int, end: int, wanted: int) -> int:
    """Give the first position from `start` whose time is `wanted` or later, `end` where there is none."""
    size = 16
    while start < end:
        found = np.flatnonzero(time[start : min(end, start + size)] >= wanted)
        if len(found):
            return int(start + found[0])
        start += size
        size *= 4
    return end
