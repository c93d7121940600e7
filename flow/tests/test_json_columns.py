"""JSON lines in columns: the same rows, refusals and bytes as one by one."""

from __future__ import annotations

import io
import json
import math
import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lines import ALL, SHAPES, in_columns, one_by_one

from moorage_flow import Runtime
from moorage_flow.codecs import Shape, json_columns, read, writer
from moorage_flow.columnar import Dictionary, compiled
from moorage_flow.columns import Columns
from moorage_flow.language.syntax import Attribute, Type

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9) | st.sampled_from("aæ漢🎈")
NUMBER = (
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(1 << 64), 1 << 64).map(str)
    | st.integers(-(1 << 31), (1 << 31) - 1).map(str)
)
WRITTEN = (
    TEXT.map(lambda text: json.dumps(text, ensure_ascii=False))
    | TEXT.map(json.dumps)
    | NUMBER
    | st.sampled_from(["null", "true", "false", "NaN", "nul", '"\\ud800"', "[1]", "{}", "-", ""])
)
FITTING = {
    Type.STRING: TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)),
    Type.INT: st.integers(-(1 << 31), (1 << 31) - 1).map(str),
    Type.LONG: st.integers(-(1 << 63), (1 << 63) - 1).map(str),
    Type.FLOAT: NUMBER,
    Type.DOUBLE: NUMBER,
    Type.BOOL: st.sampled_from(["true", "false"]),
}
SPACE = st.sampled_from(["", "", "", " ", "\t", "\r", " \r "])


