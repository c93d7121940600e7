"""The order in which Siddhi's hash maps give their keys, where its output follows that order.

Source: java.lang.String.hashCode; java.util.HashMap (OpenJDK 8): the spread of a hash, the load
factor 0.75.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def java_hash(value: Any) -> int:
    """Give Java's hashCode of a string, number or bool as an unsigned 32-bit integer."""
    if isinstance(value, bool):
        return 1231 if value else 1237
    if isinstance(value, int):
        bits = value & 0xFFFF_FFFF_FFFF_FFFF
        return (
            bits & 0xFFFF_FFFF
            if -(1 << 31) <= value < 1 << 31
            else (bits ^ (bits >> 32)) & 0xFFFF_FFFF
        )
    if isinstance(value, float):
        bits = int(struct.unpack("<Q", struct.pack("<d", value))[0])
        return (bits ^ (bits >> 32)) & 0xFFFF_FFFF
    result = 0
    for unit in str(value).encode("utf-16-be").hex(" ", 2).split():
        result = (31 * result + int(unit, 16)) & 0xFFFF_FFFF
    return result


def hash_order(keys: Iterable[T]) -> list[T]:
    """Order keys, given in the order they were put, as a HashMap iterates over them."""
    listed = list(keys)
    capacity = 16
    while len(listed) > capacity * 3 // 4:
        capacity *= 2

    def bucket(key: T) -> int:
        spread = java_hash(key)
        return (spread ^ (spread >> 16)) & (capacity - 1)

    return sorted(listed, key=bucket)
