"""Test cases are read as people write them, and the first difference is named."""

from typing import Any

import pytest

from moorage.decoders import Direction, TestCase, TestCasesInvalid, read_cases
from moorage.decoders.service.cases import first_difference


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "not JSON"), ("{}", "array"), ("[1]", "case 1"), ('[{"input": {}}]', "expected")],
)
def test_cases_that_cannot_be_used_say_why(text: str, says: str) -> None:
    with pytest.raises(TestCasesInvalid, match=says):
        read_cases(text)


def test_comments_commas_and_hex_numbers_are_read() -> None:
    text = """[ /* a
      b */ {"name": "http://x, ] 0x1f", // c
      "input": {"bytes": [0x1F, 0Xa, 3,],}, "expected": [-0x10]}, ]"""

    assert read_cases(text) == [
        TestCase("http://x, ] 0x1f", Direction.DECODE, {"bytes": [31, 10, 3]}, [-16])
    ]


def test_the_things_networks_examples_are_read() -> None:
    text = '[{"description": "d", "input": {"fPort": 1, "bytes": []}, "output": {"data": {}}}]'

    assert read_cases(text)[0].name == "d"


@pytest.mark.parametrize(
    ("expected", "got", "difference"),
    [
        ({"a": [1, 2]}, {"a": [1, 2]}, ""),
        ({"a": 1}, {"a": 1.0}, ""),
        ({"a": 1}, {"a": True}, "a: expected 1, got true"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b: expected 1, but it is missing"),
        ({}, {"a": 1}, "a: not expected, got 1"),
        ([1, 2], [1], "the result: expected 2 items, got 1"),
        ({"a": [1, {"x": 2}]}, {"a": [1, {"x": 3}]}, "a[1].x: expected 2, got 3"),
        (None, 1, "the result: expected null, got 1"),
    ],
)
def test_the_first_difference_is_named(expected: Any, got: Any, difference: str) -> None:
    assert first_difference(expected, got) == difference
