"""`every A -> B within` over one stream, taken as rows are sent: one call of a kernel checks a
batch, finds its keys, matches it and writes the columns of the pairs that are complete.

What waits stays where the way in steps has it (`matching.Held`), which takes what the kernel does
not: a new word, nulls, time that goes back where all keys share it, a timer that comes due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..flow import Flow
from ..language.syntax import Attribute, Type
from ..streams import Direct, Stream
from .batch import Index, Lanes, Values
from .direct import events_of, picker
from .kernels import single
from .matching import Held, Matcher
from .selection import Output

Numbering: TypeAlias = "tuple[Index | None, Values | None]"
"""The numbers of keys by the codes of words, and these words."""
Found: TypeAlias = "tuple[Held, Numbering, int]"
"""What waits, how its keys are numbered, and how many they are."""

_NO_MEMORY = -3
"""What `complete.c` gives where there is no memory for what waits."""
_SPARE = 64
"""Room for so many rows is held beyond those that came last."""


class Completed(Lanes):
    """Pairs as a kernel writes them: behind their columns stands by which event of a batch each was
    complete, which numbers their chunks.
    """

    __slots__ = ()

    def __init__(self, lanes: Index, rows: int, kinds: list[Type], words: list[Values]) -> None:
        """Take what `Lanes` does."""
        super().__init__(lanes, rows, kinds, words, rows)
        del self.chunks

    def __getattr__(self, name: str) -> Any:
        if name != "chunks":
            return super().__getattr__(name)
        rows, first = self.size, (len(self._kinds) + 1) * self.size
        calls = self._lanes[first : first + rows]
        self.chunks = None if calls[0] == calls[-1] else calls
        return self.chunks


class Completing:
    """A pattern's way in and out."""

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        plan: Index,
        columns: tuple[list[Type], list[int]],
        flow: Flow,
        output: Output,
        find: Callable[[], Found | None],
        kernels: tuple[single.Kernel, single.Kernel],
    ) -> None:
        """Take the stream's attributes, what `complete.c` goes by, the types of what is selected
        with the stream's columns that are words; `find` gives what waits, how its keys are numbered
        and how many they are, None where the way in steps must make it ready.
        """
        self._attributes = attributes
        self._pick = picker(attributes)
        self._plan = plan
        self._kinds, self._words = columns
        self._width = len(self._kinds) + 2
        self._clock = flow.clock
        self._output = output
        self._find = find
        self._kernel, self._write = kernels
        self._expected = 0

    def take(
        self, stream: Stream, given: Mapping[str, Any], times: Any, arrive: Callable[[int], None]
    ) -> bool:
        """Take what is sent to the pattern's stream, and its times; tell whether it could be."""
        if type(times) is not np.ndarray or times.ndim != 1 or not len(times):
            return False
        clock, last = self._clock, times.item(-1)
        if clock.event_time and last >= clock.now and not clock.quiet(last):
            return False
        found = self._find() if self._output.passes else None
        if found is None:
            return False
        try:
            values = self._pick(given)
        except KeyError:
            return False
        held, numbering, keys = found
        lanes = np.empty(self._expected * self._width, np.int64)
        at = held.block.at
        rows = self._kernel(values, times, self._plan, (*numbering, *held.texts), lanes, at, keys)
        if rows < 0:
            if rows == _NO_MEMORY:
                raise MemoryError
            return False
        arrive(last)  # Nothing comes due.
        stream.count += len(times)
        if not rows:
            return True
        size = rows * self._width
        if size > len(lanes):
            lanes = np.empty(size, np.int64)
            self._write(self._plan, lanes, at, rows)
        elif 4 * size < len(lanes):  # A listener may keep them.
            lanes = lanes[:size].copy()
        self._expected = rows + rows // 4 + _SPARE
        words = [values[place].words.array for place in self._words]
        batch = Completed(lanes, rows, self._kinds, words)
        try:  # Whoever comes next begins anew with its partition.
            self._output.pass_on(batch)
        except Exception as error:
            stream.failed(error, partial(events_of, self._attributes, given, times))
        return True


def completing(
    attributes: tuple[Attribute, ...],
    of: tuple[Matcher, list[tuple[int, int]]],
    by: int,
    flow: Flow,
    output: Output,
    find: Callable[[], Found | None],
) -> Direct | None:
    """Give what takes a pattern's only stream directly; None where no kernel does.

    Args:
        attributes: the stream's.
        of: what matches, and the attributes that are selected, by frame and place.
        by: the attribute of words that holds the keys; -1: there are none.
        flow: what the application's operators share.
        output: takes the rows.
        find: as of `Completing`.
    """
    take, write = single.kernel("flow_complete"), single.kernel("flow_completed")
    kinds = [single.KINDS.get(a.type.value, -1) for a in attributes]
    matcher, chosen = of
    most = max(len(kinds), len(chosen))
    if take is None or write is None or output.inner or -1 in kinds or most > single.MOST_COLUMNS:
        return None
    read = [place for _, place in matcher.column]
    told = [(matcher.source(*one), attributes[one[1]].type) for one in chosen]
    plan = [len(kinds), by, len(matcher.texts), len(read), len(told), *kinds, *matcher.texts, *read]
    for source, kind in told:
        plan += source, 1 if kind is Type.BOOL else 8
    types = [kind for _, kind in told]
    words = [place for _, place in chosen if attributes[place].type is Type.STRING]
    columns, packed = (types, words), np.array(plan, np.int64)
    return Completing(attributes, packed, columns, flow, output, find, (take, write)).take
