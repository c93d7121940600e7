"""Scripts in all the forms vendors publish, and what becomes of their results."""

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from moorage.builtin.decoders.javascript.runtime import JavaScriptRuntime
from moorage.decoders import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
    ScriptInvalid,
    ScriptOutline,
)

AT = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)


def a_script(source: str) -> Script:
    return Script(hashlib.sha256(source.encode()).hexdigest(), source)


def document(result: Any) -> Any:
    assert isinstance(result, Decoded), result
    return None if result.document is None else msgspec.json.decode(result.document)


@pytest.mark.parametrize(
    "source",
    [
        "function decodeUplink(input) { return {data: {t: input.bytes[1], p: input.fPort}} }",
        "const decodeUplink = (input) => ({data: {t: input.bytes[1], p: input.fPort}});",
        "export function decodeUplink(i) { return {data: {t: i.bytes[1], p: i.fPort}} }",
        "export default { decodeUplink: i => ({data: {t: i.bytes[1], p: i.fPort}}) }",
        "const decodeUplink = i => ({data: {t: i.bytes[1], p: i.fPort}});\n"
        "export { decodeUplink };",
        "module.exports = { decodeUplink(i) { return {data: {t: i.bytes[1], p: i.fPort}} } };",
        "exports.decodeUplink = function (i) { return {data: {t: i.bytes[1], p: i.fPort}} };",
        "function Decode(fPort, bytes, variables) { return {t: bytes[1], p: fPort} }",
        "function Decoder(bytes, port) { return {t: bytes[1], p: port} }",
        "var decode = function (bytes, mask, names) { return {} };"
        "function Decoder(bytes, port) { return {t: bytes[1], p: port} }",
        "function decode(bytes) { return {t: bytes[1]} }"
        "function decodeUplink(i) { return {data: {...decode(i.bytes), p: i.fPort}} }",
        "function decode(payload, metadata) {"
        "  return {t: atob(payload.data).charCodeAt(1), p: payload.fPort} }",
    ],
)
async def test_every_published_form_of_decoder_runs_unmodified(decode: Any, source: str) -> None:
    (result,) = await decode(source, "0017")

    assert document(result) == {"t": 0x17, "p": 5}
    assert result.readings[0].values == {"t": 0x17, "p": 5}


async def test_decode_gets_the_event_and_the_device(decode: Any) -> None:
    source = (
        "function decode(payload, metadata) { return {rssi: payload.rxInfo[0].rssi, metadata} }"
    )
    message = DecodeContext(b"", AT, event={"rxInfo": [{"rssi": -71}]}, device={"name": "Room"})

    (result,) = await decode(source, message)

    assert document(result) == {"rssi": -71, "metadata": {"name": "Room"}}


async def test_decode_gets_a_json_payload_as_it_is(decode: Any) -> None:
    source = "function decode(payload) { return {doubled: payload.x * 2} }"

    (result,) = await decode(source, DecodeContext(b'{"x": 21}', AT))

    assert document(result) == {"doubled": 42}


async def test_decode_uplink_gets_time_and_variables(decode: Any) -> None:
    source = "const decodeUplink = i => ({data: {at: i.recvTime.toISOString(), k: i.variables.k}})"

    (result,) = await decode(source, DecodeContext(b"", AT, variables={"k": "3.5"}))

    assert document(result) == {"at": "2026-11-22T03:15:00.000Z", "k": "3.5"}
    assert result.readings[0].at == AT


async def test_a_command_is_decoded_by_decode_downlink(decode: Any) -> None:
    source = """function decodeUplink(i) { return {data: {way: "up"}} }
                function decodeDownlink(i) { return {data: {way: "down"}} }"""

    (result,) = await decode(source, "00", downlink=True)

    assert document(result) == {"way": "down"}


async def test_warnings_become_problems_and_errors_a_failure(decode: Any) -> None:
    source = """function decodeUplink(i) {
        if (i.bytes[0]) return {errors: ["unknown frame"]};
        return {data: {a: 1}, warnings: ["low battery"]} }"""

    good, bad = await decode(source, "00", "01")

    assert good.problems == ("low battery",)
    assert (bad.code, bad.reported) == ("decoders.decode_failed", ("unknown frame",))


async def test_a_failing_message_names_the_line_and_spares_the_others(decode: Any) -> None:
    source = (
        "function decodeUplink(i) {\n  if (i.bytes[0] === 1)\n"
        "    throw new Error('no such frame');\n"
        "  return {data: {n: i.bytes[0]}};\n}"
    )

    results = await decode(source, "00", "01", "02")

    assert [type(r) for r in results] == [Decoded, DecodeFailure, Decoded]
    assert results[1].message == "Error: no such frame"
    assert results[1].line == 3
    assert results[1].trace.stack == "at decodeUplink (<input>:3:15)"


async def test_what_a_script_logs_is_in_the_trace_and_bounded(decode: Any) -> None:
    source = """function decodeUplink(i) {
        for (let k = 0; k < 1000; k++) console.log("x".repeat(5000), {k});
        console.error("never seen"); return {data: {}} }"""

    (result,) = await decode(source)

    assert len(result.trace.log) == 50
    assert all(len(line) <= 500 for line in result.trace.log)


async def test_numbers_that_are_not_finite_are_dropped_and_counted(decode: Any) -> None:
    (result,) = await decode("const decodeUplink = i => ({data: {a: NaN, b: 1/0, c: null, d: 1}})")

    assert document(result) == {"a": None, "b": None, "c": None, "d": 1}
    assert result.readings[0].values == {"d": 1}
    assert result.dropped == 2


