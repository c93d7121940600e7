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

    def __init__(
        self, names: Sequence[str], columns: Sequence[Column | list[Any]], times: Batch | list[int]
    ) -> None:
        self._columns = dict(zip(names, columns, strict=True))
        self._times = times
        self.rows = len(times)

    @classmethod
    def of_batch(cls, names: Sequence[str], batch: Batch) -> Columns:
        """Give the columns of a batch."""
        return cls(names, batch.columns, batch)

    @property
    def times(self) -> list[int]:
        """When each row came, in ms: the time of the last of those it came together with."""
        if isinstance(self._times, list):
            return self._times
        times: list[int] = self._times.times().tolist()
        self._times = times
        return times

    def __getitem__(self, name: str) -> list[Any]:
        column = self._columns[name]
        return column if isinstance(column, list) else column.to_list()

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def array(self, name: str) -> Any:
        """Give a column as a numpy array, masked where it has nulls; of the columnar path without a
        copy.

        Strings and objects are an array of Python objects, None for null.
        """
        import numpy as np

        column = self._columns[name]
        if isinstance(column, list):
            return np.array(column)
        values, nulls = column.cells()
        if values.dtype == np.object_ or nulls is None:
            return values
        return np.ma.MaskedArray(values, nulls)


ColumnsCallback = Callable[[Columns], None]
"""Takes the new rows of a query or stream."""
