"""What columnar queries remember: rows in growing columns, codes of keys, arrays that a snapshot can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..language.syntax import Type
from ..values import text
from .batch import DTYPES, Column, Index, Unfit, Values


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype == np.object_:
            return _Array("O", value.tolist())
        return _Array(value.dtype.str, value.tobytes())
    return value


def _array(value: Any) -> Any:
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


class Kept:
    """The base of what a snapshot holds: arrays are written as their bytes."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            self.__dict__[name] = _array(value)


def grown(array: Values, size: int, fill: Any = 0) -> Values:
    """Give an array of at least `size`, doubled, its new part filled."""
    if len(array) >= size:
        return array
    more = np.full(max(size, 2 * len(array), 16), fill, array.dtype)
    more[: len(array)] = array
    return more


class Buffer(Kept):
    """One growing column."""

    def __init__(self, kind: Type) -> None:
        self.kind = kind
        self.typed = kind not in {Type.STRING, Type.OBJECT}
        self.values = np.empty(0, DTYPES[kind] if self.typed else np.object_)
        self.nulls: Values | None = None

    def put(self, at: int, column: Column) -> None:
        """Write a column's rows from position `at` on."""
        end = at + len(column)
        if self.typed:
            try:
                values, nulls = column.cells()
            except Unfit:
                self._as_objects(at)
            else:
                self.values = grown(self.values, end)
                self.values[at:end] = values
                if nulls is not None and self.nulls is None:
                    self.nulls = np.zeros(len(self.values), np.bool_)
                if self.nulls is not None:
                    self.nulls = grown(self.nulls, len(self.values), False)
                    self.nulls[at:end] = False if nulls is None else nulls
                return
        self.values = grown(self.values, end, None)
        self.values[at:end] = column.objects

    def _as_objects(self, size: int) -> None:
        objects = self.values[:size].astype(np.object_)
        if self.nulls is not None:
            objects[self.nulls[:size]] = None
        self.typed, self.values, self.nulls = False, objects, None

    def take(self, index: Any) -> Column:
        """Give the rows of an index."""
        if not self.typed:
            return Column(self.kind, objects=self.values[index])
        nulls = None if self.nulls is None else self.nulls[index]
        return Column(self.kind, self.values[index], nulls)

    def keep(self, index: Index) -> None:
        """Keep only the rows of an index."""
        self.values = self.values[index]
        if self.nulls is not None:
            self.nulls = self.nulls[index]


class Codes(Kept):
    """Numbers keys by their text, in the order they were first seen."""

    def __init__(self) -> None:
        self.by_text: dict[str, int] = {}
        self.by_value: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.by_text)

    def __getstate__(self) -> dict[str, Any]:
        return {"by_text": self.by_text, "by_value": {}}

    def of_text(self, written: str) -> int:
        """Give a text's code, a new one where it is new."""
        code = self.by_text.get(written)
        if code is None:
            code = self.by_text[written] = len(self.by_text)
        return code

    def of(self, column: Column) -> Index:
        """Give each row's code."""
        if column.codes is not None and column.words is not None:
            table = np.fromiter((self._of_value(w, w) for w in column.words), np.int64)
            return np.asarray(table[column.codes], np.int64)
        kind = column.kind
        if kind is Type.STRING:
            objects = column.objects
            try:
                return np.fromiter(map(self.by_value.get, objects), np.int64, len(objects))  # type: ignore[arg-type]
            except TypeError:
                return np.fromiter(
                    (self._of_value(v, v) for v in objects), np.int64, len(objects)
                )
        try:
            values, nulls = column.cells()
        except Unfit:
            values, nulls = column.objects, None
        if values.dtype == np.float64:
            values = values.view(np.int64)
        listed = values.tolist()
        try:
            codes = np.fromiter(map(self.by_value.get, listed), np.int64, len(listed))  # type: ignore[arg-type]
        except TypeError:
            shown = column.to_list()
            codes = np.fromiter(
                (
                    self.of_text("null") if v is None else self._of_value(raw, v, kind)
                    for raw, v in zip(listed, shown, strict=True)
                ),
                np.int64,
                len(listed),
            )
        if nulls is not None:
            codes[nulls] = self.of_text("null")
        return codes

    def _of_value(self, raw: Any, value: Any, kind: Type | None = None) -> int:
        try:
            code = self.by_value.get(raw)
        except TypeError:
            return self.of_text(text(value, kind))
        if code is None:
            code = self.of_text(text(value, kind))
            self.by_value[raw] = code
        return code

    def texts(self) -> list[str]:
        """Give the texts in the order of their codes."""
        return list(self.by_text)


class KeyedState(Kept):
    """Codes of several columns joined to one code, as the text `a::b`."""

    def __init__(self, width: int) -> None:
        self.columns = [Codes() for _ in range(width)]
        self.joined = Codes()

    def of(self, columns: list[Column]) -> Index:
        """Give each row's code."""
        if len(columns) == 1:
            return self.columns[0].of(columns[0])
        codes = [known.of(column) for known, column in zip(self.columns, columns, strict=True)]
        combined = codes[0]
        for more in codes[1:]:
            combined = combined * (1 << (60 // len(columns))) + more
        _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
        texts = [known.texts() for known in self.columns]
        order = np.argsort(first)
        table = np.empty(len(first), np.int64)
        for at in order.tolist():
            row = first[at]
            parts = [written[code[row]] for written, code in zip(texts, codes, strict=True)]
            table[at] = self.joined.of_text("::".join(parts))
        return np.asarray(table[inverse], np.int64)

    def __len__(self) -> int:
        return len(self.joined) if len(self.columns) > 1 else len(self.columns[0])

