"""The JavaScript runtime: a pool of jailed processes behind `DecoderRuntime`."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from moorage.plugin import (
    DecodeBatch,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    Encoded,
    Script,
    ScriptInvalid,
    ScriptOutline,
)

from . import lines, process
from .process import Jail, Limits, Process, ProcessGone

log = structlog.get_logger()

_KNOWN = 2000
_CPU_PER_PROCESS_S = 300.0
_REST_S = 30.0
_DEATHS = 2

Result = TypeVar("Result", Decoded, Encoded)
Key = TypeVar("Key")
Item = TypeVar("Item")


class JavaScriptRuntime:
    """Decodes with vendors' scripts, each organization's in a process of its own at any one time.

    Args:
        workers: processes kept; each is started when first needed.
    """

    api_version = 1
    name = "javascript"
    needs_script = True
    content_types: tuple[str, ...] = ()

    def __init__(self, workers: int = 2, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._workers = workers
        self._idle: list[Process] = []  # Most recently used last.
        self._count = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._functions: OrderedDict[tuple[str, str], dict[str, int]] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], tuple[float, ScriptInvalid]] = OrderedDict()
        self._resting: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._warned = False

    async def outline(self, batch: DecodeBatch) -> ScriptOutline:
        """Load the batch's script and name its functions. Raises ScriptInvalid."""
        functions = await self._outline(batch.organization, _script(batch))
        return ScriptOutline(
            decode=lines.pick(functions, "decode"),
            decode_downlink=lines.pick(functions, "decode_downlink"),
            encode=lines.pick(functions, "encode"),
        )

    async def decode(self, batch: DecodeBatch) -> list[Decoded | DecodeFailure]:
        """Decode every message of the batch."""
        purpose = "decode_downlink" if batch.downlink else "decode"
        try:
            script = _script(batch)
            function = await self._function(batch.organization, script, purpose)
        except ScriptInvalid as error:
            return [DecodeFailure(error.code, str(error))] * len(batch.messages)
        encoded = [lines.decode_input(function, message) for message in batch.messages]

        def read(answer: Sequence[bytes]) -> list[Decoded | DecodeFailure]:
            return lines.read_decoded(answer, function, self._limits, trace=batch.trace)

        return await self._run(batch.organization, script, function, encoded, read)

    async def encode(self, batch: EncodeBatch) -> list[Encoded | DecodeFailure]:
        """Encode every command of the batch."""
        try:
            script = _script(batch)
            function = await self._function(batch.organization, script, "encode")
        except ScriptInvalid as error:
            return [DecodeFailure(error.code, str(error))] * len(batch.messages)
        encoded = [lines.encode_input(message) for message in batch.messages]

        def read(answer: Sequence[bytes]) -> list[Encoded | DecodeFailure]:
            return lines.read_encoded(answer, function, self._limits)

        return await self._run(batch.organization, script, function, encoded, read)

    async def jail_report(self) -> Jail:
        """Start one process, let it try the shut doors, and tell how well it is jailed."""
        worker = await process.start(self._limits)
        await worker.kill()
        return worker.jail

    async def close(self) -> None:
        """End the processes; what still runs ends with its own request."""
        self._workers = 0
        idle, self._idle = self._idle, []
        for each in idle:
            await self._drop(each)

    async def _function(self, organization: str, script: Script, purpose: str) -> str:
        functions = await self._outline(organization, script)
        if (function := lines.pick(functions, purpose)) is None:
            raise ScriptInvalid(reason=lines.WANTED[purpose])
        return function

    async def _outline(self, organization: str, script: Script) -> dict[str, int]:
        """Give the script's functions with their numbers of parameters."""
        key = (organization, script.hash)
        if (known := self._functions.get(key)) is not None:
            self._functions.move_to_end(key)
            return known
        until, refusal = self._refused.get(key, (0.0, ScriptInvalid(reason="")))
        if until > time.monotonic():
            raise refusal
        self._refused.pop(key, None)
        try:
            functions = lines.read_outline(await self._load(organization, script), self._limits)
        except ScriptInvalid as error:
            _keep(self._refused, key, (time.monotonic() + _REST_S, error))
            raise
        _keep(self._functions, key, functions)
        return functions

    async def _load(self, organization: str, script: Script) -> Any:
        """Load a script; the second loss of the process is the script's doing."""
        for last in (False, True):
            try:
                async with self._process(organization) as worker:
                    return await worker.load(script.hash, script.source)
            except ProcessGone as error:
                if last:
                    raise ScriptInvalid(reason="loading it ends the process") from error
        raise AssertionError("unreachable")

    async def _run(
        self,
        organization: str,
        script: Script,
        function: str,
        messages: Sequence[bytes | DecodeFailure],
        read: Callable[[Sequence[bytes]], list[Result | DecodeFailure]],
    ) -> list[Result | DecodeFailure]:
        """Run the good inputs in portions and put the results where their messages were."""
        good = [message for message in messages if type(message) is bytes]
        answer: list[bytes] = []
        for portion in lines.portions(good, self._limits):
            answer += await self._portion(organization, script, function, portion)
        results = iter(read(answer))
        if len(good) == len(messages):
            return list(results)
        return [m if isinstance(m, DecodeFailure) else next(results) for m in messages]

    async def _portion(
        self, organization: str, script: Script, function: str, messages: Sequence[bytes]
    ) -> list[bytes]:
        """Answer one line per message, whatever happens to the process.

        After the process was lost (perhaps by no fault of the script), the rest goes one by one:
        the message at hand when it is lost again is the culprit.
        """
        key = (organization, script.hash)
        if self._resting.get(key, 0.0) > time.monotonic():
            return [b"[4]"] * len(messages)
        done: list[bytes] = []
        deaths = 0
        single = False
        while len(done) < len(messages):
            if deaths >= _DEATHS:
                done += [b"[4]"] * (len(messages) - len(done))
                break
            rest = messages[len(done) :]
            try:
                async with self._process(organization) as worker:
                    if script.hash not in worker.scripts:
                        await worker.load(script.hash, script.source)
                    if script.hash not in worker.scripts:
                        deaths += 1
                        continue
                    text = b"[" + b",".join(rest) + b"]"
                    async for part in worker.run(
                        script.hash, function, text, len(rest), single=single
                    ):
                        done += part.splitlines()
                    if len(done) != len(messages):
                        # Only a process that a script has taken over answers more or fewer lines.
                        await worker.kill()
                        deaths += 1
                        del done[len(messages) - len(rest) :]
            except ProcessGone as error:
                if single:
                    done.append(b"[2]" if error.timed_out else b"[6]")
                    deaths += 1
                single = True
        if done[-1] == b"[4]":
            _keep(self._resting, key, time.monotonic() + _REST_S)
            log.warning("decoder_rests", organization=organization, script=script.hash, s=_REST_S)
        else:
            self._resting.pop(key, None)
        return done[: len(messages)]

    @asynccontextmanager
    async def _process(self, organization: str) -> AsyncIterator[Process]:
        """Lend a process; organizations that wait take turns."""
        worker = await self._take(organization)
        try:
            await worker.serve(organization)
            yield worker
        except BaseException:
            # Cancelled or failed in the middle of an answer: what is in the socket is of no use.
            await self._drop(worker)
            raise
        else:
            if not worker.is_usable or worker.cpu_s > _CPU_PER_PROCESS_S or self._workers == 0:
                await self._drop(worker)
            else:
                self._idle.append(worker)
        finally:
            self._wake_next()

    async def _take(self, organization: str) -> Process:
        while not self._idle and self._count >= max(self._workers, 1):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(organization, deque()).append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_next()
                raise
        for each in [each for each in self._idle if not each.is_usable]:
            self._idle.remove(each)
            await self._drop(each)
        for each in reversed(self._idle):
            if each.organization == organization:
                self._idle.remove(each)
                return each
        if self._idle and self._count >= self._workers:
            return self._idle.pop(0)
        self._count += 1
        try:
            worker = await process.start(self._limits)
        except BaseException:
            self._count -= 1
            self._wake_next()
            raise
        self._warn_once(worker)
        return worker

    def _wake_next(self) -> None:
        """Let one waiting request go on, organizations by turns."""
        while self._waiting:
            organization, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[organization] = turns
            if not turn.done():
                turn.set_result(None)
                return

    async def _drop(self, worker: Process) -> None:
        self._count -= 1
        await worker.kill()

    def _warn_once(self, worker: Process) -> None:
        jail = worker.jail
        if (jail.missing or jail.escapes) and not self._warned:
            self._warned = True
            log.warning("decoder_jail_incomplete", missing=jail.missing, escapes=jail.escapes)


def _keep(known: OrderedDict[Key, Item], key: Key, item: Item) -> None:
    """Remember the latest few thousand."""
    known[key] = item
    if len(known) > _KNOWN:
        known.popitem(last=False)


def _script(batch: DecodeBatch | EncodeBatch) -> Script:
    if batch.script is None:
        raise ScriptInvalid(reason="no script was given")
    return batch.script
