"""Credentials, and what doors and workers ask; the functions for doors take no caller."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from moorage import notifications
from moorage.kit import secrets
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.organizations import Permission

from .. import store
from ..errors import CertificateNotRotated, TooManyCredentials
from ..facts import CredentialMade, CredentialRevoked, CredentialRotated
from ..model import (
    DEV_EUI,
    SENDER,
    Credential,
    CredentialKind,
    Device,
    DeviceChanges,
    DeviceContext,
    Location,
    NamedDevice,
    Platform,
    Proof,
    Sender,
    ShownSecret,
)
from . import registry

MOST_CREDENTIALS = 20
# Certificates that were revoked before their end.
MOST_REVOKED = 80
PREFIX = "mdk_"
# A secret that somebody shows: its kind, and a password's user name.
Presented = tuple[CredentialKind, str, str | None]


async def make_credential(
    tx: Tx,
    caller: Caller,
    device_id: UUID,
    kind: CredentialKind,
    *,
    label: str = "",
    user_name: str | None = None,
    expires_at: datetime | None = None,
    secret: str | None = None,
    platform: Platform | None = None,
    old_topic: str | None = None,
) -> ShownSecret:
    """Give a device a credential; its secret is shown this once.

    A password's user name is the device id unless another is asked for. A device that comes from
    another `platform` may keep its `secret`, and its topics and URLs under `old_topic`.

    Raises:
        DeviceUnknown, PermissionMissing, UserNameTaken, SecretTaken, TooManyCredentials.
    """
    device = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    await require_room(tx, device_id)
    secret = secret or secrets.make_token(PREFIX)
    named = (user_name or str(device_id)) if kind is CredentialKind.PASSWORD else None
    credential = await store.senders.add_credential(
        tx,
        device_id,
        kind,
        label=label,
        user_name=named,
        digest=_digest(secret, named),
        mosquitto_hash=None if named is None else secrets.mosquitto_hash(secret),
        scram_hash=None if named is None else await asyncio.to_thread(secrets.scram_hash, secret),
        hint=secret[-4:],
        expires_at=expires_at,
        platform=platform,
        old_topic=old_topic,
    )
    await silence_inbox(tx, device)
    told = {"credentialId": credential.id, "kind": kind, "label": label, "secret": "***"}
    if platform is not None:
        told |= {"platform": platform, "oldTopic": old_topic}
    tx.announce(CredentialMade(device_id, device.organization_id, after=told))
    return ShownSecret(credential, secret)


async def require_room(tx: Tx, device_id: UUID) -> None:
    """Let a device have one more credential; what has expired makes room.

    Raises:
        TooManyCredentials.
    """
    await store.certificates.forget_expired(tx, device_id)
    held = await store.senders.credentials_of(tx, device_id)
    revoked = sum(one.revoked_at is not None for one in held)
    if len(held) - revoked >= MOST_CREDENTIALS or revoked >= MOST_REVOKED:
        raise TooManyCredentials(limit=MOST_CREDENTIALS)


async def silence_inbox(tx: Tx, device: Device) -> None:
    """Let the inbox key speak no more for a device that has got a credential of its own."""
    if any(identifier.kind in (SENDER, DEV_EUI) for identifier in device.identifiers):
        await store.senders.changed(tx, [device.number], sender=True)


async def credentials_of(tx: Tx, caller: Caller, device_id: UUID) -> list[Credential]:
    """List a device's credentials, without secrets. Raises DeviceUnknown."""
    await registry.get(tx, caller, device_id)
    return await store.senders.credentials_of(tx, device_id)


async def get_credential(
    tx: Tx, caller: Caller, device_id: UUID, credential_id: UUID
) -> Credential:
    """Read a credential, without its secret. Raises DeviceUnknown, CredentialUnknown."""
    await registry.get(tx, caller, device_id)
    return await store.senders.get_credential(tx, device_id, credential_id)


