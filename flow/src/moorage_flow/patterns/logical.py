"""Positions of `and` and `or`: two that wait side by side."""

from __future__ import annotations

from ..events import CURRENT, Event, StateEvent
from ..flow import Flow
from ..operators import Operator
from .states import After, Before, TimedBefore


class LogicalBefore(Before):
    """Waits for one side of `and` or `or`; the matches of both sides are the same objects."""

    after: LogicalAfter
    partner: LogicalBefore

    def __init__(
        self, flow: Flow, position: int, size: int, op: str, *, sequence: bool, start: bool
    ) -> None:
        super().__init__(flow, position, size, sequence=sequence, start=start)
        self.op = op

    def add(self, match: StateEvent) -> None:
        once = self.is_start or self.sequence
        for side in (self, self.partner):
            fresh = side.states.get().fresh
            if not once or not fresh:
                fresh.append(match)

    def add_every(self, match: StateEvent) -> None:
        copy = match.copy(CURRENT)
        for at in range(min(self.position, self.partner.position), len(copy.streams)):
            copy.streams[at] = None
        self.states.get().fresh.append(copy)
        self.partner.states.get().fresh.append(copy)

    def reset(self) -> None:
        state, other = self.states.get(), self.partner.states.get()
        if self.op == "or" or len(state.pending) == len(other.pending):
            state.pending.clear()
            other.pending.clear()
            if self.is_start and not state.fresh:
                if self._goes_on():
                    return
                self.begin()

    def update(self) -> None:
        Before.update(self)
        Before.update(self.partner)

    def process(self, event: Event) -> list[StateEvent]:
        state = self.states.get()
        done: list[StateEvent] = []
        kept: list[StateEvent] = []
        pending, state.pending = state.pending, kept
        for match in pending:
            if self.op == "or" and match.streams[self.partner.position] is not None:
                continue
            match.streams[self.position] = [event.copy()]
            self.try_match(match)
            if self.last.returned:
                self.last.returned = False
                done.append(match)
            if state.changed:
                continue
            match.streams[self.position] = None
            if not self.sequence:
                kept.append(match)
        return done


class LogicalAfter(After):
    """Takes the event of one side of `and` or `or`."""

    before: LogicalBefore
    partner: LogicalAfter

    def set_next(self, following: Before) -> None:
        self.next_state = self.partner.next_state = following

    def set_every(self, first: Before) -> None:
        self.next_every = self.partner.next_every = first

    def set_selector(self, selector: Operator) -> None:
        self.selector = self.partner.selector = selector

    def take(self, match: StateEvent) -> None:
        if self.before.op == "and" and not self._partner_is_done(match):
            self.before.states.get().changed = True
            return
        super().take(match)
        if self.partner.selector is not None and self.before.last is self.partner:
            self.partner.returned = True

    def _partner_is_done(self, match: StateEvent) -> bool:
        partner = self.before.partner
        if isinstance(partner, TimedBefore):
            return partner.allows(match)
        return match.streams[partner.position] is not None
