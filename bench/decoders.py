"""Measure decoding: JavaScript decodes a second and core, and the cost of plain formats.

One organization, one script of thirty lines (Elsys ERS, sixteen bytes, six values), batches of a
thousand. The time counted is CPU time of this process and the decoder process together, so the
figure is per core whatever else runs. The rivals, in the same run: this runtime called message by
message, and the engine in this process with JSON both ways, as a plain use of the wheel would be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import psutil
import quickjs

from moorage.builtin.decoders import plain
from moorage.builtin.decoders.javascript.runtime import JavaScriptRuntime
from moorage.decoders import DecodeBatch, DecodeContext, Decoded, FunctionRuntime, Script

_GOAL = 30_000
_BATCH = 1_000
_ROUNDS = 15
_PAYLOAD = bytes.fromhex("0100e202290400270506060308070d62")
_SCRIPT = Path(__file__).parents[1] / "tests" / "payloads" / "elsys" / "ers.js"


async def _ours(source: str, size: int, count: int) -> list[float]:
    """Decodes a CPU second in batches of `size`, one figure a round of `count` messages."""
    runtime = JavaScriptRuntime(workers=1)
    script = Script(hashlib.sha256(source.encode()).hexdigest(), source)
    message = DecodeContext(_PAYLOAD, datetime.now(UTC), port=5)
    batch = DecodeBatch("bench", [message] * size, script)
    try:
        (first, *_) = await runtime.decode(batch)
        assert isinstance(first, Decoded)
        (worker,) = psutil.Process().children()
        rates = []
        for _ in range(_ROUNDS):
            began = time.process_time() + _cpu_s(worker)
            for _ in range(count // size):
                await runtime.decode(batch)
            rates.append(count / (time.process_time() + _cpu_s(worker) - began))
        return rates
    finally:
        await runtime.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _rival(source: str) -> list[float]:
    context = quickjs.Context()
    context.eval(source)
    context.eval("function call(text) { return JSON.stringify(decodeUplink(JSON.parse(text))) }")
    call = context.get("call")
    rates = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_BATCH):
            json.loads(call(json.dumps({"bytes": list(_PAYLOAD), "fPort": 5})))
        rates.append(_BATCH / (time.process_time() - began))
    return rates


def _microseconds(run: Callable[[], object]) -> float:
    count = 20_000
    figures = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(count):
            run()
        figures.append((time.process_time() - began) / count * 1e6)
    return statistics.median(figures)


def _plain(runtime: FunctionRuntime, payload: bytes) -> float:
    context = DecodeContext(payload, datetime.now(UTC))
    return _microseconds(lambda: runtime.decode_one(context))


def main() -> None:
    """Print the figures."""
    source = _SCRIPT.read_text(encoding="utf-8")
    machine = f"{platform.machine()}, {psutil.cpu_count()} cores"
    print(f"machine: {machine}, Python {platform.python_version()}")
    print(f"method: {_SCRIPT.name}, {len(_PAYLOAD)} bytes, 6 values, batches of {_BATCH},")
    print(f"        {_ROUNDS} rounds; CPU time of caller and jailed process together")
    ours = asyncio.run(_ours(source, _BATCH, 20 * _BATCH))
    single = asyncio.run(_ours(source, 1, 2 * _BATCH))
    bare = _rival(source)
    median = statistics.median(ours)
    print(f"JavaScript decodes/s a core: median {median:,.0f}, worst {min(ours):,.0f}")
    print(f"  goal {_GOAL:,}: {'reached' if median >= _GOAL else 'missed'}")
    for name, rates in (
        ("this runtime, a call a message", single),
        ("the engine in process, no jail, no limits, no readings", bare),
    ):
        other = statistics.median(rates)
        print(f"{name}: median {other:,.0f}, ratio {median / other:.2f}")
    flat = b'{"temperature":21.5,"humidity":40,"battery":3.61}'
    packed = cbor2.dumps(json.loads(flat))
    print(f"plain JSON, 3 values: {_plain(plain.json, flat):.2f} µs a message")
    print(f"plain CBOR, 3 values: {_plain(plain.cbor, packed):.2f} µs a message")


if __name__ == "__main__":
    main()