async def rotate_credential(
    tx: Tx,
    caller: Caller,
    device_id: UUID,
    credential_id: UUID,
    *,
    overlap: timedelta = timedelta(),
) -> ShownSecret:
    """Give a credential a new secret; the old one lives on for `overlap`.

    Raises:
        DeviceUnknown, PermissionMissing, CredentialUnknown, CertificateNotRotated.
    """
    device = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    secret = secrets.make_token(PREFIX)
    before = await store.senders.get_credential(tx, device_id, credential_id)
    if before.kind is CredentialKind.CERTIFICATE:
        raise CertificateNotRotated
    named = before.user_name
    credential = await store.senders.rotate_credential(
        tx,
        device_id,
        credential_id,
        digest=_digest(secret, named),
        mosquitto_hash=None if named is None else secrets.mosquitto_hash(secret),
        scram_hash=None if named is None else await asyncio.to_thread(secrets.scram_hash, secret),
        hint=secret[-4:],
        previous_until=tx.now + overlap if overlap else None,
    )
    await store.senders.changed(tx, [device.number], sender=True)
    told = {"credentialId": credential_id, "secret": "***", "overlap": overlap}
    tx.announce(CredentialRotated(device_id, device.organization_id, after=told))
    return ShownSecret(credential, secret)


async def revoke_credential(tx: Tx, caller: Caller, device_id: UUID, credential_id: UUID) -> None:
    """Take a credential back; whoever uses it is cut off.

    A certificate stays in the list, so that it is told from a stranger's and comes in no more.

    Raises:
        DeviceUnknown, PermissionMissing, CredentialUnknown.
    """
    device = await registry.get(tx, caller, device_id, Permission.MANAGE_DEVICES, lock=True)
    gone = await store.senders.get_credential(tx, device_id, credential_id)
    if gone.revoked_at is not None:
        return
    if gone.kind is CredentialKind.CERTIFICATE:
        await store.certificates.revoke(tx, credential_id)
    else:
        await store.senders.remove_credential(tx, device_id, credential_id)
    await store.senders.changed(tx, [device.number], sender=True)
    told = {"credentialId": gone.id, "kind": gone.kind, "label": gone.label}
    tx.announce(CredentialRevoked(device_id, device.organization_id, before=told))


# --- For doors and workers --------------------------------------------------


async def find_sender(
    tx: Tx, kind: CredentialKind, secret: str, user_name: str | None = None
) -> Sender | None:
    """Find whom a secret belongs to; a password is looked for under its user name only.

    The state is not judged here (see `Sender.may_send`), so that a door can say what is wrong.
    """
    presented = kind, secret, user_name
    return (await find_senders(tx, [presented])).get(presented)


async def find_senders(tx: Tx, presented: Iterable[Presented]) -> dict[Presented, Sender]:
    """Find whom secrets belong to, as `find_sender` does; in one question for a fleet."""
    asked = {
        (kind, secret, user_name): (kind, _digest(secret, user_name), user_name)
        for kind, secret, user_name in presented
        if (kind is CredentialKind.PASSWORD) == (user_name is not None)
    }
    found = await store.senders.find_senders(tx, asked.values())
    return {one: found[digested] for one, digested in asked.items() if digested in found}


async def find_named(tx: Tx, name: str, *, certified: bool = False) -> Sender | None:
    """Find whom a name belongs to; whoever asks has checked the proof and passes on the name only.

    Args:
        tx: the transaction.
        name: a user name, or a key in its place.
        certified: a client certificate was checked, so the name may be a device's id.

    The state is not judged here.
    """
    if certified:
        with suppress(ValueError):
            return await store.senders.find_certified(tx, UUID(name))
        return None
    found = await store.senders.find_user(tx, name)
    return found or await find_sender(tx, CredentialKind.KEY, name)


async def find_numbered(tx: Tx, number: int) -> Sender | None:
    """Find a device by its number; its credential is not named. The state is not judged here."""
    return await store.senders.find_numbered(tx, number)


