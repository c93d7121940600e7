"""JSON lines into columns and back, in compiled loops (columnar/kernels/json.c).

A line is taken if it is written as a program writes it: keys and text without escapes, no unknown
key, each value of its attribute's type. Any other goes to the decoders of `json_lines`, one by one,
so that rows and errors are the same.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..columnar import Dictionary, Words
from ..columnar.kernels import holding
from ..language.syntax import Attribute, Type
from .events import (
    Batch,
    Decoded,
    Definitions,
    EventMalformed,
    Refused,
    Shape,
    WriteColumns,
    batch_of,
)

if TYPE_CHECKING:
    from ..columns import Columns

PIECE_BYTES = 1 << 20
FEWEST, MOST = 16, 1 << 20
"""Sizes of batches that are worth arrays, and that arrays are laid out for."""

_KINDS = {
    Type.INT: 0,
    Type.LONG: 1,
    Type.FLOAT: 2,
    Type.DOUBLE: 2,
    Type.BOOL: 3,
    Type.STRING: 4,
}
_LONGEST_WAIT = 63
_WORDS = 1 << 12
"""Words of a column are kept from batch to batch until they are more, or more than rows."""


class _Span(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("size", ctypes.c_int64)]


class _Lines(ctypes.Structure):
    """`lines` of json.c."""

    _fields_ = [
        ("attributes", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("kinds", ctypes.c_void_p),
        ("keys", ctypes.POINTER(_Span)),
        ("strings", ctypes.c_void_p),
        ("stream", _Span),
        ("slow", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("seen", ctypes.c_void_p),
        ("held", ctypes.c_void_p),
        ("line", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("flags", ctypes.c_void_p),
        ("nulls", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("slot_mask", ctypes.c_int64),
        ("room", ctypes.c_int64),
        ("words", ctypes.c_void_p),
        ("word_counts", ctypes.c_void_p),
        ("at", ctypes.c_void_p),
        ("end", ctypes.c_void_p),
        ("row", ctypes.c_int64),
    ]


class Piece(NamedTuple):
    """Whole lines, and where they lie in memory."""

    data: bytes
    address: int

    @classmethod
    def of(cls, data: bytes) -> Piece:
        return cls(data, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0)


class Scanner:
    """Reads the lines of one stream into columns of `size` rows.

    A column's words are kept from batch to batch: those without a new one share them.
    """

    def __init__(self, stream: str, shape: Shape, size: int) -> None:
        import numpy as np

        self.stream = stream
        self.attributes = shape.definitions[stream]
        self._size = size
        width = len(self.attributes)
        columns = list(self.attributes)
        self._time = width
        if shape.stream is not None:
            self._time = next((n for n, a in enumerate(columns) if a.name == shape.time), width)
        if self._time == width:
            columns.append(Attribute("ts" if shape.stream is None else shape.time, Type.LONG))
        self._columns = columns
        self._strings = [at for at, a in enumerate(columns) if a.type is Type.STRING]
        keys = [_quoted(a.name) for a in columns]
        places = [self._strings.index(at) if at in self._strings else -1 for at in range(len(keys))]
        self._kept = [
            np.array([_KINDS[a.type] for a in columns], np.int64),
            np.array(places, np.int64),
            np.arange(len(columns)),
            np.zeros(len(columns), np.int64),
            np.zeros((len(columns), 2), np.int64),
        ]
        kinds, strings, order, seen, held = (array.ctypes.data for array in self._kept)
        slow = ctypes.cast(ctypes.pythonapi.PyOS_string_to_double, ctypes.c_void_p)
        self._lines = _Lines(
            attributes=width,
            width=len(columns),
            kinds=kinds,
            keys=(_Span * len(keys))(*(_Span(key, len(key)) for key in keys)),
            strings=strings,
            slow=slow,
            order=order,
            seen=seen,
            held=held,
            capacity=size,
            room=2 * size + _WORDS,
        )
        self._lines.slot_mask = (1 << (2 * self._lines.room - 1).bit_length()) - 1
        if shape.stream is None:
            name = _quoted(stream)
            self._lines.stream = _Span(name, len(name))
        self._lay_out()
        self._forget_words()
        self._begin()

    def _lay_out(self) -> None:
        """Make room for the columns of a batch."""
        import numpy as np

        shape = len(self._columns), self._size
        self._values = np.empty(shape, np.int64)
        self._flags = np.empty(shape, np.bool_)
        self._nulls = np.empty(shape, np.bool_)
        lines = self._lines
        lines.values, lines.flags = self._values.ctypes.data, self._flags.ctypes.data
        lines.nulls = self._nulls.ctypes.data

    def _forget_words(self) -> None:
        """Begin the words anew."""
        import numpy as np

        lines, columns = self._lines, len(self._strings)
        self._slots = np.zeros((columns, lines.slot_mask + 1), np.int32)
        self._spans = np.empty((columns, lines.room, 2), np.int64)
        self._counts = np.zeros(columns, np.int64)
        self._words: list[list[str]] = [[] for _ in self._strings]
        self._shared = [Words([]) for _ in self._strings]
        self._texts: list[bytes] = []
        lines.slots, lines.words = self._slots.ctypes.data, self._spans.ctypes.data
        lines.word_counts = self._counts.ctypes.data

    def _begin(self) -> None:
        """Begin a batch."""
        self._pieces: list[Piece] = []
        self._odd: list[tuple[int, int | None, Sequence[Any]]] = []
        self._lines.row = 0

    def __len__(self) -> int:
        return int(self._lines.row)

    def read(self, piece: Piece, at: int) -> tuple[int, bool]:
        """Read lines from `at` on until the columns are full.

        Gives where it ended, and whether at a line that is not as expected.
        """
        lines = self._lines
        if not self._pieces or self._pieces[-1] is not piece:
            self._pieces.append(piece)  # The words of the batch lie in it.
        lines.at, lines.end = piece.address + at, piece.address + len(piece.data)
        stopped = _library().flow_json_read(ctypes.byref(lines))
        for words, count, spans in zip(
            self._words, self._counts.tolist(), self._spans, strict=True
        ):
            if count > len(words):
                for first, size in spans[len(words) : count].tolist():
                    start = first - piece.address
                    words.append(str(piece.data[start : start + size], "utf-8"))
        return lines.at - piece.address, bool(stopped)

    def put(self, ts: int | None, values: Sequence[Any]) -> None:
        """Take an event that another decoder has read."""
        self._odd.append((self._lines.row, ts, values))
        self._lines.row += 1

    def take(self) -> Batch:
        """Give what has been read as a batch, and begin the next."""
        import numpy as np

        count = len(self)
        words = self._share_words()
        if self._odd:
            self._place(words)
        all_values, flags, all_nulls = (
            held[:, :count] for held in (self._values, self._flags, self._nulls)
        )
        if 4 * count <= self._size:  # Little is copied sooner than all is laid out again.
            all_values, flags, all_nulls = all_values.copy(), flags.copy(), all_nulls.copy()
        else:
            self._lay_out()
        columns: dict[str, Any] = {}
        for at, attribute in enumerate(self.attributes):
            values: Any = (flags if attribute.type is Type.BOOL else all_values)[at]
            if attribute.type is Type.STRING:
                columns[attribute.name] = Dictionary(values, words[self._strings.index(at)])
                continue
            if attribute.type in {Type.FLOAT, Type.DOUBLE}:
                values = values.view(np.float64)
            nulls = all_nulls[at]
            masked = nulls.any()
            columns[attribute.name] = np.ma.MaskedArray(values, nulls) if masked else values
        times: Any = all_values[self._time]
        unknown = all_nulls[self._time]
        odd = [(row, ts) for row, ts, _ in self._odd]
        if unknown.any() or any(ts is None for _, ts in odd):
            times = np.ma.MaskedArray(times, unknown).tolist()
        for row, ts in odd:
            times[row] = ts
        if int(self._counts.max(initial=0)) > max(self._size, _WORDS):
            self._forget_words()
        self._begin()
        return Batch(self.stream, columns, times)

    def _share_words(self) -> list[Words]:
        """Give each column's words; those that were new lie in memory of their own from now on."""
        for at, (words, shared) in enumerate(zip(self._words, self._shared, strict=True)):
            known, count = len(shared), len(words)
            if count == known:
                continue
            fresh = [word.encode() for word in words[known:]]
            text = b"".join(fresh)
            self._texts.append(text)
            address = Piece.of(text).address
            for row, word in enumerate(fresh, known):
                self._spans[at, row, 0] = address
                address += len(word)
            self._shared[at] = Words(words)
        return list(self._shared)

    def _place(self, shared: list[Words]) -> None:
        """Put what other decoders have read into the columns; their words are only this batch's."""
        import numpy as np

        rows = [row for row, _, _ in self._odd]
        if self._time == len(self.attributes):
            self._nulls[self._time, rows] = False  # Their times are put beside.
        for at, attribute in enumerate(self.attributes):
            cells = [values[at] for _, _, values in self._odd]
            self._nulls[at, rows] = [cell is None for cell in cells]
            if attribute.type is Type.STRING:
                place = self._strings.index(at)
                words = list(self._words[place])
                known: dict[Any, int] = {None: -1}
                for cell in cells:
                    if cell not in known:
                        known[cell] = len(words)
                        words.append(cell)
                self._values[at, rows] = [known[cell] for cell in cells]
                shared[place] = Words(words)
            elif attribute.type is Type.BOOL:
                self._flags[at, rows] = [cell is True for cell in cells]
            elif attribute.type in {Type.FLOAT, Type.DOUBLE}:
                filled = np.array([0.0 if cell is None else cell for cell in cells])
                self._values[at, rows] = filled.view(np.int64)
            else:
                self._values[at, rows] = [cell or 0 for cell in cells]


