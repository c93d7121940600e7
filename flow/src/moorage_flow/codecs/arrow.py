"""Events as Arrow IPC, in the stream or the file format.

Source: Apache Arrow columnar format, section Serialization and Interprocess Communication.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from ..language.syntax import Attribute, Type
from .events import (
    Batch,
    Definitions,
    EventMalformed,
    FormatUnavailable,
    Refused,
    Shape,
    Writer,
    plain,
    the_table,
)

if TYPE_CHECKING:
    from ..columns import Columns

_MAGIC = b"ARROW1"


def _library() -> Any:
    try:
        import pyarrow as pa
    except ImportError:
        raise FormatUnavailable("Arrow needs moorage-flow[arrow]") from None
    return pa


def _types(pa: Any) -> dict[Type, Any]:
    return {
        Type.STRING: pa.string(),
        Type.BOOL: pa.bool_(),
        Type.INT: pa.int32(),
        Type.LONG: pa.int64(),
        Type.FLOAT: pa.float32(),
        Type.DOUBLE: pa.float64(),
        Type.OBJECT: pa.string(),
    }


def read(file: BinaryIO, shape: Shape, size: int, refused: Refused) -> Iterator[Batch]:
    """Read record batches of one stream, cut to `size` events.

    A column may be of another type that fits without loss; times are integers (ms) or timestamps.

    Raises:
        FormatUnavailable: pyarrow is not installed, no stream is named, an attribute has no column,
            or the input is no Arrow IPC.
    """
    pa = _library()
    if shape.stream is None:
        raise FormatUnavailable("arrow holds one stream: name it")
    attributes = shape.definitions[shape.stream]
    types = _types(pa)
    try:
        data = file.read()
        opened = pa.ipc.open_file if data.startswith(_MAGIC) else pa.ipc.open_stream
        table = opened(pa.BufferReader(data)).read_all()
    except pa.ArrowInvalid as error:
        raise FormatUnavailable(f"this is no Arrow IPC: {error}") from None
    missing = [a.name for a in attributes if a.name not in table.column_names]
    if missing:
        raise FormatUnavailable(f"the input has no column {', '.join(missing)}")
    for number, batch in enumerate(table.to_batches(), 1):
        try:
            columns = {a.name: _column(pa, batch, a, types) for a in attributes}
            times = _times(pa, batch, shape.time)
        except ValueError as error:
            refused(EventMalformed("batch", number, str(error)))
            continue
        whole = Batch(shape.stream, columns, times)
        for at in range(0, batch.num_rows, size):
            yield whole.cut(at, at + size)


def _column(pa: Any, batch: Any, attribute: Attribute, types: dict[Type, Any]) -> Any:
    column = batch.column(attribute.name)
    if attribute.type is not Type.OBJECT:
        try:
            column = column.cast(types[attribute.type])
        except (ValueError, NotImplementedError) as error:
            raise ValueError(
                f"has no {attribute.type.value} in column {attribute.name}: {error}"
            ) from None
    if attribute.type is Type.OBJECT or not _has_numpy():
        return column.to_pylist()
    if attribute.type is Type.STRING:
        from ..columnar import Dictionary

        encoded = column.dictionary_encode()
        return Dictionary(encoded.indices.fill_null(-1).to_numpy(), encoded.dictionary.to_pylist())
    return _array(pa, column)


def _array(pa: Any, column: Any) -> Any:
    """Give a column of numbers or bools as an array, masked where it has nulls."""
    import numpy as np

    if not column.null_count:
        return column.to_numpy(zero_copy_only=False)
    filled = column.fill_null(pa.scalar(0).cast(column.type))
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    return np.ma.MaskedArray(filled.to_numpy(zero_copy_only=False), nulls)


def _has_numpy() -> bool:
    return importlib.util.find_spec("numpy") is not None


def _times(pa: Any, batch: Any, name: str) -> Any:
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    try:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms"))
        column = column.cast(pa.int64())
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"has no times in column {name}: {error}") from None
    whole = column.null_count == 0 and _has_numpy()
    return _array(pa, column) if whole else column.to_pylist()


def writer(
    file: BinaryIO, definitions: Definitions, time: str
) -> tuple[Writer, Callable[[], None]]:
    """Give what writes the rows that come, a record batch each call, and what ends the stream.

    Raises:
        FormatUnavailable: pyarrow is not installed, or there is not one stream.
    """
    pa = _library()
    _, attributes = the_table(definitions, "arrow")
    types = _types(pa)
    timed = time not in {a.name for a in attributes}
    fields = [(time, pa.int64())] if timed else []
    schema = pa.schema([*fields, *((a.name, types[a.type]) for a in attributes)])
    stream = pa.ipc.new_stream(file, schema)

    def put(times: list[int], columns: list[Any]) -> None:
        arrays = [pa.array(times, pa.int64())] if timed else []
        arrays += [_written(pa, a, c, types) for a, c in zip(attributes, columns, strict=True)]
        stream.write_batch(pa.record_batch(arrays, schema=schema))

    def write(
        _name: str, ts: int, came: list[tuple[Any, ...]], _left: list[tuple[Any, ...]]
    ) -> None:
        if came:
            put([ts] * len(came), list(zip(*came, strict=True)))

    def write_columns(_name: str, columns: Columns) -> None:
        values = [
            columns[a.name] if a.type is Type.OBJECT else columns.array(a.name) for a in attributes
        ]
        put(columns.times, values)

    return Writer(write, write_columns), stream.close


def _written(pa: Any, attribute: Attribute, column: Any, types: dict[Type, Any]) -> Any:
    """Give a column of Python values, or an array, as Arrow has it."""
    kind = types[attribute.type]
    if attribute.type is Type.OBJECT:
        column = [None if v is None else json.dumps(v, default=plain) for v in column]
    nulls = getattr(column, "mask", None)
    if nulls is not None:
        return pa.array(column.data, mask=nulls).cast(kind)
    if getattr(column, "dtype", None) in {None, "O"}:
        return pa.array(column, kind)
    return pa.array(column).cast(kind, safe=False)
