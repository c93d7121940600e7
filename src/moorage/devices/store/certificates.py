"""Certificates of devices, and the authorities that sign them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.certificates import Certificate
from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..errors import AuthorityTaken, AuthorityUnknown, CertificateTaken
from ..model import Credential, CredentialKind, DeviceAuthority, Sender
from ..tables import device_authorities as authorities
from ..tables import device_credentials, devices
from ..tables import device_revocations as revocations
from . import senders

CHANNEL = "moorage_certificates"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = tuple(one.name for one in fields(DeviceAuthority))


class Held(NamedTuple):
    """A certificate that is known.

    Attributes:
        valid_until: the end of the certificate or of its authority, whichever is first.
    """

    sender: Sender
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None


async def add(
    tx: Tx,
    device_id: UUID,
    certificate: Certificate,
    *,
    label: str,
    authority_id: UUID | None,
) -> Credential:
    """Insert a certificate; one that nobody signed here is kept whole. Raises CertificateTaken."""
    fingerprint = certificate.fingerprint
    row = (
        await tx.execute(
            insert(device_credentials)
            .values(
                id=uuid7(), device_id=device_id, kind=CredentialKind.CERTIFICATE.value,
                label=label, digest=fingerprint, hint=fingerprint.hex(), version=1,
                valid_from=certificate.valid_from, expires_at=certificate.valid_until,
                certificate=None if authority_id else certificate.der,
                authority_id=authority_id, serial=certificate.serial, **tx.stamp(),
            )
            .on_conflict_do_nothing()
            .returning(device_credentials)
        )
    ).one_or_none()  # fmt: skip
    if row is None:
        raise CertificateTaken
    if authority_id is None:
        await _ring(tx)
    return senders.credential(row)


async def count_added(tx: Tx, organization_id: UUID) -> int:
    """Count the certificates that an organisation's devices have and no authority stands for."""
    c = device_credentials.c
    query = (
        select(func.count())
        .select_from(device_credentials.join(devices, devices.c.id == c.device_id))
        .where(c.certificate.is_not(None), devices.c.organization_id == organization_id)
    )
    number: int = (await tx.execute(query)).scalar_one()
    return number


async def revoke(tx: Tx, credential_id: UUID) -> None:
    """Note that a certificate lets in no more."""
    await tx.execute(
        update(device_credentials)
        .where(device_credentials.c.id == credential_id)
        .values(revoked_at=tx.now, **tx.restamp())
    )


async def forget_expired(tx: Tx, device_id: UUID) -> None:
    """Delete a device's certificates that would be refused by their dates alone."""
    c = device_credentials.c
    await tx.execute(
        delete(device_credentials).where(
            c.device_id == device_id,
            c.kind == CredentialKind.CERTIFICATE.value,
            c.expires_at < tx.now,
            or_(c.authority_id.is_not(None), c.revoked_at.is_not(None)),
        )
    )


async def find(tx: Tx, fingerprint: bytes) -> Held | None:
    """Find a certificate by its SHA-256."""
    c = device_credentials.c
    until = func.least(c.expires_at, authorities.c.expires_at)
    query = (
        senders.held()
        .add_columns(c.valid_from, c.revoked_at, until.label("valid_until"))
        .outerjoin(authorities, authorities.c.id == c.authority_id)
        .where(c.digest == fingerprint, c.kind == CredentialKind.CERTIFICATE.value)
    )
    if (row := (await tx.execute(query)).one_or_none()) is None:
        return None
    sender = senders.sender(row, valid_until=row.valid_until)
    return Held(sender, row.valid_from, row.valid_until, row.revoked_at)


async def find_called(
    tx: Tx, organization_id: UUID, ids: list[UUID], serials: list[str]
) -> list[UUID]:
    """Find the devices of an organisation that have one of the ids or serials, locked."""
    d = devices.c
    query = (
        select(d.id)
        .where(d.organization_id == organization_id, or_(d.id.in_(ids), d.serial.in_(serials)))
        .with_for_update()
    )
    return list((await tx.execute(query)).scalars())


# --- Authorities --------------------------------------------------------------


def _authority(row: Any) -> DeviceAuthority:
    return DeviceAuthority(**{name: getattr(row, name) for name in _FIELDS})


async def add_authority(
    tx: Tx, organization_id: UUID, name: str, certificate: Certificate
) -> DeviceAuthority:
    """Insert an authority. Raises AuthorityTaken."""
    row = (
        await tx.execute(
            insert(authorities)
            .values(
                id=uuid7(), organization_id=organization_id, name=name,
                subject=certificate.subject, subject_digest=certificate.subject_digest,
                key_digest=certificate.key_digest, certificate=certificate.der,
                expires_at=certificate.valid_until, **tx.stamp(),
            )
            .on_conflict_do_nothing()
            .returning(authorities)
        )
    ).one_or_none()  # fmt: skip
    if row is None:
        raise AuthorityTaken
    await _ring(tx)
    return _authority(row)


async def get_authority(tx: Tx, organization_id: UUID, authority_id: UUID) -> DeviceAuthority:
    """Read one. Raises AuthorityUnknown."""
    a = authorities.c
    query = select(authorities).where(a.id == authority_id, a.organization_id == organization_id)
    if (row := (await tx.execute(query)).one_or_none()) is None:
        raise AuthorityUnknown(id=authority_id)
    return _authority(row)


