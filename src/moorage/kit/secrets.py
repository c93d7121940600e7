"""Secrets at rest: envelope encryption under one root key, and comparing without leaking.

A sealed secret is `key id (16) | nonce (12) | AES-256-GCM ciphertext`; the context (table and row)
is authenticated, so a sealed value moved to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, DateTime, LargeBinary, Table, Uuid, select
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.db import Tx
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.ids import uuid7
from moorage.kit.tables import metadata

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


class RootKeyWrong(MoorageError):
    """The root key is not the one that sealed what is stored."""

    kind = Kind.UNAVAILABLE
    code = "secrets.root_key_wrong"
    message = (
        "The root key does not open what is stored in this database. Put back the root.key of this "
        "installation (or set MOORAGE_ROOT_KEY); without it sealed secrets cannot be read."
    )


class Sealer:
    """Seals and opens stored credentials with the installation's data keys."""

    def __init__(self, keys: dict[UUID, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = max(keys)
        self._raw = keys[self._newest]
        self._oldest_raw = keys[min(keys)]

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt `plain`; it opens only with the same `context`."""
        nonce = os.urandom(12)
        sealed = self._keys[self._newest].encrypt(nonce, plain, context.encode())
        return self._newest.bytes + nonce + sealed

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` made. Raises RootKeyWrong."""
        try:
            return self._keys[UUID(bytes=sealed[:16])].decrypt(
                sealed[16:28], sealed[28:], context.encode()
            )
        except (KeyError, InvalidTag) as wrong:
            raise RootKeyWrong from wrong

    def derive(self, purpose: str) -> bytes:
        """Give 32 bytes for one purpose (such as signing tokens), the same in every process."""
        return hmac.digest(self._oldest_raw, purpose.encode(), "sha256")


async def load_sealer(tx: Tx, root_key: bytes) -> Sealer:
    """Open the data keys with the root key; make the first one on a new installation."""
    root = AESGCM(root_key)
    rows = (await tx.execute(select(sealing_keys).order_by(sealing_keys.c.id))).all()
    if not rows:
        # Two processes may start at once: the lock lets only one make the first key.
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.sealing_keys'))")
        rows = (await tx.execute(select(sealing_keys).order_by(sealing_keys.c.id))).all()
    if not rows:
        key_id, key, nonce = uuid7(), AESGCM.generate_key(256), os.urandom(12)
        sealed = nonce + root.encrypt(nonce, key, key_id.bytes)
        await tx.execute(insert(sealing_keys).values(id=key_id, sealed=sealed, created_at=tx.now))
        return Sealer({key_id: key})
    try:
        return Sealer({r.id: root.decrypt(r.sealed[:12], r.sealed[12:], r.id.bytes) for r in rows})
    except InvalidTag as wrong:
        raise RootKeyWrong from wrong


def make_token(prefix: str = "", size: int = 24) -> str:
    """Make a random credential of `size` bytes, URL-safe, with a recognisable prefix."""
    return prefix + base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def digest(secret: str | bytes) -> bytes:
    """Hash a high-entropy credential for storing and looking up (SHA-256)."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def same(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)
