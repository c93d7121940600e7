"""Hostile scripts: each is limited and reported, and the others go on."""

import asyncio
import hashlib
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from moorage.builtin.decoders.javascript import process
from moorage.builtin.decoders.javascript.runtime import JavaScriptRuntime, Limits
from moorage.decoders import DecodeBatch, DecodeContext, Decoded, DecodeFailure, Script

AT = datetime(2026, 11, 22, 3, 15, tzinfo=UTC)
HONEST = "function decodeUplink(i) { return {data: {n: i.bytes[0]}} }"

TIMED_OUT = "decoders.timed_out"
OUT_OF_MEMORY = "decoders.out_of_memory"
FAILED = "decoders.decode_failed"
TOO_LARGE = "decoders.result_too_large"

ATTACKS = {
    "endless loop": ("while (true);", TIMED_OUT),
    "loop that catches": (
        "for (;;) try { for (;;); } catch (e) {} finally { continue }",
        TIMED_OUT,
    ),
    "generator without end": (
        "const g = function* () { for (;;) yield 1 }; for (const x of g());",
        TIMED_OUT,
    ),
    "regular expression": ("/^(a+)+$/.test('a'.repeat(40) + '!')", TIMED_OUT),
    "search without end": ("Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)", TIMED_OUT),
    "long list": ("const a = []; a.length = 4294967295; a.indexOf(1)", TIMED_OUT),
    "array growth": ("const a = []; for (;;) a.push({})", OUT_OF_MEMORY),
    "buffers": ("const a = []; for (;;) a.push(new ArrayBuffer(1 << 20))", OUT_OF_MEMORY),
    "closures": ("let f = () => 0; for (;;) { const g = f; f = () => g }", OUT_OF_MEMORY),
    "long string": ("return {data: 'x'.repeat(2 ** 28)}", OUT_OF_MEMORY),
    "string doubling": ("let s = 'x'; for (;;) s = s + s + s.length", FAILED),
    "deep recursion": ("(function f() { f() })()", FAILED),
    "deep result": ("let x = []; for (let k = 0; k < 1e5; k++) x = [x]; return {data: x}", FAILED),
    "circle": ("const x = {}; x.x = x; return {data: x}", FAILED),
    "big result": ("return {data: 'x'.repeat(300000)}", TOO_LARGE),
    "big integer": ("return {data: 10n ** 10000000000n}", FAILED),
    "big integer result": ("return {data: 1n}", FAILED),
    "throwing getter": ("return {get data() { throw new Error('gotcha') }}", FAILED),
    "throwing toJSON": ("return {data: {toJSON() { throw null }}}", None),
    "throwing proxy": ("return new Proxy({}, {ownKeys() { throw new Error('no') }})", FAILED),
    "endless getter": ("return {get data() { for (;;); }}", TIMED_OUT),
    "hostile error": ("throw {toString() { throw 1 }, get stack() { throw 2 }}", FAILED),
    "endless error": ("throw {toString() { for (;;); }}", TIMED_OUT),
    "symbol": ("throw Symbol('x')", FAILED),
}


def a_script(source: str) -> Script:
    return Script(hashlib.sha256(source.encode()).hexdigest(), source)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_costs_its_own_message_only(decode: Any, attack: str) -> None:
    body, code = ATTACKS[attack]
    source = (
        f"function decodeUplink(i) {{ if (i.bytes[0] === 2) {{ {body} }}"
        " return {data: {n: i.bytes[0]}} }"
    )

    results = await decode(source, "00", "01", "02", "03", "04")
    honest = await decode(HONEST, "09")

    assert honest[0].readings[0].values == {"n": 9}
    culprit = results.pop(2)
    assert isinstance(culprit, DecodeFailure)
    assert code is None or culprit.code == code, culprit
    assert [r.readings[0].values["n"] for r in results] == [0, 1, 3, 4]


