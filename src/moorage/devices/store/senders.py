"""Credentials, and what the doors ask."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from moorage.kit.db import Tx, written
from moorage.kit.ids import uuid7
from moorage.kit.secrets import read_scram

from ..errors import CredentialUnknown, SecretTaken, UserNameTaken
from ..model import (
    DEV_EUI,
    SENDING,
    Credential,
    CredentialKind,
    DeviceChanges,
    DeviceKind,
    DeviceState,
    NamedDevice,
    Platform,
    Proof,
    Sender,
)
from ..tables import device_changes, device_credentials, device_identifiers, devices

DEVICES_CHANNEL = "moorage_devices"
KEEP_CHANGES = timedelta(hours=1)
# A secret that is looked for: its kind, its digest, and a password's user name.
Asked = tuple[CredentialKind, bytes, str | None]


def credential(row: Any) -> Credential:
    """Read a row."""
    values = {name: getattr(row, name) for name in Credential.__dataclass_fields__}
    values["kind"] = CredentialKind(row.kind)
    values["platform"] = row.platform and Platform(row.platform)
    return Credential(**values)


async def add_credential(
    tx: Tx,
    device_id: UUID,
    kind: CredentialKind,
    *,
    label: str,
    user_name: str | None,
    digest: bytes,
    mosquitto_hash: str | None,
    scram_hash: str | None,
    hint: str,
    expires_at: datetime | None,
    platform: Platform | None,
    old_topic: str | None,
) -> Credential:
    """Insert a credential. Raises UserNameTaken, SecretTaken."""
    row = (
        await tx.execute(
            insert(device_credentials)
            .values(
                id=uuid7(), device_id=device_id, kind=kind.value, label=label, user_name=user_name,
                digest=digest, mosquitto_hash=mosquitto_hash, scram_hash=scram_hash, hint=hint,
                version=1,
                expires_at=expires_at, platform=platform, old_topic=old_topic, **tx.stamp(),
            )
            .on_conflict_do_nothing()
            .returning(device_credentials)
        )
    ).one_or_none()  # fmt: skip
    if row is not None:
        return credential(row)
    if await _is_used(tx, digest):
        raise SecretTaken
    raise UserNameTaken(user_name=user_name)


async def _is_used(tx: Tx, digest: bytes) -> bool:
    c = device_credentials.c
    query = select(c.id).where(or_(c.digest == digest, c.previous_digest == digest))
    return (await tx.execute(query)).first() is not None


async def get_credential(tx: Tx, device_id: UUID, credential_id: UUID) -> Credential:
    """Read one. Raises CredentialUnknown."""
    query = select(device_credentials).where(
        device_credentials.c.id == credential_id, device_credentials.c.device_id == device_id
    )
    if (row := (await tx.execute(query)).one_or_none()) is None:
        raise CredentialUnknown(id=credential_id)
    return credential(row)


async def credentials_of(tx: Tx, device_id: UUID) -> list[Credential]:
    """List a device's credentials, the oldest first."""
    query = (
        select(device_credentials)
        .where(device_credentials.c.device_id == device_id)
        .order_by(device_credentials.c.id)
    )
    return [credential(row) for row in await tx.execute(query)]


async def rotate_credential(
    tx: Tx,
    device_id: UUID,
    credential_id: UUID,
    *,
    digest: bytes,
    mosquitto_hash: str | None,
    scram_hash: str | None,
    hint: str,
    previous_until: datetime | None,
) -> Credential:
    """Put a new secret in; the old one lives until `previous_until`. Raises CredentialUnknown."""
    keep = device_credentials.c.digest if previous_until else None
    row = (
        await tx.execute(
            update(device_credentials)
            .where(
                device_credentials.c.id == credential_id,
                device_credentials.c.device_id == device_id,
            )
            .values(
                digest=digest, mosquitto_hash=mosquitto_hash, scram_hash=scram_hash, hint=hint,
                version=device_credentials.c.version + 1,
                previous_digest=keep, previous_until=previous_until, **tx.restamp(),
            )
            .returning(device_credentials)
        )
    ).one_or_none()  # fmt: skip
    if row is None:
        raise CredentialUnknown(id=credential_id)
    return credential(row)


