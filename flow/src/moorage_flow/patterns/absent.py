"""Positions that wait for an event not to come: `not S for t`, alone or beside `and` and `or`."""

from __future__ import annotations

from ..events import CURRENT, Event, StateEvent
from ..flow import Flow
from ..scheduler import Scheduler
from .logical import LogicalAfter, LogicalBefore
from .states import After, Before, TimedBefore, event_of, nothing, send

MOST_ABSENCES = 1_000
"""So many of those that follow each other in one move of the clock are told, the last ones."""


class AbsentBefore(Before, TimedBefore):
    """Waits a time for an event not to come."""

    def __init__(
        self, flow: Flow, position: int, size: int, wait_ms: int, *, sequence: bool, start: bool
    ) -> None:
        super().__init__(flow, position, size, sequence=sequence, start=start)
        self.wait_ms = wait_ms
        self.timers = Scheduler(flow.clock, flow, self._fire)

    def start(self) -> None:
        state = self.states.get()
        if not state.started:
            state.started = True
            if self.is_start and state.active:
                self._wait(self.flow.clock.now)

    def _wait(self, since: int) -> None:
        state = self.states.get()
        state.scheduled = since + self.wait_ms
        self.timers.notify_at(state.scheduled)

    def note_arrival(self, ts: int) -> None:
        self._wait(ts)

    def allows(self, match: StateEvent) -> bool:
        return match.streams[self.position] is None

    def add(self, match: StateEvent) -> None:
        state = self.states.get()
        if not state.active:
            return
        if self.sequence:
            state.fresh.clear()
        state.fresh.append(match)
        if not self.is_start:
            self._wait(match.ts)

    def add_every(self, match: StateEvent) -> None:
        super().add_every(match)
        # Siddhi tells each absence that a jump passes by; after a month's there would be millions.
        beyond = (self.flow.clock.towards - match.ts) // self.wait_ms - MOST_ABSENCES
        self._wait(match.ts + max(0, beyond) * self.wait_ms)

    def reset(self) -> None:
        self.states.get().pending.clear()
        if self.is_start and not self._goes_on():
            self.begin()

    def process(self, event: Event) -> list[StateEvent]:
        if self.states.get().active:
            super().process(event)
        return []

    def _drops_unmatched(self) -> bool:
        return False

    def _fire(self, now: int) -> None:
        state = self.states.get()
        if not state.active:
            return
        begins = self.is_start and not state.fresh and not state.pending
        if begins and self.sequence and self.after.next_every is None and state.scheduled > 0:
            begins = False
        if begins:
            self.add(StateEvent(self.size))
        elif self.sequence and state.fresh:
            self.reset()
        self.update()
        ready: list[StateEvent] = []
        kept: list[StateEvent] = []
        for match in state.pending:
            if self.is_expired(match, now):
                every = self.after.next_every
                if self.restarts is not None and every is not None and every is not self:
                    every.add_every(match)
            elif (now >= state.scheduled) if match.ts == -1 else (now >= match.ts + self.wait_ms):
                match.ts = now
                ready.append(match)
            else:
                kept.append(match)
        state.pending = kept
        if self.restarts is not None:
            self.restarts.update()
        for match in ready:
            self._send(match)
        if self.flow.clock.now > self.wait_ms + now:
            state.scheduled = self.flow.clock.now + self.wait_ms
        if not ready and state.scheduled < now:
            self._wait(now)

    def _send(self, match: StateEvent) -> None:
        after = self.after
        send(after.selector, match)
        if after.next_state is not None:
            after.next_state.add(match)
        if after.next_every is not None:
            after.next_every.add_every(match)
        elif self.is_start:
            self.states.get().active = False
        if after.callback is not None:
            after.callback.ask_restart()


class AbsentAfter(After):
    """The event came that must not come: the match is dropped and the waiting begins again."""

    before: AbsentBefore

    def take(self, match: StateEvent) -> None:
        self.before.states.get().changed = True
        event = event_of(match, self.position)
        match.ts = event.ts
        self.returned = True
        if self.before.is_start and self.next_every is self.before:
            self.next_every.add_every(match)
        self.before.note_arrival(event.ts)


