"""Positions that wait for several events: `e=S<2:5>`."""

from __future__ import annotations

from ..events import Event, StateEvent
from ..flow import Flow
from .states import After, Before


class CountBefore(Before):
    """Waits for several events of one position."""

    after: CountAfter

    def __init__(
        self,
        flow: Flow,
        position: int,
        size: int,
        least: int,
        most: int,
        *,
        sequence: bool,
        start: bool,
    ) -> None:
        super().__init__(flow, position, size, sequence=sequence, start=start)
        self.least = least
        self.most = most

    def add(self, match: StateEvent) -> None:
        super().add(match)
        if self.least == 0 and match.streams[self.position] is None:
            self.after.reach(match)

    def ask_restart(self) -> None:
        """Begin again with the next event."""
        self.states.get().restart = True

    def update(self) -> None:
        state = self.states.get()
        if state.restart:
            state.restart = False
            self.begin()
        super().update()

    def process(self, event: Event) -> list[StateEvent]:
        state = self.states.get()
        done: list[StateEvent] = []
        kept: list[StateEvent] = []
        pending, state.pending = state.pending, kept
        for match in pending:
            if any(
                at < len(match.streams) and match.streams[at] is not None
                for at in (self.position + 1, self.position + 2)
            ):
                continue  # The position behind already has its event.
            chain = match.streams[self.position]
            if chain is None:
                match.streams[self.position] = [event.copy()]
            else:
                chain.append(event.copy())
            state.succeeded = False
            self.try_match(match)
            if self.last.returned:
                self.last.returned = False
                done.append(match)
            keep = not state.changed
            if not state.succeeded:
                chain = match.streams[self.position]
                if chain is not None:
                    chain.pop()
                    if not chain:
                        match.streams[self.position] = None
                keep = keep and not self.sequence
            if keep:
                kept.append(match)
        return done


class CountAfter(After):
    """Takes each of several events of one position."""

    before: CountBefore

    def set_next(self, following: Before) -> None:
        self.next_state = following
        if self.before.is_start and self.before.sequence and self.before.least == 0:
            following.after.callback = self.before

    def take(self, match: StateEvent) -> None:
        state = self.before.states.get()
        chain = match.streams[self.position]
        assert chain is not None
        count = len(chain)
        state.succeeded = True
        match.ts = chain[-1].ts
        if count < self.before.least:
            return
        if self.before.sequence:
            if self.next_state is not None:
                self.next_state.add(match)
            if count != self.before.most:
                self.before.add(match)
        elif count == self.before.least:
            self.reach(match)
        if count == self.before.most:
            state.changed = True

    def reach(self, match: StateEvent) -> None:
        """Take a match that has the least number of events."""
        if self.selector is not None:
            self.before.states.get().changed = True
            self.returned = True
        if self.next_state is not None:
            self.next_state.add(match)
        if self.next_every is not None:
            self.next_every.add_every(match)
