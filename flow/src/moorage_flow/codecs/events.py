"""Events on their way in and rows on their way out, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from ..errors import EventInvalid, FlowError, nearest
from ..language.syntax import Attribute, Type

if TYPE_CHECKING:
    from ..columns import Columns

Definitions = Mapping[str, Sequence[Attribute]]
"""Attributes by the name of their stream."""

Decoded = tuple[str, int | None, Sequence[Any]]
"""A stream, milliseconds since 1970 where the event tells them, and values in attribute order."""

Refused = Callable[["EventMalformed"], None]
"""Is told of what is no event; what it raises ends the reading."""

Write = Callable[[str, int, list[tuple[Any, ...]], list[tuple[Any, ...]]], None]
"""Takes a stream or query, a time in ms, the rows that came and the rows that left."""

WriteColumns = Callable[[str, "Columns"], None]
"""Takes a stream or query and the rows that came, as columns."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes rows of streams or queries as they come."""

    rows: Write
    columns: WriteColumns


def by_rows(write: Write) -> Writer:
    """Give a writer that turns columns into rows, those of one time together."""

    def write_columns(name: str, columns: Columns) -> None:
        rows = zip(*columns.values(), strict=True)
        for ts, same in groupby(columns.times):
            write(name, ts, list(islice(rows, len(list(same)))), [])

    return Writer(write, write_columns)


class EventMalformed(EventInvalid):
    """Something in the input that is no event of its stream.

    `unit` is what the format counts (line, event, batch), `number` which one, from 1.
    """

    def __init__(self, unit: str, number: int, reason: str) -> None:
        super().__init__(f"{unit} {number} {reason}")
        self.unit = unit
        self.number = number
        self.reason = reason


class FormatUnavailable(FlowError):
    """A format whose library is not installed, or that cannot carry what is asked of it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one stream: columns by attribute, all as long as `times` (ms; None: no time).

    A column is what `Runtime.send` takes: a list with None for null, a numpy array, masked where it
    has nulls, or strings as a `Dictionary`. Times are a list or, where all are known, an array.
    """

    stream: str
    columns: dict[str, Any]
    times: Any

    def lists(self) -> Batch:
        """Give the same events in lists."""
        columns = {name: _listed(column) for name, column in self.columns.items()}
        return Batch(self.stream, columns, _listed(self.times))

    def cut(self, start: int, end: int) -> Batch:
        """Give some of the events."""
        columns = {name: column[start:end] for name, column in self.columns.items()}
        return Batch(self.stream, columns, self.times[start:end])

    def rows(self) -> list[tuple[Any, ...]]:
        """Give the events' values, row by row."""
        return list(zip(*self.lists().columns.values(), strict=True))


def _listed(column: Any) -> list[Any]:
    values: list[Any] = column if isinstance(column, list) else column.tolist()
    return values


@dataclass(frozen=True, slots=True)
class Shape:
    """How the input names streams and times.

    With `stream` every event is one of it: a mapping of attributes, and `time` its field or column
    of milliseconds. Without, an event is `{"stream": …, "data": …, "ts": …}`.
    """

    definitions: Definitions
    stream: str | None = None
    time: str = "ts"


_BOUNDS = {Type.INT: (-(1 << 31), (1 << 31) - 1), Type.LONG: (-(1 << 63), (1 << 63) - 1)}
_PYTHON: dict[Type, type | tuple[type, ...]] = {
    Type.STRING: str,
    Type.BOOL: bool,
    Type.INT: int,
    Type.LONG: int,
    Type.FLOAT: (int, float),
    Type.DOUBLE: (int, float),
}


def bounds(kind: Type) -> tuple[int, int]:
    """Give the least and greatest value of an int or a long."""
    return _BOUNDS[kind]


def fit(attribute: Attribute, value: Any) -> Any:
    """Give `value` as the attribute's type has it. Raises ValueError where it does not fit."""
    kind = attribute.type
    if value is None or kind is Type.OBJECT:
        return value
    number = kind not in {Type.STRING, Type.BOOL}
    fits = isinstance(value, _PYTHON[kind]) and not (number and isinstance(value, bool))
    if not fits:
        raise ValueError(f"has {_shown(value)} for {attribute.name}, a {kind.value}")
    if kind in _BOUNDS:
        least, most = _BOUNDS[kind]
        if not least <= value <= most:
            raise ValueError(f"has {_shown(value)} for {attribute.name}: beyond a {kind.value}")
    elif kind is Type.STRING:
        _check_text(attribute, value)
    elif number:
        return _real(attribute, value)
    return value


