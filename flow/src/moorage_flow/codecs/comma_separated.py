"""Events as CSV: a header, then one event a line; an empty field is null.

Source: RFC 4180. Numbers are written as in JSON (RFC 8259, section 6), truth as true and false.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from typing import Any, BinaryIO

from ..language.syntax import Attribute, Type
from .events import (
    Batch,
    Decoded,
    Definitions,
    EventMalformed,
    FormatUnavailable,
    Refused,
    Shape,
    Writer,
    by_rows,
    fit,
    fit_time,
    gather,
    plain,
    the_table,
)

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read(file: BinaryIO, shape: Shape, size: int, refused: Refused) -> Iterator[Batch]:
    """Read events of one stream; columns that are no attribute are passed over.

    Raises:
        FormatUnavailable: no stream is named, or the header lacks an attribute.
    """
    return gather(shape, _events(file, shape, refused), size)


def _events(file: BinaryIO, shape: Shape, refused: Refused) -> Iterator[Decoded]:
    stream = shape.stream
    if stream is None:
        raise FormatUnavailable("csv holds one stream: name it")
    attributes = shape.definitions[stream]
    # Bytes that are no UTF-8 become lone surrogates, which `fit` refuses with the line's number.
    text = TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
    lines = csv.reader(text, strict=True)
    header = next(lines, [])
    missing = [a.name for a in attributes if a.name not in header]
    if missing:
        raise FormatUnavailable(f"the header has no column {', '.join(missing)}")
    columns = [header.index(a.name) for a in attributes]
    time = header.index(shape.time) if shape.time in header else None
    while True:
        try:
            fields = next(lines)
            if not fields:
                continue
            if len(fields) != len(header):
                raise ValueError(f"has {len(fields)} fields, the header {len(header)}")
            values = [_parse(a, fields[at]) for a, at in zip(attributes, columns, strict=True)]
            told = None if time is None else _parse(Attribute(shape.time, Type.LONG), fields[time])
            event = (stream, fit_time(told), values)
        except StopIteration:
            break
        except (ValueError, csv.Error) as error:
            word = "" if isinstance(error, ValueError) else "is no CSV: "
            refused(EventMalformed("line", lines.line_num, f"{word}{error}"))
        else:
            yield event
    text.detach()


def _parse(attribute: Attribute, field: str) -> Any:
    kind = attribute.type
    if not field:
        return None
    value: Any = field
    if kind is Type.BOOL and field in {"true", "false"}:
        value = field == "true"
    elif kind in {Type.INT, Type.LONG} and _WHOLE.fullmatch(field):
        value = int(field)
    elif kind in {Type.FLOAT, Type.DOUBLE} and _NUMBER.fullmatch(field):
        value = float(field)
    return fit(attribute, value)


def writer(file: BinaryIO, definitions: Definitions, time: str) -> tuple[Writer, Callable[[], Any]]:
    """Give what writes the rows that come, under a header, and what lets go of `file`."""
    _, attributes = the_table(definitions, "csv")
    text = TextIOWrapper(file, "utf-8", newline="", write_through=True)
    lines = csv.writer(text)
    timed = time not in {a.name for a in attributes}
    lines.writerow([*([time] if timed else []), *(a.name for a in attributes)])

    def write(
        _name: str, ts: int, came: list[tuple[Any, ...]], _left: list[tuple[Any, ...]]
    ) -> None:
        for row in came:
            lines.writerow([*([ts] if timed else []), *_fields(attributes, row)])

    return by_rows(write), text.detach


def _fields(attributes: Sequence[Attribute], row: Sequence[Any]) -> Iterator[Any]:
    for attribute, value in zip(attributes, row, strict=True):
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, float) and not math.isfinite(value):
            yield None
        elif attribute.type is Type.OBJECT and value is not None:
            yield json.dumps(value, default=plain)
        else:
            yield value
