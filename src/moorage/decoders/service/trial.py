"""Try decoders: on messages, on their test cases, and on bytes nobody knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from moorage import organizations
from moorage.kit.caller import Caller
from moorage.kit.errors import MoorageError
from moorage.organizations import Permission

from .. import store
from ..errors import ScriptInvalid, ScriptNotWanted
from ..model import (
    Attempt,
    CaseResult,
    DecodeBatch,
    DecodeContext,
    Decoded,
    DecodeFailure,
    Direction,
    EncodeBatch,
    EncodeContext,
    Encoded,
    Script,
    Suggestion,
    Suggestions,
    Trial,
    Value,
)
from ..ports import DecoderRuntime
from . import cases, catalogue
from .readings import with_units
from .workshop import Workshop, hash_of

_MOST_SUGGESTED: Final = 10
_MOST_TRIED: Final = 60
_SUGGESTING_S: Final = 5.0
_ONE_DECODER_S: Final = 1.0
_FLIPPED: Final = 24
_LEAST_SCORE: Final = 0.3
# What values usually are, by a part of their name; the first that fits counts.
_USUAL: Final[Mapping[str, tuple[float, float]]] = {
    "temp": (-60, 150),
    "hum": (0, 100),
    "co2": (200, 10_000),
    "batt": (0, 5_000),
    "volt": (0, 60_000),
    "press": (0, 120_000),
    "lux": (0, 200_000),
    "light": (0, 200_000),
    "rssi": (-150, 0),
    "snr": (-40, 40),
    "lat": (-90, 90),
    "lon": (-180, 180),
    "": (-10_000_000, 10_000_000),
}


async def try_out(
    workshop: Workshop,
    caller: Caller,
    attempt: Attempt,
    messages: Sequence[DecodeContext | EncodeContext],
) -> Trial:
    """Run messages through a decoder that is kept, or through a script that is not.

    No transaction is open meanwhile. A script of one's own needs the right to manage decoders.

    Args:
        workshop: where to run.
        caller: whose turn it is.
        attempt: what to try; its direction says what `messages` are.
        messages: `EncodeContext` where commands are to be encoded, else `DecodeContext`.

    Raises:
        DecoderUnknown, VersionUnknown, PermissionMissing, KindUnknown, ScriptInvalid,
        ScriptNotWanted, TrialsTooMany, TrialTooLong.
    """
    runtime, script, units = await _load(workshop, caller, attempt)
    started_s = time.monotonic()
    async with workshop.turns.take(caller):
        outcomes = await _run(runtime, _organization(caller), script, attempt.direction, messages)
    used_s = time.monotonic() - started_s
    named = (o if isinstance(o, Encoded) else with_units(o, units) for o in outcomes)
    return Trial(tuple(named), script.hash, used_s)


async def run_cases(workshop: Workshop, caller: Caller, decoder_id: UUID) -> list[CaseResult]:
    """Run a decoder's test cases on its version in force.

    Raises:
        DecoderUnknown, KindUnknown, TestCasesInvalid, TrialsTooMany, TrialTooLong.
    """
    async with workshop.database.begin(caller) as tx:
        test_cases = await catalogue.cases_of(tx, caller, decoder_id)
    runtime, script, _units = await _load(workshop, caller, Attempt(decoder_id=decoder_id))
    async with workshop.turns.take(caller):
        return await cases.run_cases(runtime, _organization(caller), script, test_cases)


async def suggest(
    workshop: Workshop, caller: Caller, payload: bytes, port: int | None = None
) -> Suggestions:
    """Try every decoder the caller sees on some bytes, and offer those that make sense of them.

    Own and recently changed decoders come first; when the time is over the rest is left out.

    Raises:
        PermissionMissing, TrialsTooMany.
    """
    seen = caller.reach(Permission.READ_DECODERS)
    if not seen:
        organizations.require(caller, Permission.READ_DECODERS, None)
    async with workshop.database.begin(caller) as tx:
        kept = await store.list_newest(tx, seen, _MOST_TRIED)
    wanted: list[tuple[str, str, UUID | None, Script]] = [
        (name, name, None, Script(hash_of(name, ""), ""))
        for name, runtime in sorted(workshop.runtimes.items())
        if not runtime.needs_script
    ]
    wanted += [
        (decoder.name, decoder.kind, decoder.id, Script(decoder.hash, source))
        for decoder, source in kept
        if decoder.kind in workshop.runtimes and source
    ]
    found = []
    tried = 0
    deadline_s = time.monotonic() + _SUGGESTING_S
    async with workshop.turns.take(caller):
        for name, kind, decoder_id, script in wanted:
            if time.monotonic() > deadline_s:
                break
            tried += 1
            outcome, score = await _judge(
                workshop.runtimes[kind], _organization(caller), script, payload, port
            )
            if outcome is not None and score >= _LEAST_SCORE:
                found.append(Suggestion(name, kind, decoder_id, round(score, 3), outcome))
    found.sort(key=lambda suggestion: -suggestion.score)
    return Suggestions(tuple(found[:_MOST_SUGGESTED]), tried, len(wanted) - tried)


# --- Steps ----------------------------------------------------------------


def _organization(caller: Caller) -> str:
    """Keep trials apart from every organisation's messages, and from other people's trials."""
    return f"trials of {caller.id}"


async def _load(
    workshop: Workshop, caller: Caller, attempt: Attempt
) -> tuple[DecoderRuntime, Script, Mapping[str, str]]:
    """Give what an attempt runs and the units that go with it, if the caller may."""
    if attempt.decoder_id is not None:
        async with workshop.database.begin(caller) as tx:
            decoder = await catalogue.get(tx, caller, attempt.decoder_id)
            n = decoder.version if attempt.version is None else attempt.version
            version = await store.get_version(tx, decoder.id, n)
        script = Script(version.hash, version.script or "")
        return workshop.runtime_of(decoder.kind), script, decoder.units
    runtime = workshop.runtime_of(attempt.kind)
    wanted = Permission.MANAGE_DECODERS if runtime.needs_script else Permission.READ_DECODERS
    if not caller.reach(wanted):
        raise organizations.PermissionMissing(permission=wanted.value)
    source = attempt.source or ""
    if source and not runtime.needs_script:
        raise ScriptNotWanted(name=attempt.kind)
    if not source and runtime.needs_script:
        raise ScriptInvalid(reason="it is empty")
    return runtime, Script(hash_of(attempt.kind, source), source), {}


async def _run(
    runtime: DecoderRuntime,
    organization: str,
    script: Script,
    direction: Direction,
    messages: Sequence[DecodeContext | EncodeContext],
) -> Sequence[Decoded | Encoded | DecodeFailure]:
    if direction is Direction.ENCODE:
        commands = [m for m in messages if isinstance(m, EncodeContext)]
        return await runtime.encode(EncodeBatch(organization, commands, script))
    contents = [m for m in messages if isinstance(m, DecodeContext)]
    downlink = direction is Direction.DECODE_DOWNLINK
    batch = DecodeBatch(organization, contents, script, downlink=downlink, trace=True)
    return await runtime.decode(batch)


async def _judge(
    runtime: DecoderRuntime, organization: str, script: Script, payload: bytes, port: int | None
) -> tuple[Decoded | None, float]:
    """Score what a decoder makes of a payload, from 0 to 1.

    Most of the score is how many bytes matter: each is inverted in turn, and a decoder that
    understands the format gives another result (or refuses). The rest is how usual the values are.
    """
    step = max(1, len(payload) // _FLIPPED)
    variants = [payload]
    for i in range(0, len(payload), step):
        variants.append(payload[:i] + bytes((payload[i] ^ 0xFF,)) + payload[i + 1 :])
    now = datetime.now(UTC)
    batch = DecodeBatch(
        organization, [DecodeContext(each, now, port=port) for each in variants], script
    )
    try:
        async with asyncio.timeout(_ONE_DECODER_S):
            results = await runtime.decode(batch)
    except (TimeoutError, MoorageError):
        return None, 0.0
    first = results[0]
    if isinstance(first, DecodeFailure) or not (values := _values(first, len(payload))):
        return None, 0.0
    others = results[1:]
    matter = sum(isinstance(r, DecodeFailure) or _values(r, len(payload)) != values for r in others)
    numbers = [(n, v) for n, v in values.items() if isinstance(v, int | float)]
    usual = sum(_is_usual(name, value) for name, value in numbers)
    score = 0.6 * matter / max(1, len(others)) + 0.4 * (usual / len(numbers) if numbers else 0.5)
    return first, score / 2 if first.problems else score


def _values(decoded: Decoded, length: int) -> dict[str, Value]:
    """Gather the readings that say something: a text as long as the payload may be its echo."""
    return {
        name: value
        for readings in decoded.readings
        for name, value in readings.values.items()
        if not isinstance(value, str) or len(value) <= length
    }


def _is_usual(name: str, value: float) -> bool:
    lower = name.lower()
    low, high = next(limits for part, limits in _USUAL.items() if part in lower)
    return low <= value <= high