def _quoted(name: str) -> bytes:
    return b'"' + name.encode() + b'"'


@functools.cache
def _library() -> Any:
    """Give the compiled loops, None where there are none."""
    library: Any = holding()
    if library is not None:
        library.flow_json_read.restype = ctypes.c_int64
        library.flow_json_write.restype = ctypes.c_int64
    return library


def scans(shape: Shape, size: int) -> bool:
    """Tell whether lines of this shape are worth reading into columns."""
    streams = shape.definitions if shape.stream is None else [shape.stream]
    return (
        FEWEST <= size <= MOST
        and _library() is not None
        and any(_is_plain(shape, stream) for stream in streams)
    )


def _is_plain(shape: Shape, stream: str) -> bool:
    """Tell whether a stream's values are scalars and its names are written as they are."""
    attributes = shape.definitions[stream]
    timed = shape.stream is None or all(
        a.type in {Type.INT, Type.LONG} for a in attributes if a.name == shape.time
    )
    names = [stream, shape.time, *(a.name for a in attributes)]
    return (
        timed
        and bool(attributes)
        and all(a.type in _KINDS for a in attributes)
        and all(c not in '"\\' and c >= " " for name in names for c in name)
    )


class _Gathered:
    """Events of a stream that no scanner reads."""

    def __init__(self, stream: str, shape: Shape) -> None:
        self.stream = stream
        self._shape = shape
        self._events: list[Decoded] = []

    def __len__(self) -> int:
        return len(self._events)

    def put(self, ts: int | None, values: Sequence[Any]) -> None:
        self._events.append((self.stream, ts, values))

    def take(self) -> Batch:
        events, self._events = self._events, []
        return batch_of(self._shape, events)


