"""Which series a row holds, and how its values are packed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx

from ..model import Shape, Value
from ..tables import shapes

_json = msgspec.json.Encoder()

NO_SHAPE = Shape(0, (), "", ())


def kind_of(value: Value) -> str:
    """Give the letter of a value's kind."""
    if isinstance(value, bool):
        return "b"
    return "t" if isinstance(value, str) else "f"


def packer(kinds: str) -> struct.Struct | None:
    """Give the struct that packs values of these kinds in one call; None where texts are in."""
    if "t" in kinds:
        return None
    return struct.Struct("<" + kinds.replace("f", "d").replace("b", "?"))


def pack_values(kinds: str, values: Iterable[Value]) -> bytes:
    """Pack values in order: float64 little-endian, booleans a byte, texts with their length."""
    out = bytearray()
    for kind, value in zip(kinds, values, strict=True):
        if kind == "f":
            out += struct.pack("<d", value)
        elif kind == "b":
            out.append(bool(value))
        else:
            text = str(value).encode()
            out += struct.pack("<H", len(text)) + text
    return bytes(out)


def unpack_values(kinds: str, packed: bytes) -> list[Value]:
    """Undo `pack_values`."""
    if (whole := packer(kinds)) is not None:
        return list(whole.unpack(packed))
    values: list[Value] = []
    at = 0
    for kind in kinds:
        if kind == "f":
            values.append(struct.unpack_from("<d", packed, at)[0])
            at += 8
        elif kind == "b":
            values.append(bool(packed[at]))
            at += 1
        else:
            (length,) = struct.unpack_from("<H", packed, at)
            values.append(packed[at + 2 : at + 2 + length].decode())
            at += 2 + length
    return values


async def add_shape(tx: Tx, names: Sequence[str], kinds: str, units: Sequence[str | None]) -> int:
    """Find or make the id of a shape."""
    digest = hashlib.sha256(_json.encode([names, kinds, units])).digest()
    query = select(shapes.c.id).where(shapes.c.digest == digest)
    found: int | None = (await tx.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    await tx.execute(
        insert(shapes)
        .values(digest=digest, names=list(names), kinds=kinds, units=list(units))
        .on_conflict_do_nothing()
    )
    made: int = (await tx.execute(query)).scalar_one()
    return made


async def get_shapes(tx: Tx, ids: Iterable[int]) -> dict[int, Shape]:
    """Read shapes by id."""
    rows = await tx.execute(select(shapes).where(shapes.c.id.in_(list(ids))))
    found = {r.id: Shape(r.id, tuple(r.names), r.kinds, tuple(r.units)) for r in rows}
    found[0] = NO_SHAPE
    return found
