"""The end of a query: its rate, its callbacks and where its events go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .events import CURRENT, EXPIRED, RESET, Chunk
from .flow import Flow
from .language import syntax as s
from .scheduler import Scheduler

Sink = Callable[[Chunk], None]


class Limiter:
    """Passes everything on at once; the base of those that wait."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.callbacks: list[Sink] = []
        self.sink: Sink | None = None
        self.held: Chunk | None = None

    def start(self) -> None:
        """Begin, for the partition being worked on."""

    def process(self, chunk: Chunk) -> None:
        """Take what the selection gives."""
        if chunk:
            self.send(chunk)

    def process_chunks(self, chunks: list[Chunk]) -> None:
        """Take several chunks as one."""
        self.process([event for chunk in chunks for event in chunk])

    def send(self, chunk: Chunk) -> None:
        """Call the callbacks, then hand the events on; expired ones become current there."""
        if self.held is not None:
            self.held += chunk
            return
        for callback in self.callbacks:
            callback(chunk)
        if self.sink is None:
            return
        out: Chunk = []
        for event in chunk:
            if event.kind == EXPIRED:
                event.kind = CURRENT
            if event.kind != RESET:
                out.append(event)
        if out:
            self.sink(out)


class Gathered:
    """What a limiter holds back."""

    def __init__(self) -> None:
        self.events: Chunk = []
        self.groups: dict[str, Any] = {}
        self.count = 0
        self.at: int | None = None


def _data(chunk: Chunk) -> Chunk:
    return [event for event in chunk if event.kind in {CURRENT, EXPIRED}]


class PerEvents(Limiter):
    """All, the first or the last of every `count` events; grouped, of each group."""

    def __init__(self, flow: Flow, rate: s.EventRate, grouped: bool) -> None:
        super().__init__(flow)
        self._count = rate.count
        self._states = flow.holder(Gathered)
        grouping = "grouped " if grouped and rate.kind != "all" else ""
        # Siddhi's `first` counts what marks the end of a batch, too, where it is not grouped.
        self._counts_resets = rate.kind == "first" and not grouping
        self._take: Callable[[Gathered, Any, Chunk], None] = {
            "all": self._all,
            "first": self._first,
            "last": self._last,
            "grouped first": self._first_of_group,
            "grouped last": self._last_of_group,
        }[grouping + rate.kind]

    def process(self, chunk: Chunk) -> None:
        state = self._states.get()
        out: Chunk = []
        for event in chunk if self._counts_resets else _data(chunk):
            self._take(state, event, out)
        if out:
            self.send(out)

    def _full(self, state: Gathered) -> bool:
        state.count += 1
        if state.count != self._count:
            return False  # Every 0 events is never.
        state.count = 0
        return True

    def _all(self, state: Gathered, event: Any, out: Chunk) -> None:
        if not self._count:
            return
        state.events.append(event)
        if self._full(state):
            out += state.events
            state.events = []

    def _first(self, state: Gathered, event: Any, out: Chunk) -> None:
        if state.count == 0:
            out.append(event)
        self._full(state)

    def _last(self, state: Gathered, event: Any, out: Chunk) -> None:
        if self._full(state):
            out.append(event)

    def _first_of_group(self, state: Gathered, event: Any, out: Chunk) -> None:
        count = state.groups.get(event.group)
        if count is None:
            state.groups[event.group] = 1
            out.append(event)
        elif count == self._count - 1:
            del state.groups[event.group]
        else:
            state.groups[event.group] = count + 1

    def _last_of_group(self, state: Gathered, event: Any, out: Chunk) -> None:
        if not self._count:
            return
        state.groups[event.group] = event
        if self._full(state):
            out += state.groups.values()
            state.groups = {}


class PerTime(Limiter):
    """All or the last of the events of every `every_ms`; grouped, of each group."""

    def __init__(self, flow: Flow, rate: s.TimeRate, grouped: bool) -> None:
        super().__init__(flow)
        self._every = rate.every_ms
        self._last = rate.kind == "last"
        self._grouped = grouped
        self._states = flow.holder(Gathered)
        self._timers = Scheduler(flow.clock, flow, self._flush)

    def start(self) -> None:
        state = self._states.get()
        state.at = self.flow.clock.now + self._every
        self._timers.notify_at(state.at)

    def process(self, chunk: Chunk) -> None:
        state = self._states.get()
        for event in _data(chunk):
            if self._last and self._grouped:
                state.groups[event.group] = event
            elif self._last:
                state.events = [event]
            else:
                state.events.append(event)

    def _flush(self, ts: int) -> None:
        state = self._states.get()
        if state.at is None or ts < state.at:
            return
        out = [*state.events, *state.groups.values()]
        state.events, state.groups = [], {}
        state.at = self.flow.clock.next_period(ts, self._every)
        self._timers.notify_at(state.at)
        if out:
            self.send(out)


class FirstPerTime(Limiter):
    """The first event of every `every_ms`; grouped, of each group."""

    def __init__(self, flow: Flow, rate: s.TimeRate, grouped: bool) -> None:
        super().__init__(flow)
        self._every = rate.every_ms
        self._grouped = grouped
        self._states = flow.holder(Gathered)

    def process(self, chunk: Chunk) -> None:
        times = self._states.get().groups
        now = self.flow.clock.now
        out: Chunk = []
        # As with events: what marks the end of a batch is one to Siddhi, where nothing is grouped.
        for event in _data(chunk) if self._grouped else chunk:
            group = event.group if self._grouped else ""
            before = times.get(group)
            if before is None or before + self._every <= now:
                times[group] = now
                out.append(event)
        if out:
            self.send(out)


def limiter(flow: Flow, rate: s.Rate | None, *, grouped: bool) -> Limiter:
    """Make the limiter of a rate that is no snapshot."""
    match rate:
        case s.EventRate():
            return PerEvents(flow, rate, grouped)
        case s.TimeRate(kind="first"):
            return FirstPerTime(flow, rate, grouped)
        case s.TimeRate():
            return PerTime(flow, rate, grouped)
        case _:
            return Limiter(flow)
