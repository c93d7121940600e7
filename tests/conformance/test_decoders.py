"""Every installed decoder runtime passes the same suite."""

from __future__ import annotations

import cbor2
import msgspec
import pytest

from descriptors import decoder_text
from moorage import decoders
from moorage.decoders import Script
from moorage.testing.decoders import check_runtime

GOOD = {
    "json": b'{"t": 21.5}',
    "cbor": cbor2.dumps({"t": 21.5}),
    "messagepack": msgspec.msgpack.encode({"t": 21.5}),
    "xml": b"<r><t>21.5</t></r>",
    "senml": b'[{"n": "t", "v": 21.5}]',
    "senml-cbor": cbor2.dumps([{0: "t", 2: 21.5}]),
    "cayenne-lpp": bytes.fromhex("016700e7"),
    "javascript": b"\x07",
    "protobuf": b"\x08\x29",
}
SCRIPTS = {
    "javascript": "function decodeUplink(input) { return { data: { first: input.bytes[0] } } }",
    "protobuf": decoder_text(),
}


def test_each_has_a_payload_here() -> None:
    assert set(decoders.find_runtimes(workers=1)) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
async def test_a_runtime_does_what_every_runtime_must(name: str) -> None:
    runtime = decoders.find_runtimes(workers=1)[name]
    script = Script("0" * 64, SCRIPTS[name]) if name in SCRIPTS else None
    try:
        await check_runtime(runtime, GOOD[name], script)
    finally:
        await runtime.close()
