"""The decoders people keep: made, changed, shared, copied, rolled back, removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from moorage import notifications, organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.facts import difference, merged
from moorage.notifications import NoticeKind
from moorage.organizations import Permission

from .. import store
from ..errors import (
    DecoderInUse,
    DecoderUnknown,
    ScriptInvalid,
    ScriptNotWanted,
    TestCasesFailed,
)
from ..facts import DecoderChanged, DecoderMade, DecoderRemoved
from ..model import (
    DecodeBatch,
    Decoder,
    DecoderKind,
    Direction,
    NewDecoder,
    Overview,
    Problem,
    ProblemsOfDevice,
    Script,
    TestCase,
    Version,
)
from . import cases
from .workshop import Workshop, hash_of

PROBLEMS_KEPT: Final = timedelta(days=30)
FAILURES_SHOWN: Final = timedelta(days=7)
_STAMPS: Final = ("id", "organization_id", "created_at", "updated_at", "created_by", "updated_by")


async def get(tx: Tx, caller: Caller, decoder_id: UUID) -> Decoder:
    """Read a decoder of the caller's organisations, or one that is shared: the one door.

    Raises:
        DecoderUnknown: there is none that the caller may see.
    """
    decoder = await store.get(tx, decoder_id)
    may_see = caller.may(Permission.READ_DECODERS, decoder.organization_id)
    if not may_see and not (decoder.shared and caller.reach(Permission.READ_DECODERS)):
        raise DecoderUnknown(id=decoder_id)
    return decoder


async def look(tx: Tx, caller: Caller, decoder_id: UUID) -> Overview:
    """Read a decoder with its text, and how it does. Raises DecoderUnknown."""
    await get(tx, caller, decoder_id)
    return await store.get_overview(
        tx,
        decoder_id,
        devices_seen=caller.reach(Permission.READ_DEVICES),
        since=(tx.now - FAILURES_SHOWN).date(),
    )


async def hold_usable(tx: Tx, organization_id: UUID, decoder_id: UUID) -> Decoder:
    """Read a decoder that devices of an organisation may use; nobody removes it meanwhile.

    Raises:
        DecoderUnknown: it is gone, or another organisation's and not shared.
    """
    decoder = await store.get(tx, decoder_id, hold=True)
    if decoder.organization_id != organization_id and not decoder.shared:
        raise DecoderUnknown(id=decoder_id)
    return decoder


async def list_decoders(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    organization_id: UUID | None = None,
    kind: str | None = None,
    shared: bool | None = None,
    q: str | None = None,
) -> pages.Page[Overview]:
    """List the decoders of the caller's organisations and those that are shared."""
    seen = caller.reach(Permission.READ_DECODERS)
    if not seen:
        return pages.Page([], total=0 if asked.total else None)
    return await store.list_decoders(
        tx,
        seen,
        asked,
        devices_seen=caller.reach(Permission.READ_DEVICES),
        since=(tx.now - FAILURES_SHOWN).date(),
        organization_id=organization_id,
        kind=kind,
        shared=shared,
        q=q,
    )


async def kinds(workshop: Workshop) -> list[DecoderKind]:
    """List the kinds of decoders that are installed."""
    found = []
    for name, runtime in sorted(workshop.runtimes.items()):
        encodes = True
        if not runtime.needs_script:
            encodes = (await runtime.outline(DecodeBatch("", ()))).encode is not None
        found.append(DecoderKind(name, runtime.needs_script, encodes, runtime.content_types))
    return found


async def make(
    workshop: Workshop, caller: Caller, new: NewDecoder, *, force: bool = False
) -> Decoder:
    """Make a decoder, once its script loads and its test cases pass (or `force` is given).

    Raises:
        OrganizationUnknown, PermissionMissing, KindUnknown, ScriptInvalid, ScriptNotWanted,
        TestCasesInvalid, TestCasesFailed, DecoderNameTaken, TrialsTooMany.
    """
    async with workshop.database.begin(caller) as tx:
        await organizations.get(tx, caller, new.organization_id)
        organizations.require(caller, Permission.MANAGE_DECODERS, new.organization_id)
    await _check(workshop, caller, new.kind, new.source, new.test_cases, force=force)
    async with workshop.database.begin(caller) as tx:
        decoder = await store.add(tx, new, hash_of(new.kind, new.source))
        tx.announce(DecoderMade(decoder.id, decoder.organization_id, after=_view(decoder)))
    return decoder


