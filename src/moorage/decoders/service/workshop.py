"""Where messages are decoded and commands encoded, in batches, each by its decoder in force."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Final, TypeVar
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from moorage.kit import plugins
from moorage.kit.db import FACTS_CHANNEL, Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.text import storable

from .. import store
from ..errors import (
    DecoderCrashed,
    DecoderForeign,
    DecoderNotChosen,
    DecoderRemoved,
    EncoderMissing,
    KindUnknown,
    RuntimeUnavailable,
)
from ..model import (
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    EncodeBatch,
    EncodeContext,
    Encoded,
    EncodeJob,
    InForce,
    Job,
    Script,
)
from ..ports import DecoderRuntime
from .formats import NOTHING, TEXT, Formats, read_text, settle_guess
from .readings import with_units
from .turns import Turns

log = structlog.get_logger()

RECHECK_S: Final = 1.0
"""How old what is known of a decoder may be, should a doorbell have been missed."""
ASK_AGAIN_S: Final = (0.1, 0.5, 2.0)
"""Pauses before a runtime whose processes could not be started is asked again."""
_MOST_KNOWN: Final = 5_000
_LONGEST_NOTICE: Final = 7_000  # Longer lists of facts are cut off by `kit.db`.

Content = TypeVar("Content", DecodeContext, EncodeContext)
Result = TypeVar("Result", Decoded, Encoded)

Call = Callable[
    [DecoderRuntime, str, Sequence[Content], Script | None],
    Awaitable[Sequence[Result | DecodeFailure]],
]


class _Known(msgspec.Struct, frozen=True):
    """What is known of a decoder, and since when (monotonic seconds); None of a removed one."""

    decoder: InForce | None
    script: Script | None
    checked_s: float


class Workshop:
    """Decodes and encodes with the versions in force; a new version acts within a second.

    Args:
        database: where the decoders are read, a few at a time, when they changed.
        doorbells: what tells that one changed.
        runtimes: by their names, which are the decoders' kinds.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, runtimes: Mapping[str, DecoderRuntime]
    ) -> None:
        self.database = database
        self.runtimes = runtimes
        self._formats = Formats(runtimes)
        self.turns = Turns()
        self._known: dict[UUID, _Known] = {}
        self._rung_s = 0.0
        doorbells.on(FACTS_CHANNEL, self._ring)

    def _ring(self, names: str) -> None:
        if not names or "decoders." in names or len(names) >= _LONGEST_NOTICE:
            self._rung_s = time.monotonic()

    async def decode(self, jobs: Sequence[Job]) -> list[tuple[str | None, Decoded | DecodeFailure]]:
        """Decode every message; answer in the order of `jobs`.

        Each answer begins with the hash of the version used, None where no decoder was. A message
        that cannot be decoded has a `DecodeFailure`; nobody's message stops another's.
        """
        outcomes: list[tuple[str | None, Decoded | DecodeFailure]] = [(None, NOTHING)] * len(jobs)
        by_decoder: dict[tuple[UUID, UUID], list[int]] = {}
        by_format: dict[tuple[UUID, str, bool], list[int]] = {}
        choose = self._formats.choose
        for index, job in enumerate(jobs):
            if job.decoder_id is not None:
                by_decoder.setdefault((job.organization_id, job.decoder_id), []).append(index)
                continue
            chosen, guessed = choose(job.content)
            if chosen == TEXT:
                outcomes[index] = None, read_text(job.content.payload)
            elif chosen is not None:
                by_format.setdefault((job.organization_id, chosen, guessed), []).append(index)
        known = await self._learn({decoder_id for _organization, decoder_id in by_decoder})

        async def by_one_decoder(key: tuple[UUID, UUID], indexes: list[int]) -> None:
            contents = [jobs[i].content for i in indexes]
            version, results = await self._with_decoder(
                key[0], key[1], known[key[1]], contents, _decode
            )
            decoder = known[key[1]].decoder
            units = {} if decoder is None else decoder.units
            for i, result in zip(indexes, results, strict=True):
                outcomes[i] = version, with_units(result, units)

        async def by_one_format(key: tuple[UUID, str, bool], indexes: list[int]) -> None:
            organization_id, name, guessed = key
            contents = [jobs[i].content for i in indexes]
            runtime = self.runtimes[name]
            results = await _attempt(runtime, str(organization_id), contents, None, _decode)
            for i, result in zip(indexes, results, strict=True):
                if guessed:
                    result = settle_guess(jobs[i].content.payload, result)
                outcomes[i] = None, result

        await asyncio.gather(
            *(by_one_decoder(key, indexes) for key, indexes in by_decoder.items()),
            *(by_one_format(key, indexes) for key, indexes in by_format.items()),
        )
        return outcomes

    async def encode(
        self, jobs: Sequence[EncodeJob]
    ) -> list[tuple[str | None, Encoded | DecodeFailure]]:
        """Encode every command; answer in the order of `jobs`, as `decode` does.

        `DecoderNotChosen` and `EncoderMissing` say that there is nothing to encode with.
        """
        no_decoder = DecodeFailure(DecoderNotChosen.code, str(DecoderNotChosen()))
        outcomes: list[tuple[str | None, Encoded | DecodeFailure]]
        outcomes = [(None, no_decoder)] * len(jobs)
        by_decoder: dict[tuple[UUID, UUID], list[int]] = {}
        for index, job in enumerate(jobs):
            if job.decoder_id is not None:
                by_decoder.setdefault((job.organization_id, job.decoder_id), []).append(index)
        known = await self._learn({decoder_id for _organization, decoder_id in by_decoder})

        async def by_one_decoder(key: tuple[UUID, UUID], indexes: list[int]) -> None:
            contents = [jobs[i].content for i in indexes]
            version, results = await self._with_decoder(
                key[0], key[1], known[key[1]], contents, _encode
            )
            for i, result in zip(indexes, results, strict=True):
                outcomes[i] = version, result

        await asyncio.gather(*(by_one_decoder(k, indexes) for k, indexes in by_decoder.items()))
        return outcomes

    def runtime_of(self, kind: str) -> DecoderRuntime:
        """Give the runtime of a kind. Raises KindUnknown."""
        if (runtime := self.runtimes.get(kind)) is None:
            raise KindUnknown(name=kind, known=", ".join(sorted(self.runtimes)))
        return runtime

    async def close(self) -> None:
        """Let every runtime give back its processes."""
        for runtime in self.runtimes.values():
            await runtime.close()

    async def _with_decoder(
        self,
        organization_id: UUID,
        decoder_id: UUID,
        known: _Known,
        contents: Sequence[Content],
        call: Call[Content, Result],
    ) -> tuple[str | None, Sequence[Result | DecodeFailure]]:
        """Run one organisation's batch with one decoder."""
        decoder = known.decoder
        refused: MoorageError | None = None
        if decoder is None:
            refused = DecoderRemoved(id=decoder_id)
        elif decoder.organization_id != organization_id and not decoder.shared:
            refused = DecoderForeign(id=decoder_id)
        elif (runtime := self.runtimes.get(decoder.kind)) is None:
            refused = KindUnknown(name=decoder.kind, known=", ".join(sorted(self.runtimes)))
        else:
            organization = str(organization_id)
            results = await _attempt(runtime, organization, contents, known.script, call)
            return decoder.hash, results
        return None, [DecodeFailure(refused.code, str(refused))] * len(contents)

    async def _learn(self, decoder_ids: Collection[UUID]) -> dict[UUID, _Known]:
        """Answer what is known of these decoders; look up what is not known or may have changed."""
        now = time.monotonic()
        oldest = max(self._rung_s, now - RECHECK_S)
        answer = {i: self._known[i] for i in decoder_ids if i in self._known}
        wanted = {i for i in decoder_ids if i not in answer or answer[i].checked_s <= oldest}
        if not wanted:
            return answer
        async with self.database.begin() as tx:
            found = {decoder.id: decoder for decoder in await store.in_force(tx, wanted)}
            scripts = {k.script.hash: k.script for k in self._known.values() if k.script}
            if missing := {d.hash for d in found.values()} - scripts.keys():
                texts = await store.sources(tx, missing)
                scripts |= {h: Script(h, source) for h, source in texts.items()}
        for decoder_id in wanted:
            decoder = found.get(decoder_id)
            script = None if decoder is None else scripts.get(decoder.hash)
            answer[decoder_id] = _Known(decoder, script, now)
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known |= answer
        return answer


