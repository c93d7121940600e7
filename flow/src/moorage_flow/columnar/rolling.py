"""Windows by number of rows, one for each key of a partition, of which only sums are told, taken as
rows are sent: one call of a kernel checks a batch, finds the keys, filters, lets out what must
leave, sums and writes the rows that are told.

The rows held lie in one piece for each key (`rings.Rings`); sums stay where the way in steps has
them, which takes what the kernel does not, such as nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..flow import Flow
from ..language.syntax import Attribute, Type
from ..streams import Stream
from .aggregates import Sums
from .batch import Column, Lanes
from .direct import Prepared, events_of, picker
from .gliding import columns_of
from .kernels import single
from .kernels.single import NO_KEY, NO_ROOM, OTHER_WORDS
from .matching import letter_of
from .planned import Keys
from .rings import Rings, queue, taken_over
from .selecting import Selecting
from .selection import Output
from .sliding import Queues, Sliding
from .steps import Program
from .store import Codes

if TYPE_CHECKING:
    from .single import State

LONGEST = 1 << 22
"""So many ints have a sum that a real number holds exactly."""
_ROOM = 7
"""So many times the rows of a batch a kernel needs room for, and four words; as in `roll.c`."""


class Rolled:
    """What is remembered: the windows, and the arrays in the order of `roll.c`, for keys known."""

    def __init__(self, ring: Rings) -> None:
        self.ring = ring
        self.arrays: tuple[Any, ...] = ()
        self.known = 0

    def prepare(self, state: State, keys: Keys, known: int) -> None:
        """Make room for keys, and find the arrays."""
        self.ring.keys(known)
        totals: list[Any] = []
        for aggregate in state.groups.aggregates:
            assert isinstance(aggregate, Sums)
            totals += aggregate.totals[0].over(None, None, known)[2:]
        self.arrays = (*keys.numbering(), self.ring.pieces.reshape(-1), *totals)
        self.known = known

    def give_up(self, state: State) -> int:
        """Give what is held to the rows of the way in steps; tell how many they are."""
        keys, held = self.ring.rows()
        if len(keys):
            for nth, buffer in enumerate(state.window.rows.columns):
                buffer.values = self.ring.values(nth, held[nth])
            queue(state.window, keys)
        return len(keys)


class Rolling:
    """A filter, a window for each key and sums of it, of rows of one key together the last row."""

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        prepared: Prepared,
        most: int,
        held: list[Type],
        columns: tuple[list[Type], list[int]],
        key: tuple[int, Keys, Callable[[], Codes]],
        flow: Flow,
        output: Output,
        find: Callable[[], State],
        kernel: single.Kernel,
    ) -> None:
        """Take the stream's attributes, how many rows a window holds and of what types its columns
        are, the types of what is selected with the stream's columns that are words; the column that
        is the key, its keys and all of the partition; `find` gives what is remembered.
        """
        self._attributes = attributes
        self._pick = picker(attributes)
        self._prepared = prepared
        self._most = most
        self._held = [np.dtype(letter_of(kind)) for kind in held]
        self._kinds, self._words = columns
        self._key, self._keys, self._parts = key
        self._clock = flow.clock
        self._output = output
        self._find = find
        self._kernel = kernel
        self._scratch = np.empty(0, np.int64)
        self._chunks = np.empty(0, np.int64)

    def take(
        self, stream: Stream, given: Mapping[str, Any], times: Any, arrive: Callable[[int], None]
    ) -> bool:
        """Take what is sent to the query's stream, and its times; tell whether it could be."""
        if type(times) is not np.ndarray or times.ndim != 1 or not len(times):
            return False
        clock, last, count, output = self._clock, times.item(-1), len(times), self._output
        if clock.event_time and last >= clock.now and not clock.quiet(last):
            return False
        if not output.passes_last or output.inner:
            return False
        try:
            values = self._pick(given)
        except KeyError:
            return False
        state = self._find()
        held = state.rings or self._take_over(state)
        if held is None:
            return False
        if _ROOM * count + 4 > len(self._scratch):
            self._scratch = np.empty(_ROOM * count + 4, np.int64)
            self._chunks = np.arange(count)
        lanes = np.empty(count * (len(self._kinds) + 1), np.int64)
        rows = self._run(values, times, held, lanes)
        if rows == OTHER_WORDS:
            self._prepared.learn(values)
            rows = self._run(values, times, held, lanes)
        if rows == NO_KEY and self._learn(state, held, values):
            rows = self._run(values, times, held, lanes)
        if rows == NO_ROOM and held.ring.longer(lanes.item(0), count):
            held.prepare(state, self._keys, held.known)
            rows = self._run(values, times, held, lanes)
        if rows < 0:
            return False  # The way in steps takes over what is held.
        arrive(last)  # Nothing comes due.
        stream.count += count
        if not rows:
            return True
        if 4 * rows < count:  # A listener may keep them.
            lanes = lanes[: rows * (len(self._kinds) + 1)].copy()
        words = [values[at].words.array for at in self._words]
        batch = Lanes(lanes, rows, self._kinds, words, rows)
        if rows > 1:
            batch.chunks = self._chunks[:rows]
        try:  # Whoever comes next begins anew with its partition.
            output.pass_on(batch)
        except Exception as error:
            stream.failed(error, partial(events_of, self._attributes, given, times))
        return True

    def _run(self, values: tuple[Any, ...], times: Any, held: Rolled, lanes: Any) -> int:
        ring = held.ring
        before = (self._prepared.plan, held.arrays, self._scratch, lanes, held.known)
        return self._kernel(values, times, *before, ring.pieces.shape[1], ring.room, ring.next())

    def _learn(self, state: State, held: Rolled, values: tuple[Any, ...]) -> bool:
        """Learn the keys of a batch; tell whether all rows have one there is room for."""
        given = values[self._key]
        if given.codes.min() < 0:
            return False
        self._keys.learn(Column(Type.STRING, codes=given.codes, words=given.words.array))
        return self._ready(state, held)

    def _ready(self, state: State, held: Rolled) -> bool:
        known = len(self._parts())
        if not held.ring.keys(known):
            return False
        held.prepare(state, self._keys, known)
        return True

    def _take_over(self, state: State) -> Rolled | None:
        """Take over what is held, where the way in steps held it."""
        side, known = state.window, len(self._parts())
        ring = taken_over(state, side, side.rows.columns, self._held, self._most, known)
        if ring is None:
            return None
        held = Rolled(ring)
        if not self._ready(state, held):
            return None
        state.window = Queues([buffer.kind for buffer in side.rows.columns])
        state.rings = held
        return held


