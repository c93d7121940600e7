"""Joins of windows by number of rows, by the key of their partition: each key's rows lie in one
piece (`rings.Rings`), so that what comes meets all rows of its key. What is met is copied once for
each key, and a column of the pairs is made when somebody asks for it.

What is not plain goes the way in steps, whose rows are chained by key (`sliding.Chained`); both
take over what the other holds, so that each batch may go either way, and a snapshot knows only one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..language.syntax import Type
from .batch import Batch, Column, Index, Values
from .conditions import plain
from .joining import Joining, Side
from .kernels import pieces
from .kernels.pieces import Found
from .matching import letter_of
from .rings import Rings, queue, taken_over
from .selection import Output
from .sliding import Chained
from .store import Codes
from .vector import View

if TYPE_CHECKING:
    from .join import State

_NOTHING = Batch([], np.empty(0, np.int64))


class Spread(Column):
    """A column of pairs, made when it is asked for: of what came, or of what it met (`held`)."""

    __slots__ = ("_dtype", "_found", "_from", "_held")

    def __init__(
        self, kind: Type, words: Values | None, found: Found, values: Values, *, held: bool
    ) -> None:
        """Take what each row that came, or each row met, has; codes where there are words."""
        self.kind = kind
        self.words = words
        self._nulls = self._objects = None
        if words is None:
            self.codes = None
        else:
            self._values = None
        self._found, self._from, self._held = found, values, held
        self._dtype = np.dtype(letter_of(kind))

    def __getattr__(self, name: str) -> Any:
        # Only what is not there yet is looked for here.
        if name not in {"codes", "_values"}:
            raise AttributeError(name)
        made = pieces.spread(self._found, self._from, self._dtype, held=self._held)
        setattr(self, name, made)
        return made


class Met(Batch):
    """Pairs: the times, chunks and partitions of what came, and columns; each made when it is asked
    for.
    """

    __slots__ = ("_before", "_found", "_inner", "_times")

    def __init__(
        self, found: Found, columns: list[Column], times: Index, before: Index | None, inner: bool
    ) -> None:
        """Take the rows that came, in chunks `before` they were split by key; `inner`: their
        partitions may be asked for.
        """
        self.columns = columns
        self.size = found.pairs
        self.kinds = self._events = self._whole = None
        self._found, self._times, self._before, self._inner = found, times, before, inner

    def __getattr__(self, name: str) -> Any:
        # Only what is not there yet is looked for here.
        match name:
            case "ts":
                self.ts = self._spread(self._times)
            case "chunks":
                self.chunks = self._chunks()
            case "parts":
                self.parts = self._spread(self._found.keys) if self._inner else None
            case _:
                raise AttributeError(name)
        return getattr(self, name)

    def _spread(self, values: Index) -> Index:
        return pieces.spread(self._found, values, np.dtype(np.int64), held=False)

    def _chunks(self) -> Index | None:
        keys, before = self._found.keys, self._before
        borders = keys[1:] != keys[:-1]
        if before is not None:
            borders |= before[1:] != before[:-1]
        runs = np.concatenate([[0], np.cumsum(borders)])
        of_pairs = self._spread(runs.astype(np.int64, copy=False))
        return None if of_pairs[0] == of_pairs[-1] else of_pairs


class Both:
    """What both sides hold; `key_words` are the words of a side's keys met last and the keys that
    stand for them.
    """

    def __init__(self, meeting: Meeting, rings: list[Rings]) -> None:
        self.meeting = meeting
        self.rings = rings
        self.key_words: list[tuple[Values, Index] | None] = [None, None]

    def give_up(self, state: State) -> int:
        """Give what is held to the rows of the way in steps; tell how many they are."""
        self.meeting.give_up(state, self)
        return state.left.rows.size + state.right.rows.size


class Meeting:
    """A join by the key of its partition, of windows by number of rows."""

    def __init__(
        self,
        plan: Joining,
        kept: list[list[int]],
        keyed: list[int],
        parts: Callable[[], Codes],
        output: Output,
    ) -> None:
        """Take a join, what is told of each side, and the attribute its partition goes by."""
        self._keyed = keyed
        self._parts = parts
        self._output = output
        self._vectors = plan.selecting.vectors
        self._named = plan.key is not None
        self._kept = kept
        self._kinds = [[attribute.type for attribute in side.attributes] for side in plan.sides]
        strings = all(of[at] is Type.STRING for of, at in zip(self._kinds, keyed, strict=True))
        # A key that is a string is that of the other side, too: it need not be held.
        self._held = [
            [place for place in places if not (strings and place == key)]
            for places, key in zip(kept, keyed, strict=True)
        ]
        # What is read of a side that comes: its own, and its key for the other's.
        self._told = [
            sorted(
                {*kept[at], *([keyed[at]] if len(self._held[1 - at]) < len(kept[1 - at]) else [])}
            )
            for at in (0, 1)
        ]
        self._dtypes = [
            [np.dtype(letter_of(of[place])) for place in places]
            for of, places in zip(self._kinds, self._held, strict=True)
        ]
        self._most = [_length(side) or 0 for side in plan.sides]
        self._triggers = [side.triggers for side in plan.sides]

    def take(
        self, state: State, at: int, batch: Batch, codes: Index, table: Index | None, now: int
    ) -> Batch | None:
        """Let rows in and give the pairs they make; None, and nothing is done, where they must go
        the way in steps.

        Args:
            state: what is held.
            at: the rows' side.
            batch: the rows.
            codes: their partitions, or words whose partitions stand in `table`.
            table: partitions, -1 where a word has none.
            now: the time of the clock.
        """
        given: dict[int, Values] = {}
        for place in self._told[at]:
            values = plain(batch.columns[place])
            if values is None or values.dtype.char != letter_of(self._kinds[at][place]):
                return None
            given[place] = values
        both = state.rings or self._take_over(state)
        if both is None or not self._knows(both, at, batch):
            return None
        known = len(self._parts())
        mine, other = both.rings[at], both.rings[1 - at]
        asks = self._triggers[at] and other.most
        if not (mine.keys(known) and other.keys(known)):
            state.release()
            return None
        codes = np.ascontiguousarray(codes, np.int64)
        found = pieces.find(codes, table, known, other.pieces if asks else None, other.next())
        if found.pairs == pieces.UNKNOWN:
            return None
        count, rows = len(batch), [given[place] for place in self._held[at]]
        if mine.room < mine.most:
            needed = pieces.needed(found.keys, mine.pieces, mine.next())
            if not mine.longer(needed, count):
                state.release()
                return None
        if mine.most:
            pieces.put(found.keys, mine.pieces, mine.room, rows)
        words = batch.columns[self._keyed[at]].words
        if table is not None and words is not None:
            both.key_words[at] = words, table
        return self._pairs(both, at, batch, found, given, now) if found.pairs else _NOTHING

    def _pairs(
        self,
        both: Both,
        at: int,
        batch: Batch,
        found: Found,
        given: dict[int, Values],
        now: int,
    ) -> Batch:
        """Give the pairs of rows that came with what they meet."""
        other, columns = both.rings[1 - at], batch.columns
        # What is held changes with the next rows, and what came is the sender's.
        held = pieces.copy(found, other.pieces, other.room, range(len(other.dtypes)))
        own = {place: values.copy() for place, values in given.items()}

        def column(frame: int, place: int) -> Column:
            kind = self._kinds[frame][place]
            if frame != at and place in self._held[frame]:
                nth = self._held[frame].index(place)
                return Spread(kind, other.words[nth], found, held[nth], held=True)
            place = place if frame == at else self._keyed[at]
            return Spread(kind, columns[place].words, found, own[place], held=False)

        if all(vector.place is not None for vector in self._vectors):
            made = [column(*vector.place) for vector in self._vectors if vector.place is not None]
            return Met(found, made, batch.ts.copy(), batch.chunks, self._output.inner)
        frames = [[Column(kind) for kind in of] for of in self._kinds]
        for frame, places in enumerate(self._kept):
            for place in places:
                frames[frame][place] = column(frame, place)
        met = Met(found, [], batch.ts.copy(), batch.chunks, self._output.inner)
        view = View(frames, met.ts, now, list)
        met.columns = [vector.run(view) for vector in self._vectors]
        return met

    def _knows(self, both: Both, at: int, batch: Batch) -> bool:
        """Tell whether what is held is of the words of a batch."""
        mine = both.rings[at]
        for nth, place in enumerate(self._held[at]):
            words, known = batch.columns[place].words, mine.words[nth]
            if words is known:
                continue
            alike = known is not None and words is not None and np.array_equal(known, words)
            if known is not None and not alike and mine.held:
                return False
            mine.words[nth] = words
        return True

    # --- To and from the way in steps ---

    def _take_over(self, state: State) -> Both | None:
        """Take over what is held, once as much has come since it was given up."""
        made: list[Rings] = []
        for at in (0, 1):
            side, held, known = state.side(at), self._held[at], len(self._parts())
            of = zip(self._kept[at], side.rows.columns, strict=True)
            buffers = [buffer for place, buffer in of if place in held]
            most, dtypes = self._most[at], self._dtypes[at]
            ring = taken_over(state, side, buffers, dtypes, most, known)
            if ring is None:
                return None
            made.append(ring)
        both = state.rings = Both(self, made)
        state.left, state.right = (
            Chained([buffer.kind for buffer in side.rows.columns])
            for side in (state.left, state.right)
        )
        return both

    def give_up(self, state: State, both: Both) -> None:
        """Give what is held to the rows of the way in steps."""
        for at, ring in enumerate(both.rings):
            side = state.side(at)
            parts, held = ring.rows()
            if not len(parts):
                continue
            nth = dict(zip(self._held[at], range(len(held)), strict=True))
            for place, buffer in zip(self._kept[at], side.rows.columns, strict=True):
                if place in nth:
                    buffer.values = ring.values(nth[place], held[nth[place]])
                    buffer.words = ring.words[nth[place]]
                else:
                    buffer.values, buffer.words = self._words(both, at, parts)
            first = queue(side, parts)
            keys = side.rows.groups = self._keys(state, parts)
            side.keys(int(keys.max()) + 1)
            of = keys[first], parts[first]
            for chains, queues in (
                (side.key_head, side.head),
                (side.key_tail, side.tail),
                (side.key_held, side.length),
            ):
                chains[of[0]] = queues[of[1]]
            count = len(parts)
            side.key_following[:count] = side.following[:count]

    def _keys(self, state: State, parts: Index) -> Index:
        """Give the key of rows by their partitions, as the way in steps numbers them."""
        if not self._named:
            return parts.copy()
        texts = self._parts().texts()
        distinct, where = np.unique(parts, return_inverse=True)
        codes = [state.codes.of_text(texts[part]) for part in distinct.tolist()]
        return state.pairs.of(distinct, np.array(codes, np.int64))[where]

    def _words(self, both: Both, at: int, parts: Index) -> tuple[Index, Values]:
        """Give the keys of a side's rows as codes of words."""
        known = both.key_words[at]
        if known is not None:
            words, table = known
            code_of = np.full(len(self._parts()), -1, np.int64)
            able = np.flatnonzero(table >= 0)
            code_of[table[able]] = able
            codes = code_of[parts]
            if codes.min() >= 0:
                return codes, words
        texts = [*self._parts().texts(), None]
        return parts.copy(), np.fromiter(texts, np.object_, len(texts))


def _length(side: Side) -> int | None:
    """Give how many rows a side's window holds, 0 where it has none; None where it is another."""
    window = side.window
    if window is None or window.length is None or window.span is not None or window.external:
        return None
    return window.length if window.length or side.bare else None


def meeting(
    plan: Joining,
    kept: list[list[int]],
    keyed: list[int],
    parts: Callable[[], Codes],
    output: Output,
) -> Meeting | None:
    """Give what takes a join by key, where pairs are told as they are; None where nothing does.

    Args:
        plan: the join.
        kept: the attributes of each side that are told.
        keyed: those its partition goes by.
        parts: gives the partitions.
        output: takes the pairs.
    """
    kinds = [[attribute.type for attribute in side.attributes] for side in plan.sides]
    if any(_length(side) is None or side.outer or side.find for side in plan.sides):
        return None
    if plan.key is not None:
        by = [vector.place[1] if vector.place is not None else -1 for vector in plan.key]
        if by != keyed:
            return None
    if any(of[place] is Type.OBJECT for of, at in zip(kinds, kept, strict=True) for place in at):
        return None
    return Meeting(plan, kept, keyed, parts, output)
