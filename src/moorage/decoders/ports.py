"""What a decoder plugin offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog

from .errors import DecoderCrashed, ScriptInvalid
from .model import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    ScriptOutline,
)

log = structlog.get_logger()
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class DecoderRuntime(Protocol):
    """Turns payloads into documents and readings, and commands into payloads.

    A faulty message becomes a `DecodeFailure` in its place; the answer is as long as the batch and
    in its order. `content_types` lists what it reads without being asked (no decoder chosen);
    `needs_script` tells whether a decoder of this kind has a text.
    """

    name: str
    needs_script: bool
    content_types: tuple[str, ...]

    async def outline(self, batch: DecodeBatch) -> ScriptOutline:
        """Load the batch's script and name its functions. Raises ScriptInvalid."""
        ...

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        """Decode every message."""
        ...

    async def encode(self, batch: EncodeBatch) -> list[Encoded | DecodeFailure]:
        """Encode every command."""
        ...

    async def close(self) -> None:
        """Give back processes and files."""
        ...


class FunctionRuntime:
    """A runtime made of one pure function per direction; it needs no script."""

    api_version = 1

    needs_script = False

    def __init__(
        self,
        name: str,
        decode: Callable[[DecodeContext], Decoded | DecodeFailure],
        *,
        content_types: tuple[str, ...] = (),
        encode: Callable[[EncodeContext], Encoded | DecodeFailure] | None = None,
    ) -> None:
        self.name = name
        self.content_types = content_types
        self.decode_one = decode
        self.encode_one = encode

    async def outline(self, batch: DecodeBatch) -> ScriptOutline:
        """Name the two functions."""
        return ScriptOutline(decode=self.name, encode=self.name if self.encode_one else None)

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        """Decode every message."""
        return [_attempt(self.decode_one, message) for message in batch.messages]

    async def encode(self, batch: EncodeBatch) -> list[Encoded | DecodeFailure]:
        """Encode every command."""
        if (encode_one := self.encode_one) is None:
            failure = DecodeFailure(
                ScriptInvalid.code, f"{self.name} only decodes; it cannot encode."
            )
            return [failure] * len(batch.messages)
        return [_attempt(encode_one, message) for message in batch.messages]

    async def close(self) -> None:
        """Nothing is held."""


def _attempt(function: Callable[[_In], _Out | DecodeFailure], message: _In) -> _Out | DecodeFailure:
    """Do one message: whatever goes wrong with it is not the others'."""
    try:
        return function(message)
    except Exception as failed:
        log.exception("decoder_function_failed")
        words = f"The decoder cannot do this one ({type(failed).__name__})."
        return DecodeFailure(DecoderCrashed.code, words)
