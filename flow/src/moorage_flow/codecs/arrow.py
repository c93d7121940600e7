"""Events as Arrow IPC, in the stream or the file format.

Source: Apache Arrow columnar format, section Serialization and Interprocess Communication.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from ..language.syntax import Attribute, Type
from .events import (
    Batch,
    Definitions,
    EventMalformed,
    FormatUnavailable,
    Refused,
    Shape,
    Write,
    plain,
    the_table,
)

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
            columns = {a.name: _column(batch, a, types) for a in attributes}
            times = _times(pa, batch, shape.time)
        except ValueError as error:
            refused(EventMalformed("batch", number, str(error)))
            continue
        for at in range(0, batch.num_rows, size):
            cut = {name: values[at : at + size] for name, values in columns.items()}
            yield Batch(shape.stream, cut, times[at : at + size])


def _column(batch: Any, attribute: Attribute, types: dict[Type, Any]) -> list[Any]:
    column = batch.column(attribute.name)
    if attribute.type is not Type.OBJECT:
        try:
            column = column.cast(types[attribute.type])
        except (ValueError, NotImplementedError) as error:
            raise ValueError(
                f"has no {attribute.type.value} in column {attribute.name}: {error}"
            ) from None
    values: list[Any] = column.to_pylist()
    return values


def _times(pa: Any, batch: Any, name: str) -> list[int | None]:
    if name not in batch.schema.names:
        return [None] * batch.num_rows
    column = batch.column(name)
    try:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms"))
        times: list[int | None] = column.cast(pa.int64()).to_pylist()
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"has no times in column {name}: {error}") from None
    return times


def writer(file: BinaryIO, definitions: Definitions, time: str) -> tuple[Write, Callable[[], None]]:
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

    def write(
        _name: str, ts: int, came: list[tuple[Any, ...]], _left: list[tuple[Any, ...]]
    ) -> None:
        if not came:
            return
        columns: list[list[Any]] = [list(c) for c in zip(*came, strict=True)]
        for at, attribute in enumerate(attributes):
            if attribute.type is Type.OBJECT:
                columns[at] = [
                    None if v is None else json.dumps(v, default=plain) for v in columns[at]
                ]
        if timed:
            columns.insert(0, [ts] * len(came))
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        stream.write_batch(pa.record_batch(arrays, schema=schema))

    return write, stream.close
