"""Fuzz the reader of JSON lines in columns with bytes: `make fuzz-flow`.

What is read may be anything, in pieces of any size. Batches and refusals must be those of the
reader without columns.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["moorage_flow.codecs"]):
    from lines import SHAPES, in_columns, one_by_one

VALUES = (
    b'{"a string":"x\xc3\xa6","a int": -12, "a long":123456789012,'
    b' "a double":0.5e-3, "a bool":true}'
)
LINES = {
    True: b'{"stream": "S", "data": %b, "ts": 5}\n' % VALUES,
    False: b'{"ts": 17, %b\n' % VALUES[1:],
}


def one_input(data: bytes) -> None:
    """Read good lines with bytes put in: the first byte says which shape, and how large batches
    and pieces are; then come places, of two bytes, and what is put there for up to three.
    """
    if not data:
        return
    shape = SHAPES[data[0] & 3]
    size = 1 + (data[0] >> 2 & 3)
    piece = 1 << (data[0] >> 4)
    lines = bytearray(LINES[shape.stream is None] * 3)
    for edit in range(1, len(data) - 2, 3):
        at = (data[edit] << 8 | data[edit + 1]) % (2 * len(lines))
        if at < len(lines):
            lines[at] = data[edit + 2]
        else:
            at -= len(lines)
            lines[at : at + (data[edit + 2] & 3)] = data[edit + 2 :][:1]
    given = bytes(lines)
    assert in_columns(given, shape, size, piece) == one_by_one(given, shape, size), given


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
