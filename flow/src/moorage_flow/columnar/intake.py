"""Rows and columns from outside, as batches: checked against a stream's attributes column by
column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EventInvalid
from ..language.syntax import Attribute, Type
from .batch import DTYPES, Column, Unfit, objects_of
from .operations import narrowed

Fit = Callable[[Attribute, Any], Any]
"""Fits one value to its attribute; raises EventInvalid."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A column of strings as codes of a dictionary: `words[code]`, null where the code is -1.

    A word may stand there twice.
    """

    codes: NDArray[Any]
    words: Sequence[str]

    def tolist(self) -> list[str | None]:
        """Give the strings."""
        return [None if code < 0 else self.words[code] for code in self.codes.tolist()]

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
    if len({len(column) for column in made}) > 1:
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
        values = given.astype(DTYPES[kind], copy=False)
        if kind in {Type.INT, Type.FLOAT} and given.dtype.itemsize > _WIDTH:
            values = narrowed(values, kind)
        return Column(kind, values, nulls if nulls is not None and nulls.any() else None)
    listed = given.tolist() if isinstance(given, np.ndarray) else list(given)
    objects = objects_of(listed, len(listed))
    if nulls is not None:
        objects[nulls] = None
    return _fitted(attribute, Column(kind, objects=objects), fit)


def _of_dictionary(attribute: Attribute, given: Dictionary) -> Column:
    codes, count = np.asarray(given.codes, np.int64), len(given.words)
    if not set(map(type, given.words)) <= {str}:
        raise EventInvalid(f"a word of {attribute.name} is no string")
    if len(codes) and not -1 <= codes.min() <= codes.max() < count:
        raise EventInvalid(f"a code of {attribute.name} is none of its {count} words")
    words = objects_of([*given.words, None], count + 1)  # The code -1 is the last.
    return Column(attribute.type, codes=codes, words=words)


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