async def remove_credential(tx: Tx, device_id: UUID, credential_id: UUID) -> None:
    """Delete one."""
    await tx.execute(
        delete(device_credentials).where(
            device_credentials.c.id == credential_id,
            device_credentials.c.device_id == device_id,
        )
    )


def held() -> Select[Any]:
    """Select what makes a sender."""
    c = device_credentials.c
    return select(
        devices.c.number,
        devices.c.id,
        devices.c.organization_id,
        devices.c.application_id,
        devices.c.state,
        devices.c.kind,
        c.id.label("credential_id"),
        c.version,
        c.expires_at,
        c.platform,
        c.old_topic,
    ).join(device_credentials, c.device_id == devices.c.id)


def _find() -> Select[Any]:
    c, now = device_credentials.c, bindparam("now", type_=DateTime(True))
    digests = func.any(bindparam("digests", type_=ARRAY(c.digest.type)))
    previous = and_(c.previous_digest == digests, c.previous_until > now)
    return (
        held()
        .add_columns(c.kind.label("held_as"), c.user_name)
        .add_columns(c.digest, c.previous_digest, c.previous_until)
        .where(or_(c.digest == digests, previous))
        .where(or_(c.expires_at.is_(None), c.expires_at > now))
    )


# Whole fleets come back at the same time.
_FIND = written(_find())


async def find_senders(tx: Tx, asked: Iterable[Asked]) -> dict[Asked, Sender]:
    """Find whom secrets belong to, those that are valid at `tx.now`."""
    wanted = set(asked)
    digests = list({digest for _, digest, _ in wanted})
    found: dict[Asked, Sender] = {}
    for row in await tx.rows(_FIND, {"digests": digests, "now": tx.now}):
        # Both may be asked for: the new secret, and the one before while it lasts.
        for digest, until in ((row.digest, None), (row.previous_digest, row.previous_until)):
            one = CredentialKind(row.held_as), digest, row.user_name
            if one in wanted and (until is None or until > tx.now):
                found[one] = sender(row, until)
    return found


