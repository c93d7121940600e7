"""What is sent to a stream that one query reads, taken as it is sent: one call of a kernel checks a
batch, filters it and writes the rows that are told.

What no kernel takes (lists, nulls, odd types, new words) goes the way of all batches, which gives
the same rows.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy import empty, int64, ndarray

from .. import fitting
from ..events import Chunk
from ..flow import Flow
from ..language.syntax import Attribute, Type
from ..streams import Stream
from .batch import Batch, Lanes, batch_of
from .gathering import Gathered
from .intake import Dictionary, Intake, Words
from .kernels import single
from .kernels.library import address
from .selection import Output
from .steps import Program

ALONE = 2 if sys.version_info < (3, 14) else 0
"""So many references to what one name alone holds are counted; newer Pythons leave some out."""

MOST_ROOM = 1 << 17
"""Larger rooms, in values, are not kept for the next batch."""

_probe = Words(["word"])
single.prepare(Dictionary(np.zeros(1, np.int64), _probe), _probe)


class Prepared:
    """A program as a kernel takes it, for the words that came last."""

    def __init__(self, program: Program, rest: list[int] | None = None) -> None:
        self._program = program
        self._rest = rest or []
        self._known: list[tuple[Any, Any]] = []
        self.plan: Any = None
        self._pack()

    def _pack(self) -> None:
        words = [
            (test.column, id(of), address(held), len(held))
            for test, (of, held) in zip(self._program.tests, self._known, strict=False)
        ]
        if len(words) < len(self._program.tests):  # None came yet; no array is at address 0.
            words = [(test.column, 0, 0, 0) for test in self._program.tests]
        self.plan = self._program.packed(words, self._rest)

    def learn(self, values: tuple[Any, ...]) -> None:
        """Take the words of a batch, each a `Dictionary` of `Words`."""
        tests = self._program.tests
        self._known = [(of, t.of(of)) for t in tests for of in [values[t.column].words.array]]
        self._pack()


class Sifting:
    """A filter and what is selected of the rows that pass it."""

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        program: Program,
        kinds: list[Type],
        output: Output,
        kernel: single.Kernel,
    ) -> None:
        """Take the stream's attributes and what is selected: `kinds` are its types."""
        self._attributes = attributes
        self._pick = picker(attributes)
        self._prepared = Prepared(program)
        self._kinds = kinds
        self._words = [
            place for place, kind in zip(program.lanes, kinds, strict=True) if kind is Type.STRING
        ]
        self._width = len(kinds) + 1
        self._output = output
        self._kernel = kernel
        self._room: Any = None

    def take(
        self, stream: Stream, given: Mapping[str, Any], times: Any, arrive: Callable[[int], None]
    ) -> bool:
        """Take what is sent to the query's stream, and its times; tell whether it could be."""
        if type(times) is not ndarray or self._output.callbacks:
            return False
        try:
            values = self._pick(given)
        except KeyError:
            return False
        count = times.size
        room, self._room = self._room, None
        if room is None or room.size < count * self._width:
            room = empty(count * self._width, int64)
        rows = self._kernel((values, times, self._prepared.plan, room))
        if rows == single.OTHER_WORDS:
            self._prepared.learn(values)
            rows = self._kernel((values, times, self._prepared.plan, room))
        if rows < 0:
            return False
        arrive(times.item(-1))
        stream.count += count
        if not rows:
            self._room = room
            return True
        lanes = room
        if 4 * rows < count:  # They stand together, and a listener may keep them.
            lanes, count = room[: rows * self._width].copy(), rows
        words = []
        for at in self._words:
            words.append(values[at].words.array)
        batch = Lanes(lanes, rows, self._kinds, words, count)
        try:  # There is no state that goes by partition, and whoever comes next begins anew.
            self._output.pass_on(batch)
        except Exception as error:
            stream.failed(error, partial(events_of, self._attributes, given, times))
        del batch, lanes
        if sys.getrefcount(room) == ALONE and room.size <= MOST_ROOM:  # Nobody has kept a column.
            self._room = room
        return True


class Collecting:
    """Sums of a batch by time, and of each of its groups the last row; what ends a batch goes the
    way in steps.
    """

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        program: Program,
        rest: list[int],
        flow: Flow,
        find: Callable[[], Collected | None],
        kernel: single.Kernel,
    ) -> None:
        """Take the stream's attributes and how a plan goes on; `find` gives what is remembered,
        None where the way in steps must make it ready.
        """
        self._pick = picker(attributes)
        self._prepared = Prepared(program, rest)
        self._clock = flow.clock
        self._find = find
        self._kernel = kernel
        self._room = np.empty(0, np.int64)

    def take(
        self, stream: Stream, given: Mapping[str, Any], times: Any, arrive: Callable[[int], None]
    ) -> bool:
        """Take what is sent to the query's stream, and its times; tell whether it could be."""
        if type(times) is not np.ndarray or times.ndim != 1 or not len(times):
            return False
        clock, last, count = self._clock, times.item(-1), len(times)
        now = clock.now
        if clock.event_time and last > now:
            if not clock.quiet(last):
                return False
            now = last
        found = self._find()
        if found is None or not now < found.held.part.due:
            return False
        try:
            values = self._pick(given)
        except KeyError:
            return False
        if 2 * count > len(self._room):
            self._room = np.empty(2 * count, np.int64)
        held = found.held
        size = self._run(values, times, found)
        if size == single.OTHER_WORDS:
            self._prepared.learn(values)
            size = self._run(values, times, found)
        if size < 0:
            return False
        arrive(last)  # Nothing comes due.
        stream.count += count
        if size:
            held.size = size
            held.part.reset = 0
        return True

    def _run(self, values: tuple[Any, ...], times: Any, found: Collected) -> int:
        held = found.held
        objects = (values, times, self._prepared.plan, found.arrays, self._room)
        return self._kernel(objects, found.known, held.turn, held.size)


class Collected:
    """What a batch by time remembers: its groups, its arrays in the order of `collect.c`, how many
    groups are known.
    """

    __slots__ = ("arrays", "held", "known")

    def __init__(self, held: Gathered, arrays: tuple[Any, ...], known: int) -> None:
        self.held = held
        self.arrays = arrays
        self.known = known


def picker(attributes: tuple[Attribute, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Give what picks a stream's columns, in their order. It raises KeyError."""
    names = [a.name for a in attributes]
    if len(names) > 1:
        pick: Callable[[Mapping[str, Any]], tuple[Any, ...]] = operator.itemgetter(*names)
        return pick
    return lambda given: (given[names[0]],)


def events_of(attributes: tuple[Attribute, ...], given: Mapping[str, Any], times: Any) -> Chunk:
    """Give what was sent as events."""
    columns, _ = Intake("", attributes, fitting.fit).columns(given)
    batch: Batch = batch_of(columns, times)
    return batch.events()
