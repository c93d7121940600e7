"""Rows and columns from outside, as batches: checked against a stream's attributes column by
column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EventInvalid
from ..language.syntax import Attribute, Type
from . import kernels
from .batch import DTYPES, Column, Unfit, objects_of
from .operations import narrowed

Fit = Callable[[Attribute, Any], Any]
"""Fits one value to its attribute; raises EventInvalid."""


class Words:
    """The strings that codes stand for, checked once and never changed: many batches share them."""

    __slots__ = ("array",)

    def __init__(self, words: Iterable[str]) -> None:
        """Take the words. Raises EventInvalid where one is no string."""
        listed = list(words)
        if not set(map(type, listed)) <= {str}:
            raise EventInvalid("a word is no string")
        self.array = objects_of([*listed, None], len(listed) + 1)  # The code -1 is the last.
        self.array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.array) - 1


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A column of strings as codes of a dictionary: `words[code]`, null where the code is -1.

    A list of words is checked with every batch; `Words` that batches share only once. A word may
    stand there twice.
    """

    codes: NDArray[Any]
    words: Words | Sequence[str]

    def tolist(self) -> list[str | None]:
        """Give the strings."""
        words = self.words.array.tolist() if isinstance(self.words, Words) else [*self.words, None]
        return [words[code] for code in self.codes.tolist()]

    def __getitem__(self, rows: slice) -> Dictionary:
        """Give some rows of the column."""
        return Dictionary(self.codes[rows], self.words)


def of_rows(
    name: str, attributes: Sequence[Attribute], rows: list[Sequence[Any]], fit: Fit | None
) -> list[Column]:
    """Turn rows into columns; `fit` None lets values in that do not fit. Raises EventInvalid."""
    width = len(attributes)
    odd = set(map(len, rows)) - {width}
    if odd:
        raise EventInvalid(f"an event of {name} has {width} values, not {odd.pop()}")
    count = len(rows)
    return [
        _fitted(attribute, Column(attribute.type, objects=objects_of(values, count)), fit)
        for attribute, values in zip(attributes, zip(*rows, strict=True), strict=True)
    ]


class Intake:
    """Turns columns by name into those of one stream: lists, arrays (masked ones too) and
    `Dictionary`.
    """

    def __init__(self, name: str, attributes: Sequence[Attribute], fit: Fit) -> None:
        self._name = name
        self._readers = [(a.name, _reader(a, fit)) for a in attributes]

    def columns(self, given: Mapping[str, Any]) -> tuple[list[Column], int]:
        """Give a stream's columns, and how many rows they are.

        Raises:
            EventInvalid: a column is missing, of another length or of another type.
        """
        made: list[Column] = []
        count = -1
        for name, read in self._readers:
            try:
                values = given[name]
            except KeyError:
                raise EventInvalid(f"{self._name} needs a column {name}") from None
            column, size = read(values)
            if size != count >= 0:
                raise EventInvalid("the columns differ in length")
            count = size
            made.append(column)
        return made, count


def _reader(attribute: Attribute, fit: Fit) -> Callable[[Any], tuple[Column, int]]:
    """Give what turns one attribute's values into a column, and counts them."""
    kind, dtype, fitting = attribute.type, DTYPES[attribute.type], _FITTING.get(attribute.type, "")
    narrow = kind in {Type.INT, Type.FLOAT}

    def read(given: Any) -> tuple[Column, int]:
        if isinstance(given, Dictionary):
            return _of_dictionary(attribute, given), len(given.codes)
        if not isinstance(given, np.ndarray):
            listed = list(given)
            count = len(listed)
            return _fitted(attribute, Column(kind, objects=objects_of(listed, count)), fit), count
        count = len(given)
        nulls = None
        if isinstance(given, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(given)
            given, nulls = given.data, mask if mask.any() else None
        if given.dtype.kind in fitting:
            values = np.ascontiguousarray(given, dtype)
            if narrow and given.dtype.itemsize > _WIDTH:
                fits = kind is Type.INT and kernels.within(values, -(1 << 31), (1 << 31) - 1)
                values = values if fits else narrowed(values, kind)
            return Column(kind, values, nulls), count
        objects = objects_of(given.tolist(), count)
        if nulls is not None:
            objects[nulls] = None
        return _fitted(attribute, Column(kind, objects=objects), fit), count

    return read


def _of_dictionary(attribute: Attribute, given: Dictionary) -> Column:
    if attribute.type is not Type.STRING:
        raise EventInvalid(f"{attribute.name} is a {attribute.type.value}, not words")
    codes = np.ascontiguousarray(given.codes, np.int64)
    words = given.words if isinstance(given.words, Words) else Words(given.words)
    if not kernels.within(codes, -1, len(words) - 1):
        raise EventInvalid(f"a code of {attribute.name} is none of its {len(words)} words")
    return Column(attribute.type, codes=codes, words=words.array)


_FITTING = {
    Type.INT: "iu",
    Type.LONG: "iu",
    Type.FLOAT: "fiu",
    Type.DOUBLE: "fiu",
    Type.BOOL: "b",
}
_WIDTH = 4


def _fitted(attribute: Attribute, column: Column, fit: Fit | None) -> Column:
    """Check a column of Python values, or convert what a value's own type does not say."""
    if fit is None:
        return column
    kind = attribute.type
    if kind is Type.OBJECT:
        return column
    if kind is Type.STRING:
        if not set(map(type, column.objects)) <= {str, type(None)}:
            for value in column.objects:
                fit(attribute, value)
        return column
    try:
        values, nulls = column.cells()
    except (Unfit, OverflowError):
        fitted = [fit(attribute, value) for value in column.objects]
        column = Column(kind, objects=objects_of(fitted, len(fitted)))
        values, nulls = column.cells()
    if kind in {Type.INT, Type.FLOAT}:
        return Column(kind, narrowed(values, kind), nulls)
    return column
