"""Queries on columns: what the rest of an application knows of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..flow import Flow
from ..scheduler import Scheduler
from ..streams import ColumnReceiver, Direct
from .batch import Batch, Column, Index, Values
from .selecting import Selecting
from .selection import Groups, Output
from .store import Codes
from .vector import View
from .windows import Steps


class Keys(Protocol):
    """The keys of a partition, as one stream gives them: see `partition.Entry`."""

    def learn(self, column: Column) -> None:
        """Number the keys of words, none of which is missing."""

    def numbering(self) -> tuple[Index, Values | None]:
        """Give the partitions of the words met last, -1 where one is new, and these words."""


class Planned:
    """A query on columns; `parts` gives the partitions' codes where it stands in one.

    `receiver` is set where a query without state may leave few rows to the reference path;
    `side_timers` are those of its windows. `active` tells that it takes the reference's place: not
    where its partition does not run on columns.
    """

    receiver: ColumnReceiver | None = None
    parts: Callable[[], Codes] | None = None
    stateless = False
    active = True

    def __init__(self, flow: Flow, output: Output) -> None:
        self._flow = flow
        self.output = output
        self.side_timers: list[Scheduler | None] = [None, None]

    def activate(self) -> None:
        """Begin to work in the reference's place."""

    def taker(self, at: int) -> Callable[[Batch], None]:
        """Give what takes the events of its input `at`."""
        raise NotImplementedError

    def direct(self) -> Direct | None:
        """Give what takes what is sent to its only stream as it is; None where nothing does."""
        return None

    def direct_by_key(self, place: int, keys: Keys) -> Direct | None:
        """Give what takes what is sent to its only stream as it is, where it stands alone in a
        partition by one of the stream's attributes; None where nothing does.
        """
        return None

    def notify(self, at: int, part: int, times: list[int]) -> None:
        """Set timers of the window of input `at`, for a partition."""
        timers, outer = self.side_timers[at], self._flow.partition
        assert timers is not None
        if self.parts is not None:
            self._flow.partition = self.parts().texts()[part]
        try:
            timers.notify_all(times)
        finally:
            self._flow.partition = outer

    def group(
        self, known: Groups, columns: list[Column], parts: Index | None
    ) -> tuple[Index | None, Any, tuple[int, int]]:
        """Give each row's group (None: all are one), what gives the groups' texts, and how many
        groups and partitions there are.
        """
        part_count = 1 if self.parts is None else len(self.parts())
        if not columns:
            return parts, None, (part_count, part_count)
        codes = known.keys.of(columns)
        if parts is None:
            return codes, texts_of(known), (len(known.keys), part_count)
        codes = known.pairs.of(parts, codes)
        return codes, pair_texts_of(known), (len(known.pairs), part_count)


class Paired(Planned):
    """A query whose rows are pairs of events: a pattern or a join."""

    def __init__(self, flow: Flow, output: Output, selecting: Selecting) -> None:
        super().__init__(flow, output)
        self._selecting = selecting

    def tell_plainly(
        self, frames: list[list[Column]], ts: Index, calls: Index | None, parts: Index | None
    ) -> None:
        """Select from pairs that are each told as they are, where `Output.passes` holds and nothing
        is aggregated.
        """
        view = View(frames, ts, self._flow.clock.now, list)
        columns = [vector.run(view) for vector in self._selecting.vectors]
        chunks = None if calls is None or calls[0] == calls[-1] else calls
        self.output.pass_on(Batch(columns, ts, chunks=chunks, parts=parts))

    def tell(
        self, known: Groups, steps: Steps, frames: list[list[Column]], parts: Index | None, now: int
    ) -> None:
        """Select from pairs; the rows of the steps are their positions, `parts` of each pair."""
        selecting, count = self._selecting, len(steps.rows)
        columns = [frames[frame][place] for frame, place in selecting.group]
        groups, texts, sizes = self.group(known, columns, parts)
        whole = View(frames, steps.times, now, list)
        arguments = [a.argument.run(whole) if a.argument else None for a in selecting.aggregates]

        def source(rows: Index, ts: Index, found: list[Column]) -> View:
            if len(rows) == count:  # They are all, in their order.
                return View(frames, ts, now, list, found)
            taken = [[c.take(rows) if len(c) else c for c in frame] for frame in frames]
            return View(taken, ts, now, list, found)

        groups = np.zeros(count, np.int64) if groups is None else groups
        self.output.select(known, steps, source, arguments, groups, parts, texts, sizes)


def texts_of(known: Groups) -> Callable[[int], str]:
    """Give what gives groups' texts by their codes."""
    return lambda code: known.keys.texts()[code]


def pair_texts_of(known: Groups) -> Callable[[int], str]:
    """Give what gives the texts of groups in partitions by their codes."""
    return lambda code: known.keys.texts()[int(known.pairs.seconds[code])]
