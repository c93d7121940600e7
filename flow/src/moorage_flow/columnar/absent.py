"""`every A -> not B for t` in columns: each A waits until a B stops it or its time has passed
without one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..flow import Flow
from ..scheduler import Clock, Scheduler
from . import kernels
from .batch import Batch, Column, Index
from .following import Following
from .kernels.plain_patterns import Timers, Waiting
from .pattern import PatternQuery
from .pending import State as Matches
from .selection import Groups, Output
from .store import grown


class State(Matches):
    """The A that wait, and the timers of each partition."""

    def __init__(self, groups: Groups, kinds: list[Any], tests: list[Any]) -> None:
        super().__init__(groups, kinds, tests)
        self.timer_head = np.empty(0, np.int64)
        self.timer_tail = np.empty(0, np.int64)
        self.turn = np.empty(0, np.int64)
        self.scheduled = np.empty(0, np.int64)
        self.ordered = np.empty(0, np.uint8)
        self.time = np.empty(0, np.int64)
        self.next = np.empty(0, np.int64)
        self.asked = np.empty(0, np.int64)
        self.pool = np.array([-1, 0, 0], np.int64)

    def timers(self, parts: int, more: int) -> Timers:
        """Make room for partitions and more timers; give the timers."""
        if parts > len(self.timer_head):
            self.timer_head = grown(self.timer_head, parts, -1)
            self.timer_tail = grown(self.timer_tail, parts, -1)
            self.turn = grown(self.turn, parts, -1)
            self.scheduled = grown(self.scheduled, parts)
            self.ordered = grown(self.ordered, parts, 1)
        most = int(self.pool[1]) + more
        if most > len(self.time):
            self.time, self.next = grown(self.time, most), grown(self.next, most)
            self.asked = grown(self.asked, most)
        return Timers(
            self.timer_head,
            self.timer_tail,
            self.turn,
            self.scheduled,
            self.ordered,
            self.time,
            self.next,
            self.asked,
            self.pool,
        )

    def forget_timers(self) -> None:
        """Forget every timer."""
        for of_parts in (self.timer_head, self.timer_tail, self.turn):
            of_parts[:] = -1
        self.pool[:2] = -1, 0

    def asking(self) -> Index:
        """Give the partitions with a timer, in the order they came to have one."""
        parts = np.flatnonzero(self.turn >= 0)
        return parts[np.argsort(self.turn[parts])]


class Alarms(Scheduler):
    """The timers of a pattern on columns, kept in its state; takes a scheduler's place."""

    def __init__(self, clock: Clock, flow: Flow, query: AbsentQuery) -> None:
        self.clock = clock
        self.queues = {}
        self._flow = flow
        self._query = query
        self._woken: set[int] = set()

    def wait(self) -> None:
        """On the wall clock, wake for each partition that has a timer."""
        if self.clock.event_time or not self._query.has_state:
            return
        state = self._query.state()
        for part in state.asking().tolist():
            if part not in self._woken:
                self._woken.add(part)
                self._wake_for(state, part)

    def _wake_for(self, state: State, part: int) -> None:
        self.clock.wake(int(state.time[state.timer_head[part]]), lambda: self._fire_part(part))

    def _fire_part(self, part: int) -> None:
        if self.clock.event_time:
            self._woken.discard(part)
            return
        self._query.fire(np.array([part]), self.clock.now)
        self._woken.discard(part)
        self.wait()

    def fire_due(self) -> None:
        state, now = self._query.state(), self.clock.now
        parts = np.flatnonzero(state.timer_head >= 0)
        if not len(parts):
            return
        first = state.time[state.timer_head[parts]]
        due = first <= now
        if due.any():
            parts, first = parts[due], first[due]
            self._query.fire(parts[np.lexsort((state.turn[parts], first))], now)

    def resume(self) -> None:
        self.wait()

    def clear(self) -> None:
        self._query.state().forget_timers()
        self._woken.clear()

    def not_before(self, time: int) -> None:
        times = self._query.state().time
        np.maximum(times, time, out=times)

    def restore(self, queues: dict[str, list[int]]) -> None:
        self.wait()


class AbsentQuery(PatternQuery):
    """A running pattern whose second event must not come for `wait` milliseconds."""

    def __init__(self, flow: Flow, plan: Following, output: Output, wait: int) -> None:
        super().__init__(flow, plan, output)
        self._wait = wait
        self._alarms = Alarms(flow.clock, flow, self)

    def make(self) -> State:
        return State(self._plan.selecting.make(), self._kinds, self._dtypes)

    @property
    def has_state(self) -> bool:
        """Whether there is a state already; the first event makes it."""
        return bool(self._holder.states)

    def state(self) -> State:
        """Give the state there is."""
        state = self._holder.of_all()
        assert isinstance(state, State)
        return state

    def activate(self) -> None:
        """Take the place of the reference's timers."""
        schedulers, theirs = self._flow.clock.schedulers, self.side_timers[0]
        assert theirs is not None
        schedulers[schedulers.index(theirs)] = self._alarms

    def _part_count(self) -> int:
        return 1 if self.parts is None else len(self.parts())

    def _run(
        self,
        state: Matches,
        batch: Batch,
        mode: int,
        coming: tuple[Index, Index, Index, Index],
        queues: Waiting,
        tests: list[tuple[int, Any, Any]],
    ) -> None:
        assert isinstance(state, State)
        timers = state.timers(self._part_count(), 2 * len(batch))
        rows = (state.rows.ts, state.keys, state.able)
        kernels.absent_take(mode, self._wait, coming, rows, queues, tests, timers)
        self._alarms.wait()

    def fire(self, parts: Index, now: int) -> None:
        """Fire the timers of some partitions that are due, and tell of what no event stopped."""
        state, count = self.state(), self._part_count()
        timers = state.timers(count, 0)
        queues = state.room(count, self._key_count(state, count))
        rows = (state.rows.ts, state.keys)
        found, times, of = kernels.absent_fire(parts, now, self._wait, rows, queues, timers)
        if not len(found):
            return
        kept = [buffer.take(found) for buffer in state.rows.columns]
        nothing = {
            place: Column(
                self._plan.attributes[1][place].type, objects=np.full(len(found), None, np.object_)
            )
            for place in self._of_second
        }
        self._tell(state, kept, nothing, times, of, np.arange(len(found)))
