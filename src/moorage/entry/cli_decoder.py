"""`moorage decoder`: run and test a script without a server."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import msgspec
from rich.console import Console

from moorage.decoders import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    DecoderRuntime,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
)
from moorage.kit.errors import MoorageError

app = cyclopts.App(name="decoder", help="Run and test decoders without a server.")

_ORGANIZATION = "command line"
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.S)
_EXTRA = re.compile(r'("(?:[^"\\\n]|\\.)*")|(-?)0[xX]([0-9a-fA-F]+)|,(?=\s*[\]}])', re.S)


class CasesInvalid(Exception):
    """What was given cannot be used: an option, the script file or the test cases."""


@dataclass(frozen=True)
class CaseResult:
    """How one case went; `difference` is empty where it passed."""

    name: str
    difference: str


@app.command
def run(
    script: Path,
    *,
    port: int = 1,
    payload: Annotated[str, cyclopts.Parameter(name=["--bytes"])] = "",
    metadata: str = "",
    encode: str = "",
    variables: str = "",
    downlink: bool = False,
) -> int:
    """Run a script on one payload and show the document and the readings.

    Args:
        script: the JavaScript file.
        port: LoRaWAN port the message came in on.
        payload: the payload in hex; text that begins with { or [ is taken as a JSON message.
        metadata: the device's description as JSON, for decode(payload, metadata).
        encode: a command as JSON; the script's encoder is run instead of its decoder.
        variables: the device's variables as JSON.
        downlink: the payload is a command (decodeDownlink).
    """
    out, err = Console(), Console(stderr=True)
    try:
        result = run_script(
            script,
            port,
            _payload(payload),
            metadata=_json("--metadata", metadata),
            encode=_json("--encode", encode) if encode else msgspec.UNSET,
            variables=_json("--variables", variables),
            downlink=downlink,
        )
    except (MoorageError, CasesInvalid, OSError) as error:
        err.print(str(error), style="red", markup=False)
        return 1
    for line in result.trace.log if result.trace else ():
        err.print(f"log: {line}", markup=False, highlight=False)
    if isinstance(result, DecodeFailure):
        where = f" (line {result.line})" if result.line else ""
        err.print(f"{result.message}{where}", style="red", markup=False)
        if result.trace and result.trace.stack:
            err.print(result.trace.stack, markup=False, highlight=False)
        return 1
    for problem in result.problems:
        err.print(f"warning: {problem}", style="yellow", markup=False)
    if isinstance(result, Encoded):
        out.print_json(data={"bytes": result.payload.hex(), "fPort": result.port})
        return 0
    if result.document is None:
        err.print("The decoder returned nothing: the message is left out.")
        return 0
    shown = {
        "document": msgspec.json.decode(result.document),
        "readings": msgspec.to_builtins(result.readings),
        "dropped": result.dropped,
    }
    out.print_json(msgspec.json.encode(shown).decode())
    return 0


@app.command
def test(script: Path, cases: Path) -> int:
    """Run a file of test cases; exit with 1 when one fails.

    Args:
        script: the JavaScript file.
        cases: a JSON array of {name, input, expected} as in ChirpStack's device profiles; comments,
            trailing commas and hex numbers are allowed. An input with `data` tests the encoder.
    """
    out, err = Console(), Console(stderr=True)
    try:
        results = test_script(script, cases)
    except (MoorageError, CasesInvalid, OSError) as error:
        err.print(str(error), style="red", markup=False)
        return 1
    failed = [result for result in results if result.difference]
    for result in results:
        out.print(f"{'FAIL' if result.difference else 'ok  '} {result.name}", markup=False)
        if result.difference:
            out.print(f"     {result.difference}", markup=False, highlight=False)
    out.print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def run_script(
    path: Path,
    port: int | None,
    payload: bytes,
    *,
    metadata: Any = None,
    encode: Any = msgspec.UNSET,
    variables: dict[str, str] | None = None,
    downlink: bool = False,
) -> Decoded | Encoded | DecodeFailure:
    """Run the script at `path` once: decode `payload`, or encode `encode` where it is given."""
    script = _script(path)
    if encode is not msgspec.UNSET:
        command = EncodeContext(encode, port, variables)
        return asyncio.run(_run([], [command], script))[0]
    message = DecodeContext(
        payload, datetime.now(UTC), port=port, variables=variables, device=metadata
    )
    return asyncio.run(_run([message], [], script, downlink=downlink))[0]


def test_script(path: Path, cases_path: Path) -> list[CaseResult]:
    """Run every case of `cases_path` on the script at `path`. Raises CasesInvalid."""
    script = _script(path)
    cases = read_cases(cases_path.read_text(encoding="utf-8-sig"))
    decodes = [_decode_case(c) for c in cases if not _is_encode(c)]
    encodes = [_encode_case(c) for c in cases if _is_encode(c)]
    answers = asyncio.run(_run(decodes, encodes, script))
    decoded, encoded = iter(answers[: len(decodes)]), iter(answers[len(decodes) :])
    results = []
    for case in cases:
        answer = next(encoded if _is_encode(case) else decoded)
        found = first_difference(case["expected"], _returned(answer, case["expected"]))
        results.append(CaseResult(case["name"], found))
    return results


def read_cases(text: str) -> list[dict[str, Any]]:
    """Read test cases, with comments, trailing commas and hex numbers. Raises CasesInvalid.

    The Things Network's device repository (`examples` of description, input, output) is read too.
    """
    bare = _COMMENT.sub(lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), text)
    plain = _EXTRA.sub(lambda m: m[1] or (f"{m[2]}{int(m[3], 16)}" if m[3] else ""), bare)
    try:
        cases = msgspec.json.decode(plain)
    except msgspec.DecodeError as error:
        raise CasesInvalid(f"The test cases are not JSON: {error}") from error
    if not isinstance(cases, list):
        raise CasesInvalid("The test cases must be a JSON array.")
    return [_case(number, case) for number, case in enumerate(cases, 1)]


def _case(number: int, case: Any) -> dict[str, Any]:
    if not isinstance(case, dict) or not isinstance(case.get("input"), dict):
        raise CasesInvalid(f"Case {number} needs an object `input`.")
    expected = case.get("expected", case.get("output"))
    if expected is None:
        raise CasesInvalid(f"Case {number} needs `expected`.")
    name = case.get("name") or case.get("description") or f"case {number}"
    return {"name": str(name), "input": case["input"], "expected": expected}


def _is_encode(case: dict[str, Any]) -> bool:
    return "data" in case["input"] and "bytes" not in case["input"]


def _decode_case(case: dict[str, Any]) -> DecodeContext:
    given = case["input"]
    payload = given.get("bytes", [])
    try:
        content = bytes.fromhex(payload) if isinstance(payload, str) else bytes(payload)
        received_at = datetime.now(UTC)
        if "recvTime" in given:
            received_at = datetime.fromisoformat(str(given["recvTime"]))
    except (ValueError, TypeError) as error:
        raise CasesInvalid(f"The input of {case['name']!r} cannot be used: {error}") from error
    return DecodeContext(
        content,
        received_at if received_at.tzinfo else received_at.replace(tzinfo=UTC),
        port=given.get("fPort"),
        variables=given.get("variables"),
        event=given.get("payload"),
        device=given.get("metadata"),
    )


def _encode_case(case: dict[str, Any]) -> EncodeContext:
    given = case["input"]
    return EncodeContext(given["data"], given.get("fPort"), given.get("variables"))


async def _run(
    decodes: list[DecodeContext],
    encodes: list[EncodeContext],
    script: Script,
    *,
    downlink: bool = False,
) -> list[Decoded | Encoded | DecodeFailure]:
    runtime = _javascript()
    answers: list[Decoded | Encoded | DecodeFailure] = []
    try:
        if decodes:
            batch = DecodeBatch(_ORGANIZATION, decodes, script, downlink=downlink)
            answers += await runtime.decode(batch)
        if encodes:
            answers += await runtime.encode(EncodeBatch(_ORGANIZATION, encodes, script))
    finally:
        await runtime.close()
    return answers


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


def _javascript() -> DecoderRuntime:
    for found in entry_points(group="moorage.decoders", name="javascript"):
        runtime: DecoderRuntime = found.load()(workers=1)
        return runtime
    raise CasesInvalid("The JavaScript runtime is not installed; install Moorage again.")


def _script(path: Path) -> Script:
    try:
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CasesInvalid(f"{path} is not UTF-8 text.") from error
    return Script(hashlib.sha256(source.encode()).hexdigest(), source)


def _payload(text: str) -> bytes:
    if text[:1] in {"{", "["}:
        return text.encode()
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise CasesInvalid(f"--bytes must be hex, such as 0100e2: {error}") from error


def _json(option: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError as error:
        raise CasesInvalid(f"{option} must be JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(app())