async def change(
    workshop: Workshop,
    caller: Caller,
    decoder_id: UUID,
    changes: Mapping[str, Any],
    *,
    force: bool = False,
    match: Callable[[datetime], None] = lambda _updated_at: None,
) -> Decoder:
    """Change a decoder's name, description, sharing, units or `source`.

    A new text is a new version; one the decoder had before becomes that version again. Units are
    merged, where None removes one. `match` refuses if the decoder was changed since the caller read
    it.

    Raises:
        DecoderUnknown, PermissionMissing, ScriptInvalid, ScriptNotWanted, TestCasesFailed,
        DecoderNameTaken, DecoderInUse, TrialsTooMany.
    """
    fields = dict(changes)
    source: str | None = fields.pop("source", None)
    async with workshop.database.begin(caller) as tx:
        before = await _own(tx, caller, decoder_id)
        match(before.updated_at)
        test_cases = await store.cases_of(tx, decoder_id)
    if source is not None and hash_of(before.kind, source) != before.hash:
        await _check(workshop, caller, before.kind, source, test_cases, force=force)
    async with workshop.database.begin(caller) as tx:
        before = await _own(tx, caller, decoder_id, lock=True)
        match(before.updated_at)
        if before.shared and fields.get("shared") is False:
            await _refuse_used(tx, before, outside_of=before.organization_id)
        if "units" in fields:
            fields["units"] = merged(before.units, fields["units"])
        if source is not None:
            content_hash = hash_of(before.kind, source)
            fields["version"] = await store.take_version(tx, decoder_id, content_hash, source)
        was, _now = difference(asdict(before), fields)
        if not was:
            return before
        after = await store.change(tx, decoder_id, {name: fields[name] for name in was})
        _announce_change(tx, before, after)
    return after


async def restore(tx: Tx, caller: Caller, decoder_id: UUID, n: int) -> Decoder:
    """Put an older version in force again.

    Raises:
        DecoderUnknown, PermissionMissing, VersionUnknown.
    """
    before = await _own(tx, caller, decoder_id, lock=True)
    await store.get_version(tx, decoder_id, n)
    if n == before.version:
        return before
    after = await store.change(tx, decoder_id, {"version": n})
    _announce_change(tx, before, after)
    return after


async def copy(
    tx: Tx, caller: Caller, decoder_id: UUID, organization_id: UUID, name: str | None = None
) -> Decoder:
    """Copy a decoder with its test cases into an organisation; it is not shared at first.

    Raises:
        DecoderUnknown, OrganizationUnknown, PermissionMissing, DecoderNameTaken.
    """
    original = await get(tx, caller, decoder_id)
    await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_DECODERS, organization_id)
    version = await store.get_version(tx, decoder_id, original.version)
    new = NewDecoder(
        organization_id,
        name or original.name,
        original.kind,
        version.script or "",
        original.description,
        test_cases=await store.cases_of(tx, decoder_id),
        units=original.units,
    )
    made = await store.add(tx, new, original.hash)
    after = {**_view(made), "copied_from": original.id}
    tx.announce(DecoderMade(made.id, organization_id, after=after))
    return made


async def remove(tx: Tx, caller: Caller, decoder_id: UUID) -> None:
    """Remove a decoder that no device and no route uses.

    Raises:
        DecoderUnknown, PermissionMissing, DecoderInUse.
    """
    before = await _own(tx, caller, decoder_id, lock=True)
    await _refuse_used(tx, before)
    await notifications.clear(tx, NoticeKind.DECODER_FAILING, [decoder_id])
    await store.remove(tx, decoder_id)
    tx.announce(DecoderRemoved(decoder_id, before.organization_id, before=_view(before)))


# --- Versions and test cases ----------------------------------------------


async def list_versions(
    tx: Tx, caller: Caller, decoder_id: UUID, asked: pages.PageRequest
) -> pages.Page[Version]:
    """List the texts a decoder has had. Raises DecoderUnknown."""
    await get(tx, caller, decoder_id)
    return await store.list_versions(tx, decoder_id, asked)


async def get_version(tx: Tx, caller: Caller, decoder_id: UUID, n: int) -> Version:
    """Read one version with its text. Raises DecoderUnknown, VersionUnknown."""
    await get(tx, caller, decoder_id)
    return await store.get_version(tx, decoder_id, n)


async def cases_of(tx: Tx, caller: Caller, decoder_id: UUID) -> tuple[TestCase, ...]:
    """Read a decoder's test cases. Raises DecoderUnknown."""
    await get(tx, caller, decoder_id)
    return await store.cases_of(tx, decoder_id)


