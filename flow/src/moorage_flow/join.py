"""Joins: each event of one side meets what the other side holds."""

from __future__ import annotations

from collections.abc import Callable

from .events import EXPIRED, RESET, TIMER, Chunk, Event, StateEvent
from .operators import Operator
from .selector import Selector
from .windows import Setting, WindowOperator

Finder = Callable[[StateEvent], list[Event]]
"""Gives the events of the other side that match the one that is set."""


def by_event(takers: list[Callable[[Chunk], None]]) -> Callable[[Chunk], None]:
    """Give what offers each event of a stream to both sides before the next: a join of a stream
    with itself.
    """

    def take(chunk: Chunk) -> None:
        for event in chunk:
            for taker in takers:
                taker([event.copy()])

    return take


class NoWindow(WindowOperator):
    """The window of a joined stream that has none: every event leaves as it comes."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, list)

    def process(self, chunk: Chunk) -> None:
        out: Chunk = []
        for event in chunk:
            gone = event.copy(EXPIRED)
            gone.ts = self.clock.now
            out += [event, gone, event.copy(RESET)]
        self.next.process(out)


class JoinSide(Operator):
    """One side's end: pairs its events with what `find` gives; `at` is 0 for the left side."""

    def __init__(self, selector: Selector, at: int, *, outer: bool, triggers: bool) -> None:
        self._selector = selector
        self._at = at
        self._outer = outer
        self._triggers = triggers
        self.find_other: Finder = lambda _event: []

    def process(self, chunk: Chunk) -> None:
        if not self._triggers:
            return
        chunks: list[Chunk] = []
        for event in chunk:
            if event.kind == TIMER:
                continue
            if event.kind == RESET:
                chunks.append([self._pair(event, None)])
                continue
            probe = StateEvent(2, event.ts, event.kind)
            probe.streams[self._at] = [event]
            found = self.find_other(probe)
            if found:
                chunks.append([self._pair(event, other) for other in found])
            elif self._outer:
                chunks.append([self._pair(event, None)])
        if chunks:
            self._selector.process_chunks(chunks)

    def _pair(self, event: Event, other: Event | None) -> StateEvent:
        pair = StateEvent(2, event.ts, event.kind)
        pair.streams[self._at] = [event]
        if other is not None:
            pair.streams[1 - self._at] = [other]
        return pair
