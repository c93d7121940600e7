"""Secrets at rest: envelope encryption under one root key, and comparing without leaking.

A sealed secret is `key id (16) | nonce (12) | AES-256-GCM ciphertext`; the context (table and row)
is authenticated, so a sealed value moved to another row does not open.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import scramp
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, DateTime, LargeBinary, Table, Uuid, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from moorage.kit.caller import SYSTEM_ID
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.facts import Fact
from moorage.kit.ids import uuid7
from moorage.kit.tables import metadata

log = structlog.get_logger()

# A new key is sealed with only after every process has had the time to learn of it.
LEARN_EVERY = timedelta(seconds=5)
UNUSED_AT_FIRST = timedelta(seconds=30)
# What is sealed and not sealed anew, answers kept for a repeated request, lives for a day.
KEPT_RETIRED = timedelta(days=2)
_MOSQUITTO_ITERATIONS = 101
SCRAM = "SCRAM-SHA-256"
SCRAM_ITERATIONS, SCRAM_SALT = 4096, 16

sealing_keys = Table(
    "sealing_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    # The same under the next root key, while one root key gives way to another.
    Column("sealed_next", LargeBinary),
    Column("from_at", DateTime(timezone=True), nullable=False),
    Column("retired_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


class SealingKeyMade(Fact):
    """A new sealing key was made; the subject is its id."""

    name = "keys.sealing_key_made"


class SealingKeysRetired(Fact):
    """All that lasts was sealed anew; the subject is the sealing key that is left."""

    name = "keys.sealing_keys_retired"


class RootKeyAnnounced(Fact):
    """A second root key opens the sealing keys from now on."""

    name = "keys.root_key_announced"


class RootKeySettled(Fact):
    """One root key alone opens the sealing keys from now on."""

    name = "keys.root_key_settled"


class RootKeyWrong(MoorageError):
    """The root key is not the one that sealed what is stored."""

    kind = Kind.UNAVAILABLE
    code = "secrets.root_key_wrong"
    message = (
        "The root key does not open what is stored in this database. Put back the root.key of this "
        "installation (or set MOORAGE_ROOT_KEY); without it sealed secrets cannot be read."
    )


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key that seals stored secrets, opened.

    Attributes:
        id: a UUIDv7, so ids are in the order of making.
        from_at: when it begins to be used.
        retired_at: since when nothing lasting is sealed with it.
    """

    id: UUID
    key: bytes = field(repr=False)
    from_at: datetime
    retired_at: datetime | None = None


class Sealer:
    """Seals and opens stored credentials with the installation's sealing keys."""

    def __init__(self, keys: Iterable[SealingKey]) -> None:
        self._keys: dict[UUID, tuple[SealingKey, AESGCM]] = {}
        self.learn(keys)

    def learn(self, keys: Iterable[SealingKey]) -> None:
        """Add keys made since."""
        for key in keys:
            self._keys[key.id] = key, AESGCM(key.key)

    @property
    def known(self) -> frozenset[UUID]:
        """Ids of the keys it has."""
        return frozenset(self._keys)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt `plain`; it opens only with the same `context`."""
        newest = self._in_use()
        nonce = os.urandom(12)
        return newest.bytes + nonce + self._keys[newest][1].encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` made. Raises RootKeyWrong."""
        try:
            return self._keys[UUID(bytes=sealed[:16])][1].decrypt(
                sealed[16:28], sealed[28:], context.encode()
            )
        except (KeyError, InvalidTag) as wrong:
            raise RootKeyWrong from wrong

    def derive(self, purpose: str) -> bytes:
        """Give 32 bytes for one purpose, the same in every process until keys are forgotten."""
        oldest, _ = self._keys[min(self._keys)]
        return hmac.digest(oldest.key, purpose.encode(), "sha256")

    def derive_each(self, purpose: str) -> tuple[tuple[bytes, ...], int]:
        """Give 32 bytes for one purpose from each key, and the place of the one in use.

        For what two processes prove to each other while keys change: one shows what comes from the
        key in use, which the other has known for half a minute.
        """
        ids = sorted(self._keys)
        keys = (self._keys[key_id][0].key for key_id in ids)
        derived = tuple(hmac.digest(key, purpose.encode(), "sha256") for key in keys)
        return derived, ids.index(self._in_use())

    def _in_use(self) -> UUID:
        now = datetime.now(UTC)
        in_use = [key_id for key_id, (key, _) in self._keys.items() if key.from_at <= now]
        return max(in_use or self._keys)


