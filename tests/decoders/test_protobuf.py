"""Protocol Buffers by descriptor: the wire's bytes written by hand, per the encoding's document."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from descriptors import decoder_text
from moorage.builtin.decoders.protobuf import ProtobufRuntime
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
)

AT = datetime(2026, 11, 22, tzinfo=UTC)
SCRIPT = Script("a" * 64, decoder_text())
DEFAULTS = {
    "temperature": 0, "total": 0, "open": False, "mode": "OFF", "parts": [], "raw": "", "named": {},
}  # fmt: skip


def decode(payload: str, port: int | None = None, script: Script = SCRIPT, **more: Any) -> Any:
    message = DecodeContext(bytes.fromhex(payload), AT, port=port)
    batch = DecodeBatch("A", [message], script, **more)
    (answer,) = asyncio.run(ProtobufRuntime().decode(batch))
    return answer


def document(answer: Any) -> Any:
    assert isinstance(answer, Decoded), answer
    assert answer.document is not None
    return msgspec.json.decode(answer.document)


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ("", {}),
        ("0829", {"temperature": -21}),
        ("10ffffffffffffffff7f", {"total": 2**63 - 1}),
        ("18012001", {"open": True, "mode": "HEAT"}),
        ("2007", {"mode": 7}),
        ("2a09090000000000002a402a00", {"parts": [{"level": 13.0}, {"level": 0.0}]}),
        ("3202ff00", {"raw": "_wA"}),
        ("3800", {"battery": 0}),
        ("4206088098b9bb06", {"at": "2024-12-27T06:41:04Z"}),
        ("4a080a01611500000040", {"named": {"a": 2.0}}),
        ("7a03616263", {}),
    ],
)
def test_fields_as_the_wire_has_them(payload: str, fields: dict[str, Any]) -> None:
    assert document(decode(payload)) == DEFAULTS | fields


def test_readings_are_taken_from_the_document() -> None:
    answer = decode("0829180138642a09090000000000002a40")
    (readings,) = answer.readings
    assert readings.values == {
        "temperature": -21, "total": 0, "open": True, "mode": "OFF", "raw": "", "battery": 100,
        "parts.0.level": 13.0,
    }  # fmt: skip


def test_a_port_may_have_a_type_of_its_own() -> None:
    assert document(decode("0a026f6b", port=2)) == {"text": "ok"}
    assert document(decode("0829", port=3))["temperature"] == -21


@pytest.mark.parametrize("payload", ["08", "0a", "ff", "2aff01", "0b"])
def test_what_is_no_message_is_said_so(payload: str) -> None:
    answer = decode(payload)
    assert isinstance(answer, DecodeFailure)
    assert "acme.Uplink" in answer.message


def test_few_bytes_that_name_very_many_values_are_refused() -> None:
    answer = decode("2a00" * 30_000)
    assert isinstance(answer, DecodeFailure)
    assert "too many values" in answer.message


def test_commands_are_encoded_and_read_back() -> None:
    async def encode(data: Any) -> Any:
        batch = EncodeBatch("A", [EncodeContext(data, 5)], SCRIPT)
        return (await ProtobufRuntime().encode(batch))[0]

    assert asyncio.run(encode({"interval": 300})) == Encoded(bytes.fromhex("08ac02"), 5)
    assert document(decode("08ac02", downlink=True)) == {"interval": 300}
    for wrong in ({"interval": -1}, {"other": 1}, [1], None, "x"):
        answer = asyncio.run(encode(wrong))
        assert isinstance(answer, DecodeFailure), wrong


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ("{}", "descriptor"),
        (decoder_text(descriptor="***"), "not base64"),
        (decoder_text(descriptor="/////w=="), "FileDescriptorSet"),
        (decoder_text(descriptor=""), "acme.Uplink"),
        (decoder_text(message="acme.Missing"), "acme.Missing"),
        (decoder_text(ports={"2": "acme.Missing"}), "acme.Missing"),
        (decoder_text(ports={"two": "acme.Status"}), "ports"),
        (decoder_text(more=1), "more"),
    ],
)
def test_a_text_that_is_no_good_is_refused_in_words(text: str, reason: str) -> None:
    script = Script("b" * 64, text)
    with pytest.raises(ScriptInvalid, match=reason):
        asyncio.run(ProtobufRuntime().outline(DecodeBatch("A", [], script)))
    answer = decode("", script=script)
    assert isinstance(answer, DecodeFailure)
    assert reason in answer.message


def test_a_text_without_a_type_for_commands_encodes_nothing() -> None:
    script = Script("c" * 64, decoder_text(downlink=None))
    batch = EncodeBatch("A", [EncodeContext({})], script)
    (answer,) = asyncio.run(ProtobufRuntime().encode(batch))
    assert isinstance(answer, DecodeFailure)
    assert "downlink" in answer.message
