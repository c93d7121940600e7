"""Events as JSON lines.

Large batches are read in columns (`json_columns`). What that does not take, and small batches, two
decoders of one language read: msgspec, typed by the definitions, and `json` of the standard
library. What the first does not take goes to the second, which has the last word and says what is
wrong; so there are the same rows, and the same errors, where msgspec is not installed.

Source: RFC 8259; https://jsonlines.org.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, BinaryIO, NoReturn

from ..language.syntax import Attribute, Type
from .events import (
    Batch,
    Decoded,
    Definitions,
    EventMalformed,
    Refused,
    Shape,
    Writer,
    bounds,
    by_rows,
    fit_event,
    gather,
    plain,
    told,
)

Decode = Callable[[bytes], Decoded]


def read(file: BinaryIO, shape: Shape, size: int, refused: Refused) -> Iterator[Batch]:
    """Read lines; blank ones are passed over."""
    if size > 1 and importlib.util.find_spec("numpy") is not None:
        from . import json_columns

        if json_columns.scans(shape, size):
            return json_columns.read(file, shape, size, refused, decoder(shape))
    return one_by_one(file, shape, size, refused)


def one_by_one(file: BinaryIO, shape: Shape, size: int, refused: Refused) -> Iterator[Batch]:
    """Read lines without columns."""
    return gather(shape, _events(file, decoder(shape), refused), size)


def _events(file: BinaryIO, decode: Decode, refused: Refused) -> Iterator[Decoded]:
    for number, line in enumerate(file, 1):
        if line.isspace():
            continue
        try:
            event = decode(line)
        except ValueError as error:
            refused(EventMalformed("line", number, str(error)))
        else:
            yield event


def decoder(shape: Shape) -> Decode:
    """Give what decodes a line; it raises ValueError that says what is wrong."""
    fast, general = typed(shape), untyped(shape)
    if fast is None:
        return general

    def decode(line: bytes) -> Decoded:
        try:
            return fast(line)
        except (ValueError, RecursionError):
            return general(line)

    return decode


def untyped(shape: Shape) -> Decode:
    """Give what decodes a line with the standard library; it raises ValueError."""

    def decode(line: bytes) -> Decoded:
        try:
            given = json.loads(line.rstrip(b"\r\n").decode(), parse_constant=_refuse)
        except json.JSONDecodeError as error:
            raise ValueError(f"is no JSON: {error.msg}, column {error.colno}") from None
        except UnicodeDecodeError:
            raise ValueError("is no UTF-8") from None
        except RecursionError:
            raise ValueError("is nested too deep") from None
        except ValueError as error:
            raise ValueError(f"is no JSON: {error}") from None
        return fit_event(shape, given)

    return decode


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def typed(shape: Shape) -> Decode | None:
    """Give what decodes a line with msgspec, or None without msgspec or without such a stream.

    It takes no line that `untyped` refuses and gives the same values. Streams with `object`
    attributes are left out: those take any JSON, and the two libraries differ in large integers.
    """
    try:
        from msgspec import json as fast
    except ImportError:
        return None
    known = {n: a for n, a in shape.definitions.items() if _has_types(a)}
    if shape.stream is not None:
        return _of_one(shape, known.get(shape.stream))
    union: Any = None
    for name, attributes in known.items():
        union = (
            _envelope(name, attributes) if union is None else union | _envelope(name, attributes)
        )
    if union is None:
        return None
    decoder = fast.Decoder(union)

    def decode(line: bytes) -> Decoded:
        event = decoder.decode(line)
        data = event.data
        row = (
            data if type(data) is tuple else tuple(getattr(data, n) for n in data.__struct_fields__)
        )
        return event.__struct_config__.tag, event.ts, row

    return decode


def _has_types(attributes: Sequence[Attribute]) -> bool:
    return bool(attributes) and all(a.type is not Type.OBJECT for a in attributes)


def _type(kind: Type) -> Any:
    from msgspec import Meta

    if kind is Type.STRING:
        return str | None
    if kind is Type.BOOL:
        return bool | None
    if kind in {Type.FLOAT, Type.DOUBLE}:
        return float | None
    least, most = bounds(kind)
    return Annotated[int, Meta(ge=least, le=most)] | None


def _envelope(name: str, attributes: Sequence[Attribute]) -> Any:
    from msgspec import defstruct

    row, values = _row(attributes), _values(attributes)
    fields: list[Any] = [("data", row | values), ("ts", _type(Type.LONG), None)]
    return defstruct("Event", fields, tag_field="stream", tag=name, gc=False)


def _row(attributes: Sequence[Attribute], more: Sequence[Attribute] = ()) -> Any:
    """Make the type of a mapping; its fields are numbered, for names need not be Python's."""
    from msgspec import defstruct

    both = [*attributes, *more]
    fields = [(f"f{at}", _type(a.type), None) for at, a in enumerate(both)]
    names = {f"f{at}": a.name for at, a in enumerate(both)}
    return defstruct("Row", fields, rename=names, gc=False)


def _values(attributes: Sequence[Attribute]) -> Any:
    return tuple[tuple(_type(a.type) for a in attributes)]  # type: ignore[misc]


def _of_one(shape: Shape, attributes: Sequence[Attribute] | None) -> Decode | None:
    from msgspec import json as fast

    stream, width = shape.stream, len(attributes or ())
    if attributes is None or stream is None:
        return None
    at = next((n for n, a in enumerate(attributes) if a.name == shape.time), width)
    if at < width and attributes[at].type not in {Type.INT, Type.LONG}:
        return None  # Its times are refused with words, or are all null.
    more = [Attribute(shape.time, Type.LONG)] if at == width else []
    decoder = fast.Decoder(_row(attributes, more))

    def decode(line: bytes) -> Decoded:
        row = decoder.decode(line)
        values = tuple(getattr(row, name) for name in row.__struct_fields__)
        return stream, values[at], values[:width]

    return decode


def writer(file: BinaryIO, definitions: Definitions) -> Writer:
    """Give what writes one line a row; NaN and the infinities, which JSON lacks, are null."""
    encode = _encoder(definitions)

    def write(name: str, ts: int, came: list[tuple[Any, ...]], left: list[tuple[Any, ...]]) -> None:
        for row in told(definitions, name, ts, came, left):
            file.write(encode(row) + b"\n")

    given = by_rows(write)
    scalars = all(_has_types(attributes) for attributes in definitions.values())
    if scalars and importlib.util.find_spec("numpy") is not None:
        from . import json_columns

        return Writer(write, json_columns.writer(file, definitions) or given.columns)
    return given


def _encoder(definitions: Definitions) -> Callable[[Any], bytes]:
    if all(_has_types(attributes) for attributes in definitions.values()):
        try:
            from msgspec import json as fast
        except ImportError:
            pass
        else:
            return fast.Encoder().encode
    return _encode


def _encode(row: dict[str, Any]) -> bytes:
    try:
        return _dumps(row)
    except ValueError:
        return _dumps(_without_nan(row))


def _dumps(row: Any) -> bytes:
    return json.dumps(
        row, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
    ).encode()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
