"""From the syntax of a pattern to its states, linked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..flow import Flow
from ..language import syntax as s
from ..operators import Operator
from ..scope import Frame
from .absent import AbsentAfter, AbsentBefore, AbsentLogicalAfter, AbsentLogicalBefore
from .counting import CountAfter, CountBefore
from .logical import LogicalAfter, LogicalBefore
from .states import After, Before

UNBOUNDED = 2**31 - 1


@dataclass(slots=True)
class Part:
    """A part of a pattern: its first and last state, and how its states are begun, reset and
    updated.
    """

    first: Before
    last: After
    begin: Callable[[], None]
    reset: Callable[[], None]
    update: Callable[[], None]


@dataclass(slots=True)
class Built:
    """A whole pattern: its states in the order of their positions, with the streams they read."""

    whole: Part
    states: list[Before] = field(default_factory=list)
    streams: list[tuple[str, Before]] = field(default_factory=list)


Widths = Callable[[s.Single], Frame]


def positions(state: s.State) -> list[tuple[s.Single, bool]]:
    """Give the pattern's streams in the order of their positions, and which may hold many events.

    The right side of `and` and `or` comes before the left one.
    """
    match state:
        case s.NextState(first=first, second=second):
            return positions(first) + positions(second)
        case s.EveryState(state=inner):
            return positions(inner)
        case s.LogicalState(left=left, right=right):
            return [(right.stream, False), (left.stream, False)]
        case s.CountState(stream=stream):
            return [(stream, True)]
        case s.StreamState(stream=stream) | s.AbsentState(stream=stream):
            return [(stream, False)]


class Builder:
    """Makes the states of one pattern; `frames` are the inputs of its positions."""

    def __init__(self, flow: Flow, frames: list[Frame], *, sequence: bool) -> None:
        self._flow = flow
        self._frames = frames
        self._sequence = sequence
        self._next = 0
        self.states: list[Before] = []
        self.timed: list[Before] = []
        self.streams: list[tuple[str, Before]] = []

    def build(self, state: s.State, *, start: bool) -> Part:
        match state:
            case s.NextState(first=first, second=second):
                return self._next_part(first, second, start=start)
            case s.EveryState(state=inner):
                return self._every(inner, start=start)
            case s.LogicalState():
                return self._logical(state, start=start)
            case s.CountState():
                return self._count(state, start=start)
            case s.AbsentState(stream=stream, for_ms=for_ms):
                position = self._take()
                assert for_ms is not None
                before = AbsentBefore(
                    self._flow,
                    position,
                    len(self._frames),
                    for_ms,
                    sequence=self._sequence,
                    start=start,
                )
                self.timed.append(before)
                return self._link(stream, before, AbsentAfter(position))
            case s.StreamState(stream=stream):
                position = self._take()
                plain = Before(
                    self._flow, position, len(self._frames), sequence=self._sequence, start=start
                )
                return self._link(stream, plain, After(position))

    def _take(self) -> int:
        self._next += 1
        return self._next - 1

    def _link(self, stream: s.Single, before: Before, after: After) -> Part:
        before.after = before.last = after
        after.before = before
        self.states.append(before)
        self.streams.append((stream.source.key, before))
        return Part(before, after, before.begin, before.reset, before.update)

    def _count(self, state: s.CountState, *, start: bool) -> Part:
        position = self._take()
        least = 0 if state.least == s.ANY else state.least
        most = UNBOUNDED if state.most == s.ANY else state.most
        before = CountBefore(
            self._flow,
            position,
            len(self._frames),
            least,
            most,
            sequence=self._sequence,
            start=start,
        )
        after = CountAfter(position)
        return self._link(state.stream, before, after)

    def _next_part(self, first: s.State, second: s.State, *, start: bool) -> Part:
        head = self.build(first, start=start)
        tail = self.build(second, start=False)
        head.last.set_next(tail.first)

        def begin() -> None:
            head.begin()
            tail.begin()

        def reset() -> None:
            tail.reset()
            head.reset()

        def update() -> None:
            head.update()
            tail.update()

        return Part(head.first, tail.last, begin, reset, update)

    def _every(self, inner: s.State, *, start: bool) -> Part:
        known = len(self.states)
        part = self.build(inner, start=start)
        part.last.set_every(part.first)
        for before in self.states[known:]:
            before.restarts = part.first
        return part

    def _logical(self, state: s.LogicalState, *, start: bool) -> Part:
        right = self._side(state.right, state.op, start=start)
        left = self._side(state.left, state.op, start=start)
        lb, rb, la, ra = left.first, right.first, left.last, right.last
        assert isinstance(lb, LogicalBefore) and isinstance(rb, LogicalBefore)
        assert isinstance(la, LogicalAfter) and isinstance(ra, LogicalAfter)
        lb.partner, rb.partner = rb, lb
        la.partner, ra.partner = ra, la
        # The timers of the left side come first, as its states do in the text.
        self.timed.sort(key=lambda b: -b.position if b in {lb, rb} else 0)

        def begin() -> None:
            right.begin()
            left.begin()

        return Part(lb, ra, begin, right.reset, right.update)

    def _side(self, side: s.StreamState | s.AbsentState, op: str, *, start: bool) -> Part:
        position = self._take()
        size = len(self._frames)
        if isinstance(side, s.StreamState):
            plain = LogicalBefore(
                self._flow, position, size, op, sequence=self._sequence, start=start
            )
            return self._link(side.stream, plain, LogicalAfter(position))
        width = len(self._frames[position].attributes)
        absent = AbsentLogicalBefore(
            self._flow,
            position,
            size,
            op,
            side.for_ms,
            width,
            sequence=self._sequence,
            start=start,
        )
        self.timed.append(absent)
        return self._link(side.stream, absent, AbsentLogicalAfter(position))


def build_states(
    flow: Flow, pattern: s.StateInput, frames: list[Frame], selector: Operator
) -> tuple[Built, list[Before]]:
    """Make and link the states of a pattern; give them with those that wait for a time."""
    builder = Builder(flow, frames, sequence=pattern.sequence)
    whole = builder.build(pattern.state, start=True)
    whole.last.set_selector(selector)
    whole.first.last = whole.last
    if pattern.within_ms is not None:
        starts = [b.position for b in builder.states if b.is_start]
        for before in builder.states:
            before.within = pattern.within_ms
            before.starts = starts
    return Built(whole, builder.states, builder.streams), builder.timed
