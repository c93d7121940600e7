"""Client certificates as credentials: added one by one, or let in by who signed them.

A handshake proves that the client has the key (RFC 8446, section 4.4.3). Whose certificate it is,
and whether it holds, is decided here, by the certificate alone: its SHA-256 is known, or one of the
organisation's authorities signed it itself and it names one of the organisation's devices. Then it
becomes a credential of that device, and stays it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from moorage import organizations
from moorage.kit import certificates
from moorage.kit.caller import Caller
from moorage.kit.certificates import Certificate, Unreadable
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.secrets import digest
from moorage.kit.text import storable
from moorage.organizations import Permission

from .. import store
from ..errors import (
    CertificateTaken,
    TooManyAuthorities,
    TooManyCertificates,
    TooManyCredentials,
)
from ..facts import AuthorityAdded, AuthorityRemoved, CredentialMade
from ..model import Certified, Credential, Device, DeviceAuthority
from . import registry, senders

# Each listener holds these in memory, and needs longer for each the more there are.
MOST_ADDED = 1_000
MOST_AUTHORITIES = 20
_LABEL = 100
_UUID_URN = "urn:uuid:"


async def add_certificate(
    tx: Tx, caller: Caller, device_id: UUID, pem: str, *, label: str = ""
) -> Credential:
    """Let a device in by its certificate, whoever signed that.

    Raises:
        DeviceUnknown, PermissionMissing, CertificateTaken, TooManyCredentials, TooManyCertificates.
        FieldInvalid: it is no certificate, has expired, or is not for clients.
    """
    device = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    certificate = _read(pem, "/certificate", tx.now)
    if certificate.unfit:
        raise FieldInvalid("/certificate", f"{certificate.unfit}.")
    await senders.require_room(tx, device_id)
    if await store.certificates.count_added(tx, device.organization_id) >= MOST_ADDED:
        raise TooManyCertificates(limit=MOST_ADDED)
    return await _add(tx, device, certificate, label, None)


async def _add(
    tx: Tx, device: Device, certificate: Certificate, label: str, authority_id: UUID | None
) -> Credential:
    added = await store.certificates.add(
        tx, device.id, certificate, label=label, authority_id=authority_id
    )
    await senders.silence_inbox(tx, device)
    told = {
        "credentialId": added.id,
        "kind": added.kind,
        "label": label,
        "fingerprint": added.hint,
        "expiresAt": added.expires_at,
        "authorityId": authority_id,
    }
    tx.announce(CredentialMade(device.id, device.organization_id, after=told))
    return added


# --- Authorities --------------------------------------------------------------


async def add_authority(
    tx: Tx, caller: Caller, organization_id: UUID, name: str, pem: str, proof_pem: str
) -> DeviceAuthority:
    """Let in devices of an organisation by certificates that an authority signs.

    Args:
        tx: the transaction.
        caller: who asks.
        organization_id: whose devices.
        name: for people.
        pem: the authority's certificate.
        proof_pem: a certificate that it signed, whose common name is the organisation's id. Without
            it anybody could register another's authority and be taken for its owner.

    Raises:
        OrganizationUnknown, PermissionMissing, AuthorityTaken, TooManyAuthorities.
        FieldInvalid: it is no authority's certificate, has expired, or the proof proves nothing.
    """
    await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, organization_id)
    certificate = _read(pem, "/certificate", tx.now)
    if not certificate.signs:
        raise FieldInvalid("/certificate", "may sign no certificates (basicConstraints, keyUsage).")
    proof = _read(proof_pem, "/proof", tx.now)
    if not certificates.is_signed_by(proof.der, certificate.der):
        raise FieldInvalid("/proof", "is not signed by the authority.")
    if str(organization_id) not in proof.names:
        raise FieldInvalid("/proof", f"must have the common name {organization_id}.")
    if len(await store.certificates.authorities_of(tx, organization_id)) >= MOST_AUTHORITIES:
        raise TooManyAuthorities(limit=MOST_AUTHORITIES)
    added = await store.certificates.add_authority(tx, organization_id, name, certificate)
    tx.announce(AuthorityAdded(added.id, organization_id, after=_view(added)))
    return added


async def list_authorities(tx: Tx, caller: Caller, organization_id: UUID) -> list[DeviceAuthority]:
    """List who signs certificates of an organisation's devices. Raises OrganizationUnknown."""
    await organizations.get(tx, caller, organization_id)
    return await store.certificates.authorities_of(tx, organization_id)


async def get_authority(
    tx: Tx, caller: Caller, organization_id: UUID, authority_id: UUID
) -> DeviceAuthority:
    """Read an authority. Raises OrganizationUnknown, AuthorityUnknown."""
    await organizations.get(tx, caller, organization_id)
    return await store.certificates.get_authority(tx, organization_id, authority_id)


async def remove_authority(
    tx: Tx, caller: Caller, organization_id: UUID, authority_id: UUID
) -> None:
    """Take an authority back; whoever is connected with what it signed is cut off.

    Raises:
        OrganizationUnknown, PermissionMissing, AuthorityUnknown.
    """
    await organizations.get(tx, caller, organization_id)
    organizations.require(caller, Permission.MANAGE_DEVICES, organization_id)
    gone = await store.certificates.remove_authority(tx, organization_id, authority_id)
    tx.announce(AuthorityRemoved(authority_id, organization_id, before=_view(gone)))


