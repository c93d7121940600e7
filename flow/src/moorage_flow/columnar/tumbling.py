"""Windows that tumble: rows wait, are let out together, and leave when the next batch comes.

The rows are those of `moorage_flow.windows.batches`, in its order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..events import CURRENT, EXPIRED, RESET
from ..language.syntax import Type
from ..values import remainder
from .batch import Index, Values
from .store import Kept
from .windows import Arriving, Rows, State, Steps

Span = tuple[int, int]
"""Rows of the store: the first, and the one behind the last."""


def put(spans: list[Span], start: int, stop: int) -> None:
    """Add rows to the end of spans."""
    if spans and spans[-1][1] == start:
        spans[-1] = spans[-1][0], stop
    elif stop > start:
        spans.append((start, stop))


def rows_of(spans: list[Span]) -> Index:
    """Give the rows of spans."""
    if len(spans) == 1:
        return np.arange(*spans[0])
    pieces = [np.arange(*span) for span in spans]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


class Part(Kept):
    """One partition's batch: the rows that gather, those let out last, whether a border is due."""

    def __init__(self) -> None:
        self.current: list[Span] = []
        self.expired: list[Span] = []
        self.gathered = 0
        self.reset = -1
        self.count = 0
        self.due = -1
        self.start = 0
        self.end = -1
        self.latest = 0


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

    def _spans(self) -> list[Span]:
        return [span for part in self.parts.values() for span in (*part.current, *part.expired)]

    def count(self) -> int:
        return sum(stop - start for start, stop in self._spans())

    def live(self) -> Index:
        needed = np.zeros(self.rows.size, np.bool_)
        for start, stop in self._spans():
            needed[start:stop] = True
        needed[[part.reset for part in self.parts.values() if part.reset >= 0]] = True
        return np.flatnonzero(needed)

    def move(self, where: Index) -> None:
        # All rows of a span are held, so that they stay next to each other.
        def moved(spans: list[Span]) -> list[Span]:
            out: list[Span] = []
            for start, stop in spans:
                first = int(where[start])
                put(out, first, first + stop - start)
            return out

        for part in self.parts.values():
            part.current, part.expired = moved(part.current), moved(part.expired)
            if part.reset >= 0:
                part.reset = int(where[part.reset])


class Writer:
    """Gathers steps span by span."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._steps: list[tuple[Span, int, int | None, int, int]] = []
        self.chunk = 0
        self.call = 0

    def add(self, spans: list[Span], kind: int, ts: int | None = None) -> None:
        """Add rows of one kind; `ts` None leaves them their own times."""
        for span in spans:
            self._steps.append((span, kind, ts, self.chunk, self.call))

    def mark(self, part: Part, ts: int | None = None) -> None:
        """Add the border between batches, where one is due."""
        if part.reset >= 0:
            self.add([(part.reset, part.reset + 1)], RESET, ts)
            part.reset = -1

    def steps(self) -> Steps | None:
        """Give what was gathered."""
        if not self._steps:
            return None
        sizes = [span[1] - span[0] for span, *_ in self._steps]
        rows = rows_of([span for span, *_ in self._steps])
        kinds = np.repeat(np.array([kind for _, kind, *_ in self._steps], np.int8), sizes)
        ts = None
        if any(given is not None for _, _, given, *_ in self._steps):
            ts = self._rows.ts[rows]
            at = 0
            for (_, _, given, *_), size in zip(self._steps, sizes, strict=True):
                if given is not None:
                    ts[at : at + size] = given
                at += size
        chunks, calls = (
            np.repeat(np.array([step[field] for step in self._steps], np.int64), sizes)
            if self._steps[0][field] != self._steps[-1][field]
            else None
            for field in (3, 4)
        )
        return Steps(rows, kinds, self._rows.ts, ts, chunks, calls)


@dataclass(slots=True)
class Tumbling:
    """The base of windows that let rows out together; `expects` says whether someone looks at what
    leaves, `keeps` whether a batch is remembered.
    """

    expects: bool
    keeps: bool

    def make(self, kinds: list[Type]) -> Batched:
        """Make its state."""
        return Batched(kinds)

    def pass_on(self, state: Batched, coming: Arriving) -> Steps | None:
        """Let rows in, and out what is complete."""
        writer = Writer(state.rows)
        bounds = [0, len(coming)]
        if coming.chunks is not None:
            bounds[1:1] = (np.flatnonzero(np.diff(coming.chunks)) + 1).tolist()
        for start, end in itertools.pairwise(bounds):
            part = state.part(coming.part(start))
            self.take(part, coming, start, end, writer)
            writer.chunk += 1
            writer.call += 1
        return writer.steps()

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        """Take one chunk of one partition."""
        raise NotImplementedError


def _span(coming: Arriving, start: int, end: int) -> Span:
    return coming.first + start, coming.first + end


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
        put(part.current, *_span(coming, at, stop))
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
            put(part.expired, *row)
        return at + 1


@dataclass(slots=True)
class TimeBatch(Tumbling):
    """Batches of `span` milliseconds, counted from the first row or from `start`."""

    span: int
    start: int | None
    streams: bool

    def take(self, part: Part, coming: Arriving, start: int, end: int, writer: Writer) -> None:
        row = _span(coming, start, end)
        code = coming.part(start)
        over = self.due(part, coming.now, lambda time: coming.notify(code, [time]))
        if part.reset < 0:
            part.reset = coming.first + start
        if self.streams:
            writer.add([row], CURRENT)
            if self.keeps:
                put(part.expired, *row)
        else:
            put(part.current, *row)
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
    """Batches of `span` milliseconds by an attribute, from the first row's or `start`."""

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
        put(part.current, *_span(coming, start, end))
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
    """Give the first position from `start` whose time is `wanted` or later, `end` where there is
    none.
    """
    size = 16
    while start < end:
        found = np.flatnonzero(time[start : min(end, start + size)] >= wanted)
        if len(found):
            return int(start + found[0])
        start += size
        size *= 4
    return end
