"""What columnar queries remember: rows in growing columns, codes of keys, arrays that a snapshot
can hold.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..language.syntax import Type
from ..values import text
from . import kernels
from .batch import DTYPES, Column, Index, Unfit, Values
from .kernels import packed


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype == np.object_:
            return _Array("O", value.tolist())
        return _Array(value.dtype.str, value.tobytes())
    return _Named(value.value) if isinstance(value, Type) else value


def _array(value: Any) -> Any:
    if isinstance(value, _Named):
        return Type(value.name)
    if not isinstance(value, _Array):
        return value
    if value.dtype == "O":
        return np.fromiter(value.content, np.object_, len(value.content))
    return np.frombuffer(value.content, value.dtype).copy()


class _Array:
    """An array as a snapshot holds it."""

    def __init__(self, dtype: str, content: Any) -> None:
        self.dtype = dtype
        self.content = content


class _Named:
    """A type as a snapshot holds it."""

    def __init__(self, name: str) -> None:
        self.name = name


class Kept:
    """The base of what a snapshot holds: arrays are written as their bytes."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, _array(value))  # Not into __dict__: names stay interned.


def grown(array: Values, size: int, fill: Any = 0) -> Values:
    """Give an array of at least `size`, doubled, its new part filled."""
    if len(array) >= size:
        return array
    more = np.full(max(size, 2 * len(array), 16), fill, array.dtype)
    more[: len(array)] = array
    return more


def kept(array: Values, index: Index) -> Values:
    """Give an array that begins with some of its entries; the room behind them stays, unless it is
    much.
    """
    count = len(index)
    if len(array) > 4 * count + MUCH:
        return array[index]
    array[:count] = array[index]
    if array.dtype == np.object_:
        array[count:] = None
    return array


MUCH = 32_768


class Buffer(Kept):
    """One growing column: typed values with nulls, Python objects, or codes of `words`."""

    def __init__(self, kind: Type) -> None:
        self.kind = kind
        self.typed = kind not in {Type.STRING, Type.OBJECT}
        self.values = np.empty(0, DTYPES[kind] if self.typed else np.object_)
        self.nulls: Values | None = None
        self.words: Values | None = None

    def put(self, at: int, column: Column) -> None:
        """Write a column's rows from position `at` on."""
        end = at + len(column)
        self.write(slice(at, end), column, at, end)

    def write(self, where: Any, column: Column, held: int, end: int) -> None:
        """Write a column's rows at an index or slice, of several at one position the last; `held`
        rows are held before, `end` then.
        """
        if self.typed:
            try:
                values, nulls = column.cells()
            except Unfit:
                self._as_objects(held)
            else:
                self.values = grown(self.values, end)
                self.values[where] = values
                if nulls is not None and self.nulls is None:
                    self.nulls = np.zeros(len(self.values), np.bool_)
                if self.nulls is not None:
                    self.nulls = grown(self.nulls, len(self.values), False)
                    self.nulls[where] = False if nulls is None else nulls
                return
        if column.codes is not None and self._of_words(held, column.words):
            self.values = grown(self.values, end)
            self.values[where] = column.codes
            return
        if self.words is not None:
            self.values, self.words = self.words[self.values[:held]], None
        self.values = grown(self.values, end, None)
        self.values[where] = column.objects

    def _of_words(self, at: int, words: Any) -> bool:
        """Tell whether codes of these words can be held, where `at` rows are held already."""
        if self.words is words:
            return True
        if at == 0 or (self.words is not None and np.array_equal(self.words, words)):
            if self.words is None:
                self.values = np.empty(0, np.int64)
            self.words = words
            return True
        return False

    def _as_objects(self, size: int) -> None:
        objects = self.values[:size].astype(np.object_)
        if self.nulls is not None:
            objects[self.nulls[:size]] = None
        self.typed, self.values, self.nulls = False, objects, None

    def take(self, index: Any) -> Column:
        """Give the rows of an index."""
        if self.words is not None:
            return Column(self.kind, codes=self.values[index], words=self.words)
        if not self.typed:
            return Column(self.kind, objects=self.values[index])
        nulls = None if self.nulls is None else self.nulls[index]
        return Column(self.kind, self.values[index], nulls)

    @property
    def plain(self) -> bool:
        """Tell whether its values are numbers, bools or codes, none of which is null."""
        return self.words is not None or (self.typed and self.nulls is None)

    def plain_at(self, index: Index) -> bool:
        """Tell whether its values at an index are."""
        if self.plain or not len(index):
            return True
        return self.typed and self.nulls is not None and not self.nulls[index].any()

    def holding(self, values: Values) -> Column:
        """Give values taken from these as a column; none is null."""
        if self.words is not None:
            return Column(self.kind, codes=values, words=self.words)
        return Column(self.kind, values)

    def keep(self, index: Index) -> None:
        """Keep only the rows of an index."""
        self.values = kept(self.values, index)
        if self.nulls is not None:
            self.nulls = kept(self.nulls, index)


