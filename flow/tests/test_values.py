"""Numbers as Java has them."""

from __future__ import annotations

import struct

import pytest
from apps import Running
from hypothesis import given
from hypothesis import strategies as st

from moorage_flow import values
from moorage_flow.language.syntax import Type

INTS = st.integers(-(2**31), 2**31 - 1)


@given(INTS, INTS)
def test_ints_wrap_and_divide_towards_zero(a: int, b: int) -> None:
    running = Running(
        "define stream S (a int, b int);"
        "from S select a + b as s, a * b as p, a / b as q, a % b as r insert into O;"
    )
    running.send("S", (a, b))
    total, product, quotient, rest = running.rows()[0]
    wrap = struct.Struct("<i")
    assert total == wrap.unpack(struct.pack("<q", a + b)[:4])[0]
    assert product == wrap.unpack(struct.pack("<q", a * b)[:4])[0]
    if b == 0:
        assert (quotient, rest) == (None, None)
    else:
        assert quotient == values.to_int32(int(a / b) if abs(a) < 2**50 else quotient)
        assert values.to_int32(quotient * b + rest) == a


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_text_of_a_float_reads_as_the_float(value: float) -> None:
    assert values.to_float32(values.shortest_float32(value)) == value


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (values.to_float32(55.6), Type.FLOAT, "55.6"),
        (1e7, Type.DOUBLE, "1.0E7"),
        (0.0001, Type.DOUBLE, "1.0E-4"),
        (123456.789, Type.DOUBLE, "123456.789"),
        (True, Type.BOOL, "true"),
        (None, Type.STRING, "null"),
    ],
)
def test_values_are_written_as_java_writes_them(value: object, kind: Type, text: str) -> None:
    assert values.text(value, kind) == text


def test_comparisons_with_null_are_false_but_for_unequal_and_arithmetic_gives_null() -> None:
    running = Running(
        "define stream S (a int, b int);"
        "from S select a == b as e, a != b as n, a + b as s, a is null as m insert into O;"
    )
    running.send("S", (None, 1), (None, None))
    assert running.rows() == [[False, True, None, True], [False, True, None, True]]


def test_a_float_meets_a_double_as_a_double() -> None:
    running = Running(
        "define stream S (f float, d double); from S select f == d as same insert into O;"
    )
    running.send("S", (0.1, 0.1), (0.5, 0.5))
    assert running.rows() == [[False], [True]]