@pytest.mark.parametrize(
    "trick",
    [
        "Object.prototype.toJSON = function () { return 'x\\n[0,1]' }",
        "Array.prototype.toJSON = String.prototype.toJSON = Number.prototype.toJSON = () => '\\n'",
        "JSON.stringify = () => ']\\n['; JSON.parse = () => [[[1]]]",
        "Object.defineProperty(Array.prototype, '0', {set() { throw 1 }, get() { return 7 }})",
        "Object.defineProperty(Object.prototype, '0', {set() { throw 1 }, configurable: true})",
        "Array.prototype.join = Array.prototype.push = String.prototype.slice = () => 'z'",
        "Function.prototype.call = Function.prototype.apply = () => 'z'",
        "Object.prototype.polluted = 1; Array.prototype.evil = 2",
        "globalThis.Date = globalThis.String = globalThis.eval = () => 'z'; Date.now = () => 0",
        "Error.prepareStackTrace = (e, frames) => { frames.map(f => f.getFunction()); throw 1 }",
        "for (const k of Reflect.ownKeys(globalThis)) try { delete globalThis[k] } catch {}",
        "Object.freeze(globalThis)",
    ],
)
async def test_prototype_tricks_break_neither_the_framing_nor_other_decoders(
    decode: Any, trick: str
) -> None:
    source = f"""function decodeUplink(i) {{
        if (i.bytes[0] === 1) {{ {trick}; }}
        if (i.bytes[0] === 2) throw new Error("plain");
        return {{data: i.bytes[0]}} }}"""

    during = await decode(source, "00", "01", "02", "03")
    after = await decode(source, "00", "02", "03")
    honest = await decode(HONEST, "09")

    assert len(during) == 4
    assert during[0].readings[0].values == {"value": 0}
    assert [type(r) for r in after] == [Decoded, DecodeFailure, Decoded]
    assert after[2].readings[0].values == {"value": 3}
    assert honest[0].document == b'{"n":9}'


@pytest.mark.parametrize(
    "expression",
    [
        "typeof std + typeof os + typeof process + typeof scriptArgs",
        "typeof fetch + typeof XMLHttpRequest + typeof WebSocket + typeof Deno",
        "typeof WebAssembly + typeof SharedArrayBuffer + typeof Atomics + typeof setTimeout",
        "(function () {}).constructor('return typeof std')() + (() => {}).constructor("
        "'return typeof os')() + (async () => {}).constructor('')().constructor.name.slice(7)"
        " + Object.constructor('return typeof print')()",
    ],
)
async def test_nothing_leads_out_of_the_language(decode: Any, expression: str) -> None:
    (result,) = await decode(f"function decodeUplink() {{ return {{data: {{x: {expression}}}}} }}")

    assert set(result.readings[0].values["x"].split("undefined")) == {""}


@pytest.mark.parametrize("name", ["std", "os", "fs", "/etc/passwd", "./harness.js"])
async def test_no_module_can_be_imported(decode: Any, name: str) -> None:
    source = f"""let state = "none";
    import({msgspec.json.encode(name).decode()}).then(() => state = "in", () => state = "refused");
    function decodeUplink() {{ return {{data: {{state}}}} }}"""

    results = await decode(source, "00", "00")

    assert {r.readings[0].values["state"] for r in results} <= {"none", "refused"}


async def test_promises_and_microtasks_never_run(decode: Any) -> None:
    source = """let ran = 0;
    function spin() { ran++; return Promise.resolve().then(spin) }
    function decodeUplink() { spin(); queueMicrotask(spin); return {data: {ran}} }"""

    results = await decode(source, *["00"] * 50)

    assert [r.readings[0].values["ran"] for r in results] == list(range(1, 51))


async def test_what_one_script_leaves_no_other_and_no_other_organization_sees(decode: Any) -> None:
    leave = "function decodeUplink(i) { globalThis.secret = 42; return {data: {x: 1}} }"
    look = "function decodeUplink(i) { return {data: {seen: typeof secret}} }"
    both = "var n = 0; function decodeUplink(i) { return {data: {n: n++}} }"

    await decode(leave)
    assert (await decode(look))[0].readings[0].values == {"seen": "undefined"}
    await decode(both, "00", "00")
    assert (await decode(both, organization="two"))[0].readings[0].values == {"n": 0}
    assert (await decode(look, organization="two"))[0].readings[0].values == {"seen": "undefined"}


async def test_an_error_leaves_no_state_for_the_next_batch(decode: Any) -> None:
    source = (
        "var n = 0; function decodeUplink(i) { n++; if (i.bytes[0]) throw 1; return {data: {n}} }"
    )

    first = await decode(source, "00", "01")
    second = await decode(source, "00")

    assert first[0].readings[0].values == {"n": 1}
    assert second[0].readings[0].values == {"n": 1}


async def test_a_leaking_script_goes_on_in_fresh_contexts(decode: Any) -> None:
    source = """const kept = [];
    function decodeUplink(i) { kept.push(new ArrayBuffer(1 << 20)); return {data: {n: 1}} }"""

    results = await decode(source, *["00"] * 100)

    assert all(isinstance(r, Decoded) for r in results)


async def test_a_script_that_always_times_out_rests() -> None:
    runtime = JavaScriptRuntime(workers=1, limits=Limits(message_s=0.05))
    script = a_script("function decodeUplink(i) { for (;;); }")
    batch = DecodeBatch("one", [DecodeContext(b"", AT)] * 100, script)
    try:
        first = await runtime.decode(batch)
        began = time.process_time()
        second = await runtime.decode(batch)
        other = await runtime.decode(
            DecodeBatch("one", [DecodeContext(b"\x01", AT)], a_script(HONEST))
        )
    finally:
        await runtime.close()

    codes = [r.code for r in first if isinstance(r, DecodeFailure)]
    assert codes == [TIMED_OUT] * 3 + ["decoders.resting"] * 97
    assert {r.code for r in second if isinstance(r, DecodeFailure)} == {"decoders.resting"}
    assert time.process_time() - began < 1
    assert isinstance(other[0], Decoded)