def read(
    file: BinaryIO, shape: Shape, size: int, refused: Refused, decode: Callable[[bytes], Decoded]
) -> Iterator[Batch]:
    """Read lines as `json_lines.read` does; `decode` has those that a scanner does not take."""
    into: Scanner | _Gathered | None = None
    if shape.stream is not None:
        into = Scanner(shape.stream, shape, size)
    known: dict[str, Scanner | _Gathered] = {}
    number = waiting = wait = 0
    for piece in _pieces(file):
        at, end = 0, len(piece.data)
        while at < end:
            if waiting:
                waiting -= 1
            elif isinstance(into, Scanner):
                before = len(into)
                at, stopped = into.read(piece, at)
                number += len(into) - before
                if len(into) == size:
                    wait = 0
                    yield into.take()
                if not stopped:
                    continue
                # Where no line is as expected, it is not worth asking for each.
                wait = 0 if len(into) > before else min(2 * wait + 1, _LONGEST_WAIT)
                waiting = wait
            number += 1
            line = piece.data[at : (at := piece.data.index(b"\n", at) + 1)]
            if line.isspace():
                continue
            try:
                stream, ts, values = decode(line)
            except ValueError as error:
                refused(EventMalformed("line", number, str(error)))
                continue
            if into is None or into.stream != stream:
                if into:
                    yield into.take()
                if stream not in known:
                    plain = _is_plain(shape, stream)
                    known[stream] = (
                        Scanner(stream, shape, size) if plain else _Gathered(stream, shape)
                    )
                into = known[stream]
                waiting = wait = 0
            into.put(ts, values)
            if len(into) == size:
                yield into.take()
    if into:
        yield into.take()


def _pieces(file: BinaryIO) -> Iterator[Piece]:
    """Read a file as far as it has come, in whole lines; a newline ends the last."""
    some = getattr(file, "read1", file.read)
    rest: list[bytes] = []
    while data := some(PIECE_BYTES):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield Piece.of(b"".join([*rest, data[:cut]]))
            rest = []
        rest.append(data[cut:])
    if last := b"".join(rest):
        yield Piece.of(last + b"\n")


def writer(file: BinaryIO, definitions: Definitions) -> WriteColumns | None:
    """Give what writes columns as lines; None where the compiled loops or msgspec are missing.

    msgspec writes each column, the loop puts the values into lines: the bytes are those that
    msgspec gives row by row.
    """
    import numpy as np

    library = _library()
    try:
        from msgspec import json
    except ImportError:
        return None
    if library is None:
        return None
    frames = {name: _frame(name, attributes) for name, attributes in definitions.items()}

    def write(name: str, columns: Columns) -> None:
        texts = [json.encode(columns.times), *(json.encode(columns[n]) for n in columns)]
        between = frames[name]
        most = sum(map(len, texts)) + columns.rows * sum(span.size for span in between)
        out = np.empty(most, np.uint8)
        pointers = (ctypes.c_char_p * len(texts))(*texts)
        size = library.flow_json_write(
            ctypes.c_int64(columns.rows), ctypes.c_int64(len(texts)), pointers, between, out.ctypes
        )
        file.write(out[:size].data)

    return write


def _frame(name: str, attributes: Sequence[Attribute]) -> Any:
    """Give what stands between the values of a line."""
    from msgspec import json

    parts = [b'{"from":%b,"ts":' % json.encode(name)]
    for at, attribute in enumerate(attributes):
        before = b"," if at else b',"came":{'
        parts.append(b"%b%b:" % (before, json.encode(attribute.name)))
    parts.append(b"}}\n" if attributes else b',"came":{}}\n')
    return (_Span * len(parts))(*(_Span(part, len(part)) for part in parts))
