"""Targets: adding, changing, pausing, and what they need to be opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from moorage import groups, organizations
from moorage.kit import pages, plugins
from moorage.kit.caller import SYSTEM, SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference, merged
from moorage.kit.ids import uuid7
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage.organizations import Permission

from .. import store
from ..errors import TargetKindUnknown, TargetUnknown
from ..facts import TargetAdded, TargetChanged, TargetRemoved
from ..model import (
    MASKED,
    LogEntry,
    NewTarget,
    Statement,
    StatementDay,
    Target,
)
from ..ports import TargetKind, TargetSender
from . import health

# The platform itself, where it acts for no person and needs what belongs to an organization.
PLATFORM = Caller(CallerKind.SYSTEM, SYSTEM_ID, SYSTEM.label, (Grant(frozenset()),))
_secrets = msgspec.json.Decoder(dict[str, str])


class Kinds:
    """The kinds of target that are installed, by name."""

    def __init__(self, plugins: Mapping[str, TargetKind]) -> None:
        self._plugins = dict(plugins)

    def __iter__(self) -> Any:
        """Give (name, kind), by name."""
        return iter(sorted(self._plugins.items()))

    def get(self, name: str) -> TargetKind:
        """Give a kind. Raises TargetKindUnknown."""
        kind = self._plugins.get(name)
        if kind is None:
            raise TargetKindUnknown(kind=name, known=", ".join(sorted(self._plugins)) or "none")
        return kind


def find_kinds() -> Kinds:
    """Find the kinds that are installed."""
    return Kinds(plugins.find("moorage.targets").plugins)


async def add(tx: Tx, caller: Caller, new: NewTarget, kinds: Kinds, sealer: Sealer) -> Target:
    """Add a target to an application.

    Raises:
        ApplicationUnknown, PermissionMissing, TargetKindUnknown, FieldInvalid, TargetNameTaken.
    """
    application = await groups.get(tx, caller, new.application_id)
    organizations.require(
        caller, Permission.MANAGE_TARGETS, application.organization_id, application.id
    )
    _check(kinds, new.kind, new.settings, new.secrets)
    target_id = uuid7()
    sealed = _seal(sealer, target_id, new.secrets)
    target = await store.add(tx, target_id, application.organization_id, new, sealed)
    tx.announce(TargetAdded(target.id, target.organization_id, after=_view(target)))
    return target


async def get(tx: Tx, caller: Caller, target_id: UUID, *, lock: bool = False) -> Target:
    """Read a target the caller may see. Raises TargetUnknown."""
    target = await store.get(tx, target_id, lock=lock)
    if not caller.may(Permission.READ_TARGETS, target.organization_id, target.application_id):
        raise TargetUnknown(id=target_id)
    return target


async def to_manage(tx: Tx, caller: Caller, target_id: UUID) -> Target:
    """Read a target the caller may change. Raises TargetUnknown, PermissionMissing."""
    target = await get(tx, caller, target_id)
    organizations.require(
        caller, Permission.MANAGE_TARGETS, target.organization_id, target.application_id
    )
    return target


async def list_targets(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    application_id: UUID | None = None,
    organization_id: UUID | None = None,
    q: str | None = None,
) -> pages.Page[Target]:
    """List the targets the caller may see."""
    return await store.list_targets(
        tx,
        caller.reach(Permission.READ_TARGETS),
        asked,
        application_id=application_id,
        organization_id=organization_id,
        q=q,
    )


async def change(
    tx: Tx,
    caller: Caller,
    target_id: UUID,
    changes: Mapping[str, Any],
    kinds: Kinds,
    sealer: Sealer,
) -> Target:
    """Change a target; `settings` and `secrets` are merged, where None removes a member.

    Raises:
        TargetUnknown, PermissionMissing, FieldInvalid, TargetNameTaken.
    """
    before = await to_manage(tx, caller, target_id)
    columns = dict(changes)
    renewed: list[str] = []
    if "settings" in columns or "secrets" in columns:
        patch = columns.pop("secrets", {})
        secrets = merged(await secrets_of(tx, target_id, sealer), patch)
        columns["settings"] = merged(before.settings, columns.get("settings", {}))
        _check(kinds, before.kind, columns["settings"], secrets)
        if patch:
            renewed = sorted(patch)
            columns["secret_names"] = sorted(secrets)
            columns["sealed_secrets"] = _seal(sealer, target_id, secrets)
    after = await store.change(tx, target_id, columns)
    was, now = difference(_view(before), _view(after))
    for name in renewed:
        was[f"secrets.{name}"] = MASKED if name in before.secrets else None
        now[f"secrets.{name}"] = MASKED if name in after.secrets else None
    tx.announce(TargetChanged(target_id, before.organization_id, was, now))
    return after


async def pause(tx: Tx, caller: Caller, target_id: UUID, *, paused: bool) -> Target:
    """Stop or go on delivering; what arrives meanwhile waits.

    Raises:
        TargetUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, target_id)
    if before.paused == paused:
        return before
    after = await store.change(tx, target_id, {"paused": paused})
    await health.forget(tx, before)
    tx.announce(
        TargetChanged(
            target_id, before.organization_id, {"paused": before.paused}, {"paused": paused}
        )
    )
    return after


