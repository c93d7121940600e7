"""Authenticator apps, backup codes, passkeys, and the challenges that passkeys sign."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7

from ..model import CHALLENGE, ChallengeKind, Passkey, PasskeyOnFile, SecondFactors
from ..tables import user_backup_codes, user_challenges, user_passkeys, user_totps

_SHOWN = (
    user_passkeys.c.id,
    user_passkeys.c.name,
    user_passkeys.c.created_at,
    user_passkeys.c.used_at,
)
_ON_FILE = (
    user_passkeys.c.id,
    user_passkeys.c.user_id,
    user_passkeys.c.credential_id,
    user_passkeys.c.public_key,
    user_passkeys.c.sign_count,
)


async def of(tx: Tx, user_id: UUID) -> SecondFactors:
    """Read what a person can show beside the password."""
    totp = exists().where(user_totps.c.user_id == user_id, user_totps.c.confirmed_at.is_not(None))
    left = select(func.count()).where(user_backup_codes.c.user_id == user_id).scalar_subquery()
    row = (await tx.execute(select(totp.label("totp"), left.label("left")))).one()
    keys = await tx.execute(
        select(*_SHOWN).where(user_passkeys.c.user_id == user_id).order_by(user_passkeys.c.id)
    )
    return SecondFactors(row.totp, row.left, tuple(Passkey(**key._mapping) for key in keys))


async def remove_all(tx: Tx, user_id: UUID) -> None:
    """Remove every factor of a person, and what was to be signed."""
    for owned in (user_totps, user_backup_codes, user_passkeys, user_challenges):
        await tx.execute(delete(owned).where(owned.c.user_id == user_id))


# --- Authenticator apps -----------------------------------------------------


async def put_totp(tx: Tx, user_id: UUID, sealed: bytes) -> bool:
    """Store a secret that is yet to be confirmed; tells if none that is was in the way."""
    values = {"sealed": sealed, "last_step": 0, "created_at": tx.now}
    statement = upsert(user_totps).values(user_id=user_id, **values)
    stored = await tx.execute(
        statement.on_conflict_do_update(
            constraint="user_totps_pkey",
            set_=values,
            where=user_totps.c.confirmed_at.is_(None),
        ).returning(user_totps.c.user_id)
    )
    return stored.one_or_none() is not None


async def totp_of(tx: Tx, user_id: UUID) -> tuple[bytes, datetime | None] | None:
    """Read a person's sealed secret, and since when it counts."""
    query = select(user_totps.c.sealed, user_totps.c.confirmed_at)
    row = (await tx.execute(query.where(user_totps.c.user_id == user_id))).one_or_none()
    return None if row is None else (row.sealed, row.confirmed_at)


async def take_step(tx: Tx, user_id: UUID, step: int) -> bool:
    """Use up the code of a time step, with all before it; tells whether it was there to use."""
    taken = await tx.execute(
        update(user_totps)
        .where(user_totps.c.user_id == user_id, user_totps.c.last_step < step)
        .values(last_step=step)
        .returning(user_totps.c.user_id)
    )
    return taken.one_or_none() is not None


async def confirm_totp(tx: Tx, user_id: UUID) -> None:
    """Let a secret count from now on."""
    mine = update(user_totps).where(user_totps.c.user_id == user_id)
    await tx.execute(mine.values(confirmed_at=tx.now))


async def remove_totp(tx: Tx, user_id: UUID) -> None:
    """Remove a person's authenticator app and backup codes."""
    for owned in (user_totps, user_backup_codes):
        await tx.execute(delete(owned).where(owned.c.user_id == user_id))


async def sealed_totps(tx: Tx) -> dict[UUID, bytes]:
    """Read and lock every sealed secret, by person."""
    rows = await tx.execute(select(user_totps.c.user_id, user_totps.c.sealed).with_for_update())
    return {row.user_id: row.sealed for row in rows}


async def reseal_totp(tx: Tx, user_id: UUID, sealed: bytes) -> None:
    """Replace how a secret is sealed."""
    await tx.execute(
        update(user_totps).where(user_totps.c.user_id == user_id).values(sealed=sealed)
    )


# --- Backup codes -----------------------------------------------------------


async def put_codes(tx: Tx, user_id: UUID, digests: Iterable[bytes]) -> None:
    """Store backup codes in place of those before."""
    await tx.execute(delete(user_backup_codes).where(user_backup_codes.c.user_id == user_id))
    rows = [{"digest": one, "user_id": user_id} for one in digests]
    await tx.execute(insert(user_backup_codes), rows)


