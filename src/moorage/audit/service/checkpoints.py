"""Signing how far chains went, with the audit's own key; and dropping what is kept no longer."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moorage import organizations
from moorage.kit import chain, pages
from moorage.kit.caller import SYSTEM_ID, Caller
from moorage.kit.db import Database, Tx
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer
from moorage.organizations import Kept, Permission

from ..errors import ChainUnknown
from ..facts import CheckpointAsked, EntriesDropped, SigningKeyMade
from ..model import (
    FACTS_KEPT,
    MOST_DROPPED,
    SIGN_AFTER,
    SIGN_EVERY,
    Checkpoint,
    Head,
    SigningKey,
)
from ..store import chains
from ..store import checkpoints as store
from .sealing import instant


async def sign_due(tx: Tx, sealer: Sealer) -> int:
    """Sign the chains that grew by 10,000 entries or have waited for an hour; tells how many."""
    due = [
        head
        for head in await chains.heads(tx)
        if head.place - head.signed_place >= SIGN_AFTER
        or (head.unsigned_since is not None and tx.now - head.unsigned_since >= SIGN_EVERY)
    ]
    if due:
        await chains.lock(tx)
        # Read again: they may have grown before the lock was had.
        for head in await chains.heads(tx, {head.organization_id for head in due}):
            await _sign_head(tx, sealer, head)
    return len(due)


async def sign_now(
    tx: Tx, caller: Caller, organization_id: UUID | None, sealer: Sealer
) -> Checkpoint:
    """Sign a chain as far as it is sealed; gives the last checkpoint if it has not grown since.

    Args:
        tx: the transaction.
        caller: who asks.
        organization_id: whose chain; None is the installation's.
        sealer: opens the signing key.

    Raises:
        PermissionMissing: the caller may not read that audit.
        ChainUnknown: nothing of it is sealed yet.
    """
    organizations.require(caller, Permission.READ_AUDIT, organization_id)
    await chains.lock(tx)
    found = await chains.heads(tx, {organization_id})
    if not found:
        raise ChainUnknown
    if found[0].signed_place < found[0].place:
        await _sign_head(tx, sealer, found[0])
        tx.announce(CheckpointAsked(caller.id, organization_id, after={"place": found[0].place}))
    made = await store.find(tx, organization_id, found[0].place)
    if made is None:
        raise ChainUnknown
    return made


async def list_checkpoints(
    tx: Tx, caller: Caller, asked: pages.PageRequest, organization_id: UUID | None
) -> pages.Page[Checkpoint]:
    """List checkpoints of the chains whose audit the caller may read."""
    seen = caller.reach(Permission.READ_AUDIT)
    return await store.list_checkpoints(tx, seen, asked, organization_id)


async def all_checkpoints(
    database: Database, caller: Caller, organization_id: UUID | None
) -> AsyncIterator[Sequence[Checkpoint]]:
    """Give all that `list_checkpoints` would list, the oldest first, a transaction a batch."""
    asked = pages.PageRequest(limit=1_000, sort="number")
    while True:
        async with database.begin(caller) as tx:
            batch = await list_checkpoints(tx, caller, asked, organization_id)
        if batch.items:
            yield batch.items
        if batch.next is None:
            return
        asked = replace(asked, after=batch.next)


async def list_chains(tx: Tx, caller: Caller, asked: pages.PageRequest) -> pages.Page[Head]:
    """List where the chains stand whose audit the caller may read."""
    return await chains.list_heads(tx, caller.reach(Permission.READ_AUDIT), asked)


async def _sign_head(tx: Tx, sealer: Sealer, head: Head) -> None:
    await _sign(tx, sealer, head)
    await chains.note_signed(tx, head.organization_id, head.place)


async def _sign(tx: Tx, sealer: Sealer, head: Head) -> None:
    """Sign a chain at an entry, unless that was done."""
    if await store.find(tx, head.organization_id, head.place) is not None:
        return
    key_id, private = await _signer(tx, sealer)
    # A clock that reads microseconds would show another instant than the one signed.
    at = tx.now.replace(microsecond=tx.now.microsecond // 1000 * 1000)
    organization_id = head.organization_id
    said = {
        "organizationId": None if organization_id is None else str(organization_id),
        "place": head.place,
        "number": head.number,
        "link": head.link.hex(),
        "at": instant(at),
        "keyId": str(key_id),
    }
    await store.add(tx, head, at, key_id, private.sign(chain.checkpoint_bytes(said)))


# --- Keys -----------------------------------------------------------------


async def list_keys(tx: Tx) -> list[SigningKey]:
    """List the keys that sign or signed checkpoints; their public halves are for everybody."""
    return await store.keys(tx)


async def rotate_key(tx: Tx, sealer: Sealer) -> SigningKey:
    """Make a new signing key; the one before it can sign nothing from now on.

    The new key is told in the installation's chain, so that a checkpoint of the old key covers it
    at the latest when the chain is verified from there.
    """
    await store.lock_keys(tx)
    return await _make_key(tx, sealer)


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the signing key with the sealing key that is in use."""
    for key in await store.keys(tx):
        if key.sealed is not None:
            plain = sealer.open(key.sealed, _context(key.id))
            await store.reseal_key(tx, key.id, sealer.seal(plain, _context(key.id)))