class Codes(Kept):
    """Numbers keys by their text, in the order they were first seen.

    Values are remembered by type, as a number and its text are of different types one key.
    """

    def __init__(self) -> None:
        self.by_text: dict[str, int] = {}
        self.by_value: dict[Type, dict[Any, int]] = {}
        self._texts: list[str] = []
        self._words: Values | None = None
        self._table = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self.by_text)

    def __getstate__(self) -> dict[str, Any]:
        return {"by_text": self.by_text}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Codes.__init__(self)
        super().__setstate__(state)

    def of_text(self, written: str) -> int:
        """Give a text's code, a new one where it is new."""
        code = self.by_text.get(written)
        if code is None:
            code = self.by_text[written] = len(self.by_text)
        return code

    def of(self, column: Column) -> Index:
        """Give each row's code; null is a key like others, the text `null`."""
        kind = column.kind
        if column.codes is not None and column.words is not None:
            return self._of_words(column.codes, column.words)
        known = self.by_value.setdefault(kind, {})
        nulls = None
        try:
            values, nulls = column.cells()
        except Unfit:
            shown = column.to_list()
            return np.fromiter((self.of_text(text(v, kind)) for v in shown), np.int64, len(shown))
        if kind is Type.OBJECT:
            return np.fromiter((self.of_text(text(v, kind)) for v in values), np.int64, len(values))
        # A float is known by its bits: NaN is one key, and 0.0 and -0.0 are two.
        keys = values.view(np.int64) if values.dtype == np.float64 else values
        if nulls is None or kind is Type.STRING:
            return self._of(known, keys.tolist(), None if kind is Type.STRING else column, kind)
        codes = np.full(len(keys), self.of_text("null"), np.int64)
        codes[~nulls] = self._of(known, keys[~nulls].tolist(), column.take(~nulls), kind)
        return codes

    def table(self, column: Column) -> Index | None:
        """Give the codes of a dictionary's words by theirs, -1 where one is new; None where another
        dictionary came last.
        """
        return self._table if column.words is not None and self._words is column.words else None

    def _of_words(self, codes: Index, words: Values) -> Index:
        """Give the codes of a dictionary's; only the words met are numbered."""
        if self._words is not words:
            self._words, self._table = words, np.full(len(words), -1)
        if packed.here():
            known, fresh, _ = packed.look_up(codes, self._table)
            if not fresh:
                return known
        found: Index = self._table[codes]
        if len(found) and found.min() < 0:
            for code in dict.fromkeys(codes[found < 0].tolist()):
                self._table[code] = self.of_text(text(words[code], Type.STRING))
            found = self._table[codes]
        return found

    def _of(
        self, known: dict[Any, int], keys: list[Any], shown: Column | list[Any] | None, kind: Type
    ) -> Index:
        try:
            return np.fromiter(map(known.get, keys), np.int64, len(keys))
        except TypeError:  # Some are new.
            values = shown.to_list() if isinstance(shown, Column) else shown or keys
            for key, value in zip(keys, values, strict=True):
                if key not in known:
                    known[key] = self.of_text(text(value, kind))
            return np.fromiter((known[key] for key in keys), np.int64, len(keys))

    @property
    def numbering(self) -> tuple[Values, Values | None]:
        """The codes of the words met last, -1 for those that are new, and these words."""
        return self._table, self._words

    def texts(self) -> list[str]:
        """Give the texts in the order of their codes."""
        missing = len(self.by_text) - len(self._texts)
        if missing:  # From behind: the others are not passed over.
            newest = list(itertools.islice(reversed(self.by_text), missing))
            self._texts += reversed(newest)
        return self._texts


class Pairs(Kept):
    """Numbers pairs of codes, in the order they come."""

    def __init__(self) -> None:
        self.firsts = np.empty(0, np.int64)
        self.seconds = np.empty(0, np.int64)
        self.size = 0
        self._latest = np.empty(0, np.int64)
        self._index: Any = None

    def __len__(self) -> int:
        return self.size

    def __getstate__(self) -> dict[str, Any]:
        state = {"firsts": self.firsts[: self.size], "seconds": self.seconds[: self.size]}
        return {name: _plain(value) for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Pairs.__init__(self)
        super().__setstate__(state)
        self.size = len(self.firsts)
        self._latest = np.zeros(self.size, np.int64)

    def of(self, first: Index, second: Index) -> Index:
        """Give the number of each pair."""
        most = self.size + len(first)
        if most > len(self.firsts):
            self.firsts, self.seconds = grown(self.firsts, most), grown(self.seconds, most)
            self._latest = grown(self._latest, most)
        held = (self.firsts, self.seconds, self._latest)
        self._index = kernels.bucket_index(self._index, held, self.size, most)
        # Found as the buckets of aggregations are; nobody asks which event is the latest.
        coming = (first, second, second)
        found, _, self.size = kernels.find_buckets(self._index, coming, held, self.size)
        return found


class Joined(Kept):
    """Numbers keys of one or more columns, by the text `a::b`."""

    def __init__(self, width: int) -> None:
        self.columns = [Codes() for _ in range(width)]
        self.pairs = [Pairs() for _ in range(width - 1)]
        self.joined = Codes()

    def __len__(self) -> int:
        return len(self.joined) if len(self.columns) > 1 else len(self.columns[0])

    def of(self, columns: list[Column]) -> Index:
        """Give each row's code."""
        combined = self.columns[0].of(columns[0])
        if len(columns) == 1:
            return combined
        codes = [combined]
        for known, pairs, column in zip(self.columns[1:], self.pairs, columns[1:], strict=True):
            codes.append(known.of(column))
            combined = pairs.of(combined, codes[-1])
        # Different pairs may have one text; it is the text that counts.
        distinct, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
        texts = [known.texts() for known in self.columns]
        table = np.empty(len(distinct), np.int64)
        for at in np.argsort(first).tolist():
            row = first[at]
            parts = [written[code[row]] for written, code in zip(texts, codes, strict=True)]
            table[at] = self.joined.of_text("::".join(parts))
        return np.asarray(table[inverse], np.int64)

    def only(self, codes: list[int]) -> Joined:
        """Give the keys of some codes, numbered anew in this order."""
        texts, fresh = self.texts(), Joined(len(self.columns))
        numbering = fresh.joined if len(self.columns) > 1 else fresh.columns[0]
        for code in codes:
            numbering.of_text(texts[code])
        return fresh

    def texts(self) -> list[str]:
        """Give the texts in the order of their codes."""
        return (self.joined if len(self.columns) > 1 else self.columns[0]).texts()
