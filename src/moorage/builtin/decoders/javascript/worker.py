"""The jailed decoder process: takes scripts and arrays of messages, answers lines.

Started by `process.py` as `python -I -S` with an empty environment and one descriptor, the socket
to its starter at 0. Frames both ways: length (4 bytes, big-endian), then the body. A request body
is a JSON header, a newline, and a text; an answer body is one letter and a text: `H` the jail's
report, `L` the answer to a load, `R` more lines of a run, `E` the end of a run with the CPU seconds
used so far.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import struct
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from . import jail

_HERE = Path(__file__).parent
_KEPT = 8
_SLICE_MS = 20
_PRELUDE_WORDS = re.compile(r"\b(?:Buffer|TextDecoder|TextEncoder|require)\b")
_EXPORTS = (
    (re.compile(r"^([ \t]*)export[ \t]+default\b", re.M), r"\1module.exports ="),
    (re.compile(r"^([ \t]*)export[ \t]+(?=(?:async|function|const|let|var|class)\b)", re.M), r"\1"),
    (re.compile(r"^([ \t]*)export[ \t]*\{[^}]*\}[ \t]*;?", re.M), r"\1"),
)


class Engine:
    """Contexts by script, most recently used last."""

    def __init__(self, quickjs: Any, limits: dict[str, Any]) -> None:
        self.quickjs = quickjs
        self.limits = limits
        self.harness = (_HERE / "harness.js").read_text(encoding="utf-8")
        self.prelude = (_HERE / "prelude.js").read_text(encoding="utf-8")
        self.sources: dict[str, str] = {}
        self.contexts: OrderedDict[str, Any] = OrderedDict()

    def forget(self) -> None:
        """Drop every script and context: another organization is next."""
        self.contexts.clear()
        self.sources.clear()

    def load(self, script: str, source: str) -> str:
        """Keep `source`, make its context, and answer the harness's line."""
        call, line = self._make(source)
        if call is not None:
            self.sources[script] = source
            self._keep(script, call)
        return line

    def _make(self, source: str) -> tuple[Any, str]:
        call, line = self._context(source)
        if line.startswith('[1,"SyntaxError') and "export" in source:
            changed = source
            for pattern, replacement in _EXPORTS:
                changed = pattern.sub(replacement, changed)
            if changed != source:
                call, line = self._context(changed)
        return (call if line.startswith("[0,") else None), line

    def _context(self, source: str) -> tuple[Any, str]:
        context = self.quickjs.Context()
        if _PRELUDE_WORDS.search(source):
            context.eval(self.prelude)
        call = context.eval(self.harness)(self.limits["result_bytes"])
        context.set_memory_limit(self.limits["memory_mib"] << 20)
        context.set_max_stack_size(self.limits["stack_kib"] << 10)
        context.set_time_limit(self.limits["message_s"] + _SLICE_MS / 1000)
        try:
            # As a global script: only so do its top-level const, let and class outlive the eval.
            context.eval(source + "\n;undefined")
            return call, str(call("outline"))
        except Exception as error:  # The engine's own errors share no class.
            message, _, stack = str(error).partition("\n")
            if message == "InternalError: interrupted":
                return call, "[2]"
            if message in {"InternalError: out of memory", "null"}:
                return call, "[3]"
            return call, json.dumps([1, message[:500], stack[:2000], []], separators=(",", ":"))

    def _keep(self, script: str, call: Any) -> None:
        while len(self.contexts) >= _KEPT:
            self.contexts.popitem(last=False)
        self.contexts[script] = call

    def _ready(self, script: str) -> Any:
        """Give the script's context, made anew where it was dropped."""
        if (call := self.contexts.get(script)) is not None:
            self.contexts.move_to_end(script)
            return call
        call, line = self._make(self.sources[script])
        if call is None:
            raise RuntimeError(f"a script that loaded before does not load again: {line}")
        self._keep(script, call)
        return call

    def run(self, link: Link, header: dict[str, Any], messages: str) -> None:
        """Run one function over the messages, sending lines as they come.

        A message that times out or runs out of memory gets its line, the next ones a fresh context;
        after three time-outs, or when the batch's time is spent, the rest is answered untried.
        """
        script, name, total = header["script"], header["function"], header["count"]
        slice_ms = 0 if header["single"] else _SLICE_MS
        end = time.process_time() + self.limits["batch_s"]
        done = strikes = 0
        fresh_at = -1  # The message for which the present context was made.
        text: str | None = messages
        while done < total:
            if strikes >= 3 or time.process_time() > end:
                link.send("R", "[4]\n" * (total - done))
                break
            fresh = script not in self.contexts
            call = self._ready(script)
            fresh_at = done if fresh else fresh_at
            try:
                status, at, lines = str(call("run", name, text, done, slice_ms)).split(";", 2)
            except Exception as error:
                status, at, lines = self._salvage(call, error, done)
            text = None
            done = int(at)
            if status == "2":
                lines += "[2]\n"
                strikes += 1
                done += 1
            elif status == "3" and fresh_at == done:
                lines += "[3]\n"
                done += 1
            if status in {"2", "3"} or (status == "1" and done >= total):
                self.contexts.pop(script, None)
                text = messages
            link.send("R", lines)
        link.send("E", repr(time.process_time()))

    def _salvage(self, call: Any, error: Exception, done: int) -> tuple[str, str, str]:
        """Read what a stopped run had finished; status 2 for time, 3 for memory."""
        status = "2" if str(error).startswith("InternalError: interrupted") else "3"
        try:
            _, at, lines = str(call("partial")).split(";", 2)
        except Exception:
            return status, str(done), ""
        if int(at) < done:  # Memory ran out before the harness had read the messages.
            return status, str(done), ""
        return status, at, lines


class Link:
    """The socket to the starter."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def send(self, letter: str, text: str) -> None:
        """Write one frame."""
        body = letter.encode() + text.encode("utf-8", "replace")
        rest = memoryview(struct.pack(">I", len(body)) + body)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def receive(self) -> bytes:
        """Read one frame; end the process when the starter is gone."""
        (size,) = struct.unpack(">I", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            if not (part := os.read(self.descriptor, min(size, 1 << 20))):
                os._exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _warm_up(engine: Engine) -> None:
    """Use everything once that would open files or map code later."""
    engine.load(
        "warm", "function decodeUplink(i) { return Buffer.from('00', 'hex').length + i.x; }"
    )
    try:
        engine.quickjs.Context().eval("new Date(0).toString() + nothing")
    except Exception as error:
        str(error).encode("utf-8", "replace").decode("utf-8", "replace")
    time.process_time()
    json.loads('{"a": [1.5, "\\u00e6"]}')
    engine.forget()


def main(parent: int, limits: dict[str, Any]) -> None:
    """Load, go to jail, serve until the starter hangs up."""
    engine = Engine(importlib.import_module("_quickjs"), limits)
    link = Link(0)
    _warm_up(engine)
    missing = jail.enter(parent, limits["process_mib"])
    link.send("H", json.dumps({"missing": missing, "escapes": jail.escapes()}))
    while True:
        head, _, text = link.receive().partition(b"\n")
        header = json.loads(head)
        match header["do"]:
            case "load":
                link.send("L", engine.load(header["script"], text.decode()))
            case "run":
                engine.run(link, header, text.decode())
            case "forget":
                engine.forget()
