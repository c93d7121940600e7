"""The selection of a columnar query: aggregates, groups, `having`, and what reaches the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events import CURRENT, EXPIRED, RESET, Chunk, Event
from ..flow import Flow
from ..output import Limiter
from ..selector import Selector
from ..streams import Stream
from . import aggregates, kernels
from .batch import Batch, Column, Index, Unfit
from .kernels import plain
from .operations import judged
from .store import Codes, Joined, Kept, Pairs, grown
from .vector import View
from .windows import Steps

if TYPE_CHECKING:
    from .selecting import Selecting

_NONE = np.empty(0, np.int64)


class Groups(Kept):
    """The state of a selection: codes of groups, each aggregator's, and which groups were told of
    in the chunk last seen.
    """

    def __init__(self, kinds: list[Any], width: int) -> None:
        self.aggregates = kinds
        self.epochs = aggregates.Epochs()
        self.keys = Joined(width)
        self.pairs = Pairs()
        self._seen = np.empty(0, np.int64)
        self._slots = np.empty(0, np.int64)
        self._stamp = 1

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Groups.__init__(self, [], 0)
        super().__setstate__(state)

    def run(
        self,
        steps: Steps,
        groups: Index,
        parts: Index | None,
        arguments: list[Column | None],
        sizes: tuple[int, int],
        wanted: int,
        mode: int,
    ) -> tuple[Index, list[Column]]:
        """Take steps into the aggregators; give the steps chosen and the values at each.

        Args:
            steps: what passes the window.
            groups: by row of the store, the code of its group.
            parts: by row of the store, the code of its partition; None: all are of one.
            arguments: by row of the store, each aggregator's.
            sizes: how many groups and partitions there are.
            wanted: the kinds of steps that may be told, a bit each.
            mode: which of them are.
        """
        if mode == plain.EACH and not self.aggregates:
            return np.flatnonzero(wanted >> steps.kinds & 1), []
        self.epochs.room(*sizes)
        if sizes[0] > len(self._seen):
            self._seen, self._slots = grown(self._seen, sizes[0]), grown(self._slots, sizes[0])
        sums = [
            state.over(argument, sizes[0]) if isinstance(state, aggregates.Sums) else []
            for state, argument in zip(self.aggregates, arguments, strict=True)
        ]
        epochs = (self.epochs.groups, self.epochs.parts)
        every = [one for each in sums for one in each]
        seen = (self._seen, self._slots, self._stamp)
        if steps.moving is not None:
            of = (steps.moving, steps.chunks, groups, parts)
            chosen, totals = kernels.slide_summarise(*of, epochs, every, mode, seen)
        else:
            passed = (steps.rows, steps.kinds, steps.chunks)
            chosen, totals = kernels.summarise(
                passed, groups, parts, epochs, every, wanted, mode, seen
            )
        self._stamp += len(steps.rows)
        found: list[Column] = []
        at = 0
        for state, argument, each in zip(self.aggregates, arguments, sums, strict=True):
            if each:
                told = state.column(totals[at : at + len(each)])
                if argument is not None and steps.moving is None and totals[at][2]:
                    rows = steps.rows[chosen]
                    told = state.added(told, argument.take(rows), steps.kinds[chosen])
                found.append(told)
                at += len(each)
                continue
            in_parts = np.zeros(len(groups), np.int64) if parts is None else parts
            found.append(state.run(steps, groups, in_parts, argument, sizes).take(chosen))
        return chosen, found


class Output:
    """Hands a columnar query's rows to its callbacks and on, as columns where it can.

    The rate, tables and `callbacks` are the reference's: they get events, chunk by chunk;
    `listeners` and the stream that is filled get columns.
    """

    def __init__(self, flow: Flow, selector: Selector, selecting: Selecting) -> None:
        self._flow = flow
        self._selector = selector
        self._selecting = selecting
        selection = selector.selection
        self._limit_none = selection.limit is None and not selection.offset and not selection.order
        self._events = selector.wanted
        self._wanted = sum(1 << kind for kind in selector.wanted)
        self._mode = plain.EACH
        if selecting.grouped and selector.batches:
            self._mode = plain.LAST_OF_GROUP
        elif selector.batches and selection.has_aggregates:
            self._mode = plain.LAST
        self._resets = not selecting.grouped and self._mode != plain.LAST
        self.whole = type(selector.limiter) is Limiter and self._limit_none
        self.callbacks = selector.limiter.callbacks
        plainly = self._mode == plain.EACH and selecting.having is None
        self._each = plainly and CURRENT in self._events
        only = self._events == {CURRENT} and selecting.having is None
        # Of a chunk, or each of its groups, only the last current row is told.
        self.tells_last = only and self._mode != plain.EACH
        self._chooser = Groups([], 0)
        self.parts: Callable[[], Codes] | None = None
        self.stream: Stream | None = None
        self.listeners: list[Callable[[Batch], None]] = []

    @property
    def tells_expired(self) -> bool:
        """Tell whether rows that leave are told of."""
        return EXPIRED in self._events

    @property
    def may_pass(self) -> bool:
        """Tell whether current rows go on as columns, each for itself, while there are no
        callbacks.
        """
        filled = self.stream is not None or self._selector.limiter.sink is None
        return self._each and self.whole and filled

    @property
    def passes(self) -> bool:
        """Tell whether current rows go on as columns, each for itself."""
        return self._each and self._plain

    @property
    def passes_last(self) -> bool:
        """Tell whether the last current row of a chunk, or of each of its groups, goes on as
        columns.
        """
        return self.tells_last and self._plain

    @property
    def inner(self) -> bool:
        """Tell whether rows go on into a stream of their partition."""
        return self.stream is not None and self.stream.inner

    def select(
        self,
        state: Groups,
        steps: Steps,
        column: Any,
        arguments: list[Column | None],
        groups: Index,
        parts: Index | None,
        texts: Any,
        sizes: tuple[int, int],
    ) -> None:
        """Select the rows of steps and hand them on.

        Args:
            state: the aggregators.
            steps: what passes the window.
            column: gives an input's column by place at some rows of the store.
            arguments: by row of the store, each aggregator's.
            groups: by row of the store, the code of its group.
            parts: by row of the store, the code of its partition; None: all are of one.
            texts: gives the texts of the groups by code.
            sizes: how many groups and partitions there are.
        """
        mode = self._mode if self._selecting.having is None else plain.EACH
        chosen, found = state.run(steps, groups, parts, arguments, sizes, self._wanted, mode)
        self.tell(steps, chosen, found, column, groups, parts, texts, sizes)

    def tell(
        self,
        steps: Steps,
        chosen: Index,
        found: list[Column],
        column: Any,
        groups: Index,
        parts: Index | None,
        texts: Any,
        sizes: tuple[int, int],
    ) -> None:
        """Select the rows of the steps chosen, the values of the aggregators at each being found;
        the rest as of `select`.
        """
        having = self._selecting.having
        resets = np.flatnonzero(steps.kinds == RESET) if self._resets else _NONE
        shown: list[Column] = []
        if len(chosen):
            view: View = column(steps.rows[chosen], steps.when(chosen), found)
            shown = [vector.run(view) for vector in self._selecting.vectors]
            if having is not None:
                view.out = shown
                try:
                    held = having(view)
                except Unfit:  # A cast's values may be of another type than their column.
                    held = judged(self._selector.selection.having, shown, view)
                chosen, shown = chosen[held], [c.take(held) for c in shown]
                if self._mode != plain.EACH:
                    last = self._last(steps, chosen, groups, sizes)
                    chosen, shown = chosen[last], [c.take(last) for c in shown]
        if self._mode == plain.LAST and (
            self._selector.selection.offset or self._selector.selection.limit == 0
        ):
            return
        if len(chosen) or len(resets):
            self._hand_on(steps, chosen, shown, resets, groups, parts, texts)

    def _last(self, steps: Steps, at: Index, groups: Index, sizes: tuple[int, int]) -> Index:
        """Give the positions of the last of each chunk or of each of its groups."""
        chunks = None if steps.chunks is None else steps.chunks[at]
        kinds = np.zeros(len(at), np.int8)
        kept = Steps(steps.rows[at], kinds, steps.times, chunks=chunks)
        return self._chooser.run(kept, groups, None, [], sizes, 1 << CURRENT, self._mode)[0]

    # --- Onwards ---

    @property
    def _plain(self) -> bool:
        nobody = self.whole and not self.callbacks
        return nobody and (self.stream is not None or self._selector.limiter.sink is None)

    def _hand_on(
        self,
        steps: Steps,
        chosen: Index,
        columns: list[Column],
        resets: Index,
        groups: Index,
        parts: Index | None,
        texts: Any,
    ) -> None:
        if self.listeners or self._plain:
            if not len(chosen):
                return
            calls = None if steps.calls is None else steps.calls[chosen]
            batch = Batch(
                columns,
                steps.when(chosen),
                chunks=None if calls is None or calls[0] == calls[-1] else calls,
                parts=None if parts is None else parts[steps.rows[chosen]],
                kinds=steps.kinds[chosen],
            )
            if self._onwards(batch):
                return
        self._by_events(steps, chosen, columns, resets, groups, parts, texts)

    def pass_on(self, batch: Batch) -> None:
        """Hand selected rows on, where `passes` or `passes_last` holds."""
        for listener in self.listeners:
            listener(batch)
        stream = self.stream
        if stream is None:
            return
        if batch.kinds is None and (batch.parts is None or stream.inner):
            stream.send_columns(batch)
        else:
            self._into(stream, batch)

    @staticmethod
    def _into(stream: Stream, batch: Batch) -> None:
        parts = batch.parts if stream.inner else None
        if batch.kinds is not None or batch.parts is not parts:
            batch = Batch(batch.columns, batch.ts, chunks=batch.chunks, parts=parts)
        stream.send_columns(batch)

    def _onwards(self, batch: Batch) -> bool:
        """Hand rows on as columns; tell whether that is all there is to do."""
        for listener in self.listeners:
            listener(batch)
        if not self._plain:
            return False
        if self.stream is not None:
            self._into(self.stream, batch)
        return True

    def _by_events(
        self,
        steps: Steps,
        chosen: Index,
        columns: list[Column],
        resets: Index,
        groups: Index,
        parts: Index | None,
        texts: Any,
    ) -> None:
        lists = [c.to_list() for c in columns]
        rows: Any = zip(*lists, strict=True) if lists else [()] * len(chosen)
        times = steps.when(chosen)
        events: list[tuple[int, Event]] = []
        of_group = groups[steps.rows[chosen]].tolist() if self._selecting.grouped else None
        for at, (step, row) in enumerate(zip(chosen.tolist(), rows, strict=True)):
            event = Event(int(times[at]), list(row), int(steps.kinds[step]))
            if of_group is not None:
                event.group = texts(of_group[at])
            events.append((step, event))
        if len(resets):
            at_resets = zip(resets.tolist(), steps.when(resets).tolist(), strict=True)
            events += [(r, Event(ts, [], RESET)) for r, ts in at_resets]
            events.sort(key=lambda pair: pair[0])
        calls: dict[int, dict[int, Chunk]] = {}
        first: dict[int, int] = {}
        for step, event in events:
            call = 0 if steps.calls is None else int(steps.calls[step])
            of_chunk = 0 if steps.chunks is None else int(steps.chunks[step])
            calls.setdefault(call, {}).setdefault(of_chunk, []).append(event)
            first.setdefault(call, step)
        flow, outer = self._flow, self._flow.partition
        names = self.parts().texts() if self.parts is not None else []
        try:
            for call, chunks in calls.items():
                if parts is not None:
                    flow.partition = names[int(parts[steps.rows[first[call]]])]
                arranged = [self._selector.arranged(chunk) for chunk in chunks.values()]
                if len(arranged) == 1:
                    self._selector.limiter.process(arranged[0])
                else:
                    self._selector.limiter.process_chunks(arranged)
        finally:
            flow.partition = outer
