"""Test cases of decoders: read them, run them, name the first difference."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ..errors import TestCasesInvalid
from ..model import (
    CaseResult,
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    Direction,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
    TestCase,
)
from ..ports import DecoderRuntime

_COMMENT: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)
_EXTRA: Final = re.compile(r'("(?:[^"\\\n]|\\.)*")|(-?)0[xX]([0-9a-fA-F]+)|,(?=\s*[\]}])', re.S)
_BASE64: Final = "base64:"


def read_cases(text: str) -> list[TestCase]:
    """Read test cases from JSON with comments, trailing commas and hex numbers.

    The Things Network's device repository (`examples` of description, input, output) is read too.

    Raises:
        TestCasesInvalid: it is not JSON, or a case lacks something.
    """
    bare = _COMMENT.sub(lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), text)
    plain = _EXTRA.sub(lambda m: m[1] or (f"{m[2]}{int(m[3], 16)}" if m[3] else ""), bare)
    try:
        cases = msgspec.json.decode(plain)
    except msgspec.DecodeError as error:
        raise TestCasesInvalid(reason=f"they are not JSON: {error}") from error
    if not isinstance(cases, list):
        raise TestCasesInvalid(reason="they must be a JSON array")
    return [_case(number, case) for number, case in enumerate(cases, 1)]


def _case(number: int, case: Any) -> TestCase:
    if not isinstance(case, dict) or not isinstance(case.get("input"), dict):
        raise TestCasesInvalid(reason=f"case {number} needs an object `input`")
    expected = case.get("expected", case.get("output"))
    if expected is None:
        raise TestCasesInvalid(reason=f"case {number} needs `expected`")
    name = str(case.get("name") or case.get("description") or f"case {number}")
    given = case["input"]
    encodes = "data" in given and "bytes" not in given
    return TestCase(name, Direction.ENCODE if encodes else Direction.DECODE, given, expected)


def context_of(case: TestCase) -> DecodeContext:
    """Make the message of a case that decodes. Raises TestCasesInvalid."""
    given = case.input
    try:
        payload = given.get("bytes", [])
        content = _bytes(payload) if isinstance(payload, str) else bytes(payload)
        received_at = datetime.now(UTC)
        if "recvTime" in given:
            received_at = datetime.fromisoformat(str(given["recvTime"]))
        port = msgspec.convert(given.get("fPort"), int | None)
        variables = msgspec.convert(given.get("variables"), dict[str, str] | None)
    except (ValueError, TypeError, OverflowError, msgspec.ValidationError) as error:
        reason = f"the input of {case.name!r} cannot be used: {error}"
        raise TestCasesInvalid(reason=reason) from error
    return DecodeContext(
        content,
        received_at if received_at.tzinfo else received_at.replace(tzinfo=UTC),
        given.get("contentType"),
        port,
        variables,
        given.get("payload"),
        given.get("metadata"),
    )


def command_of(case: TestCase) -> EncodeContext:
    """Make the command of a case that encodes. Raises TestCasesInvalid."""
    given = case.input
    if "data" not in given:
        raise TestCasesInvalid(reason=f"the input of {case.name!r} needs `data`")
    try:
        port = msgspec.convert(given.get("fPort"), int | None)
        variables = msgspec.convert(given.get("variables"), dict[str, str] | None)
        code = msgspec.convert(given.get("code", ""), str)
    except msgspec.ValidationError as error:
        reason = f"the input of {case.name!r} cannot be used: {error}"
        raise TestCasesInvalid(reason=reason) from error
    return EncodeContext(given["data"], port, variables, code)


async def run_cases(
    runtime: DecoderRuntime, organization: str, script: Script | None, cases: Sequence[TestCase]
) -> list[CaseResult]:
    """Run every case; answer in their order. Raises TestCasesInvalid."""
    outcomes: dict[int, Decoded | Encoded | DecodeFailure] = {}
    for direction in Direction:
        chosen = [i for i, case in enumerate(cases) if case.direction is direction]
        if not chosen:
            continue
        results: Sequence[Decoded | Encoded | DecodeFailure]
        if direction is Direction.ENCODE:
            commands = [command_of(cases[i]) for i in chosen]
            results = await runtime.encode(EncodeBatch(organization, commands, script))
        else:
            messages = [context_of(cases[i]) for i in chosen]
            downlink = direction is Direction.DECODE_DOWNLINK
            batch = DecodeBatch(organization, messages, script, downlink=downlink)
            results = await runtime.decode(batch)
        outcomes |= dict(zip(chosen, results, strict=True))
    return [
        CaseResult(
            case.name, first_difference(case.expected, _returned(outcomes[i], case.expected))
        )
        for i, case in enumerate(cases)
    ]


def _bytes(text: str) -> bytes:
    if text.startswith(_BASE64):
        return base64.b64decode(text.removeprefix(_BASE64), validate=True)
    return bytes.fromhex(text.removeprefix("0x"))


def _returned(answer: Decoded | Encoded | DecodeFailure, expected: Any) -> Any:
    """Rebuild what the function returned, in the shape the case expects."""
    returned: dict[str, Any]
    if isinstance(answer, DecodeFailure):
        if answer.reported:
            return {"errors": list(answer.reported)}
        return {"errors": [answer.message + (f" (line {answer.line})" if answer.line else "")]}
    if isinstance(answer, Encoded):
        if isinstance(expected, list):
            return list(answer.payload)
        returned = {"bytes": list(answer.payload)}
        if answer.port is not None:
            returned["fPort"] = answer.port
        elif isinstance(expected, dict) and "fPort" in expected:
            returned["fPort"] = None
    else:
        document = None if answer.document is None else msgspec.json.decode(answer.document)
        if not isinstance(expected, dict) or not expected.keys() & {"data", "warnings", "errors"}:
            return document
        returned = {"data": document}
    if answer.problems:
        returned["warnings"] = list(answer.problems)
    for empty in ("warnings", "errors"):
        if isinstance(expected, dict) and expected.get(empty) == [] and empty not in returned:
            returned[empty] = []
    return returned


def first_difference(expected: Any, got: Any, path: str = "") -> str:
    """Name the first place where two JSON values differ; empty where they are equal."""
    here = path or "the result"
    if isinstance(expected, dict) and isinstance(got, dict):
        for key, value in expected.items():
            inner = f"{path}.{key}" if path else str(key)
            if key not in got:
                return f"{inner}: expected {_show(value)}, but it is missing"
            if found := first_difference(value, got[key], inner):
                return found
        if more := [key for key in got if key not in expected]:
            inner = f"{path}.{more[0]}" if path else str(more[0])
            return f"{inner}: not expected, got {_show(got[more[0]])}"
        return ""
    if isinstance(expected, list) and isinstance(got, list):
        for index, (left, right) in enumerate(zip(expected, got, strict=False)):
            if found := first_difference(left, right, f"{path}[{index}]"):
                return found
        if len(expected) != len(got):
            return f"{here}: expected {len(expected)} items, got {len(got)}"
        return ""
    if isinstance(expected, bool) is isinstance(got, bool) and expected == got:
        return ""
    return f"{here}: expected {_show(expected)}, got {_show(got)}"


def _show(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else text[:197] + "…"