def _view(authority: DeviceAuthority) -> dict[str, object]:
    return {
        "name": authority.name,
        "subject": authority.subject,
        "expiresAt": authority.expires_at,
    }


def _read(pem: str, pointer: str, now: datetime) -> Certificate:
    """Read what somebody uploads. Raises FieldInvalid."""
    try:
        certificate = certificates.read_pem(pem)
    except Unreadable as wrong:
        raise FieldInvalid(pointer, f"{wrong}.") from wrong
    if certificate.valid_until <= now:
        raise FieldInvalid(pointer, f"expired on {certificate.valid_until:%Y-%m-%d}.")
    return certificate


# --- For doors ----------------------------------------------------------------


async def find_certified(tx: Tx, der: bytes) -> Certified:
    """Find whose a client's certificate is; whoever asks has seen the client prove its key.

    The first time that a certificate of an authority is shown, it becomes a credential of its
    device. The device's state is not judged here (see `Sender.may_send`).
    """
    held = await store.certificates.find(tx, digest(der))
    if held is None:
        refusal = await _take_in(tx, der)
        if refusal:
            return Certified(None, refusal)
        held = await store.certificates.find(tx, digest(der))
        if held is None:
            return Certified(None, "its authority was taken back just now.")
    if held.revoked_at is not None:
        return Certified(held.sender, f"it was revoked on {held.revoked_at:%Y-%m-%d}.")
    return Certified(held.sender, _by_date(held.valid_from, held.valid_until, tx.now))


async def _take_in(tx: Tx, der: bytes) -> str:
    """Make a certificate that an authority signed a credential of the device that it names.

    Gives why not, as the rest of a sentence; empty if it was done.
    """
    judged = await _judge(tx, der, None)
    if isinstance(judged, str):
        return judged
    certificate, authority = judged
    found = await _called(tx, authority.organization_id, certificate.names)
    if len(found) != 1:
        called = ", ".join(certificate.names[:3])[:_LABEL] or "nobody"
        return f"it names {called}, which is {'no' if not found else 'more than one'} device."
    device = await store.registry.get(tx, found[0])
    try:
        await senders.require_room(tx, device.id)
    except TooManyCredentials as full:
        return f"its device has {full.public['limit']} credentials already."
    label = storable(certificate.subject)[:_LABEL]
    with suppress(CertificateTaken):  # Another listener was asked at the same time.
        await _add(tx, device, certificate, label, authority.id)
    return ""


async def why_not_vouched(tx: Tx, der: bytes, organization_id: UUID) -> str:
    """Tell why no authority of an organisation stands for a certificate; empty if one does.

    For clients that are no devices: whom it names is for whoever asks to see.
    """
    judged = await _judge(tx, der, organization_id)
    return judged if isinstance(judged, str) else ""


async def _judge(
    tx: Tx, der: bytes, organization_id: UUID | None
) -> tuple[Certificate, DeviceAuthority] | str:
    """Find the authority that stands for a certificate, of one organisation or of any.

    Gives why none does, as the rest of a sentence.
    """
    try:
        certificate = certificates.read_der(der)
    except Unreadable as wrong:
        return f"it {wrong}."
    if certificate.unfit:
        return f"it {certificate.unfit}."
    for authority in await store.certificates.authorities_called(tx, certificate.issuer_digest):
        is_theirs = organization_id in (None, authority.organization_id)
        if is_theirs and certificates.is_signed_by(der, authority.certificate):
            break
    else:
        return "no device has it, and no registered authority has signed it itself."
    until = min(certificate.valid_until, authority.expires_at)
    if refusal := _by_date(certificate.valid_from, until, tx.now):
        return refusal
    if listed := await store.certificates.listed_at(tx, authority.id, certificate.serial):
        return f"its authority revoked it on {listed:%Y-%m-%d}."
    return certificate, authority


async def _called(tx: Tx, organization_id: UUID, names: tuple[str, ...]) -> list[UUID]:
    """Find which devices of an organisation a certificate names: by their ids or serials."""
    ids = []
    for name in names:
        with suppress(ValueError):
            ids.append(UUID(name.removeprefix(_UUID_URN)))
    serials = [name for name in names if name and "\0" not in name]
    return await store.certificates.find_called(tx, organization_id, ids, serials)


def _by_date(valid_from: datetime, valid_until: datetime, now: datetime) -> str:
    if now < valid_from:
        return f"it holds from {valid_from:%Y-%m-%d %H:%M} UTC only."
    if now >= valid_until:
        return f"it, or its authority, expired on {valid_until:%Y-%m-%d}."
    return ""


async def anchors(tx: Tx, known: frozenset[UUID]) -> list[tuple[UUID, bytes]]:
    """List the certificates that a handshake may end at, as DER, but those known by their ids.

    The doorbell channel is `moorage_certificates`.
    """
    return await store.certificates.anchors(tx, known)