def _shown(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 40 else f"{told[:37]}..."


def _check_text(attribute: Attribute, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"has text for {attribute.name} that is no UTF-8") from None


def _real(attribute: Attribute, value: float) -> float:
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise ValueError(f"has {_shown(value)} for {attribute.name}: no finite double")
    return real


def fit_row(stream: str, attributes: Sequence[Attribute], given: Any) -> list[Any]:
    """Give values in attribute order from a mapping (missing is null) or a whole list.

    Raises:
        ValueError: neither of them, another number of values, or a value that does not fit.
    """
    if isinstance(given, dict):
        return [fit(a, given.get(a.name)) for a in attributes]
    if not isinstance(given, list | tuple):
        raise ValueError(f"has no values of {stream}: a mapping or a list of {len(attributes)}")
    if len(given) != len(attributes):
        raise ValueError(f"has {len(given)} values, {stream} has {len(attributes)} attributes")
    return [fit(a, value) for a, value in zip(attributes, given, strict=True)]


def fit_time(value: Any) -> int | None:
    """Give a time in milliseconds or None. Raises ValueError."""
    least, most = _BOUNDS[Type.LONG]
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"has the time {_shown(value)}, expected milliseconds since 1970")
    return value


def fit_event(shape: Shape, given: Any) -> Decoded:
    """Give the event that an object of JSON or MessagePack is. Raises ValueError."""
    if shape.stream is not None:
        time = fit_time(given.get(shape.time)) if isinstance(given, dict) else None
        return (
            shape.stream,
            time,
            fit_row(shape.stream, shape.definitions[shape.stream], given),
        )
    if not isinstance(given, dict) or "stream" not in given or "data" not in given:
        raise ValueError('is no event: {"stream": …, "data": …, "ts": milliseconds}')
    stream = given["stream"]
    if not isinstance(stream, str) or stream not in shape.definitions:
        like = nearest(stream, shape.definitions) if isinstance(stream, str) else ""
        raise ValueError(f"names no stream: {_shown(stream)}{like}")
    values = fit_row(stream, shape.definitions[stream], given["data"])
    return stream, fit_time(given.get("ts")), values


def gather(shape: Shape, events: Iterable[Decoded], size: int) -> Iterator[Batch]:
    """Put up to `size` consecutive events of one stream into each batch."""
    held: list[Decoded] = []
    for event in events:
        if held and (len(held) == size or held[0][0] != event[0]):
            yield batch_of(shape, held)
            held = []
        held.append(event)
        if len(held) == size:
            yield batch_of(shape, held)
            held = []
    if held:
        yield batch_of(shape, held)


def batch_of(shape: Shape, events: list[Decoded]) -> Batch:
    """Put events of one stream, at least one, into columns."""
    stream = events[0][0]
    names = [a.name for a in shape.definitions[stream]]
    columns = zip(*(row for _, _, row in events), strict=True)
    return Batch(
        stream,
        {name: list(column) for name, column in zip(names, columns, strict=True)},
        [time for _, time, _ in events],
    )


def told(
    definitions: Definitions,
    name: str,
    ts: int,
    came: list[tuple[Any, ...]],
    left: list[tuple[Any, ...]],
) -> Iterator[dict[str, Any]]:
    """Give one mapping a row: where it is from, its time, and the row under `came` or `left`."""
    names = [a.name for a in definitions[name]]
    for word, rows in (("came", came), ("left", left)):
        for row in rows:
            yield {"from": name, "ts": ts, word: dict(zip(names, row, strict=True))}


def plain(value: Any) -> Any:
    """Give a value of an object attribute as JSON and MessagePack can carry it."""
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


def the_table(definitions: Definitions, form: str) -> tuple[str, Sequence[Attribute]]:
    """Give the one stream that a format of rows under one header tells of.

    Raises:
        FormatUnavailable: there are several, or none.
    """
    if len(definitions) != 1:
        raise FormatUnavailable(f"{form} holds one stream: name it")
    ((name, attributes),) = definitions.items()
    return name, attributes