async def remove(tx: Tx, caller: Caller, target_id: UUID) -> None:
    """Remove a target with its routes and all that waits for it.

    Raises:
        TargetUnknown, PermissionMissing.
    """
    before = await to_manage(tx, caller, target_id)
    await health.forget(tx, before)
    await store.remove(tx, target_id)
    tx.announce(TargetRemoved(target_id, before.organization_id, before=_view(before)))


async def log_of(
    tx: Tx, caller: Caller, target_id: UUID, asked: pages.PageRequest, *, failures: bool = False
) -> pages.Page[LogEntry]:
    """Read a page of a target's log, newest first. Raises TargetUnknown."""
    await get(tx, caller, target_id)
    return await store.list_log(tx, target_id, asked, failures=failures)


async def statement(tx: Tx, caller: Caller, target_id: UUID, month: str | None = None) -> Statement:
    """Sum up a month (`2026-11`; None is this one): sent = accepted + dead + pending.

    Months and days are those of the organisation's calendar.

    Raises:
        TargetUnknown.
        FieldInvalid: the month is none.
    """
    target = await get(tx, caller, target_id)
    zone = await zone_of(tx, target.organization_id)
    month = month or tx.now.astimezone(zone).strftime("%Y-%m")
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise FieldInvalid("/month", "must be a month such as 2026-11") from None
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    counts, waiting = await store.statement_rows(tx, target_id, first, last)
    days = tuple(
        StatementDay(
            day,
            counts.get((day, "sent"), 0),
            counts.get((day, "accepted"), 0),
            counts.get((day, "dead"), 0),
            waiting.get(day, 0),
        )
        for day in sorted({day for day, _what in counts} | waiting.keys())
    )
    return Statement(
        target_id,
        month,
        zone.key,
        sum(d.sent for d in days),
        sum(d.accepted for d in days),
        sum(d.dead for d in days),
        sum(d.pending for d in days),
        sum(number for (_day, what), number in counts.items() if what == "discarded"),
        days,
    )


async def totals(tx: Tx) -> dict[str, int]:
    """Count deliveries of all targets: `sent`, `accepted`, `dead`, `discarded`; for operators."""
    return await store.totals(tx)


async def count_by_health(tx: Tx) -> dict[str, int]:
    """Count targets by how they fare; for operators."""
    return await store.count_by_health(tx)


async def trim_log(tx: Tx) -> None:
    """Keep the newest log entries of each target."""
    await store.trim_log(tx)


async def zone_of(tx: Tx, organization_id: UUID) -> ZoneInfo:
    """Give the time zone that an organisation's days follow."""
    return ZoneInfo((await organizations.get(tx, PLATFORM, organization_id)).time_zone)


async def secrets_of(tx: Tx, target_id: UUID, sealer: Sealer) -> dict[str, str]:
    """Open a target's secrets; for senders only."""
    sealed = await store.sealed_secrets(tx, target_id)
    return _secrets.decode(sealer.open(sealed, _context(target_id))) if sealed else {}


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the secrets of all targets with the sealing key that is in use."""
    for target_id, sealed in await store.lock_sealed(tx):
        plain = sealer.open(sealed, _context(target_id))
        await store.put_sealed(tx, target_id, sealer.seal(plain, _context(target_id)))


async def open_sender(
    target: Target, secrets: Mapping[str, str], kinds: Kinds, network: Outbound, *, trial: bool
) -> TargetSender:
    """Open a way to a target; a trial goes under an identity of its own beside deliveries.

    Raises:
        TargetKindUnknown, FieldInvalid, TargetUnreachable.
    """
    kind = kinds.get(target.kind)
    kind.check(target.settings, frozenset(secrets))
    identity = f"moorage-{target.id.hex}" + (f"-{uuid7().hex[-8:]}" if trial else "")
    return await kind.open(target.settings, secrets, network, identity)


def _check(
    kinds: Kinds, kind: str, settings: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    plugin = kinds.get(kind)
    for name in secrets:
        if name not in plugin.secrets:
            known = ", ".join(sorted(plugin.secrets)) or "none"
            raise FieldInvalid(f"/secrets/{name}", f"is not a secret of this kind; it has {known}")
    plugin.check(settings, frozenset(secrets))


def _seal(sealer: Sealer, target_id: UUID, secrets: Mapping[str, str]) -> bytes | None:
    return sealer.seal(msgspec.json.encode(secrets), _context(target_id)) if secrets else None


def _context(target_id: UUID) -> str:
    return f"targets.secrets:{target_id}"


def _view(target: Target) -> dict[str, Any]:
    view = asdict(target)
    for name in (
        "health", "pending", "dead_letters", "created_at", "updated_at", "created_by", "updated_by",
    ):  # fmt: skip
        view.pop(name)
    view["secrets"] = dict.fromkeys(target.secrets, MASKED)
    return view
