"""Rows as columns, as callbacks get them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .columnar import Batch, Column


class Columns(Mapping[str, list[Any]]):
    """Columns by name, `rows` of them. A column is a list with None for null, or as `array` gives
    it.
    """

    __slots__ = ("_batch", "_columns", "_names", "_times", "rows")

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column | list[Any]], times: Batch | list[int]
    ) -> None:
        self._names = names
        self._columns: dict[str, Column | list[Any]] | None = dict(zip(names, columns, strict=True))
        self._batch: Batch | None = None
        self._times = times
        self.rows = len(times)

    @classmethod
    def of_batch(cls, names: Sequence[str], batch: Batch) -> Columns:
        """Give the columns of a batch; they are looked for when asked for."""
        told = cls.__new__(cls)
        told._names = names
        told._columns = None
        told._times = told._batch = batch
        told.rows = batch.size
        return told

    def _column(self, name: str) -> Column | list[Any]:
        if self._columns is None:
            assert self._batch is not None
            self._columns = dict(zip(self._names, self._batch.columns, strict=True))
        return self._columns[name]

    @property
    def times(self) -> list[int]:
        """When each row came, in ms: the time of the last of those it came together with."""
        if isinstance(self._times, list):
            return self._times
        times: list[int] = self._times.times().tolist()
        self._times = times
        return times

    def __getitem__(self, name: str) -> list[Any]:
        column = self._column(name)
        return column if isinstance(column, list) else column.to_list()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def array(self, name: str) -> Any:
        """Give a column as a numpy array, masked where it has nulls; of the columnar path without a
        copy.

        Strings and objects are an array of Python objects, None for null.
        """
        import numpy as np

        column = self._column(name)
        if isinstance(column, list):
            return np.array(column)
        values, nulls = column.cells()
        if values.dtype == np.object_ or nulls is None:
            return values
        return np.ma.MaskedArray(values, nulls)


ColumnsCallback = Callable[[Columns], None]
"""Takes the new rows of a query or stream."""
