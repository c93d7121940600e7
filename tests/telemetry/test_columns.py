"""Sealed columns lose nothing and weigh little."""

from __future__ import annotations

import math
import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.telemetry.store import columns

WHOLE = st.integers(-(2**60), 2**60)
SMALL = st.integers(-300, 300)
DECIMAL = st.builds(lambda whole, places: whole / 10**places, SMALL, st.integers(0, 4))
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(WHOLE, max_size=40) | st.lists(SMALL, max_size=200))
def test_integers_come_back(values: list[int]) -> None:
    packed = columns.pack_ints(np.array(values, np.int64))

    assert columns.unpack_ints(packed, len(values)).tolist() == values


@given(st.lists(DECIMAL, max_size=200) | st.lists(ANY_FLOAT | DECIMAL, max_size=60))
def test_floats_come_back_bit_by_bit(values: list[float]) -> None:
    packed = columns.pack_column("f", values)

    back = columns.unpack_column("f", packed, len(values))
    assert [struct.pack("<d", v) for v in back] == [struct.pack("<d", v) for v in values]


@given(st.lists(st.booleans(), max_size=200))
def test_booleans_come_back(values: list[bool]) -> None:
    packed = columns.pack_column("b", values)

    assert columns.unpack_column("b", packed, len(values)) == values


@given(
    st.lists(st.sampled_from(["open", "closed", "åben", ""]) | st.text(max_size=20), max_size=99)
)
def test_texts_come_back(values: list[str]) -> None:
    packed = columns.pack_column("t", values)

    assert columns.unpack_column("t", packed, len(values)) == values


def walk(rng: Random, count: int) -> list[float]:
    value, values = 20.0, []
    for _ in range(count):
        value = round(value + rng.uniform(-0.1, 0.1), 2)
        values.append(value)
    return values


def steps(rng: Random, count: int) -> list[float]:
    return [float(4 + (i * 7 // 480) % 3) for i in range(count)]


def noise(rng: Random, count: int) -> list[float]:
    return [round(rng.gauss(2, 0.3), 3) for _ in range(count)]


@pytest.mark.parametrize("count", [96, 1440])
@pytest.mark.parametrize(("make", "most"), [(walk, 0.7), (steps, 0.3), (noise, 1.45)])
def test_a_column_weighs_little_more_than_what_it_tells(make, most: float, count: int) -> None:  # type: ignore[no-untyped-def]
    values = make(Random(7), count)

    assert len(columns.pack_column("f", values)) / count < most


def test_regular_times_weigh_nothing_worth_mentioning() -> None:
    minutes = np.arange(1440) * 60_000_000 + 1_790_000_000_000_000

    assert len(columns.pack_ints(minutes)) < 20


def test_a_zero_with_a_sign_keeps_it() -> None:
    (back,) = columns.unpack_floats(columns.pack_floats(np.array([-0.0])), 1).tolist()

    assert math.copysign(1, back) == -1
