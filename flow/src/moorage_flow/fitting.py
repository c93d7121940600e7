"""Rows from outside, fitted to a stream's attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import EventInvalid
from .language import syntax as s
from .streams import Stream
from .values import to_type

Row = tuple[Any, ...]


def of_columns(stream: Stream, columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Give the rows of columns by name. Raises EventInvalid."""
    try:
        given = [columns[a.name] for a in stream.attributes]
        return list(zip(*(getattr(c, "tolist", lambda c=c: c)() for c in given), strict=True))
    except KeyError as missing:
        raise EventInvalid(f"{stream.id} needs a column {missing.args[0]}") from None
    except ValueError:
        raise EventInvalid("the columns differ in length") from None


def fitted(stream: Stream, row: Sequence[Any]) -> list[Any]:
    """Give a row's values as those of the stream's attributes. Raises EventInvalid."""
    if len(row) != len(stream.attributes):
        raise EventInvalid(
            f"an event of {stream.id} has {len(stream.attributes)} values, not {len(row)}"
        )
    return [fit(a, value) for a, value in zip(stream.attributes, row, strict=True)]


def padded(stream: Stream, row: Sequence[Any]) -> list[Any]:
    """Give as many values as there are attributes, whatever they are."""
    width = len(stream.attributes)
    return [*row, *[None] * (width - len(row))][:width]


_WORDS: dict[s.Type, type | tuple[type, ...]] = {
    s.Type.STRING: str,
    s.Type.BOOL: bool,
    s.Type.INT: int,
    s.Type.LONG: int,
    s.Type.FLOAT: (int, float),
    s.Type.DOUBLE: (int, float),
}


def fit(attribute: s.Attribute, value: Any) -> Any:
    """Give a value as one of its attribute. Raises EventInvalid."""
    kind = attribute.type
    if value is None or kind is s.Type.OBJECT:
        return value
    number = kind not in {s.Type.STRING, s.Type.BOOL}
    if not isinstance(value, _WORDS[kind]) or (number and isinstance(value, bool)):
        raise EventInvalid(f"{attribute.name} is a {kind.value}, not {value!r}")
    return to_type(value, kind) if number else value
