"""`output snapshot every …`: what a query's window holds, told again and again."""

from __future__ import annotations

from typing import Any

from .events import CURRENT, EXPIRED, RESET, Chunk
from .flow import Flow
from .output import Gathered, Limiter
from .scheduler import Scheduler


class Snapshot(Limiter):
    """The last event of all; the base of the snapshots of groups and windows."""

    def __init__(self, flow: Flow, every_ms: int) -> None:
        super().__init__(flow)
        self._every = every_ms
        self._states = flow.holder(Gathered)
        self._timers = Scheduler(flow.clock, flow, self._on_timer)

    def start(self) -> None:
        state = self._states.get()
        state.at = self.flow.clock.now + self._every
        self._timers.notify_at(state.at)

    def process(self, chunk: Chunk) -> None:
        state = self._states.get()
        chunks: list[Chunk] = []
        for event in chunk:
            self._flush(state, event.ts, chunks)
            self._note(state, event)
        for out in chunks:
            self.send(out)

    def _on_timer(self, ts: int) -> None:
        state = self._states.get()
        if state.at is not None and ts > state.at:
            state.at = ts  # event time began later
        chunks: list[Chunk] = []
        self._flush(state, ts, chunks)
        for out in chunks:
            self.send(out)

    def _flush(self, state: Gathered, ts: int, chunks: list[Chunk]) -> None:
        if state.at is None or ts < state.at:
            return
        chunks.append(self._shown(state))
        state.at = self.flow.clock.next_period(state.at, self._every)
        self._timers.notify_at(state.at)

    def _note(self, state: Gathered, event: Any) -> None:
        if event.kind == CURRENT:
            state.events = [event]

    def _shown(self, state: Gathered) -> Chunk:
        return [event.copy() for event in state.events]


class GroupSnapshot(Snapshot):
    """The last event of each group."""

    def _note(self, state: Gathered, event: Any) -> None:
        if event.kind == CURRENT:
            state.groups[event.group] = event

    def _shown(self, state: Gathered) -> Chunk:
        return [event.copy() for event in state.groups.values()]


class WindowSnapshot(Snapshot):
    """Every event the window holds; `aggregates` are the positions of aggregated values, shown as
    of now.
    """

    def __init__(self, flow: Flow, every_ms: int, aggregates: list[int], grouped: bool) -> None:
        super().__init__(flow, every_ms)
        self._aggregates = aggregates
        self._grouped = grouped

    def _note(self, state: Gathered, event: Any) -> None:
        if event.kind == RESET:
            state.events, state.groups = [], {}
        elif event.kind == CURRENT:
            state.events.append(event)
            self._remember(state, event)
        elif event.kind == EXPIRED:
            for at, held in enumerate(state.events):
                if self._same(held, event):
                    del state.events[at]
                    self._remember(state, event)
                    break

    def _remember(self, state: Gathered, event: Any) -> None:
        if self._aggregates:
            state.groups[self._key(event)] = [event.out[at] for at in self._aggregates]

    def _key(self, event: Any) -> str:
        return str(event.group) if self._grouped else ""

    def _same(self, left: Any, right: Any) -> bool:
        if not self._aggregates:
            return bool(left.out == right.out)
        return all(
            a == b
            for at, (a, b) in enumerate(zip(left.out, right.out, strict=True))
            if at not in self._aggregates
        )

    def _shown(self, state: Gathered) -> Chunk:
        out: Chunk = []
        seen: set[str] = set()
        for event in state.events:
            copy = event.copy()
            if self._aggregates:
                key = self._key(event)
                if self._grouped and key in seen:
                    continue
                seen.add(key)
                copy.out = list(event.out)
                for at, value in zip(self._aggregates, state.groups[key], strict=True):
                    copy.out[at] = value
            out.append(copy)
        return out


class AggregateSnapshot(Snapshot):
    """The values of a selection of nothing but aggregators: those of the last event that came, none
    once one has left after it.
    """

    def _note(self, state: Gathered, event: Any) -> None:
        state.events = [event] if event.kind == CURRENT else []


class GroupedAggregateSnapshot(Snapshot):
    """The values of a selection of nothing but aggregators, for each group."""

    def _note(self, state: Gathered, event: Any) -> None:
        group = event.group or ""
        if event.kind == RESET:
            state.groups = {}
            return
        count, _ = state.groups.get(group, (0, None))
        state.groups[group] = (count + (1 if event.kind == CURRENT else -1), event)

    def _shown(self, state: Gathered) -> Chunk:
        state.groups = {key: held for key, held in state.groups.items() if held[0] > 0}
        return [event.copy(CURRENT) for _, event in state.groups.values()]


def snapshot(
    flow: Flow, every_ms: int, *, windowed: bool, grouped: bool, aggregates: list[int], width: int
) -> Snapshot:
    """Make the snapshot of a selection of `width` attributes, `aggregates` of them aggregated."""
    if not windowed:
        return GroupSnapshot(flow, every_ms) if grouped else Snapshot(flow, every_ms)
    if len(aggregates) == width:
        return (GroupedAggregateSnapshot if grouped else AggregateSnapshot)(flow, every_ms)
    return WindowSnapshot(flow, every_ms, aggregates, grouped and bool(aggregates))