async def set_cases(
    tx: Tx,
    caller: Caller,
    decoder_id: UUID,
    test_cases: Sequence[TestCase],
    match: Callable[[datetime], None] = lambda _updated_at: None,
) -> tuple[tuple[TestCase, ...], datetime]:
    """Put test cases in place of the ones there are, without running them; give when.

    `match` refuses if the decoder was changed since the caller read it.

    Raises:
        DecoderUnknown, PermissionMissing, TestCasesInvalid.
    """
    before = await _own(tx, caller, decoder_id, lock=True)
    match(before.updated_at)
    _refuse_unusable(test_cases)
    updated_at = before.updated_at
    old = await store.cases_of(tx, decoder_id)
    if tuple(test_cases) != old:
        await store.set_cases(tx, decoder_id, test_cases)
        updated_at = (await store.change(tx, decoder_id, {})).updated_at
        was = {"test_cases": [c.name for c in old]}
        now = {"test_cases": [c.name for c in test_cases]}
        tx.announce(DecoderChanged(decoder_id, before.organization_id, was, now))
    return tuple(test_cases), updated_at


# --- Problems -------------------------------------------------------------


async def note_problems(tx: Tx, problems: Sequence[Problem]) -> None:
    """Count what decoders could not do; for the message path, a batch at a time."""
    if problems:
        await store.note_problems(tx, problems)


async def list_problems(
    tx: Tx, caller: Caller, decoder_id: UUID, asked: pages.PageRequest
) -> pages.Page[ProblemsOfDevice]:
    """List the devices a decoder failed lately, of those whose messages the caller may read.

    Raises:
        DecoderUnknown: there is none that the caller may see.
    """
    await get(tx, caller, decoder_id)
    seen = caller.reach(Permission.READ_MESSAGES)
    since = (tx.now - PROBLEMS_KEPT).date()
    return await store.list_problems(tx, decoder_id, seen, since, asked)


async def forget_old_problems(tx: Tx) -> None:
    """Delete counts older than 30 days."""
    await store.forget_problems(tx, (tx.now - PROBLEMS_KEPT).date())


# --- Steps ----------------------------------------------------------------


async def _own(tx: Tx, caller: Caller, decoder_id: UUID, *, lock: bool = False) -> Decoder:
    """Read a decoder that the caller may change."""
    decoder = await get(tx, caller, decoder_id)
    organizations.require(caller, Permission.MANAGE_DECODERS, decoder.organization_id)
    return await store.get(tx, decoder_id, lock=True) if lock else decoder


async def _check(
    workshop: Workshop,
    caller: Caller,
    kind: str,
    source: str,
    test_cases: Sequence[TestCase],
    *,
    force: bool,
) -> None:
    """Refuse a script that does not load or does not do what its test cases say."""
    runtime = workshop.runtime_of(kind)
    if source and not runtime.needs_script:
        raise ScriptNotWanted(name=kind)
    _refuse_unusable(test_cases)
    script = Script(hash_of(kind, source), source)
    organization = f"trials of {caller.id}"
    async with workshop.turns.take(caller):
        outline = await runtime.outline(DecodeBatch(organization, (), script))
        if not (outline.decode or outline.decode_downlink or outline.encode):
            raise ScriptInvalid(
                reason="it has no function that decodes or encodes, such as decodeUplink(input)"
            )
        if force or not test_cases:
            return
        results = await cases.run_cases(runtime, organization, script, test_cases)
    failures = [asdict(result) for result in results if not result.passed]
    if failures:
        raise TestCasesFailed(failed=len(failures), total=len(results), failures=failures)


def _refuse_unusable(test_cases: Sequence[TestCase]) -> None:
    for case in test_cases:
        if case.direction is Direction.ENCODE:
            cases.command_of(case)
        else:
            cases.context_of(case)


async def _refuse_used(tx: Tx, decoder: Decoder, outside_of: UUID | None = None) -> None:
    count, routes = await store.count_users(tx, decoder.id, outside_of=outside_of)
    if count or routes:
        whose = "" if outside_of is None else " of other organizations"
        raise DecoderInUse(count=count, routes=routes, whose=whose)


def _announce_change(tx: Tx, before: Decoder, after: Decoder) -> None:
    was, now = difference(_view(before), _view(after))
    tx.announce(DecoderChanged(after.id, after.organization_id, was, now))


def _view(decoder: Decoder) -> dict[str, Any]:
    """Show a decoder in facts; its text stands there as its hash."""
    view = asdict(decoder)
    for name in _STAMPS:
        view.pop(name)
    return view
