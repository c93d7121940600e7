"""One jailed decoder process, seen from its starter."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from moorage.plugin import RuntimeUnavailable

_START = (
    "import json, sys; sys.path[:0] = sys.argv[3:]; "
    "from moorage.builtin.decoders.javascript.worker import main; "
    "main(int(sys.argv[1]), json.loads(sys.argv[2]))"
)
_START_S = 20.0


class Limits(msgspec.Struct, frozen=True):
    """What a script may use.

    Attributes:
        message_s: CPU time for one message, and for loading the script.
        batch_s: CPU time for one request of up to `batch_messages` messages.
        answer_s: wall time without an answer after which the process is killed; for what the engine
            itself cannot interrupt.
        memory_mib: per context; `process_mib` bounds all contexts of a process.
    """

    message_s: float = 0.25
    batch_s: float = 5.0
    answer_s: float = 3.0
    memory_mib: int = 32
    process_mib: int = 256
    stack_kib: int = 256
    result_bytes: int = 256 << 10
    batch_messages: int = 1000
    batch_bytes: int = 1 << 20


class Jail(msgspec.Struct, frozen=True):
    """How well the process is shut in.

    Attributes:
        missing: walls that could not be put up, with the reason.
        escapes: forbidden things that worked when the process tried them.
    """

    missing: dict[str, str]
    escapes: list[str]


class ProcessGone(Exception):
    """The process ended or had to be killed; `timed_out` tells which."""

    def __init__(self, timed_out: bool) -> None:
        self.timed_out = timed_out
        super().__init__("timed out" if timed_out else "ended")


class Process:
    """A running decoder process; it serves one request at a time."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        self._child = child
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self.jail = Jail({}, [])
        self.organization: str | None = None
        self.scripts: set[str] = set()
        self.cpu_s = 0.0
        self.is_alive = True

    @property
    def is_usable(self) -> bool:
        """Whether the process still runs, as far as is known."""
        return self.is_alive and self._child.returncode is None and not self._reader.at_eof()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    async def load(self, script: str, source: str) -> Any:
        """Load a script; answer the harness's line, decoded."""
        await self._send({"do": "load", "script": script}, source.encode("utf-8", "replace"))
        answer = await self._receive()
        line = _decode_line(answer[1:])
        if line[0] == 0:
            self.scripts.add(script)
        return line

    async def run(
        self, script: str, function: str, messages: bytes, count: int, *, single: bool
    ) -> AsyncIterator[bytes]:
        """Yield lines of the messages (a JSON array) as the process sends them."""
        header = {
            "do": "run",
            "script": script,
            "function": function,
            "count": count,
            "single": single,
        }
        await self._send(header, messages)
        while (answer := await self._receive())[:1] != b"E":
            yield answer[1:]
        self.cpu_s = float(answer[1:])

    async def serve(self, organization: str) -> None:
        """Make the process `organization`'s; nothing of another stays."""
        if self.organization not in {None, organization}:
            await self._send({"do": "forget"}, b"")
            self.scripts.clear()
        self.organization = organization

    async def _send(self, header: dict[str, Any], text: bytes) -> None:
        body = msgspec.json.encode(header) + b"\n" + text
        try:
            self._writer.write(len(body).to_bytes(4, "big") + body)
            async with asyncio.timeout(self._limits.answer_s):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise await self._gone(error) from error

    async def _receive(self, wait_s: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(wait_s or self._limits.answer_s):
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                if not 0 < size <= 64 << 20:
                    raise ConnectionError(f"a frame of {size} bytes")
                return await self._reader.readexactly(size)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise await self._gone(error) from error

    async def _gone(self, error: Exception) -> ProcessGone:
        await self.kill()
        return ProcessGone(isinstance(error, TimeoutError))

    async def kill(self) -> None:
        """End the process and wait until it is gone."""
        self.is_alive = False
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        self._writer.close()
        await self._child.wait()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _decode_line(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return [1, "The answer of the decoder process cannot be read.", "", []]


async def start(limits: Limits) -> Process:
    """Start a process and wait until it sits in its jail. Raises RuntimeUnavailable."""
    spec = importlib.util.find_spec("_quickjs")
    if spec is None or spec.origin is None:
        raise RuntimeUnavailable(reason="the package quickjs-ng is not installed")
    roots = [str(Path(__file__).parents[4]), str(Path(spec.origin).parent)]
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", "-X", "utf8", "-B", "-c", _START),
                *(str(os.getpid()), msgspec.json.encode(limits).decode(), *roots),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={"TZ": "UTC", "LC_ALL": "C.UTF-8"},
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise RuntimeUnavailable(reason=str(error)) from error
    reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
    process = Process(child, reader, writer, limits)
    try:
        hello = await process._receive(_START_S)
    except ProcessGone as error:
        raise RuntimeUnavailable(
            reason=f"it {error} before it was ready; see `moorage doctor`"
        ) from error
    process.jail = msgspec.json.decode(hello[1:], type=Jail)
    return process