class AbsentLogicalBefore(LogicalBefore, TimedBefore):
    """The absent side of `and` or `or`; `wait_ms` is None where it has no time of its own."""

    def __init__(
        self,
        flow: Flow,
        position: int,
        size: int,
        op: str,
        wait_ms: int | None,
        width: int,
        *,
        sequence: bool,
        start: bool,
    ) -> None:
        super().__init__(flow, position, size, op, sequence=sequence, start=start)
        self.wait_ms = wait_ms
        self.width = width
        self._timers = Scheduler(flow.clock, flow, self._fire)

    def start(self) -> None:
        state = self.states.get()
        if not state.started:
            state.started = True
            if self.is_start and self.wait_ms is not None and state.active:
                self._timers.notify_at(self.flow.clock.now + self.wait_ms)

    def note_arrival(self, ts: int) -> None:
        self.states.get().arrived = ts

    def add(self, match: StateEvent) -> None:
        if not self.states.get().active:
            return
        super().add(match)
        if not self.is_start and self.wait_ms is not None:
            self._timers.notify_at(match.ts + self.wait_ms)
            partner = self.partner
            if isinstance(partner, AbsentLogicalBefore) and partner.wait_ms is not None:
                partner._timers.notify_at(match.ts + partner.wait_ms)

    def add_every(self, match: StateEvent) -> None:
        copy = match.copy(CURRENT)
        own = event_of(copy, self.position)
        if own is not None:
            copy.ts = own.ts
        copy.streams[self.position] = None
        copy.streams[self.partner.position] = None
        self.states.get().fresh.append(copy)
        self.partner.states.get().fresh.append(copy)

    def process(self, event: Event) -> list[StateEvent]:
        state = self.states.get()
        if not state.active:
            return []
        kept: list[StateEvent] = []
        pending, state.pending = state.pending, kept
        for match in pending:
            if self.op == "or" and match.streams[self.partner.position] is not None:
                continue
            before = match.streams[self.position]
            match.streams[self.position] = [event.copy()]
            self.try_match(match)
            keep = True
            if self.wait_ms is not None or (
                self.sequence and self.op == "and" and self.after.next_every is not None
            ):
                match.streams[self.position] = before
            if self.last.returned:
                self.last.returned = False
                keep = False
                if self.sequence:
                    others = self.partner.states.get().pending
                    others[:] = [other for other in others if other is not match]
            if not state.changed:
                match.streams[self.position] = before
                keep = keep and not self.sequence
            if keep:
                kept.append(match)
        return []

    def _fire(self, now: int) -> None:
        assert self.wait_ms is not None
        state = self.states.get()
        if not state.active:
            return
        sent = False
        if now >= state.arrived + self.wait_ms:
            if self.is_start and self.sequence and not state.fresh and not state.pending:
                self.add(StateEvent(self.size))
            elif self.sequence and state.fresh:
                self.reset()
            self.update()
            ready = self._ready(now, self.wait_ms)
            sent = bool(ready)
            for match in ready:
                match.ts = now
                self._send(match)
            state.arrived = 0
        if self.after.next_every is not None or (not sent and self.is_start):
            since = state.arrived or self.flow.clock.now
            self._timers.notify_at(since + self.wait_ms)

    def _ready(self, now: int, wait_ms: int) -> list[StateEvent]:
        state = self.states.get()
        ready: list[StateEvent] = []
        kept: list[StateEvent] = []
        gone: StateEvent | None = None
        for match in state.pending:
            if self.is_expired(match, now):
                gone = match
                continue
            own = event_of(match, self.position)
            since = match.ts if own is None else own.ts
            if now < since + wait_ms:
                kept.append(match)
                continue
            other = match.streams[self.partner.position]
            if self.op == "or" and other is None:
                self._note_absence(match)
                ready.append(match)
            elif self.op == "and" and other is not None:
                ready.append(match)
            elif self.op == "and":
                self._note_absence(match)
        state.pending = kept
        if gone is not None and self.restarts is not None:
            self.restarts.add_every(gone)
            self.restarts.update()
        return ready

    def _note_absence(self, match: StateEvent) -> None:
        absence = nothing(self.width)
        chain = match.streams[self.position]
        if chain is None:
            match.streams[self.position] = [absence]
        else:
            chain.append(absence)

    def _send(self, match: StateEvent) -> None:
        after = self.after
        send(after.selector, match)
        if after.next_state is not None:
            after.next_state.add(match)
        if after.next_every is not None:
            after.next_every.add_every(match)
        elif self.is_start:
            self.states.get().active = False
            if self.op == "or" and isinstance(self.partner, AbsentLogicalBefore):
                self.partner.states.get().active = False
        if after.callback is not None:
            after.callback.ask_restart()

    def allows(self, match: StateEvent) -> bool:
        state = self.states.get()
        every = self.after.next_every is not None
        if self.sequence and not every and state.arrived > 0:
            return False
        if self.wait_ms is not None:
            return match.streams[self.position] is not None
        if not every:
            return match.streams[self.position] is None
        if state.arrived > 0:
            state.arrived = 0
            self.begin()
            return False
        return True


class AbsentLogicalAfter(LogicalAfter):
    """The event came that must not come beside `and` or `or`."""

    before: AbsentLogicalBefore

    def take(self, match: StateEvent) -> None:
        self.before.states.get().changed = True
        self.returned = True
        self.before.note_arrival(event_of(match, self.position).ts)