async def find_proof(tx: Tx, user_name: str) -> Proof | None:
    """Find what proves the password of a user name; None if nobody has it.

    The device's state is not judged here.
    """
    return await store.senders.find_proof(tx, user_name)


async def named_in(tx: Tx, organization_id: UUID | None) -> list[NamedDevice]:
    """List the devices that may sign in by a user name, those of everybody with None."""
    return await store.senders.named_in(tx, organization_id)


def _digest(secret: str, user_name: str | None) -> bytes:
    """Digest a secret; a password with its user name, since people choose the same ones."""
    return secrets.digest(secret if user_name is None else f"{user_name}:{secret}")


async def children_of(tx: Tx, gateway: Sender) -> Mapping[str, Sender]:
    """Find whom the gateway may speak for, as senders of their own, by id and by devEui."""
    if not gateway.is_gateway:
        return {}
    return await store.senders.children_of(tx, gateway)


async def gateways_of(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which gateways may speak for devices, by their numbers."""
    return await store.senders.gateways_of(tx, numbers)


async def senders_changed(tx: Tx, since: int | None) -> DeviceChanges:
    """Tell whose credentials, state, application or gateway changed, removed ones among them.

    Args:
        tx: the transaction.
        since: the `next` of the answer before; None only asks where to begin.

    An open connection of one of these must be checked anew with `find_sender`. The doorbell
    channel is `moorage_devices`.
    """
    return await store.senders.changes_since(tx, since, senders_only=True)


async def contexts_changed(tx: Tx, since: int | None) -> DeviceChanges:
    """Tell which devices' contexts must be read anew; as `senders_changed`."""
    return await store.senders.changes_since(tx, since, senders_only=False)


async def context_of(tx: Tx, numbers: Iterable[int]) -> dict[int, DeviceContext]:
    """Read what decoding and forwarding need; removed devices are left out."""
    return await store.contacts.contexts_of(tx, numbers)


async def numbers_of(tx: Tx, device_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Translate ids into the message path's numbers; unknown ones are left out."""
    return await store.senders.numbers_of(tx, device_ids)


async def names_of(tx: Tx, numbers: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """Tell by which names devices may sign in: user names of passwords, and their ids."""
    return await store.senders.names_of(tx, numbers)


async def numbers_in(tx: Tx, application_ids: Iterable[UUID]) -> Mapping[UUID, list[int]]:
    """List the message path's numbers of applications' devices; for schedules only."""
    return await store.senders.numbers_in(tx, application_ids)


async def numbers_owned(tx: Tx, owner_id: UUID) -> list[int]:
    """List the numbers of the devices of an application or an organisation; for schedules only."""
    return await store.senders.numbers_owned(tx, owner_id)


async def gone(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which of the numbers belong to no device any more; they are never given again."""
    return await store.senders.gone(tx, numbers)


async def known(tx: Tx, numbers: Iterable[int]) -> list[int]:
    """Tell which devices there are, and keep them from being removed in this transaction."""
    return await store.senders.known(tx, numbers)


async def seen(tx: Tx, contacts: Mapping[int, datetime]) -> None:
    """Note when devices were last in contact; a few seconds are let pass between two writes.

    Whoever was silent is no longer, and a planned device becomes active.
    """
    back = await store.contacts.seen(tx, contacts)
    if back:
        ids = await store.contacts.ids_of(tx, back)
        await notifications.clear(tx, notifications.NoticeKind.SILENCE, list(ids.values()))


async def connected(tx: Tx, connections: Mapping[int, bool]) -> None:
    """Note which devices hold a connection now; the slice of sessions calls this."""
    await store.contacts.connected(tx, connections)


async def located(tx: Tx, places: Mapping[int, Location]) -> None:
    """Move devices to where their messages say they are."""
    await store.contacts.located(tx, places)


async def trim_changes(tx: Tx) -> None:
    """Forget changes that every door has read; for the schedule only."""
    await store.senders.trim_changes(tx)