async def take_code(tx: Tx, user_id: UUID, digest: bytes) -> bool:
    """Use a backup code up; tells whether there was such a one."""
    mine = delete(user_backup_codes).where(
        user_backup_codes.c.digest == digest, user_backup_codes.c.user_id == user_id
    )
    taken = await tx.execute(mine.returning(user_backup_codes.c.user_id))
    return taken.one_or_none() is not None


# --- Passkeys ---------------------------------------------------------------


async def add_passkey(
    tx: Tx, user_id: UUID, name: str, credential_id: bytes, public_key: bytes, sign_count: int
) -> Passkey | None:
    """Store a passkey; gives nothing if it is there already, whoever's."""
    row = (
        await tx.execute(
            upsert(user_passkeys)
            .values(
                id=uuid7(),
                user_id=user_id,
                credential_id=credential_id,
                public_key=public_key,
                sign_count=sign_count,
                name=name,
                created_at=tx.now,
            )
            .on_conflict_do_nothing(constraint="user_passkeys_credential_key")
            .returning(*_SHOWN)
        )
    ).one_or_none()
    return None if row is None else Passkey(**row._mapping)


async def on_file(tx: Tx, user_id: UUID) -> list[PasskeyOnFile]:
    """Read what checks the signatures of a person's passkeys."""
    rows = await tx.execute(select(*_ON_FILE).where(user_passkeys.c.user_id == user_id))
    return [_on_file(row) for row in rows]


async def find_passkey(tx: Tx, credential_id: bytes) -> PasskeyOnFile | None:
    """Find a passkey by what its device calls it, and lock it."""
    query = select(*_ON_FILE).where(user_passkeys.c.credential_id == credential_id)
    row = (await tx.execute(query.with_for_update())).one_or_none()
    return None if row is None else _on_file(row)


async def note_use(tx: Tx, passkey_id: UUID, sign_count: int) -> None:
    """Write down that a passkey has signed."""
    await tx.execute(
        update(user_passkeys)
        .where(user_passkeys.c.id == passkey_id)
        .values(sign_count=sign_count, used_at=tx.now)
    )


async def rename_passkey(tx: Tx, user_id: UUID, passkey_id: UUID, name: str) -> Passkey | None:
    """Give a person's passkey another name; gives nothing if there is none."""
    mine = update(user_passkeys).where(_mine(user_id, passkey_id)).values(name=name)
    row = (await tx.execute(mine.returning(*_SHOWN))).one_or_none()
    return None if row is None else Passkey(**row._mapping)


async def remove_passkey(tx: Tx, user_id: UUID, passkey_id: UUID) -> bool:
    """Remove a person's passkey; tells whether there was one."""
    mine = delete(user_passkeys).where(_mine(user_id, passkey_id))
    return (await tx.execute(mine.returning(user_passkeys.c.id))).one_or_none() is not None


def _mine(user_id: UUID, passkey_id: UUID) -> Any:
    return (user_passkeys.c.user_id == user_id) & (user_passkeys.c.id == passkey_id)


def _on_file(row: Any) -> PasskeyOnFile:
    return PasskeyOnFile(**{column.name: getattr(row, column.name) for column in _ON_FILE})


# --- Challenges -------------------------------------------------------------


async def add_challenge(
    tx: Tx, kind: ChallengeKind, digest: bytes, user_id: UUID | None = None
) -> None:
    """Note what is to be signed, for five minutes."""
    values = {"kind": kind.value, "user_id": user_id, "expires_at": tx.now + CHALLENGE}
    await tx.execute(insert(user_challenges).values(digest=digest, **values))


async def take_challenge(tx: Tx, kind: ChallengeKind, digest: bytes, user_id: UUID | None) -> bool:
    """Use a challenge up; tells whether it was there, for this and for this person."""
    taken = await tx.execute(
        delete(user_challenges)
        .where(
            user_challenges.c.digest == digest,
            user_challenges.c.kind == kind.value,
            user_challenges.c.expires_at > tx.now,
            or_(user_challenges.c.user_id.is_(None), user_challenges.c.user_id == user_id),
        )
        .returning(user_challenges.c.digest)
    )
    return taken.one_or_none() is not None


async def drop_expired_challenges(tx: Tx) -> None:
    """Delete what nobody signed in time."""
    await tx.execute(delete(user_challenges).where(user_challenges.c.expires_at <= tx.now))
