import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from moorage.builtin.decoders.javascript.runtime import JavaScriptRuntime
from moorage.decoders import DecodeBatch, DecodeContext, Decoded, DecodeFailure, Script

AT = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
Results = list[Decoded | DecodeFailure]
Decode = Callable[..., Awaitable[Results]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime() -> AsyncIterator[JavaScriptRuntime]:
    runtime = JavaScriptRuntime(workers=1)
    yield runtime
    await runtime.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def decode(runtime: JavaScriptRuntime) -> Decode:
    """Decode payloads (hex, or contexts) with a script."""

    async def run(
        source: str, *payloads: str | DecodeContext, organization: str = "one", **how: Any
    ) -> Results:
        messages = [
            p if isinstance(p, DecodeContext) else DecodeContext(bytes.fromhex(p), AT, port=5)
            for p in payloads or ("00",)
        ]
        script = Script(hashlib.sha256(source.encode()).hexdigest(), source)
        return await runtime.decode(DecodeBatch(organization, messages, script, **how))

    return run
