"""Batches of events in columns.

Integers are held as int64, floats as float64 (a `float` rounded to 32 bits), bools as bool; strings
and objects as Python objects, strings also as codes of a dictionary. Nulls stand in a mask beside
the values; a column without a mask has none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..events import Chunk, Event
from ..language.syntax import Attribute, Type

Values: TypeAlias = NDArray[Any]
Nulls: TypeAlias = "NDArray[np.bool_] | None"
Index: TypeAlias = "NDArray[np.int64]"

DTYPES: dict[Type, Any] = {
    Type.INT: np.int64,
    Type.LONG: np.int64,
    Type.FLOAT: np.float64,
    Type.DOUBLE: np.float64,
    Type.BOOL: np.bool_,
    Type.STRING: np.object_,
    Type.OBJECT: np.object_,
}
_CLASSES: dict[Type, type] = {
    Type.INT: int,
    Type.LONG: int,
    Type.FLOAT: float,
    Type.DOUBLE: float,
    Type.BOOL: bool,
}


class Unfit(Exception):
    """A column holds values that are not of its type; the rows are worked on one by one instead."""


def objects_of(values: Iterable[Any], count: int) -> Values:
    """Give values as an array of Python objects, sequences among them as they are."""
    return np.fromiter(values, np.object_, count)


def absent(objects: Values) -> NDArray[np.bool_]:
    """Tell which objects are None."""
    nothing: Any = None
    return np.asarray(np.equal(objects, nothing), np.bool_)


class Column:
    """One attribute of a batch: typed values with nulls, Python objects, or codes of a dictionary;
    each made when asked for.
    """

    __slots__ = ("_nulls", "_objects", "_values", "codes", "kind", "words")

    def __init__(
        self,
        kind: Type,
        values: Values | None = None,
        nulls: Nulls = None,
        *,
        objects: Values | None = None,
        codes: Index | None = None,
        words: Values | None = None,
    ) -> None:
        self.kind = kind
        self._values = values
        self._nulls = nulls
        self._objects = objects
        self.codes = codes
        self.words = words

    def __len__(self) -> int:
        if self._values is not None:
            return len(self._values)
        if self.codes is not None:
            return len(self.codes)
        return 0 if self._objects is None else len(self._objects)

    @property
    def objects(self) -> Values:
        """The values as Python objects, None for null."""
        if self._objects is None:
            if self.codes is not None:
                assert self.words is not None
                self._objects = self.words[self.codes]
            else:
                assert self._values is not None
                self._objects = self._values.astype(np.object_)
                if self._nulls is not None:
                    self._objects[self._nulls] = None
        return self._objects

    def cells(self) -> tuple[Values, Nulls]:
        """Give the typed values and where they are null. Raises Unfit."""
        if self._values is None:
            if self.kind in {Type.STRING, Type.OBJECT}:
                objects = self.objects
                nulls = absent(objects)
                self._values, self._nulls = objects, nulls if nulls.any() else None
            else:
                self._values, self._nulls = _typed(self.kind, self.objects)
        return self._values, self._nulls

    def missing(self) -> Nulls:
        """Tell where there is no value, whatever the others are."""
        if self.codes is not None:
            return self.codes < 0 if len(self.codes) and self.codes.min() < 0 else None
        try:
            return self.cells()[1]
        except Unfit:
            nulls = absent(self.objects)
            return nulls if nulls.any() else None

    def take(self, index: Any) -> Column:
        """Give the rows of an index, mask or slice."""
        if self.codes is not None:
            return Column(self.kind, codes=self.codes[index], words=self.words)
        if self._values is not None:
            nulls = None if self._nulls is None else self._nulls[index]
            return Column(self.kind, self._values[index], nulls)
        if self._objects is None:
            return self  # It is not asked for.
        return Column(self.kind, objects=self._objects[index])

    def to_list(self) -> list[Any]:
        """Give the values as a list, None for null."""
        if self._objects is None and self._values is not None and self._nulls is None:
            return list(self._values.tolist())
        return list(self.objects)


def _typed(kind: Type, objects: Values) -> tuple[Values, Nulls]:
    wanted = _CLASSES[kind]
    kinds = set(map(type, objects))
    if kinds == {wanted}:
        return objects.astype(DTYPES[kind]), None
    if kinds <= {wanted, type(None)}:
        nulls = absent(objects)
        filled = objects.copy()
        filled[nulls] = wanted()
        return filled.astype(DTYPES[kind]), nulls
    raise Unfit


def concat(columns: Sequence[Column]) -> Column:
    """Put columns of one kind behind each other."""
    if len(columns) == 1:
        return columns[0]
    kind = columns[0].kind
    if kind not in {Type.STRING, Type.OBJECT}:
        try:
            cells = [column.cells() for column in columns]
        except Unfit:
            pass
        else:
            values = np.concatenate([v for v, _ in cells])
            if all(nulls is None for _, nulls in cells):
                return Column(kind, values)
            masks = [np.zeros(len(v), np.bool_) if nulls is None else nulls for v, nulls in cells]
            return Column(kind, values, np.concatenate(masks))
    return Column(kind, objects=np.concatenate([column.objects for column in columns]))


class Batch:
    """Rows of one stream in columns.

    `ts` holds each row's time in milliseconds, `size` how many rows they are. `chunks` numbers,
    ascending, the chunks the rows came in, None where they are one; `parts` holds the code of each
    row's partition; `kinds` what each row means, None where all are current.
    """

    __slots__ = ("_events", "_whole", "chunks", "columns", "kinds", "parts", "size", "ts")

    def __init__(
        self,
        columns: list[Column],
        ts: Index,
        *,
        chunks: Index | None = None,
        parts: Index | None = None,
        kinds: NDArray[np.int8] | None = None,
    ) -> None:
        self.columns = columns
        self.ts = ts
        self.size = len(ts)
        self.chunks = chunks
        self.parts = parts
        self.kinds = kinds
        self._events: Chunk | None = None
        self._whole: tuple[Batch, Index] | None = None

    def __len__(self) -> int:
        return self.size

    @classmethod
    def of_events(cls, attributes: Sequence[Attribute], chunk: Chunk) -> Batch:
        """Turn a chunk of events into columns."""
        count = len(chunk)
        columns = [
            Column(a.type, objects=objects_of((e.data[at] for e in chunk), count))
            for at, a in enumerate(attributes)
        ]
        kinds = np.fromiter((e.kind for e in chunk), np.int8, count)
        ts = np.fromiter((e.ts for e in chunk), np.int64, count)
        batch = cls(columns, ts, kinds=kinds if kinds.any() else None)
        batch._events = chunk
        return batch

    def take(self, index: Any) -> Batch:
        """Give the rows of an index, mask or slice."""
        batch = self._of([column.take(index) for column in self.columns], index)
        if self._whole is not None:
            whole, rows = self._whole
            batch._whole = whole, rows[index]
        return batch

    def narrow(self, index: Index, places: set[int] | None) -> Batch:
        """Give the rows of an index, of their columns only those at some places; None: all."""
        if places is None:
            return self.take(index)
        columns = [
            column.take(index) if at in places else Column(column.kind)
            for at, column in enumerate(self.columns)
        ]
        batch = self._of(columns, index)
        batch._whole = self, index
        return batch

    def _of(self, columns: list[Column], index: Any) -> Batch:
        return Batch(
            columns,
            self.ts[index],
            chunks=None if self.chunks is None else self.chunks[index],
            parts=None if self.parts is None else self.parts[index],
            kinds=None if self.kinds is None else self.kinds[index],
        )

    def events(self) -> Chunk:
        """Give the rows as events, made once."""
        if self._events is None and self._whole is not None:
            whole, index = self._whole
            self._events = whole.take(index).events()
        if self._events is None:
            lists = [column.to_list() for column in self.columns]
            times = self.ts.tolist()
            rows: Iterable[Any] = zip(*lists, strict=True) if lists else [()] * len(times)
            kinds = [0] * len(times) if self.kinds is None else self.kinds.tolist()
            self._events = [
                Event(ts, list(row), kind) for ts, row, kind in zip(times, rows, kinds, strict=True)
            ]
        return self._events

    def cuts(self) -> list[tuple[int, int]]:
        """Give where each chunk begins and ends."""
        if self.chunks is None:
            return [(0, len(self))] if len(self) else []
        edges = (self.chunks[1:] != self.chunks[:-1]).nonzero()[0] + 1
        bounds = [0, *edges.tolist(), len(self)]
        return [(a, b) for a, b in itertools.pairwise(bounds) if b > a]

    def times(self) -> Index:
        """Give each row the time of the last one of its chunk."""
        if self.chunks is None:
            return np.full(len(self), self.ts[-1]) if len(self) else self.ts
        ends = (self.chunks[1:] != self.chunks[:-1]).nonzero()[0]
        count = len(self)
        if len(ends) + 1 == count:
            return self.ts
        bounds = np.empty(len(ends) + 2, np.int64)
        bounds[0], bounds[1:-1], bounds[-1] = -1, ends, count - 1
        return np.repeat(self.ts[bounds[1:]], bounds[1:] - bounds[:-1])

    def split(self) -> Iterable[Batch]:
        """Give each chunk as a batch of its own."""
        cuts = self.cuts()
        if len(cuts) == 1:
            yield self
            return
        for start, end in cuts:
            part = self.take(slice(start, end))
            part.chunks = None
            if self._events is not None:
                part._events = self._events[start:end]
            yield part


class Lanes(Batch):
    """Rows as a kernel writes them: their times and then column by column, 8 bytes a value, in one
    array. The columns are made when they are asked for.
    """

    __slots__ = ("_apart", "_kinds", "_lanes", "_words")

    def __init__(
        self, lanes: Index, rows: int, kinds: list[Type], words: list[Values], apart: int
    ) -> None:
        """Take `rows` rows of columns of some kinds, the words of each that holds strings in their
        order; one begins `apart` values behind the other.
        """
        self._apart = apart
        self._lanes = lanes
        self.size = rows
        self._kinds = kinds
        self._words = words
        self.chunks = self.parts = self.kinds = self._events = self._whole = None

    def __getattr__(self, name: str) -> Any:
        # Only what is not there yet is looked for here.
        if name == "ts":
            self.ts = self._lanes[: self.size]
            return self.ts
        if name == "columns":
            self.columns = [self._lane(at, kind) for at, kind in enumerate(self._kinds)]
            return self.columns
        raise AttributeError(name)

    def _lane(self, at: int, kind: Type) -> Column:
        rows, first = self.size, (at + 1) * self._apart
        values = self._lanes[first : first + rows]
        if kind is Type.STRING:
            return Column(kind, codes=values, words=self._words[self._kinds[:at].count(kind)])
        return Column(kind, values.view(DTYPES[kind])[:rows])


def batch_of(columns: list[Column], times: Sequence[Any]) -> Batch:
    """Make a batch of columns that came at some times, in milliseconds."""
    return Batch(columns, np.ascontiguousarray(times, np.int64))


Take = Callable[[Batch], None]