def key_set(keys: Sequence[SigningKey]) -> Mapping[str, Any]:
    """Show keys as a JSON Web Key Set (RFC 7517; RFC 8037 for Ed25519)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "kid": str(key.id),
                "x": _base64url(key.public),
                "createdAt": instant(key.created_at),
                "retiredAt": None if key.retired_at is None else instant(key.retired_at),
            }
            for key in keys
        ]
    }


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


async def _signer(tx: Tx, sealer: Sealer) -> tuple[UUID, Ed25519PrivateKey]:
    """Open the key that signs; make the first on a new installation."""
    found = [key for key in await store.keys(tx) if key.sealed is not None]
    if not found:
        await store.lock_keys(tx)
        found = [key for key in await store.keys(tx) if key.sealed is not None]
    newest = found[-1] if found else await _make_key(tx, sealer)
    plain = sealer.open(newest.sealed or b"", _context(newest.id))
    return newest.id, Ed25519PrivateKey.from_private_bytes(plain)


async def _make_key(tx: Tx, sealer: Sealer) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = uuid7()
    sealed = sealer.seal(private.private_bytes_raw(), _context(key_id))
    await store.add_key(tx, key_id, public, sealed)
    tx.announce(SigningKeyMade(key_id, after={"public": public.hex()}))
    return SigningKey(key_id, public, sealed, tx.now, None)


def _context(key_id: UUID) -> str:
    return f"audit_keys:{key_id}"


# --- Retention ------------------------------------------------------------


async def drop_due(tx: Tx, sealer: Sealer) -> int:
    """Drop what is older than its organization keeps its audit; tells how many entries went.

    A chain loses its beginning, up to a checkpoint made for it, and is told so: without that entry
    `moorage audit verify` takes the beginning for missing. What is not sealed yet stays, and what
    one run leaves goes with the next.
    """
    periods = await organizations.periods(tx, Kept.FACTS)
    await chains.lock(tx)
    room = MOST_DROPPED
    for head in await chains.heads(tx):
        own = periods.get(head.organization_id) if head.organization_id else None
        first = await chains.first_kept(tx, head.organization_id, tx.now - (own or FACTS_KEPT))
        due = head.place if first is None else first - 1
        last = min(due, head.dropped_place + room)
        if last <= head.dropped_place:
            continue
        entry = await chains.entry_at(tx, head.organization_id, last)
        await _sign(tx, sealer, replace(head, place=last, number=entry.number, link=entry.link))
        await chains.drop(tx, head.organization_id, last, entry.number)
        await store.drop_before(tx, head.organization_id, last)
        gone = {"from_place": head.dropped_place + 1, "to_place": last}
        subject = head.organization_id or SYSTEM_ID
        tx.announce(EntriesDropped(subject, head.organization_id, after=gone))
        room -= last - head.dropped_place
    return MOST_DROPPED - room