async def test_a_process_killed_in_a_batch_loses_no_message() -> None:
    runtime = JavaScriptRuntime(workers=1, limits=Limits(message_s=2.0, batch_s=60))
    slow = (
        "function decodeUplink(i) { let s = 0; for (let k = 0; k < 200000; k++) s += k;"
        " return {data: {n: i.bytes[0]}} }"
    )
    messages = [DecodeContext(bytes((n,)), AT) for n in range(60)]
    others = set(worker_pids())
    try:
        # The process has started by then: one that dies before is another matter.
        await runtime.decode(DecodeBatch("one", messages[:1], a_script(slow)))
        task = asyncio.create_task(runtime.decode(DecodeBatch("one", messages, a_script(slow))))
        killed = 0
        while not task.done() and killed < 1:
            await asyncio.sleep(0.15)
            for pid in set(worker_pids()) - others:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        results = await task
    finally:
        await runtime.close()

    assert killed == 1
    assert [r.readings[0].values["n"] for r in results if isinstance(r, Decoded)] == list(range(60))


def worker_pids() -> list[int]:
    """Find the decoder processes among this process's children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and "javascript.worker" in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


async def test_what_the_engine_cannot_interrupt_is_killed_and_the_culprit_named() -> None:
    runtime = JavaScriptRuntime(workers=1, limits=Limits(answer_s=1.0))
    # One native call that would take minutes.
    source = (
        "function decodeUplink(i) { if (i.bytes[0] === 2)"
        " 'a'.repeat(1e6).indexOf('a'.repeat(5e5) + 'b'); return {data: {n: i.bytes[0]}} }"
    )
    messages = [DecodeContext(bytes((n,)), AT) for n in range(5)]
    try:
        results = await runtime.decode(DecodeBatch("one", messages, a_script(source)))
    finally:
        await runtime.close()

    culprit = results.pop(2)
    assert isinstance(culprit, DecodeFailure)
    assert culprit.code == TIMED_OUT
    assert [r.document for r in results if isinstance(r, Decoded)] == [
        b'{"n":0}', b'{"n":1}', b'{"n":3}', b'{"n":4}',
    ]  # fmt: skip


@pytest.mark.parametrize("harm", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_process_harmed_from_outside_costs_no_message(harm: signal.Signals) -> None:
    runtime = JavaScriptRuntime(workers=1, limits=Limits(answer_s=1.0))
    batch = DecodeBatch("one", [DecodeContext(b"\x01", AT)], a_script(HONEST))
    try:
        await runtime.decode(batch)
        (pid,) = [p.pid for p in runtime._idle]
        os.kill(pid, harm)
        (result,) = await runtime.decode(batch)
    finally:
        await runtime.close()

    assert isinstance(result, Decoded)


async def test_a_script_that_does_not_load_is_not_tried_again_at_once() -> None:
    runtime = JavaScriptRuntime(workers=1)
    batch = DecodeBatch("one", [DecodeContext(b"", AT)], a_script("for (;;);"))
    try:
        (first,) = await runtime.decode(batch)
        # On a machine that is busy it may have been ended already.
        for process_used in runtime._idle:
            await process_used.kill()
        (second,) = await runtime.decode(batch)
        started = [p for p in runtime._idle if p.is_usable]
    finally:
        await runtime.close()

    assert first == second
    assert started == []


async def test_the_processes_end_with_the_runtime() -> None:
    runtime = JavaScriptRuntime(workers=1)
    await runtime.decode(DecodeBatch("one", [DecodeContext(b"\x01", AT)], a_script(HONEST)))
    (pid,) = [p.pid for p in runtime._idle]

    await runtime.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_jail_is_complete_and_its_doors_are_shut() -> None:
    jail = await JavaScriptRuntime().jail_report()

    assert jail == process.Jail({}, [])


async def test_the_process_holds_no_privilege_no_secret_and_no_file() -> None:
    worker = await process.start(Limits())
    try:
        seen = Path(f"/proc/{worker.pid}")
        lines = (seen / "status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if os.geteuid() == 0:  # Others may not look into a process that shows nothing.
            assert set(status["Uid"].split()) == {"65534"}
            assert [entry.name for entry in (seen / "fd").iterdir()] == ["0"]
            environment = (seen / "environ").read_text().split("\0")
            assert {each.split("=")[0] for each in environment if each} <= {"TZ", "LC_ALL"}
    finally:
        await worker.kill()

    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert int(status["CapEff"], 16) == 0
