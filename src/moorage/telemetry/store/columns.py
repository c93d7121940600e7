"""Columns of values in few bytes: the form of the sealed tier.

Every way loses nothing, and the smallest is taken for each column. Integers become differences of
order 0, 1 or 2, brought to a common offset and divisor; what is left is nothing (a regular column),
Rice codes, or byte planes under zstd. Floats with few decimals become integers first.

Source: Rice & Plaunt, Adaptive Variable-Length Coding (1971).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_Words = NDArray[np.uint64]

ORDERS = 3
MOST_DECIMALS = 9
LARGEST_EXACT = 2.0**53
_parameters = zstandard.ZstdCompressionParameters.from_level(
    9, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=0
)
_compressor = zstandard.ZstdCompressor(compression_params=_parameters)
_decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)


class _Rest(IntEnum):
    """How what is left after differences is written."""

    NOTHING = 0
    RICE = 1
    PLANES = 2


class _FloatForm(IntEnum):
    """What a column of floats was made into."""

    SCALED = 0
    DICTIONARY = 1
    PLANES = 2
    DIFFERING_PLANES = 3


# --- Integers -------------------------------------------------------------


def pack_ints(values: Ints) -> bytes:
    """Pack integers of any sign; differences of order 2 must fit into 63 bits."""
    if not len(values):
        return b""
    return min((_pack_order(values, order) for order in range(min(ORDERS, len(values)))), key=len)


def unpack_ints(packed: bytes, count: int) -> Ints:
    """Undo `pack_ints`."""
    if not count:
        return np.empty(0, np.int64)
    reader = _Reader(packed)
    method = reader.byte()
    order, folded, rest = method & 3, bool(method & 4), _Rest(method >> 3)
    heads = [reader.signed() for _ in range(order)]
    offset = reader.signed()
    left = np.zeros(count - order, np.int64)
    if rest is not _Rest.NOTHING:
        divisor = reader.varint()
        words = (_rice_read if rest is _Rest.RICE else _planes_read)(reader, count - order)
        left = _unfold(words) if folded else words.astype(np.int64)
        left *= divisor
    left += offset
    for head in reversed(heads):
        left = np.cumsum(np.concatenate((np.array([head], np.int64), left)))
    return left


def _pack_order(values: Ints, order: int) -> bytes:
    """Pack differences of one order by the smallest way."""
    heads = []
    left = values
    for _ in range(order):
        heads.append(int(left[0]))
        left = np.diff(left)
    start = b"".join(map(_signed, heads))
    low = int(left.min()) if len(left) else 0
    if not len(left) or int(left.max()) == low:
        return bytes([order | _Rest.NOTHING << 3]) + start + _signed(low)
    middle = int(np.sort(left)[len(left) // 2])
    divisor = int(np.gcd.reduce(left - low))
    found = []
    for folded, offset in ((False, low), (True, middle)):
        shifted = (left - offset) // divisor
        words = _fold(shifted) if folded else shifted.astype(np.uint64)
        head = start + _signed(offset) + _varint(divisor)
        method = order | folded << 2
        found.append(bytes([method | _Rest.RICE << 3]) + head + _rice(words))
        if not folded:
            found.append(bytes([method | _Rest.PLANES << 3]) + head + _planes(words))
    return min(found, key=len)


def _fold(values: Ints) -> _Words:
    """Map 0, -1, 1, -2, … to 0, 1, 2, 3 and so on."""
    return ((values << 1) ^ (values >> 63)).astype(np.uint64)


def _unfold(words: _Words) -> Ints:
    return (words >> np.uint64(1)).astype(np.int64) ^ -(words & np.uint64(1)).astype(np.int64)


def _rice(words: _Words) -> bytes:
    """Write a width, the low bits of each word, and the rest of each in unary.

    Where the width holds every word there is no unary part.
    """
    widest = int(words.max()).bit_length()
    likely = int(float(words.mean()) + 1).bit_length()
    widths = range(max(0, likely - 3), min(widest, likely + 2))
    costs = {w: len(words) * (w + 1) + int((words >> np.uint64(w)).sum()) for w in widths}
    costs[widest] = len(words) * widest
    width = min(costs, key=costs.__getitem__)
    low = _bits(words, width)
    if width == widest:
        return bytes([width]) + low
    ends = np.cumsum((words >> np.uint64(width)).astype(np.int64) + 1)
    unary = np.zeros(int(ends[-1]), np.uint8)
    unary[ends - 1] = 1
    return bytes([width]) + low + np.packbits(unary).tobytes()


def _rice_read(reader: _Reader, count: int) -> _Words:
    width = reader.byte()
    low = np.unpackbits(np.frombuffer(reader.take((count * width + 7) // 8), np.uint8))
    places = np.arange(width, dtype=np.uint64)
    bits = low[: count * width].reshape(count, width).astype(np.uint64)
    words: _Words = (bits << places).sum(axis=1, dtype=np.uint64)
    if rest := reader.rest():
        ends = np.flatnonzero(np.unpackbits(np.frombuffer(rest, np.uint8)))[:count]
        high = np.diff(ends, prepend=-1) - 1
        words |= high.astype(np.uint64) << np.uint64(width)
    return words


def _bits(words: _Words, width: int) -> bytes:
    """Write the low `width` bits of each word, the lowest first."""
    places = np.arange(width, dtype=np.uint64)
    bits = (words[:, None] >> places) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _planes(words: _Words) -> bytes:
    """Write the lowest bytes of all words, then the next, compressed."""
    width = (int(words.max()).bit_length() + 7) // 8
    planes = words.astype("<u8").view(np.uint8).reshape(len(words), 8)[:, :width]
    return bytes([width]) + _compressor.compress(np.ascontiguousarray(planes.T).tobytes())


def _planes_read(reader: _Reader, count: int) -> _Words:
    width = reader.byte()
    plain = _decompressor.decompress(reader.rest(), max_output_size=max(1, width * count))
    words = np.zeros((count, 8), np.uint8)
    words[:, :width] = np.frombuffer(plain, np.uint8).reshape(width, count).T
    return words.view("<u8").reshape(count).astype(np.uint64)


# --- Floats ---------------------------------------------------------------


def pack_floats(values: Floats) -> bytes:
    """Pack floats bit by bit as they are."""
    if not len(values):
        return b""
    if (scaled := _scale(values)) is not None:
        decimals, integers = scaled
        return bytes([_FloatForm.SCALED, decimals]) + pack_ints(integers)
    words = values.view(np.uint64)
    found = [bytes([_FloatForm.PLANES]) + _planes(words)]
    differing = words.copy()
    differing[1:] ^= words[:-1]
    found.append(bytes([_FloatForm.DIFFERING_PLANES]) + _planes(differing))
    distinct, places = np.unique(words, return_inverse=True)
    if len(distinct) <= len(words) // 4:
        found.append(
            bytes([_FloatForm.DICTIONARY]) + _varint(len(distinct))
            + distinct.astype("<u8").tobytes() + pack_ints(places.astype(np.int64))
        )  # fmt: skip
    return min(found, key=len)


def unpack_floats(packed: bytes, count: int) -> Floats:
    """Undo `pack_floats`."""
    if not count:
        return np.empty(0, np.float64)
    reader = _Reader(packed)
    match _FloatForm(reader.byte()):
        case _FloatForm.SCALED:
            scale = 10.0 ** reader.byte()
            return unpack_ints(reader.rest(), count) / scale
        case _FloatForm.DICTIONARY:
            distinct = np.frombuffer(reader.take(8 * reader.varint()), "<f8")
            return distinct[unpack_ints(reader.rest(), count)].astype(np.float64)
        case _FloatForm.PLANES:
            return _planes_read(reader, count).view(np.float64)
        case _FloatForm.DIFFERING_PLANES:
            words = np.bitwise_xor.accumulate(_planes_read(reader, count))
            return words.view(np.float64)


def _scale(values: Floats) -> tuple[int, Ints] | None:
    """Find decimals and integers that give exactly these floats; None if there are none.

    A division by an exact power of ten is rounded correctly, so a float that was written with that
    many decimals comes back bit by bit.
    """
    if not np.isfinite(values).all():
        return None
    bits = values.view(np.uint64)
    for decimals in range(MOST_DECIMALS + 1):
        scale = 10.0**decimals
        if float(np.abs(values).max()) * scale >= LARGEST_EXACT:
            return None
        integers = np.rint(values * scale)
        # Zero has a sign that integers lack.
        if ((integers.astype(np.int64) / scale).view(np.uint64) == bits).all():
            return decimals, integers.astype(np.int64)
    return None


# --- Texts ----------------------------------------------------------------


def pack_texts(values: Sequence[str]) -> bytes:
    """Pack texts: each once, compressed, and which stands where."""
    if not values:
        return b""
    distinct = list(dict.fromkeys(values))
    number = {text: place for place, text in enumerate(distinct)}
    plain = msgspec.msgpack.encode(distinct)
    texts = min(b"\0" + plain, b"\1" + _compressor.compress(plain), key=len)
    places = np.array([number[text] for text in values], np.int64)
    return _varint(len(plain)) + _varint(len(texts)) + texts + pack_ints(places)


def unpack_texts(packed: bytes, count: int) -> list[str]:
    """Undo `pack_texts`."""
    if not count:
        return []
    reader = _Reader(packed)
    size, length = reader.varint(), reader.varint()
    compressed = reader.byte()
    plain = reader.take(length - 1)
    if compressed:
        plain = _decompressor.decompress(plain, max_output_size=size)
    distinct = msgspec.msgpack.decode(plain, type=list[str])
    return [distinct[place] for place in unpack_ints(reader.rest(), count).tolist()]


# --- Columns by kind ------------------------------------------------------


def pack_column(kind: str, values: Sequence[float | bool | str] | NDArray[np.generic]) -> bytes:
    """Pack a column of a kind: `f` float64, `b` boolean, `t` text."""
    if kind == "f":
        return pack_floats(np.ascontiguousarray(values, np.float64))
    if kind == "b":
        return pack_ints(np.asarray(values, np.bool_).astype(np.int64))
    return pack_texts([str(value) for value in values])


def unpack_column(kind: str, packed: bytes, count: int) -> Sequence[float | bool | str]:
    """Undo `pack_column`."""
    values: Sequence[float | bool | str]
    if kind == "f":
        values = unpack_floats(packed, count).tolist()
    elif kind == "b":
        values = unpack_ints(packed, count).astype(np.bool_).tolist()
    else:
        values = unpack_texts(packed, count)
    return values


# --- Numbers in headers ---------------------------------------------------


class _Reader:
    """Reads a packed column from its start."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed
        self._at = 0

    def byte(self) -> int:
        self._at += 1
        return self._packed[self._at - 1]

    def take(self, count: int) -> bytes:
        self._at += count
        return self._packed[self._at - count : self._at]

    def rest(self) -> bytes:
        return self.take(len(self._packed) - self._at)

    def varint(self) -> int:
        value = shift = 0
        while (byte := self.byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def signed(self) -> int:
        folded = self.varint()
        return folded >> 1 ^ -(folded & 1)


def _varint(value: int) -> bytes:
    """Write a number in groups of seven bits, the lowest first (LEB128)."""
    return bytes(_groups(value))


def _groups(value: int) -> Iterator[int]:
    while value >= 0x80:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def _signed(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