@st.composite
def _lines(draw: st.DrawFn, envelopes: bool) -> bytes:
    """Lines as programs write them, some of them wrong somewhere."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        wrong = draw(st.integers(0, 3)) == 0
        space = draw(SPACE)
        chosen = draw(st.permutations(ALL))[: draw(st.integers(0, len(ALL)))]
        pairs = [
            (json.dumps(a.name), draw(WRITTEN if wrong else FITTING[a.type] | st.just("null")))
            for a in (draw(st.sampled_from([ALL, chosen])) if chosen else ALL)
        ]
        if wrong:
            pairs += [(json.dumps(draw(TEXT | st.just("a int"))), draw(WRITTEN))]
        ts = ('"ts"', draw(FITTING[Type.LONG] | st.just("null")))
        if not envelopes and draw(st.booleans()):
            pairs.insert(draw(st.integers(0, len(pairs))), ts)
        data = _mapping(pairs, space)
        if draw(st.integers(0, 5)) == 0:
            data = f"[{space}{f'{space},{space}'.join(value for _, value in pairs)}{space}]"
        line = data
        if envelopes:
            name = draw(st.sampled_from(["S", "S", "S", "T", "!S", "U"]))
            outer = [('"stream"', json.dumps(name)), ('"data"', data), ts][
                : draw(st.integers(2, 3))
            ]
            line = _mapping(draw(st.permutations(outer)) if wrong else outer, space)
        encoded = (space + line + space).encode("utf-8", "surrogatepass")
        if draw(st.integers(0, 9)) == 0:
            at = draw(st.integers(0, len(encoded)))
            encoded = encoded[:at] + draw(st.binary(max_size=2)) + encoded[at:]
        lines.append(encoded)
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n", b"\n\n \n"]))


def _mapping(pairs: list[tuple[str, str]], space: str) -> str:
    inner = f"{space},{space}".join(f"{key}{space}:{space}{value}" for key, value in pairs)
    return f"{{{space}{inner}{space}}}"


@pytest.mark.parametrize("shape", SHAPES)
@given(draws=st.data(), size=st.integers(1, 5), piece=st.sampled_from([1, 7, 64, 1 << 20]))
def test_lines_in_columns_give_what_they_give_one_by_one(
    shape: Shape, draws: st.DataObject, size: int, piece: int
) -> None:
    data = draws.draw(_lines(shape.stream is None))
    assert in_columns(data, shape, size, piece) == one_by_one(data, shape, size)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.binary(max_size=60), cut=st.integers(0, 120))
def test_a_line_with_bytes_put_into_it_gives_the_same(shape: Shape, data: bytes, cut: int) -> None:
    values = b'{"a int": 12, "a double": 0.5, "a string": "x", "a bool": true}'
    line = values if shape.stream else b'{"stream": "S", "data": %b, "ts": 5}' % values
    data = line + b"\n" + line[:cut] + data + line[cut:] + b"\n" + line
    assert in_columns(data, shape, 3, 1 << 20) == one_by_one(data, shape, 3)


REAL = Shape({"S": [Attribute("x", Type.DOUBLE)]}, "S")


@given(written=NUMBER)
@example("9007199254740993")
@example("9007199254740992e22")
@example("9007199254740993e-22")
@example("1e23")
@example("8.5e-23")
@example("123456789012345678901234567890")
@example("0." + "0" * 400 + "1e400")
@example("2.2250738585072011e-308")
@example("4.9406564584124654e-324")
@example("179769313486231580793e289")
def test_a_double_is_read_as_python_reads_it(written: str) -> None:
    scanner = json_columns.Scanner("S", REAL, 1)
    _, stopped = scanner.read(json_columns.Piece.of(b'{"x": %b}\n' % written.encode()), 0)
    value = float(written)
    if not math.isfinite(value) or (written.startswith("-0") and float(int(value)) == value == 0):
        return  # Refused, or an integer without a sign: the decoders behind have the word.
    assert not stopped
    column = scanner.take().columns["x"]
    assert struct.pack("d", column[0]) == struct.pack("d", value)


def test_many_doubles_are_read_as_python_reads_them() -> None:
    chance = random.Random(1)
    written = [
        form.format(chance.getrandbits(bits) / 10**scale)
        for _ in range(300)
        for bits in (20, 53, 60)
        for scale in (0, 3, 17, 22, 40)
        for form in ("{!r}", "{:.15g}", "{:.16g}", "{:.17g}", "{:.19e}")
    ]
    written += [f"{chance.getrandbits(b)}e{s}" for b in range(45, 60) for s in range(-24, 25)]
    data = b"".join(b'{"x": %b}\n' % text.encode() for text in written)
    (batch,) = read("jsonl", io.BytesIO(data), REAL, size=1 << 20, refused=pytest.fail)
    assert batch.lists().columns["x"] == [float(text) for text in written]


def test_lines_as_programs_write_them_need_no_other_decoder() -> None:
    def unasked(line: bytes) -> Any:
        raise AssertionError(line)

    rows = [
        {"a string": "Åse", "a int": -5, "a long": 1 << 52, "a float": 1, "a double": 0.1 + 0.2,
         "a bool": True, "ts": 17},
        {"ts": 18, "a bool": None, "a double": 5e-324, "a string": None},
        {},
    ]  # fmt: skip
    separators = [(",", ":"), (", ", ": ")]
    data = "\r\n".join(
        json.dumps(row, ensure_ascii=False, separators=s) for row in rows for s in separators
    ).encode()
    (batch,) = json_columns.read(io.BytesIO(data), SHAPES[1], 100, unasked, unasked)
    names = [a.name for a in ALL]
    wanted = [tuple(row.get(name) for name in names) for row in rows for _ in separators]
    assert batch.rows() == wanted
    assert batch.lists().times == [17, 17, 18, 18, None, None]
    assert isinstance(batch.columns["a string"], Dictionary)
    assert len(batch.columns["a string"].words) == 1
    assert isinstance(batch.columns["a int"], np.ma.MaskedArray)


def test_words_that_collide_are_kept_all_the_same() -> None:
    # Differences in the highest bits that the mixing step takes back again.
    one = [b"aaaaaaaaaaaaaaaa" + bytes([n]) * 8 for n in range(0x20, 0x7F) if n not in b'"\\']
    texts = [text.decode() for text in one] * 2
    data = b"".join(json.dumps({"k": text}).encode() + b"\n" for text in texts)
    shape = Shape({"S": [Attribute("k", Type.STRING)]}, "S")
    (batch,) = read("jsonl", io.BytesIO(data), shape, size=1000, refused=pytest.fail)
    assert batch.rows() == [(text,) for text in texts]


def test_batches_share_their_words_until_there_are_too_many() -> None:
    shape = Shape({"S": [Attribute("k", Type.STRING)]}, "S")
    wanted = [f"key-{n % 50 if n < 2_000 else n}" for n in range(12_000)]
    scanner = json_columns.Scanner("S", shape, 1_000)
    found, seen = [], []
    for at in range(0, len(wanted), 500):
        # The bytes that were read are gone by the next batch.
        data = b"".join(b'{"k": "%b"}\n' % text.encode() for text in wanted[at : at + 500])
        assert scanner.read(json_columns.Piece.of(data), 0) == (len(data), False)
        column = scanner.take().columns["k"]
        found += column.tolist()
        seen.append(column.words)
    assert found == wanted
    assert all(words is seen[0] for words in seen[:4])
    assert max(map(len, seen)) < 6_000


APP = """@app:playback define stream S (k string, v double, n int);
from S[v > 50.0] select k, v, n insert into Out;"""


@pytest.mark.parametrize("form", ["jsonl", "csv", "msgpack"])
def test_columns_are_written_as_their_rows_are(form: str) -> None:
    runtime = Runtime(APP, path="columnar")
    by_rows, by_columns = io.BytesIO(), io.BytesIO()
    told = {"Out": runtime.attributes("Out")}
    with writer(form, by_rows, told) as rows, writer(form, by_columns, told) as columns:
        runtime.subscribe("Out", lambda *given: rows.rows("Out", *given))
        runtime.subscribe_columns("Out", lambda given: columns.columns("Out", given))
        texts = ['a"]', "b\\", "é,\x7f\n", None]
        for at in range(5):
            runtime.send(
                "S",
                [(texts[n % 4], n * 10.1, None if n % 3 == 0 else n) for n in range(at, at + 20)],
                ts=[at * 1000 + n // 2 for n in range(20)],
            )
    assert by_columns.getvalue() == by_rows.getvalue() != b""


def test_numbers_json_does_not_have_are_null_in_columns() -> None:
    file = io.BytesIO()
    with writer("jsonl", file, {"S": [Attribute("x", Type.DOUBLE)]}) as write:
        write.columns("S", Columns(["x"], [[math.nan, math.inf, 1e300, None]], [1, 1, 2, 3]))
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"from": "S", "ts": ts, "came": {"x": x}}
        for ts, x in [(1, None), (1, None), (2, 1e300), (3, None)]
    ]


def test_the_loops_are_compiled_here() -> None:
    assert compiled()
    assert json_columns.scans(REAL, json_columns.FEWEST)
