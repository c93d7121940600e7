"""Listening to queries and streams, by row and by column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .columns import Columns, ColumnsCallback
from .errors import EventInvalid, nearest
from .events import CURRENT, EXPIRED, Chunk
from .fitting import Row
from .streams import ColumnReceiver, Stream

if TYPE_CHECKING:
    from .columnar import Batch
    from .runtime import Runtime

RowsCallback = Callable[[int, list[Row], list[Row]], None]
"""Takes a time, the rows that came and the rows that left."""


def to_rows(runtime: Runtime, name: str, callback: RowsCallback) -> Callable[[], None]:
    """Call back with the rows of a query or stream as they come; give what ends it.

    A query tells what came and what left of its window; a stream only what came.

    Raises:
        EventInvalid: nothing has this name.
    """
    if name in runtime.queries:

        def of_query(chunk: Chunk) -> None:
            came = [tuple(e.out) for e in chunk if e.kind == CURRENT]
            left = [tuple(e.out) for e in chunk if e.kind == EXPIRED]
            callback(chunk[-1].ts if chunk else runtime.flow.clock.now, came, left)

        callbacks = runtime.queries[name].limiter.callbacks
        callbacks.append(of_query)
        return lambda: callbacks.remove(of_query)

    def of_stream(chunk: Chunk) -> None:
        callback(chunk[-1].ts, [tuple(e.data) for e in chunk], [])

    return _stream(runtime, name).listen(of_stream)


def to_columns(runtime: Runtime, name: str, callback: ColumnsCallback) -> Callable[[], None]:
    """Call back with a query's or stream's new rows as columns; give what ends it.

    On the columnar path a call brings what one `send` gave, without a step for each row.

    Raises:
        EventInvalid: nothing has this name.
    """
    query = runtime.queries.get(name)
    names = [a.name for a in (query or _stream(runtime, name)).attributes]

    def rows(ts: int, came: list[Row], _left: list[Row]) -> None:
        if came:
            columns = [list(c) for c in zip(*came, strict=True)]
            callback(Columns(names, columns, [ts] * len(came)))

    def batch(came: Batch) -> None:
        if came.kinds is not None:
            came = came.take(came.kinds == CURRENT)
        if came.size:
            callback(Columns.of_batch(names, came))

    if query is not None:
        planned = query.columnar
        if planned is None or not planned.output.whole:
            return to_rows(runtime, name, rows)
        if planned.receiver is not None:
            planned.receiver.least = 0
        listeners = planned.output.listeners
        listeners.append(batch)
        return lambda: listeners.remove(batch)
    stream = _stream(runtime, name)
    if not runtime.columnar:
        return to_rows(runtime, name, rows)
    listener = ColumnReceiver(
        lambda chunk: rows(chunk[-1].ts, [tuple(e.data) for e in chunk], []), batch
    )
    return stream.listen(listener)


def _stream(runtime: Runtime, name: str) -> Stream:
    if name in runtime.windows:
        return runtime.windows[name].stream
    stream = runtime.streams.get(name)
    if stream is None:
        like = nearest(name, [*runtime.streams, *runtime.queries])
        raise EventInvalid(f"no query or stream is called {name}{like}")
    return stream
