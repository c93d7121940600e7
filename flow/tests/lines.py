"""What both readers of JSON lines make of the same bytes."""

from __future__ import annotations

import io
from typing import Any

from moorage_flow.codecs import Shape, json_columns, json_lines
from moorage_flow.language.syntax import Attribute, Type

ALL = [Attribute(f"a {kind.value}", kind) for kind in Type if kind is not Type.OBJECT]
SHAPES = [
    Shape({"S": ALL, "T": ALL[:2], "!S": [*ALL, Attribute("_error", Type.OBJECT)]}),
    Shape({"S": ALL}, "S"),
    Shape({"S": ALL}, "S", "a long"),
    Shape({"S": ALL[1:]}, "S", "a int"),
]


class Trickle(io.BytesIO):
    """Gives a file's bytes in pieces of `size`, as a pipe does."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read1(self, _size: int | None = -1) -> bytes:
        return self.read(self._size)


def in_columns(data: bytes, shape: Shape, size: int, piece: int) -> list[Any]:
    """Give batches and refusals, in order, of the reader in columns."""
    told: list[Any] = []
    decode = json_lines.decoder(shape)
    file = Trickle(data, piece)
    for batch in json_columns.read(file, shape, size, lambda e: told.append(str(e)), decode):
        told.append(repr(batch.lists()))
    return told


def one_by_one(data: bytes, shape: Shape, size: int) -> list[Any]:
    """Give batches and refusals, in order, of the reader without columns."""
    told: list[Any] = []
    for batch in json_lines.one_by_one(
        io.BytesIO(data), shape, size, lambda e: told.append(str(e))
    ):
        told.append(repr(batch))
    return told
