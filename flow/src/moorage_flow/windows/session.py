"""The session window: events of a key belong together while the gaps between them are short."""

from __future__ import annotations

from ..errors import AppInvalid
from ..events import CURRENT, EXPIRED, TIMER, Chunk, Event
from ..expressions import Compiled
from ..javahash import hash_order
from ..language.syntax import Call, Type
from .setting import Setting, WindowOperator, attribute, constant, expect_count


class Session:
    """A session's events and its times: when it began, ends, and is given up."""

    __slots__ = ("alive", "end", "events", "start")

    def __init__(self) -> None:
        self.events: Chunk = []
        self.start = self.end = self.alive = -1

    def set_times(self, start: int, end: int, alive: int) -> None:
        self.start, self.end, self.alive = start, end, alive

    def take_from(self, other: Session) -> None:
        """Become what the other is, which is empty then."""
        self.events += other.events
        self.set_times(other.start, other.end, other.alive)
        other.events = []


class Sessions:
    """For each key, the session that runs and the one that waits for late events."""

    def __init__(self) -> None:
        self.current: dict[str, Session] = {}
        self.previous: dict[str, Session] = {}


class SessionWindow(WindowOperator):
    """`session(gap, key, latency)`: events pass at once and leave together when their session is
    over.
    """

    def __init__(self, setting: Setting, call: Call, arguments: list[Compiled]) -> None:
        expect_count(call, arguments, 1, 3)
        self._gap: int = constant(call, arguments, 0, Type.LONG)
        self._key = attribute(call, arguments, 1, Type.STRING).get if len(arguments) > 1 else None
        self._latency: int = constant(call, arguments, 2, Type.LONG) if len(arguments) > 2 else 0
        if self._latency and self._latency > self._gap:
            raise AppInvalid("the latency of a session is not greater than its gap", call.place)
        super().__init__(setting, Sessions)
        self._timers = self.scheduler(lambda ts: self.process([Event(ts, [], TIMER)]))

    def process(self, chunk: Chunk) -> None:
        state: Sessions = self.states.get()
        out: Chunk = []
        gone: Chunk = []
        for event in chunk:
            if event.kind == CURRENT:
                if self._take(state, event, gone):
                    out.append(event)
            else:
                self._end_current(state, event.ts, gone)
                if self._latency > 0:
                    self._end_previous(state, event.ts, gone)
        if out or gone:
            self.next.process(out + gone)

    def _take(self, state: Sessions, event: Event, gone: Chunk) -> bool:
        key = self._key(event) if self._key is not None else "default-key"
        current = state.current.setdefault(key, Session())
        previous = state.previous.setdefault(key, Session())
        kept = event.copy(EXPIRED)
        end = event.ts + self._gap
        alive = end + self._latency
        if not current.events:
            current.events.append(kept)
            current.set_times(event.ts, end, alive)
            self._timers.notify_at(end)
            return True
        if event.ts < current.start:
            return self._take_late(current, previous, kept)
        if event.ts <= current.end:
            current.set_times(current.start, end, alive)
            current.events.append(kept)
            self._timers.notify_at(end)
        elif self._latency > 0:
            gone += previous.events
            previous.events = []
            previous.take_from(current)
            self._timers.notify_at(previous.alive)
            current.set_times(event.ts, end, alive)
            current.events.append(kept)
            self._timers.notify_at(end)
        return True

    def _take_late(self, current: Session, previous: Session, event: Event) -> bool:
        if event.ts >= current.start - self._gap:
            current.events.insert(0, event)
            current.start = event.ts
            if self._latency > 0:
                self._merge(previous, current)
            return True
        if self._latency == 0 or not previous.events or event.ts < previous.start - self._gap:
            return False
        previous.events.append(event)
        if event.ts <= previous.end - self._gap and event.ts < previous.start:
            previous.start = event.ts
        else:
            previous.end = event.ts + self._gap
            previous.alive = previous.end + self._latency
            self._merge(previous, current)
        return True

    def _merge(self, previous: Session, current: Session) -> None:
        if previous.events and previous.end >= current.start - self._gap:
            current.events[:0] = previous.events
            current.start = previous.start
            previous.events = []

    def _end_current(self, state: Sessions, now: int, gone: Chunk) -> None:
        running = [key for key in hash_order(state.current) if state.current[key].events]
        for key in sorted(running, key=lambda k: state.current[k].end):
            session = state.current[key]
            if now < session.end:
                break
            if self._latency > 0:
                previous = state.previous[key]
                previous.take_from(session)
                self._timers.notify_at(previous.alive)
            else:
                gone += session.events
                session.events = []
                del state.current[key], state.previous[key]

    def _end_previous(self, state: Sessions, now: int, gone: Chunk) -> None:
        waiting = [key for key in hash_order(state.previous) if state.previous[key].events]
        for key in sorted(waiting, key=lambda k: state.previous[k].end):
            session = state.previous[key]
            if now < session.alive:
                break
            gone += session.events
            session.events = []
            if not state.current[key].events:
                del state.current[key], state.previous[key]

    def find(self) -> list[Event]:
        return []
