"""The chain: canonical JSON by the vectors of RFC 8785, and where chains begin."""

from __future__ import annotations

import json
import struct
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.kit import chain

# RFC 8785, appendix B: IEEE 754 doubles and what is written for them.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize(("bits", "written"), NUMBERS.items())
def test_numbers_are_written_as_the_standard_says(bits: str, written: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert chain.canonical(value).decode() == written


def test_objects_are_ordered_and_escaped_as_the_standard_says() -> None:
    # RFC 8785, sections 3.2.2 and 3.2.3.
    numbers = [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001]
    value = {
        "numbers": numbers, "string": '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/',
        "literals": [None, True, False],
    }  # fmt: skip
    assert chain.canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"]
    ordered = list(json.loads(chain.canonical(dict.fromkeys(names))))
    assert ordered == ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(JSON)
def test_a_value_that_was_sent_as_json_is_written_alike(value: Any) -> None:
    assert chain.canonical(json.loads(json.dumps(value))) == chain.canonical(value)
    assert chain.canonical(json.loads(chain.canonical(value))) == chain.canonical(value)


@pytest.mark.parametrize(
    ("huge", "written"),
    [
        (10**400, '"Infinity"'),
        (-(10**400), '"-Infinity"'),
        (2**53 + 1, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (float("nan"), '"NaN"'),
        (float("-inf"), '"-Infinity"'),
    ],
)
def test_no_number_stops_the_chain(huge: float, written: str) -> None:
    assert chain.canonical(huge).decode() == written


def test_the_chain_of_each_organization_begins_elsewhere() -> None:
    assert chain.genesis(None) == chain.genesis(chain.INSTALLATION)
    assert chain.genesis(UUID(int=7)) != chain.genesis(None)
