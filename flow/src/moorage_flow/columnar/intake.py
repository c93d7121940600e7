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
from .batch import DTYPES, Column, Unfit, Values, objects_of
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

    A list of words is checked with every batch; `Words` that batches share only once.
    """

    codes: NDArray[Any]
    words: Words | Sequence[str]

    def tolist(self) -> list[str | None]:
        """Give the strings."""
        words = self.words.array.tolist() if isinstance(self.words, Words) else [*self.words, None]
        return [words[code] for code in self.codes.tolist()]


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


def of_columns(
    name: str, attributes: Sequence[Attribute], columns: Mapping[str, Any], fit: Fit
) -> list[Column]:
    """Turn columns by name into typed ones; lists, arrays (masked ones too) and `Dictionary`.

    Raises:
        EventInvalid: a column is missing, of another length or of another type.
    """
    made: list[Column] = []
    for attribute in attributes:
        if attribute.name not in columns:
            raise EventInvalid(f"{name} needs a column {attribute.name}")
        made.append(_of_values(attribute, columns[attribute.name], fit))
    count = len(made[0]) if made else 0
    for column in made:
        if len(column) != count:
            raise EventInvalid("the columns differ in length")
    return made


def _of_values(attribute: Attribute, given: Any, fit: Fit) -> Column:
    kind = attribute.type
    if isinstance(given, Dictionary):
        if kind is not Type.STRING:
            raise EventInvalid(f"{attribute.name} is a {kind.value}, not words")
        return _of_dictionary(attribute, given)
    nulls = None
    if isinstance(given, np.ma.MaskedArray):
        nulls = np.ma.getmaskarray(given)
        given = given.data
    if isinstance(given, np.ndarray) and given.dtype.kind in _FITTING.get(kind, ""):
        values = np.ascontiguousarray(given, DTYPES[kind])
        if kind in _NARROW and given.dtype.itemsize > _WIDTH:
            values = _within(values) if kind is Type.INT else narrowed(values, kind)
        return Column(kind, values, nulls if nulls is not None and nulls.any() else None)
    listed = given.tolist() if isinstance(given, np.ndarray) else list(given)
    objects = objects_of(listed, len(listed))
    if nulls is not None:
        objects[nulls] = None
    return _fitted(attribute, Column(kind, objects=objects), fit)


def _of_dictionary(attribute: Attribute, given: Dictionary) -> Column:
    codes = np.ascontiguousarray(given.codes, np.int64)
    words = given.words if isinstance(given.words, Words) else Words(given.words)
    if len(codes) and not -1 <= codes.min() <= codes.max() < len(words):
        raise EventInvalid(f"a code of {attribute.name} is none of its {len(words)} words")
    return Column(attribute.type, codes=codes, words=words.array)


_FITTING = {
    Type.INT: "iu",
    Type.LONG: "iu",
    Type.FLOAT: "fiu",
    Type.DOUBLE: "fiu",
    Type.BOOL: "b",
}
_NARROW = {Type.INT, Type.FLOAT}
_WIDTH = 4


def _within(values: Values) -> Values:
    """Give whole numbers of 32 bits; those that have no more already, as they are."""
    if len(values) and -(1 << 31) <= values.min() <= values.max() < 1 << 31:
        return values
    return narrowed(values, Type.INT)


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