async def _decode(
    runtime: DecoderRuntime,
    organization: str,
    contents: Sequence[DecodeContext],
    script: Script | None,
) -> Sequence[Decoded | DecodeFailure]:
    return await runtime.decode(DecodeBatch(organization, contents, script))


async def _encode(
    runtime: DecoderRuntime,
    organization: str,
    contents: Sequence[EncodeContext],
    script: Script | None,
) -> Sequence[Encoded | DecodeFailure]:
    outline = await runtime.outline(DecodeBatch(organization, (), script))
    if outline.encode is None:
        return [DecodeFailure(EncoderMissing.code, str(EncoderMissing()))] * len(contents)
    return await runtime.encode(EncodeBatch(organization, contents, script))


async def _attempt(
    runtime: DecoderRuntime,
    organization: str,
    contents: Sequence[Content],
    script: Script | None,
    call: Call[Content, Result],
) -> Sequence[Result | DecodeFailure]:
    """Run one batch; a runtime that fails as a whole fails these messages and no others.

    One that is not there just now is asked again: it is no fault of the messages.
    """
    failure: DecodeFailure
    try:
        for pause_s in ASK_AGAIN_S:
            with contextlib.suppress(RuntimeUnavailable):
                results = await call(runtime, organization, contents, script)
                break
            await asyncio.sleep(pause_s)
        else:
            results = await call(runtime, organization, contents, script)
        if len(results) == len(contents):
            return [_storable(result) for result in results]
        log.error("decoder_runtime_miscounts", runtime=runtime.name, given=len(contents),
                  answered=len(results))  # fmt: skip
        failure = DecodeFailure(DecoderCrashed.code, str(DecoderCrashed()))
    except MoorageError as known:
        log.warning("decoder_runtime_failed", runtime=runtime.name, error=str(known))
        failure = DecodeFailure(known.code, str(known))
    except Exception:  # A plugin may fail in any way, and must not stop the other messages.
        log.exception("decoder_runtime_failed", runtime=runtime.name)
        failure = DecodeFailure(DecoderCrashed.code, str(DecoderCrashed()))
    return [failure] * len(contents)


def _storable(result: Result | DecodeFailure) -> Result | DecodeFailure:
    """Replace what no column can hold in a script's own words: NUL and halves of surrogate pairs.

    One such word would else break off the transaction of a whole batch, again and again.
    """
    if isinstance(result, DecodeFailure):
        return replace(result, message=storable(result.message))
    if result.problems:
        return replace(result, problems=tuple(storable(problem) for problem in result.problems))
    return result


def hash_of(kind: str, source: str) -> str:
    """Name a version by its content: the text's SHA-256 in hex; without a text, the kind's."""
    return sha256((source or kind).encode()).hexdigest()


def find_runtimes(*, workers: int = 2) -> dict[str, DecoderRuntime]:
    """Load every installed runtime, by name.

    An entry point of the group `moorage.decoders` is a runtime, or a class that is called with the
    number of processes (`workers`) it may keep.
    """
    found = plugins.find("moorage.decoders").plugins
    return {
        name: plugin(workers=workers) if isinstance(plugin, type) else plugin
        for name, plugin in found.items()
    }