async def load_sealer(tx: Tx, root_key: bytes) -> Sealer:
    """Open the sealing keys with the root key; make the first one on a new installation.

    Raises:
        RootKeyWrong: it opens none of them.
    """
    keys = await read_keys(tx, root_key)
    if not keys:
        # Two processes may start at once: the lock lets only one make the first key.
        await _lock(tx)
        keys = await read_keys(tx, root_key) or [await _add_key(tx, root_key, tx.now)]
    return Sealer(keys)


async def read_keys(tx: Tx, root_key: bytes, *, beside: Collection[UUID] = ()) -> list[SealingKey]:
    """Open all sealing keys, the oldest first, beside those named. Raises RootKeyWrong."""
    root = AESGCM(root_key)
    rows = await tx.execute(select(sealing_keys).order_by(sealing_keys.c.id))
    return [
        SealingKey(row.id, _opened(root, row), row.from_at, row.retired_at)
        for row in rows
        if row.id not in beside
    ]


async def keep_learning(
    database: Database,
    sealer: Sealer,
    root_key: Callable[[], bytes],
    learned: Callable[[], None] = lambda: None,
) -> None:
    """Learn of new sealing keys until cancelled.

    Args:
        database: where they are.
        sealer: what learns.
        root_key: gives the root key as it is now; called only when there is a new key.
        learned: is called when the sealer has learnt one.
    """
    while True:
        await asyncio.sleep(LEARN_EVERY.total_seconds())
        try:
            async with database.begin() as tx:
                stored = set((await tx.execute(select(sealing_keys.c.id))).scalars())
                if stored - sealer.known:
                    root = await asyncio.to_thread(root_key)
                    sealer.learn(await read_keys(tx, root, beside=sealer.known))
                    learned()
        except DatabaseUnavailable:
            continue
        except MoorageError as failed:
            log.error("sealing_keys_not_learnt", error=str(failed))


# --- Rotation ---------------------------------------------------------------


async def add_key(tx: Tx, root_key: bytes) -> SealingKey:
    """Make a new sealing key; it is in use half a minute later. Raises RootKeyWrong."""
    await _lock(tx)
    await read_keys(tx, root_key)
    made = await _add_key(tx, root_key, tx.now + UNUSED_AT_FIRST)
    tx.announce(SealingKeyMade(made.id, after={"from_at": made.from_at}))
    return made


async def retire_keys(tx: Tx, newest: UUID) -> None:
    """Note that nothing lasting is sealed with the keys before `newest` any more."""
    await tx.execute(
        update(sealing_keys)
        .where(sealing_keys.c.id < newest, sealing_keys.c.retired_at.is_(None))
        .values(retired_at=tx.now)
    )
    tx.announce(SealingKeysRetired(newest))


async def forget_retired(tx: Tx) -> None:
    """Delete keys that were retired two days ago; daily."""
    await tx.execute(delete(sealing_keys).where(sealing_keys.c.retired_at < tx.now - KEPT_RETIRED))


async def seal_for_next_root(tx: Tx, root_key: bytes, next_root_key: bytes) -> None:
    """Seal every key under the next root key too; from then on either opens them.

    Raises:
        RootKeyWrong: the present one opens none of them.
    """
    await _lock(tx)
    following = AESGCM(next_root_key)
    present = AESGCM(root_key)
    for key in await read_keys(tx, root_key):
        await tx.execute(
            update(sealing_keys)
            .where(sealing_keys.c.id == key.id)
            .values(sealed=_sealed(present, key), sealed_next=_sealed(following, key))
        )
    tx.announce(RootKeyAnnounced(SYSTEM_ID))


