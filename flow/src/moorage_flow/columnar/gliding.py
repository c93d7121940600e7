"""Windows that slide of which only sums are told, taken as rows are sent: one call of a kernel
checks a batch, filters it, lets out what must leave, sums and writes the rows that are told.

The rows held stay where the way in steps has them (`sliding.Queues`), which takes what the kernel
does not: a new word, nulls, arrays that must grow, a timer that comes due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..flow import Flow
from ..language import syntax as s
from ..language.syntax import Attribute, Type
from ..streams import Stream
from .batch import Lanes
from .direct import Prepared, events_of, picker
from .kernels import single
from .selecting import Selecting
from .selection import Groups, Output
from .sliding import Queues, Sliding
from .steps import Program


class Gliding:
    """A filter, a window that slides and sums of it, of each group the last row."""

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        prepared: Prepared,
        span: int,
        columns: tuple[list[Type], list[int]],
        flow: Flow,
        output: Output,
        find: Callable[[], Held | None],
        kernel: single.Kernel,
    ) -> None:
        """Take the stream's attributes, how long rows stay, the types of what is selected with the
        stream's columns that are words; `find` gives what is remembered, None where the way in
        steps must make it ready.
        """
        self._attributes = attributes
        self._pick = picker(attributes)
        self._prepared = prepared
        self._span = span
        self._kinds, self._words = columns
        self._clock = flow.clock
        self._output = output
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
        if clock.event_time and last >= now:
            if not clock.quiet(last):
                return False
            now = last
        found = self._find() if self._output.passes_last else None
        if found is None:
            return False
        try:
            values = self._pick(given)
        except KeyError:
            return False
        if _ROOM * count > len(self._room):
            self._room = np.empty(_ROOM * count, np.int64)
        lanes = np.empty(min(count, found.known) * (len(self._kinds) + 1), np.int64)
        rows = self._run(values, times, found, lanes, now)
        if rows == single.OTHER_WORDS:
            self._prepared.learn(values)
            rows = self._run(values, times, found, lanes, now)
        if rows < 0:
            return False
        arrive(last)  # Nothing comes due.
        stream.count += count
        if not rows:
            return True
        found.queues.rows.size = found.queues.tail.item(0) + 1
        words = [values[at].words.array for at in self._words]
        batch = Lanes(lanes, rows, self._kinds, words, rows)
        try:  # Whoever comes next begins anew with its partition.
            self._output.pass_on(batch)
        except Exception as error:
            stream.failed(error, partial(events_of, self._attributes, given, times))
        return True

    def _run(self, values: tuple[Any, ...], times: Any, found: Held, lanes: Any, now: int) -> int:
        found.turn += 1
        before = (self._prepared.plan, found.arrays, self._room, lanes)
        size = found.queues.rows.size
        return self._kernel(values, times, *before, found.known, size, now - self._span, found.turn)


class Held:
    """What is remembered: the window's rows, the arrays in the order of `glide.c`, how many groups
    are known, and the number of the batch.
    """

    __slots__ = ("arrays", "known", "queues", "turn")

    def __init__(self, queues: Queues, arrays: tuple[Any, ...], known: int) -> None:
        self.queues = queues
        self.arrays = arrays
        self.known = known
        self.turn = 0


_ROOM = 6
"""So many times the rows of a batch a kernel needs room for; as in `glide.c`."""


def held_of(known: Groups, queues: Queues, selecting: Selecting) -> Held | None:
    """Give what is remembered as a kernel takes it; None where a column has nulls or nothing came
    yet.
    """
    if not len(queues.head):
        return None
    codes, rows = known.keys.columns[0] if selecting.group else None, queues.rows
    count = len(known.keys) if codes else 1
    totals: list[Any] = []
    kept: list[Any] = []
    buffers = iter(rows.columns)
    for aggregate, state in zip(selecting.aggregates, known.aggregates, strict=True):
        totals += state.totals[0].totals, state.totals[0].held
        buffer = None if aggregate.argument is None else next(buffers)
        if buffer is not None and not buffer.plain:
            return None
        kept.append(None if buffer is None else buffer.values)
    numbering = codes.numbering if codes else (None, None)
    queue = (queues.following, queues.head, queues.tail, queues.length)
    turns = (np.zeros(count, np.int64), np.empty(count, np.int64))
    return Held(queues, (*numbering, rows.ts, rows.groups, *queue, *turns, *totals, *kept), count)


def gliding(
    attributes: tuple[Attribute, ...],
    program: Program,
    window: Sliding,
    selecting: Selecting,
    places: list[int],
    grouping: tuple[int, list[int]],
    flow: Flow,
    output: Output,
    find: Callable[[], Held | None],
) -> Gliding | None:
    """Give what takes a window's stream directly; None where no kernel does.

    Args:
        attributes: the stream's.
        program: its filter.
        window: how rows leave.
        selecting: what is selected.
        places: of each attribute selected the stream's column, or the complement of the
        aggregator's place.
        grouping: the column rows are grouped by, -1: none; each sum's kind and column.
        flow: what the application's operators share.
        output: takes the rows.
        find: as of `Gliding`.
    """
    kernel = single.kernel("flow_glide")
    if kernel is None or window.external or window.length == 0:
        return None
    by, sums = grouping
    length = -1 if window.length is None else window.length
    told, kinds, words = columns_of(places, selecting)
    rest = [by, 0, len(sums) // 2, *sums, int(window.span is not None), length, len(told), *told]
    prepared, span = Prepared(program, rest), window.span or 0
    return Gliding(attributes, prepared, span, (kinds, words), flow, output, find, kernel)


def columns_of(places: list[int], selecting: Selecting) -> tuple[list[int], list[Type], list[int]]:
    """Give of what is selected the columns as kernels take them, their types, and the stream's
    columns that are words.
    """
    means = [int(aggregate.name == "avg") for aggregate in selecting.aggregates]
    told = [at if at >= 0 else ~(2 * ~at + means[~at]) for at in places]
    kinds = [a.type for a in selecting.attributes]
    words = [at for at, kind in zip(places, kinds, strict=True) if kind is Type.STRING]
    return told, kinds, words


def places_of(listed: list[s.Expression], selecting: Selecting) -> list[int] | None:
    """Give of each attribute selected the stream's column, or the complement of the aggregator's
    place; None where something is worked out of them.
    """
    places: list[int] = []
    names = [aggregate.name for aggregate in selecting.aggregates]
    met = 0
    for expression, vector in zip(listed, selecting.vectors, strict=True):
        if isinstance(expression, s.Variable) and vector.place is not None:
            places.append(vector.place[1])
        elif _named(expression) in names[met : met + 1]:
            places.append(~met)
            met += 1
        else:
            return None
    return places if met == len(names) else None


def _named(expression: s.Expression) -> str:
    if isinstance(expression, s.Call) and not expression.namespace:
        return expression.name
    return ""