def rolling(
    attributes: tuple[Attribute, ...],
    program: Program,
    window: Sliding,
    selecting: Selecting,
    places: list[int],
    sums: list[int],
    key: tuple[int, Keys, Callable[[], Codes]],
    flow: Flow,
    output: Output,
    find: Callable[[], State],
) -> Rolling | None:
    """Give what takes the stream of a partition's only window directly; None where no kernel does.

    Args:
        attributes: the stream's.
        program: its filter.
        window: how rows leave.
        selecting: what is selected, ungrouped.
        places: as of `gliding.gliding`.
        sums: each sum's kind and column.
        key: the column the partition goes by, its keys and all of the partition.
        flow: what the application's operators share.
        output: takes the rows.
        find: gives what is remembered.
    """
    kernel, most = single.kernel("flow_roll"), window.length
    if kernel is None or window.external or window.span is not None:
        return None
    if most is None or not 0 < most <= LONGEST or attributes[key[0]].type is not Type.STRING:
        return None
    told, kinds, words = columns_of(places, selecting)
    rest = [key[0], 0, len(sums) // 2, *sums, most, len(told), *told]
    held = [a.argument.kind for a in selecting.aggregates if a.argument is not None]
    prepared, columns = Prepared(program, rest), (kinds, words)
    return Rolling(attributes, prepared, most, held, columns, key, flow, output, find, kernel)