async def authorities_of(tx: Tx, organization_id: UUID) -> list[DeviceAuthority]:
    """List an organisation's authorities, the oldest first."""
    query = select(authorities).where(authorities.c.organization_id == organization_id)
    return [_authority(row) for row in await tx.execute(query.order_by(authorities.c.id))]


async def authorities_called(tx: Tx, subject_digest: bytes) -> list[DeviceAuthority]:
    """List who may have signed a certificate, by the name of its issuer."""
    query = select(authorities).where(authorities.c.subject_digest == subject_digest)
    return [_authority(row) for row in await tx.execute(query.order_by(authorities.c.id))]


async def remove_authority(tx: Tx, organization_id: UUID, authority_id: UUID) -> DeviceAuthority:
    """Delete an authority with all that it signed, and ring for their devices.

    Raises:
        AuthorityUnknown.
    """
    c = device_credentials.c
    gone = await get_authority(tx, organization_id, authority_id)
    query = (
        select(devices.c.number)
        .join(device_credentials, c.device_id == devices.c.id)
        .where(c.authority_id == authority_id)
    )
    numbers = list((await tx.execute(query)).scalars())
    await tx.execute(delete(authorities).where(authorities.c.id == authority_id))
    await senders.changed(tx, numbers, sender=True)
    return gone


# --- Lists of revoked certificates --------------------------------------------


async def lock_authority(tx: Tx, authority_id: UUID) -> DeviceAuthority | None:
    """Read an authority of any organisation, locked; None if it is gone."""
    query = select(authorities).where(authorities.c.id == authority_id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _authority(row)


async def change_list(tx: Tx, authority_id: UUID, **values: Any) -> DeviceAuthority:
    """Change what is known of an authority's list."""
    query = update(authorities).where(authorities.c.id == authority_id)
    row = (await tx.execute(query.values(**values, **tx.restamp()).returning(authorities))).one()
    return _authority(row)


async def put_revoked(tx: Tx, authority_id: UUID, revoked: Mapping[str, datetime]) -> None:
    """Replace what an authority has revoked; its credentials among them let in no more.

    A credential that was revoked stays so.
    """
    await tx.execute(delete(revocations).where(revocations.c.authority_id == authority_id))
    values = {"id": authority_id, "serials": list(revoked), "at": list(revoked.values())}
    await tx.execute(_PUT_REVOKED, values)
    rows = await tx.execute(_REVOKE_LISTED, {"id": authority_id, "now": tx.now, "by": tx.caller.id})
    await senders.changed(tx, [row.number for row in rows], sender=True)


async def listed_at(tx: Tx, authority_id: UUID, serial: str) -> datetime | None:
    """Tell since when an authority's list has a certificate; None if it does not."""
    r = revocations.c
    query = select(r.revoked_at).where(r.authority_id == authority_id, r.serial == serial)
    return (await tx.execute(query)).scalar_one_or_none()


async def count_revoked(tx: Tx, authority_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Count what the lists of authorities hold."""
    r = revocations.c
    query = select(r.authority_id, func.count().label("number")).group_by(r.authority_id)
    rows = await tx.execute(query.where(r.authority_id.in_(list(authority_ids))))
    return {row.authority_id: row.number for row in rows}


async def lists_due(tx: Tx, looked_before: datetime, most: int) -> list[DeviceAuthority]:
    """Take the authorities whose lists are to be fetched; nobody else takes them meanwhile."""
    a = authorities.c
    due = (
        select(a.id)
        .where(a.list_url.is_not(None), func.coalesce(a.list_looked_at, EPOCH) < looked_before)
        .order_by(a.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    query = update(authorities).where(a.id.in_(due)).values(list_looked_at=tx.now)
    return [_authority(row) for row in await tx.execute(query.returning(authorities))]


_PUT_REVOKED = """
INSERT INTO device_revocations (authority_id, serial, revoked_at)
SELECT :id, e.serial, e.at
FROM unnest(CAST(:serials AS text[]), CAST(:at AS timestamptz[])) AS e(serial, at)
"""

_REVOKE_LISTED = """
UPDATE device_credentials c SET revoked_at = :now, updated_at = :now, updated_by = :by
FROM device_revocations r, devices d
WHERE c.authority_id = :id AND c.revoked_at IS NULL
  AND r.authority_id = c.authority_id AND r.serial = c.serial AND d.id = c.device_id
RETURNING d.number
"""


# --- For doors ----------------------------------------------------------------


async def anchors(tx: Tx, known: frozenset[UUID]) -> list[tuple[UUID, bytes]]:
    """List the certificates that a handshake may end at, as DER, but those known by their ids."""
    c = device_credentials.c
    both = union_all(
        select(authorities.c.id, authorities.c.certificate),
        select(c.id, c.certificate).where(c.certificate.is_not(None)),
    ).subquery()
    ids = set((await tx.execute(select(both.c.id))).scalars()) - known
    if not ids:
        return []
    rows = await tx.execute(select(both).where(both.c.id.in_(ids)))
    return [(row.id, row.certificate) for row in rows]


async def _ring(tx: Tx) -> None:
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": CHANNEL})