async def find_user(tx: Tx, user_name: str) -> Sender | None:
    """Find whose user name it is, if the password beside it is valid at `tx.now`."""
    c = device_credentials.c
    query = held().where(
        c.user_name == user_name, or_(c.expires_at.is_(None), c.expires_at > tx.now)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else sender(row)


async def find_proof(tx: Tx, user_name: str) -> Proof | None:
    """Find what proves the password of a user name, if that is valid at `tx.now`."""
    c = device_credentials.c
    query = select(c.id, c.version, c.scram_hash).where(
        c.user_name == user_name,
        c.scram_hash.is_not(None),
        or_(c.expires_at.is_(None), c.expires_at > tx.now),
    )
    row = (await tx.execute(query)).one_or_none()
    return (
        None if row is None else Proof(user_name, row.id, row.version, read_scram(row.scram_hash))
    )


async def find_certified(tx: Tx, device_id: UUID) -> Sender | None:
    """Find a device by its id; the id stands for a credential too, since it needs none of ours."""
    return await _find_device(tx, devices.c.id == device_id)


async def find_numbered(tx: Tx, number: int) -> Sender | None:
    """Find a device by its number; its id stands for a credential."""
    return await _find_device(tx, devices.c.number == number)


async def _find_device(tx: Tx, which: ColumnElement[bool]) -> Sender | None:
    d = devices.c
    query = select(d.number, d.id, d.organization_id, d.application_id, d.state, d.kind)
    row = (await tx.execute(query.where(which))).one_or_none()
    if row is None:
        return None
    return Sender(
        number=row.number,
        device_id=row.id,
        organization_id=row.organization_id,
        application_id=row.application_id,
        credential_id=row.id,
        version=1,
        state=DeviceState(row.state),
        is_gateway=row.kind == DeviceKind.GATEWAY,
    )


async def named_in(tx: Tx, organization_id: UUID | None) -> list[NamedDevice]:
    """List who may sign in by a user name, in an organisation or everywhere, by that name."""
    c, child = device_credentials.c, devices.alias("child")
    of_gateway = and_(
        child.c.gateway_id == devices.c.id,
        child.c.organization_id == devices.c.organization_id,
        child.c.state.in_([state.value for state in SENDING]),
        devices.c.kind == DeviceKind.GATEWAY.value,
    )
    children = func.array_agg(child.c.id).filter(child.c.id.is_not(None))
    query = (
        select(c.user_name, c.mosquitto_hash, devices.c.id, children.label("children"))
        .join(devices, devices.c.id == c.device_id)
        .outerjoin(child, of_gateway)
        .where(c.mosquitto_hash.is_not(None))
        .where(devices.c.state.in_([state.value for state in SENDING]))
        .where(or_(c.expires_at.is_(None), c.expires_at > tx.now))
        .group_by(c.id, devices.c.id)
        .order_by(c.user_name)
    )
    if organization_id is not None:
        query = query.where(devices.c.organization_id == organization_id)
    return [
        NamedDevice(row.user_name, row.mosquitto_hash, row.id, tuple(row.children or ()))
        for row in await tx.execute(query)
    ]


def sender(row: Any, valid_until: datetime | None = None) -> Sender:
    """Make a sender of what `held` selects; it may end earlier than its credential says."""
    ends = row.expires_at, valid_until
    return Sender(
        number=row.number,
        device_id=row.id,
        organization_id=row.organization_id,
        application_id=row.application_id,
        state=DeviceState(row.state),
        is_gateway=row.kind == DeviceKind.GATEWAY,
        credential_id=row.credential_id,
        version=row.version,
        valid_until=min((end for end in ends if end is not None), default=None),
        platform=row.platform and Platform(row.platform),
        old_topic=row.old_topic or "",
    )


async def changed(tx: Tx, numbers: Iterable[int], *, sender: bool) -> None:
    """Note that workers, and with `sender` doors, must look at these devices anew, and ring."""
    rows = [{"number": number, "sender": sender, "at": tx.now} for number in set(numbers)]
    if rows:
        await tx.execute(_note(insert(device_changes).values(rows)))
        await _ring(tx)


async def changed_in(tx: Tx, application_id: UUID) -> None:
    """Note for every device of an application that its right to send changed."""
    own = select(devices.c.number, true(), cast(tx.now, DateTime(True))).where(
        devices.c.application_id == application_id
    )
    await tx.execute(_note(insert(device_changes).from_select(["number", "sender", "at"], own)))
    await _ring(tx)


def _note(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(
        constraint="device_changes_pkey",
        set_={"sender": or_(device_changes.c.sender, statement.excluded.sender)},
    )


async def _ring(tx: Tx) -> None:
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": DEVICES_CHANNEL})


async def changes_since(tx: Tx, since: int | None, *, senders_only: bool) -> DeviceChanges:
    """Read what transactions from `since` on changed; None only asks where to begin.

    What is still running is read again next time, so that nothing which commits late is missed.
    """
    horizon = (
        await tx.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    ).scalar_one()
    if since is None:
        return DeviceChanges([], horizon)
    query = select(device_changes.c.number).where(device_changes.c.transaction >= since)
    if senders_only:
        query = query.where(device_changes.c.sender)
    return DeviceChanges([row.number for row in await tx.execute(query.distinct())], horizon)


async def trim_changes(tx: Tx) -> None:
    """Forget changes that every door and worker has read long ago."""
    await tx.execute(delete(device_changes).where(device_changes.c.at < tx.now - KEEP_CHANGES))


async def children_of(tx: Tx, gateway: Sender) -> dict[str, Sender]:
    """Find who stands behind the gateway, by id and by devEui; they send under its credential."""
    query = (
        select(
            devices.c.id,
            devices.c.number,
            devices.c.organization_id,
            devices.c.application_id,
            devices.c.state,
            device_identifiers.c.value.label("dev_eui"),
        )
        .outerjoin(
            device_identifiers,
            and_(
                device_identifiers.c.device_id == devices.c.id,
                device_identifiers.c.kind == DEV_EUI,
            ),
        )
        .where(
            devices.c.gateway_id == gateway.device_id,
            devices.c.organization_id == gateway.organization_id,
        )
    )
    found: dict[str, Sender] = {}
    for row in await tx.execute(query):
        child = Sender(
            number=row.number,
            device_id=row.id,
            organization_id=row.organization_id,
            application_id=row.application_id,
            state=DeviceState(row.state),
            is_gateway=False,
            credential_id=gateway.credential_id,
            version=gateway.version,
            valid_until=gateway.valid_until,
        )
        if child.may_send:
            found[str(row.id)] = child
            if row.dev_eui is not None:
                found[row.dev_eui] = child
    return found


async def gateways_of(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which gateways devices stand behind."""
    gateway = devices.alias("gateway")
    query = (
        select(gateway.c.number)
        .join(devices, devices.c.gateway_id == gateway.c.id)
        .where(devices.c.number == func.any(list(numbers)))
    )
    return [row.number for row in await tx.execute(query.distinct())]


async def numbers_of(tx: Tx, device_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Translate ids into the message path's numbers; unknown ones are left out."""
    query = select(devices.c.id, devices.c.number).where(devices.c.id.in_(list(device_ids)))
    return {row.id: row.number for row in await tx.execute(query)}


async def names_of(tx: Tx, numbers: Iterable[int]) -> dict[int, frozenset[str]]:
    """Tell by which names devices may sign in: user names of passwords, and their ids."""
    c = device_credentials
    query = (
        select(devices.c.number, devices.c.id, c.c.user_name)
        .outerjoin(c, and_(c.c.device_id == devices.c.id, c.c.user_name.is_not(None)))
        .where(devices.c.number.in_(list(numbers)))
    )
    found: dict[int, set[str]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.number, {str(row.id)}).add(row.user_name or str(row.id))
    return {number: frozenset(names) for number, names in found.items()}


async def numbers_in(tx: Tx, application_ids: Iterable[UUID]) -> dict[UUID, list[int]]:
    """List the numbers of applications' devices."""
    query = select(devices.c.application_id, devices.c.number).where(
        devices.c.application_id.in_(list(application_ids))
    )
    found: dict[UUID, list[int]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.application_id, []).append(row.number)
    return found


async def numbers_owned(tx: Tx, owner_id: UUID) -> list[int]:
    """List the numbers of the devices of an application or an organisation."""
    query = select(devices.c.number).where(
        or_(devices.c.application_id == owner_id, devices.c.organization_id == owner_id)
    )
    return [row.number for row in await tx.execute(query)]


async def gone(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which numbers no device has any more."""
    rows = await tx.execute(
        "SELECT n FROM unnest(CAST(:numbers AS int[])) AS n "
        "WHERE NOT EXISTS (SELECT FROM devices WHERE number = n)",
        {"numbers": list(numbers)},
    )
    return [row.n for row in rows]


_KNOWN = b"""
SELECT number FROM devices WHERE number = ANY(CAST(%(numbers)s AS integer[]))
ORDER BY number FOR KEY SHARE
"""


async def known(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which devices there are, and keep them from being removed in this transaction."""
    rows = await tx.rows(_KNOWN, {"numbers": list(numbers)})
    return [row.number for row in rows]
