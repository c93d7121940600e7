"""Events in and rows out: JSON lines, CSV, MessagePack, Arrow IPC."""

from __future__ import annotations

import io
import json
import math
import sys
from typing import Any

import msgpack
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moorage_flow.codecs import (
    FORMATS,
    Batch,
    EventMalformed,
    FormatUnavailable,
    Shape,
    json_lines,
    read,
    writer,
)
from moorage_flow.language.syntax import Attribute, Type

ALL = [Attribute(f"a {kind.value}", kind) for kind in Type if kind is not Type.OBJECT]
NAMES = [a.name for a in ALL]
LONG = st.integers(-(1 << 63), (1 << 63) - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
OF: dict[Type, st.SearchStrategy[Any]] = {
    # CSV has no empty text: an empty field is null.
    Type.STRING: st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    Type.INT: st.integers(-(1 << 31), (1 << 31) - 1),
    Type.LONG: LONG,
    Type.FLOAT: st.floats(width=32, allow_nan=False, allow_infinity=False),
    Type.DOUBLE: FINITE,
    Type.BOOL: st.booleans(),
}
ROWS = st.lists(st.tuples(*(st.none() | OF[a.type] for a in ALL)))


def _read(form: str, data: bytes, shape: Shape, size: int = 1000) -> tuple[list[Batch], list[str]]:
    malformed: list[str] = []
    batches = read(
        form, io.BytesIO(data), shape, size=size, refused=lambda e: malformed.append(str(e))
    )
    return list(batches), malformed


def _rows(batches: list[Batch]) -> list[tuple[Any, ...]]:
    return [row for b in batches for row in b.rows()]


@pytest.mark.parametrize("form", FORMATS)
@given(rows=ROWS, ts=LONG, size=st.integers(1, 5))
def test_what_is_written_is_read_again(
    form: str, rows: list[tuple[Any, ...]], ts: int, size: int
) -> None:
    file = io.BytesIO()
    with writer(form, file, {"S": ALL}) as write:
        write.rows("S", ts, rows, [])
    data = file.getvalue()
    if form == "jsonl":
        lines = [json.loads(line) for line in data.splitlines()]
        data = b"".join(json.dumps({"ts": r["ts"], **r["came"]}).encode() + b"\n" for r in lines)
    elif form == "msgpack":
        told = list(msgpack.Unpacker(io.BytesIO(data)))
        data = b"".join(msgpack.packb({"ts": r["ts"], **r["came"]}) for r in told)
    batches, malformed = _read(form, data, Shape({"S": ALL}, "S"), size)
    assert malformed == []
    assert repr(_rows(batches)) == repr(rows)
    assert [t for b in batches for t in b.lists().times] == [ts] * len(rows)
    assert all(len(b.times) <= size for b in batches)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.text()
    | st.sampled_from([(1 << 31) - 1, 1 << 31, (1 << 63) - 1, 1 << 63, -(1 << 63), 10**400, 1.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
DATA = st.dictionaries(st.sampled_from([*NAMES, "other"]), ANY) | st.tuples(
    *(OF[a.type] | ANY for a in ALL)
)
GOOD = st.fixed_dictionaries({a.name: st.none() | OF[a.type] for a in ALL})
EVENT = st.fixed_dictionaries(
    {"stream": st.sampled_from(["S", "T", "U"]) | ANY, "data": GOOD | DATA},
    optional={"ts": LONG | ANY},
)


@given(
    line=st.builds(lambda e, escaped: json.dumps(e, ensure_ascii=escaped), EVENT, st.booleans()),
    cut=st.integers(0, 400),
    put=st.sampled_from(['"', "}", "0", "-", "e9", "\\", "\\ud800", "\x00", " ", "", ",", "NaN"]),
    place=st.booleans(),
)
@example('{"stream": "S", "data": {"a double": -0}}', 0, "", False)
@example('{"stream": "S", "data": {"a double": 1e400}}', 0, "", False)
@example('{"stream": "S", "data": {"a int": 1}, "data": {"a int": 2}}', 0, "", False)
@example('{"data": {"a int": 1, "a int": 2}, "ts": 1, "stream": "T"}', 0, "", False)
@example('{"stream": "S", "stream": "T", "data": {}}', 0, "", False)
def test_msgspec_takes_what_the_standard_library_takes_and_gives_the_same(
    line: str, cut: int, put: str, place: bool
) -> None:
    if place:
        line = line[:cut] + put + line[cut:]
    data = line.encode("utf-8", "surrogatepass")
    definitions = {"S": ALL, "T": ALL[:2]}
    flat = json.loads(line).get("data") if not place else None
    for shape, given_line in (
        (Shape(definitions), data),
        (Shape(definitions, "S", "a long"), data),
        (Shape(definitions, "S"), json.dumps(flat).encode()),
    ):
        typed = json_lines.typed(shape)
        assert typed is not None
        try:
            fast = typed(given_line)
        except ValueError:
            continue
        stream, ts, row = json_lines.untyped(shape)(given_line)
        assert repr((fast[0], fast[1], list(fast[2]))) == repr((stream, ts, list(row)))


def test_msgspec_takes_a_proper_line() -> None:
    shape = Shape({"S": ALL})
    typed = json_lines.typed(shape)
    assert typed is not None
    line = b'{"stream": "S", "data": ["x", 1, 2, 1, 2.5, true], "ts": 7}'
    assert typed(line) == ("S", 7, ("x", 1, 2, 1.0, 2.5, True))


TWO = [Attribute("k", Type.STRING), Attribute("n", Type.INT)]
LINES = [
    ('{"k": "a", "n": 1, "ts": 5}', None),
    ('{"k": 1}', "has 1 for k, a string"),
    ('{"n": 1.0}', "has 1.0 for n, a int"),
    ('{"n": true}', "has True for n, a int"),
    ('{"n": 2147483648}', "has 2147483648 for n: beyond a int"),
    ('{"n": NaN}', "is no JSON: NaN is no number"),
    ('{"n": 1e400}', "has inf for n, a int"),
    ('{"n": 1', "is no JSON: Expecting ',' delimiter, column 8"),
    ('{"k": "\\ud800"}', "has text for k that is no UTF-8"),
    ('{"ts": "now"}', "has the time 'now', expected milliseconds since 1970"),
    ("[" * 100_000, "is nested too deep"),
    ('["b"]', "has 1 values, S has 2 attributes"),
    ('"b"', "has no values of S: a mapping or a list of 2"),
    ('["b", 2]', None),
]


@pytest.mark.parametrize("installed", [True, False])
def test_each_malformed_line_is_told_and_the_rest_is_read(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    data = "\n\n".join(line for line, _ in LINES).encode() + b"\n\xff\n"
    batches, malformed = _read("jsonl", data, Shape({"S": TWO}, "S"))
    wanted = [f"line {2 * at + 1} {told}" for at, (_, told) in enumerate(LINES) if told]
    assert malformed == [*wanted, f"line {2 * len(LINES)} is no UTF-8"]
    assert _rows(batches) == [("a", 1), ("b", 2)]
    assert batches[0].lists().times == [5, None]


def test_a_refusal_that_raises_ends_the_reading() -> None:
    def refuse(error: EventMalformed) -> None:
        raise error

    shape = Shape({"S": TWO}, "S")
    with pytest.raises(EventMalformed) as told:
        list(read("jsonl", io.BytesIO(b"[1]\n[2]"), shape, size=1, refused=refuse))
    assert (told.value.unit, told.value.number) == ("line", 1)


def test_an_envelope_names_its_stream() -> None:
    data = b'{"stream": "Z", "data": []}\n{"stream": "S", "data": {"n": 1, "x": 2}}\n{"a": 1}'
    batches, malformed = _read("jsonl", data, Shape({"S": TWO}))
    assert malformed[0].startswith("line 1 names no stream: 'Z'")
    assert malformed[1].startswith("line 3 is no event")
    assert [b.lists() for b in batches] == [Batch("S", {"k": [None], "n": [1]}, [None])]


def test_batches_hold_consecutive_events_of_one_stream() -> None:
    data = b"".join(b'{"stream": "%c", "data": ["a", 1]}\n' % name for name in b"SSSTS")
    batches, _ = _read("jsonl", data, Shape({"S": TWO, "T": TWO}), 2)
    assert [(b.stream, len(b.times)) for b in batches] == [("S", 2), ("S", 1), ("T", 1), ("S", 1)]


def test_csv_tells_fields_that_do_not_fit() -> None:
    data = b'n,more,k,ts\n1,x,"a\nb",5\n1_0,x,a,5\n1,x\n\n2147483648,x,a,\n,,\xff,\n2,,,\n'
    batches, malformed = _read("csv", data, Shape({"S": TWO}, "S"))
    assert malformed == [
        "line 4 has '1_0' for n, a int",
        "line 5 has 2 fields, the header 4",
        "line 7 has 2147483648 for n: beyond a int",
        "line 8 has text for k that is no UTF-8",
    ]
    assert _rows(batches) == [("a\nb", 1), (None, 2)]
    assert batches[0].lists().times == [5, None]


def test_messagepack_that_breaks_off_is_told() -> None:
    good = msgpack.packb({"stream": "S", "data": ["a", 1]})
    bad = msgpack.packb({"stream": "S", "data": ["a", 1 << 40]})
    batches, malformed = _read("msgpack", good + bad + good + good[:-2], Shape({"S": TWO}))
    assert len(_rows(batches)) == 2
    assert malformed == [f"event 2 has {1 << 40} for n: beyond a int", "event 4 breaks off"]
    batches, malformed = _read("msgpack", good + b"\xc1" + good, Shape({"S": TWO}))
    assert len(_rows(batches)) == 1
    assert malformed[0].startswith("event 2 is no MessagePack")


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_columns_of_a_fitting_type_are_taken(kind: str) -> None:
    table = pa.table(
        {
            "k": pa.array(["a", None, "b"]).dictionary_encode(),
            "n": pa.array([1, 2, 3], pa.int64()),
            "ts": pa.array([1_000_000, 2_000_000, 3_000_000], pa.timestamp("us")),
        }
    )
    sink = io.BytesIO()
    with getattr(pa.ipc, f"new_{kind}")(sink, table.schema) as out:
        out.write_table(table)
    batches, malformed = _read("arrow", sink.getvalue(), Shape({"S": TWO}, "S"), 2)
    assert malformed == []
    assert [b.lists().times for b in batches] == [[1000, 2000], [3000]]
    assert _rows(batches) == [("a", 1), (None, 2), ("b", 3)]


def test_an_arrow_batch_that_does_not_fit_is_told() -> None:
    sink = io.BytesIO()
    schema = pa.schema([("k", pa.string()), ("n", pa.int64())])
    with pa.ipc.new_stream(sink, schema) as out:
        out.write_batch(pa.record_batch([["a"], [1 << 40]], schema=schema))
        out.write_batch(pa.record_batch([["b"], [7]], schema=schema))
    batches, malformed = _read("arrow", sink.getvalue(), Shape({"S": TWO}, "S"))
    assert malformed[0].startswith("batch 1 has no int in column n")
    assert _rows(batches) == [("b", 7)]


@pytest.mark.parametrize("form", ["arrow", "csv"])
def test_a_table_needs_a_stream_and_its_columns(form: str) -> None:
    with pytest.raises(FormatUnavailable, match="one stream"):
        _read(form, b"", Shape({"S": TWO}))
    with pytest.raises(FormatUnavailable, match=r"no column k, n|no Arrow IPC"):
        _read(form, b"x\n", Shape({"S": TWO}, "S"))
    with pytest.raises(FormatUnavailable, match="one stream"), writer(form, io.BytesIO(), {}):
        pass


@pytest.mark.parametrize(("form", "library"), [("msgpack", "msgpack"), ("arrow", "pyarrow")])
def test_a_format_without_its_library_is_refused(
    form: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FormatUnavailable, match=rf"moorage-flow\[{form}\]"):
        _read(form, b"", Shape({"S": TWO}, "S"))


@pytest.mark.parametrize("kind", [Type.DOUBLE, Type.OBJECT])
@pytest.mark.parametrize("installed", [True, False])
def test_numbers_json_does_not_have_are_null(
    kind: Type, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    file = io.BytesIO()
    with writer("jsonl", file, {"S": [Attribute("x", kind)]}) as write:
        write.rows("S", 1, [(math.nan,), (math.inf,)], [(0.5,)])
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"from": "S", "ts": 1, "came": {"x": None}},
        {"from": "S", "ts": 1, "came": {"x": None}},
        {"from": "S", "ts": 1, "left": {"x": 0.5}},
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_sets_are_told_in_order(form: str) -> None:
    file = io.BytesIO()
    with writer(form, file, {"S": [Attribute("x", Type.OBJECT)]}) as write:
        write.rows("S", 1, [({"b", "a"},), (None,)], [])
    batches, malformed = _read(
        form,
        file.getvalue(),
        Shape(
            {"S": [Attribute("came" if form in {"jsonl", "msgpack"} else "x", Type.OBJECT)]}, "S"
        ),
    )
    assert malformed == []
    told = {"jsonl": {"x": ["a", "b"]}, "msgpack": {"x": ["a", "b"]}, "arrow": '["a", "b"]'}
    assert _rows(batches)[0] == (told.get(form, '["a", "b"]'),)
