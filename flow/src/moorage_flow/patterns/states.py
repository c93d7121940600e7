"""The states of a pattern: what waits before an event, and what happens once it has come.

Each position of a pattern has a `Before`, which holds the partial matches waiting for that
position's event, and an
`After`, which hands a match that got its event to the position behind. A sequence differs from a
pattern in that a match
that did not get the very next event is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..events import CURRENT, EXPIRED, Chunk, Event, StateEvent
from ..flow import Flow, Holder
from ..operators import Operator

if TYPE_CHECKING:
    from .counting import CountBefore

Step = Callable[[StateEvent], bool]
"""A handler of a position's event: false drops the candidate."""


class Waiting:
    """The partial matches of one position: those in play, and those that join at the next event."""

    def __init__(self) -> None:
        self.pending: list[StateEvent] = []
        self.fresh: list[StateEvent] = []
        self.changed = False
        self.begun = False
        self.succeeded = False
        self.restart = False
        self.started = False
        self.active = True
        self.scheduled = 0
        self.arrived = 0


def _order(event: StateEvent) -> tuple[bool, int]:
    return event.ts == -1, event.ts


class Before:
    """What waits for the event of one position."""

    after: After
    last: After

    def __init__(
        self, flow: Flow, position: int, size: int, *, sequence: bool, start: bool
    ) -> None:
        self.flow = flow
        self.position = position
        self.size = size
        self.sequence = sequence
        self.is_start = start
        self.steps: list[Step] = []
        self.within: int | None = None
        self.starts: list[int] = []
        self.restarts: Before | None = None
        self.states: Holder[Waiting] = flow.holder(Waiting)

    # --- What is let in ---

    def begin(self) -> None:
        """Put an empty match in play, where a match may begin."""
        state = self.states.get()
        follower = self.after.next_state
        if self.is_start and (
            not state.begun
            or self.after.next_every is not None
            or (self.sequence and isinstance(follower, TimedBefore))
        ):
            self.add(StateEvent(self.size))
            state.begun = True

    def add(self, match: StateEvent) -> None:
        """Let a match in that the position before has completed."""
        fresh = self.states.get().fresh
        if not self.sequence or not fresh:
            fresh.append(match)

    def add_every(self, match: StateEvent) -> None:
        """Begin again from a copy of a match, without what came from here on."""
        copy = match.copy(CURRENT)
        for at in range(self.position, len(copy.streams)):
            copy.streams[at] = None
        self.states.get().fresh.append(copy)

    def reset(self) -> None:
        """Drop what waits, as a sequence does with each event; begin again where one may."""
        state = self.states.get()
        state.pending.clear()
        if self.is_start and not state.fresh:
            if self._goes_on():
                return
            self.begin()

    def _goes_on(self) -> bool:
        """Tell whether a sequence without `every` has a match under way."""
        follower = self.after.next_state
        return (
            self.sequence
            and self.after.next_every is None
            and follower is not None
            and bool(follower.states.get().pending)
        )

    def update(self) -> None:
        """Put in play what was let in."""
        state = self.states.get()
        if state.fresh:
            state.fresh.sort(key=_order)
            state.pending += state.fresh
            state.fresh.clear()

    # --- Time ---

    def is_expired(self, match: StateEvent, now: int) -> bool:
        """Tell whether the match began longer ago than `within` allows."""
        if self.within is None:
            return False
        for at in self.starts:
            chain = match.streams[at]
            if chain is not None and abs(chain[0].ts - now) > self.within:
                return True
        return False

    def expire(self, now: int) -> None:
        """Drop what began too long ago; `every` begins again in its place."""
        if self.within is None:
            return
        state = self.states.get()
        gone: StateEvent | None = None
        while state.pending and self.is_expired(state.pending[0], now):
            gone = self._expired(state.pending.pop(0), gone)
        kept: list[StateEvent] = []
        for match in state.fresh:
            if self.is_expired(match, now):
                gone = self._expired(match, gone)
            else:
                kept.append(match)
        state.fresh[:] = kept
        if gone is not None and self.restarts is not None:
            self.restarts.add_every(gone)
            self.restarts.update()

    @staticmethod
    def _expired(match: StateEvent, gone: StateEvent | None) -> StateEvent | None:
        if match.kind == EXPIRED:
            return gone
        match.kind = EXPIRED
        return match

    # --- An event ---

    def try_match(self, match: StateEvent) -> None:
        """Run the position's handlers over a candidate; what passes reaches its `After`."""
        self.states.get().changed = False
        for step in self.steps:
            if not step(match):
                return
        self.after.take(match)

    def process(self, event: Event) -> list[StateEvent]:
        """Offer an event to every match that waits; give those that are complete with it."""
        state = self.states.get()
        done: list[StateEvent] = []
        kept: list[StateEvent] = []
        pending, state.pending = state.pending, kept
        for match in pending:
            match.streams[self.position] = [event.copy()]
            self.try_match(match)
            if self.last.returned:
                self.last.returned = False
                done.append(match)
            if state.changed:
                continue
            match.streams[self.position] = None
            if not self._drops_unmatched():
                kept.append(match)
            if self.sequence and self.after.callback is not None:
                self.after.callback.ask_restart()
        return done

    def _drops_unmatched(self) -> bool:
        return self.sequence

    def start(self) -> None:
        """Begin to wait, where the position waits for a time."""


class After:
    """What happens with a match that got the event of one position."""

    before: Before

    def __init__(self, position: int) -> None:
        self.position = position
        self.next_state: Before | None = None
        self.next_every: Before | None = None
        self.selector: Operator | None = None
        self.callback: CountBefore | None = None
        self.returned = False

    def set_next(self, following: Before) -> None:
        """Say which position comes behind."""
        self.next_state = following

    def set_every(self, first: Before) -> None:
        """Say where `every` begins again."""
        self.next_every = first

    def set_selector(self, selector: Operator) -> None:
        """Say where complete matches go."""
        self.selector = selector

    def take(self, match: StateEvent) -> None:
        """Take a match that got its event."""
        self.before.states.get().changed = True
        chain = match.streams[self.position]
        assert chain is not None
        match.ts = chain[0].ts
        self.hand_on(match)

    def hand_on(self, match: StateEvent) -> None:
        """Complete the match, or hand it to the position behind."""
        if self.selector is not None:
            self.returned = True
        if self.next_state is not None:
            self.next_state.add(match)
        if self.next_every is not None:
            self.next_every.add_every(match)
        if self.callback is not None:
            self.callback.ask_restart()


class TimedBefore:
    """A position that waits for an event not to come."""

    def allows(self, match: StateEvent) -> bool:
        """Tell whether the other side of `and` may complete the match."""
        raise NotImplementedError

    def note_arrival(self, ts: int) -> None:
        """The event came that must not come."""
        raise NotImplementedError


def nothing(width: int) -> Event:
    """Make the event that stands for one that did not come."""
    return Event(-1, [None] * width)


def send(selector: Operator | None, match: StateEvent) -> None:
    """Hand a complete match to the selection."""
    if selector is not None:
        chunk: Chunk = [match]
        selector.process(chunk)


def event_of(match: StateEvent, position: int) -> Any:
    """Give the first event of a position; None when there is none."""
    chain = match.streams[position]
    return chain[0] if chain is not None else None