async def settle_root(tx: Tx, root_key: bytes) -> None:
    """Let only this root key open the sealing keys. Raises RootKeyWrong."""
    await _lock(tx)
    root = AESGCM(root_key)
    for key in await read_keys(tx, root_key):
        await tx.execute(
            update(sealing_keys)
            .where(sealing_keys.c.id == key.id)
            .values(sealed=_sealed(root, key), sealed_next=None)
        )
    tx.announce(RootKeySettled(SYSTEM_ID))


async def _lock(tx: Tx) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('moorage.sealing_keys'))")


async def _add_key(tx: Tx, root_key: bytes, from_at: datetime) -> SealingKey:
    key = SealingKey(uuid7(), AESGCM.generate_key(256), from_at)
    sealed = _sealed(AESGCM(root_key), key)
    values = {"id": key.id, "sealed": sealed, "from_at": from_at, "created_at": tx.now}
    await tx.execute(insert(sealing_keys).values(values))
    return key


def _sealed(root: AESGCM, key: SealingKey) -> bytes:
    nonce = os.urandom(12)
    return nonce + root.encrypt(nonce, key.key, key.id.bytes)


def _opened(root: AESGCM, row: Any) -> bytes:
    for sealed in (row.sealed, row.sealed_next):
        if sealed is not None:
            with contextlib.suppress(InvalidTag):
                return root.decrypt(sealed[:12], sealed[12:], row.id.bytes)
    raise RootKeyWrong


def make_token(prefix: str = "", size: int = 24) -> str:
    """Make a random credential of `size` bytes, URL-safe, with a recognisable prefix."""
    return prefix + base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def digest(secret: str | bytes) -> bytes:
    """Hash a high-entropy credential for storing and looking up (SHA-256)."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def mosquitto_hash(secret: str) -> str:
    """Hash a credential as Mosquitto's password file has it: `$7$iterations$salt$hash`.

    PBKDF2 (RFC 8018, section 5.2) with HMAC-SHA-512, 12 bytes of salt, 64 of hash, both in base64,
    and 101 iterations as mosquitto_passwd(1) of 2.0: what is hashed is long and random.
    """
    salt = secrets.token_bytes(12)
    made = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _MOSQUITTO_ITERATIONS)
    texts = (base64.b64encode(part).decode() for part in (salt, made))
    return f"$7${_MOSQUITTO_ITERATIONS}${'$'.join(texts)}"


@dataclass(frozen=True, slots=True)
class Scram:
    """What proves a password by SCRAM-SHA-256 without telling it (RFC 5802, section 3; RFC 7677).

    Attributes:
        salt: 16 bytes.
        stored_key, server_key: 32 bytes each.
    """

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


def scram_hash(secret: str) -> str | None:
    """Hash a credential as PostgreSQL writes it: `SCRAM-SHA-256$iterations:salt$stored:server`.

    4,096 iterations, the least that RFC 7677 allows: what is hashed is long and random. None of a
    secret with characters that SASLprep (RFC 4013) forbids. Takes some milliseconds.
    """
    try:
        salt, stored_key, server_key, iterations = scramp.ScramMechanism(SCRAM).make_auth_info(
            secret, SCRAM_ITERATIONS, secrets.token_bytes(SCRAM_SALT)
        )
    except scramp.ScramException:
        return None
    texts = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"{SCRAM}${iterations}:{texts[0]}${texts[1]}:{texts[2]}"


def read_scram(written: str) -> Scram:
    """Read what `scram_hash` wrote."""
    _, first, second = written.split("$")
    iterations, _, salt = first.partition(":")
    stored_key, _, server_key = second.partition(":")
    salt_key, stored, server = map(base64.b64decode, (salt, stored_key, server_key))
    return Scram(salt_key, int(iterations), stored, server)


def scram_decoy(key: bytes, name: str) -> Scram:
    """Make what nobody can prove, the same for a name each time, so that names cannot be sounded.

    Args:
        key: of the installation.
        name: a user name that nobody has.
    """
    salt, stored, server = (
        hmac.digest(key, f"{part}:{name}".encode(), "sha256")
        for part in ("salt", "stored", "server")
    )
    return Scram(salt[:SCRAM_SALT], SCRAM_ITERATIONS, stored, server)


def same(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)
