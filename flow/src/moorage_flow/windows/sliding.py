"""Windows that slide: every event enters at once, and leaves by length, by time or by order."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any

from ..errors import AppInvalid
from ..events import CURRENT, EXPIRED, RESET, TIMER, Chunk, Event
from ..expressions import Compiled
from ..language.syntax import Call, Type
from ..values import NUMERIC
from .setting import Setting, WindowOperator, attribute, constant, duration, expect_count


class Held:
    """Events in the order they came, and the last time a timer was set for."""

    __slots__ = ("events", "last")

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.last = -(1 << 63)


def _expire(held: Held, out: Chunk, now: int, span: int) -> None:
    """Move what is older than `span` from the window to the output."""
    events = held.events
    while events and events[0].ts - now + span <= 0:
        gone = events.popleft()
        gone.ts = now
        out.append(gone)


class Length(WindowOperator):
    """The last `length` events."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1)
        self._length: int = constant(call, arguments, 0, Type.INT)
        super().__init__(setting, Held)

    def process(self, chunk: Chunk) -> None:
        events, now = self.states.get().events, self.clock.now
        out: Chunk = []
        for event in chunk:
            if len(events) >= self._length:
                if not events:  # A length of 0: each event leaves as it comes.
                    out += [event, event.copy(EXPIRED), event.copy(RESET)]
                    continue
                gone = events.popleft()
                gone.ts = now
                out.append(gone)
            events.append(event.copy(EXPIRED))
            out.append(event)
        self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get().events)


class Time(WindowOperator):
    """The events of the last `span` milliseconds."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1)
        self._span = duration(call, arguments, 0)
        super().__init__(setting, Held)
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        held, now = self.states.get(), self.clock.now
        out: Chunk = []
        for event in chunk:
            _expire(held, out, now, self._span)
            if event.kind == CURRENT:
                held.events.append(event.copy(EXPIRED))
                if held.last < event.ts:
                    held.last = event.ts
                    self._timers.notify_at(event.ts + self._span)
                out.append(event)
        if out:
            self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get().events)


class Delay(WindowOperator):
    """Lets each event out `span` milliseconds after it came."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1)
        self._span = duration(call, arguments, 0)
        super().__init__(setting, Held)
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        held, now = self.states.get(), self.clock.now
        out: Chunk = []
        for event in chunk:
            _expire(held, out, now, self._span)
            if event.kind == CURRENT:
                held.events.append(event)
                if held.last < event.ts:
                    held.last = event.ts
                    self._timers.notify_at(event.ts + self._span)
        if out:
            self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get().events)


class TimeLength(WindowOperator):
    """The last `length` events of the last `span` milliseconds."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 2)
        self._span = duration(call, arguments, 0)
        self._length: int = constant(call, arguments, 1, Type.INT)
        super().__init__(setting, Held)
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        held, now = self.states.get(), self.clock.now
        out: Chunk = []
        for event in chunk:
            _expire(held, out, now, self._span)
            if event.kind != CURRENT:
                continue
            if len(held.events) < self._length:
                held.events.append(event.copy(EXPIRED))
            elif held.events:
                gone = held.events.popleft()
                gone.ts = now
                out.append(gone)
                held.events.append(event.copy(EXPIRED))
            self._timers.notify_at(event.ts + self._span)
            out.append(event)
        if out:
            self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get().events)


class ExternalTime(WindowOperator):
    """The events of the last `span` milliseconds by an attribute of their own."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 2)
        self._time = attribute(call, arguments, 0, Type.LONG).get
        self._span = duration(call, arguments, 1)
        super().__init__(setting, Held)

    def process(self, chunk: Chunk) -> None:
        events = self.states.get().events
        out: Chunk = []
        for event in chunk:
            now = self._time(event)
            while events and self._time(events[0]) - now + self._span <= 0:
                gone = events.popleft()
                gone.ts = now
                out.append(gone)
            if event.kind == CURRENT:
                events.append(event.copy(EXPIRED))
            out.append(event)
        self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get().events)


class Sort(WindowOperator):
    """The `length` events that come first in an order; the one that comes last leaves."""

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        if len(arguments) < 2:
            raise AppInvalid("window sort takes a length and the attributes to sort by", call.place)
        self._length: int = constant(call, arguments, 0, Type.INT)
        self._order: list[tuple[Any, int]] = []
        if len(arguments) > 2 and not arguments[2].constant:
            raise AppInvalid(
                "in window sort the first attribute's order stands behind it", call.place
            )
        at = 1
        while at < len(arguments):
            by = attribute(call, arguments, at, *NUMERIC, Type.STRING)
            at += 1
            sign = 1
            if at < len(arguments) and arguments[at].constant:
                word = str(arguments[at].value).lower()
                if word not in {"asc", "desc"}:
                    raise AppInvalid(f"{word!r} is no order: 'asc' or 'desc'", call.place)
                sign = -1 if word == "desc" else 1
                at += 1
            self._order.append((by.get, sign))
        super().__init__(setting, list)

    def _compare(self, left: Event, right: Event) -> int:
        for get, sign in self._order:
            a, b = get(left), get(right)
            if a != b:
                return sign if a > b else -sign
        return 0

    def process(self, chunk: Chunk) -> None:
        held: list[Event] = self.states.get()
        out: Chunk = []
        for event in chunk:
            out.append(event)
            held.append(event.copy(EXPIRED))
            if len(held) > self._length:
                held.sort(key=functools.cmp_to_key(self._compare))
                gone = held.pop()
                gone.ts = self.clock.now
                out.append(gone)
        self.next.process(out)

    def find(self) -> list[Event]:
        return list(self.states.get())
