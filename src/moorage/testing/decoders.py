"""The conformance suite of decoder runtimes: what every runtime must do, ours and strangers'."""

from __future__ import annotations

from datetime import UTC, datetime

from moorage.plugin import (
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

_AT = datetime(2026, 1, 1, tzinfo=UTC)


async def check_runtime(runtime: DecoderRuntime, good: bytes, script: Script | None = None) -> None:
    """Check a runtime. Raises AssertionError.

    Args:
        runtime: it is left open.
        good: a payload that it decodes.
        script: the text to run, for runtimes that need one.
    """
    assert runtime.needs_script is (script is not None)
    empty = DecodeBatch("A", [], script)
    assert await runtime.decode(empty) == []
    outline = await runtime.outline(empty)
    await _check_order(runtime, good, script)
    answers = await runtime.encode(EncodeBatch("A", [EncodeContext({"x": 1})] * 2, script))
    assert len(answers) == 2
    if outline.encode is None:
        assert all(isinstance(answer, DecodeFailure) for answer in answers)
    assert all(isinstance(answer, Encoded | DecodeFailure) for answer in answers)


async def _check_order(runtime: DecoderRuntime, good: bytes, script: Script | None) -> None:
    """Whatever else is in the batch, a good message is decoded the same, in its place."""
    odd = [b"", b"\x00", b"\xff" * 300, bytes(range(256)) * 40, b"{", b"\xf6"]
    payloads = [one for payload in odd for one in (payload, good)]
    messages = [DecodeContext(payload, _AT) for payload in payloads]
    found = await runtime.decode(DecodeBatch("A", messages, script))
    again = await runtime.decode(DecodeBatch("B", messages, script))
    assert len(found) == len(again) == len(messages)
    documents = set()
    for answer in [*found[1::2], *again[1::2]]:
        assert isinstance(answer, Decoded), answer
        documents.add(answer.document)
    assert len(documents) == 1
    for answer in found[::2]:
        assert isinstance(answer, Decoded | DecodeFailure)
        if isinstance(answer, DecodeFailure):
            assert answer.message, "A failure says what is wrong."