async def test_returning_nothing_leaves_the_message_out(decode: Any) -> None:
    (result,) = await decode("function decode(payload, metadata) {}")

    assert result == Decoded(None)


async def test_an_asynchronous_decoder_is_told_so(decode: Any) -> None:
    (result,) = await decode("async function decodeUplink(i) { return {data: {}} }")

    assert "returned a promise" in result.message


async def test_buffer_and_text_decoder_work_as_vendors_expect(decode: Any) -> None:
    source = """
    const { Buffer } = require("buffer");
    function decodeUplink(input) {
      const b = Buffer.from(input.bytes);
      return {data: {
        hex: b.toString("hex"), u16: b.readUInt16LE(0), i8: b.readInt8(2), u24: b.readUIntBE(0, 3),
        f: Buffer.from("0000c03f", "hex").readFloatLE(0), b64: Buffer.from("AQI=", "base64").length,
        text: new TextDecoder().decode(new Uint8Array([0xc3, 0xa6, 0x21])),
        back: Array.from(new TextEncoder().encode("æ")), round: btoa(atob("AQI=")),
        joined: Buffer.concat([b, Buffer.alloc(1)]).length, again: Buffer.from("æ").toString(),
      }};
    }"""

    (result,) = await decode(source, "0102ff")

    assert document(result) == {
        "hex": "0102ff", "u16": 0x0201, "i8": -1, "u24": 0x0102FF, "f": 1.5, "b64": 2, "text": "æ!",
        "back": [0xC3, 0xA6], "round": "AQI=", "joined": 4, "again": "æ",
    }  # fmt: skip


async def test_a_script_may_declare_the_names_that_are_given_to_it(decode: Any) -> None:
    source = (
        "const Buffer = 1; let TextDecoder = 2; const console = 3; function atob() { return 4 }"
        "function decodeUplink() { return {data: {n: Buffer + TextDecoder + console + atob()}} }"
    )

    (result,) = await decode(source)

    assert document(result) == {"n": 10}


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("function (", "SyntaxError"),
        ("let a = 1;\nnothing.here;", "ReferenceError: nothing is not defined (line 2)"),
        ("function other() {}", "decodeUplink(input)"),
        ("const fs = require('fs'); function decodeUplink() {}", "a decoder is one file"),
        ("import x from 'y'; export function decodeUplink() {}", "SyntaxError"),
        ("while (true);", "longer than 0.25 s"),
        ("const a = []; while (true) a.push(new ArrayBuffer(1 << 20));", "MiB of memory"),
    ],
)
async def test_a_script_that_cannot_be_used_says_why(decode: Any, source: str, reason: str) -> None:
    (result,) = await decode(source)

    assert result.code == ScriptInvalid.code
    assert reason in result.message


async def test_the_outline_names_the_functions(runtime: JavaScriptRuntime) -> None:
    source = "function decodeUplink(i) {} function encodeDownlink(i) {}"

    outline = await runtime.outline(DecodeBatch("one", [], a_script(source)))

    assert outline == ScriptOutline("decodeUplink", None, "encodeDownlink")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "function encodeDownlink(i) { return {bytes: [i.data.x, 255], fPort: 7} }",
            Encoded(b"\x05\xff", 7),
        ),
        (
            "function encodeDownlink(i) { return {bytes: new Uint8Array([i.data.x])} }",
            Encoded(b"\x05"),
        ),
        (
            "function Encode(fPort, obj, variables) { return [fPort, obj.x, -1] }",
            Encoded(b"\x02\x05\xff"),
        ),
        ("function Encoder(obj, port) { return [obj.x, port] }", Encoded(b"\x05\x02")),
    ],
)
async def test_commands_are_encoded(
    runtime: JavaScriptRuntime, source: str, expected: Encoded
) -> None:
    batch = EncodeBatch("one", [EncodeContext({"x": 5}, port=2)], a_script(source))

    assert await runtime.encode(batch) == [expected]


@pytest.mark.parametrize(
    "returned", ["'text'", "[256]", "[1.5]", "{}", "null", "{bytes: 'ff'}", "{bytes: [null]}"]
)
async def test_an_encoder_must_return_bytes(runtime: JavaScriptRuntime, returned: str) -> None:
    source = f"function encodeDownlink(i) {{ return {returned} }}"

    (result,) = await runtime.encode(EncodeBatch("one", [EncodeContext({})], a_script(source)))

    assert isinstance(result, DecodeFailure)
    assert "array of bytes" in result.message


async def test_thousands_of_messages_keep_their_order(decode: Any) -> None:
    source = "const decodeUplink = i => ({data: {n: i.bytes[0] * 256 + i.bytes[1]}})"

    results = await decode(source, *(f"{n:04x}" for n in range(5000)))

    assert [r.readings[0].values["n"] for r in results] == list(range(5000))


async def test_organizations_share_processes_in_turn_and_nothing_else() -> None:
    runtime = JavaScriptRuntime(workers=2)
    script = a_script("var seen = 0; const decodeUplink = i => ({data: {seen: seen++}})")

    async def one(organization: str) -> list[Any]:
        batch = DecodeBatch(organization, [DecodeContext(b"", AT)] * 20, script)
        return [r.readings[0].values["seen"] for r in await runtime.decode(batch)]

    try:
        first = await asyncio.gather(*(one(f"organization {n}") for n in range(8)))
        again = await one("organization 0")
    finally:
        await runtime.close()

    assert first == [list(range(20))] * 8
    assert again[0] in {0, 20}
