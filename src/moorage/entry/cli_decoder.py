"""`moorage decoder`: run and test a script without a server."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import msgspec
from rich.console import Console

from moorage.decoders import (
    CaseResult,
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    DecoderRuntime,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
    hash_of,
    read_cases,
    run_given_cases,
)
from moorage.kit.errors import MoorageError

app = cyclopts.App(name="decoder", help="Run and test decoders without a server.")

_ORGANIZATION = "command line"


class OptionInvalid(Exception):
    """What was given cannot be used: an option or the script file."""


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
    except (MoorageError, OptionInvalid, OSError) as error:
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
    except (MoorageError, OptionInvalid, OSError) as error:
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
    """Run every case of `cases_path` on the script at `path`. Raises TestCasesInvalid."""
    script = _script(path)
    cases = read_cases(cases_path.read_text(encoding="utf-8-sig"))

    async def run_all() -> list[CaseResult]:
        runtime = _javascript()
        try:
            return await run_given_cases(runtime, _ORGANIZATION, script, cases)
        finally:
            await runtime.close()

    return asyncio.run(run_all())


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


def _javascript() -> DecoderRuntime:
    for found in entry_points(group="moorage.decoders", name="javascript"):
        runtime: DecoderRuntime = found.load()(workers=1)
        return runtime
    raise OptionInvalid("The JavaScript runtime is not installed; install Moorage again.")


def _script(path: Path) -> Script:
    try:
        source = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionInvalid(f"{path} is not UTF-8 text.") from error
    return Script(hash_of("javascript", source), source)


def _payload(text: str) -> bytes:
    if text[:1] in {"{", "["}:
        return text.encode()
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise OptionInvalid(f"--bytes must be hex, such as 0100e2: {error}") from error


def _json(option: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError as error:
        raise OptionInvalid(f"{option} must be JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(app())
