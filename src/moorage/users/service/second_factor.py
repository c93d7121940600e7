"""The second factor: authenticator apps (TOTP), backup codes, and proving either or a passkey."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

import pyotp

from moorage import organizations
from moorage.kit.caller import Caller
from moorage.kit.db import Database, Tx
from moorage.kit.mail import Post
from moorage.kit.secrets import Sealer, digest, same

from ..errors import (
    PasskeyUnknown,
    PersonNeeded,
    SecondFactorMissing,
    SecondFactorNeeded,
    SecondFactorRequired,
    SecondFactorThere,
    SecondFactorWrong,
)
from ..facts import (
    BackupCodesMade,
    PasskeyRemoved,
    SecondFactorRemoved,
    SecondFactorSet,
    SessionEnded,
)
from ..model import (
    BACKUP_CODES,
    TOTP_STEP_S,
    Factor,
    Proof,
    SecondFactors,
    TotpSetup,
    User,
    Visitor,
)
from ..store import counts, factors, sessions
from . import passkeys
from .attempts import confirm
from .homes import tell
from .letters import Occasion, write_to
from .people import by_email, get, my_user, require_account

# 80 bits, so that a plain digest of one tells nobody the code.
_CODE_BYTES = 10


async def my_second_factors(tx: Tx, caller: Caller) -> SecondFactors:
    """Read what the caller can show beside the password. Raises PersonNeeded."""
    await my_user(tx, caller)
    return await factors.of(tx, caller.id)


async def is_proven(tx: Tx, caller: Caller) -> bool:
    """Tell whether a second factor was shown in the session that asks."""
    if caller.session_id is None:
        return False
    found = await sessions.find(tx, session_id=caller.session_id)
    return found is not None and found[0].proven


async def withheld(tx: Tx, caller: Caller) -> frozenset[UUID | None]:
    """Tell which organisations give the caller more once a second factor was shown.

    None stands for the installation.
    """
    if caller.session_id is None or await is_proven(tx, caller):
        return frozenset()
    return await organizations.withheld(tx, caller.id)


async def begin_totp(
    database: Database, caller: Caller, visitor: Visitor, post: Post, password: str | None
) -> TotpSetup:
    """Make the secret of an authenticator app; it counts once a code of it is shown.

    Raises:
        PersonNeeded, CredentialsWrong, TooManyFailures.
        SecondFactorThere: one is set up already.
    """
    user = await confirm(database, caller, visitor, password)
    secret = pyotp.random_base32()
    async with database.begin(caller) as tx:
        if not await factors.put_totp(tx, user.id, _sealed(post.sealer, user.id, secret)):
            raise SecondFactorThere
    host = urlsplit(post.public_url).netloc
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.label, issuer_name=f"Moorage {host}")
    return TotpSetup(secret, uri)


async def confirm_totp(tx: Tx, caller: Caller, post: Post, code: str) -> Sequence[str]:
    """Let the authenticator app count, and give its backup codes; this session is proven.

    Raises:
        PersonNeeded.
        SecondFactorMissing: none was begun.
        SecondFactorThere: one counts already.
        SecondFactorWrong.
    """
    user = await my_user(tx, caller)
    found = await factors.totp_of(tx, user.id)
    if found is None:
        raise SecondFactorMissing
    if found[1] is not None:
        raise SecondFactorThere
    if not await _take_totp(tx, post.sealer, user.id, found[0], code):
        raise SecondFactorWrong
    await factors.confirm_totp(tx, user.id)
    if caller.session_id is not None:
        await sessions.prove(tx, caller.session_id)
    await tell(tx, SecondFactorSet, user.id, after={"factor": Factor.TOTP.value})
    await write_to(tx, post, Occasion.FACTOR_SET, user, origin=caller.origin)
    return await _make_codes(tx, user.id)


async def end_totp(
    database: Database,
    caller: Caller,
    visitor: Visitor,
    post: Post,
    password: str | None,
    code: str,
) -> None:
    """Remove the caller's authenticator app and backup codes.

    Raises:
        PersonNeeded, CredentialsWrong, TooManyFailures, SecondFactorWrong, SecondFactorMissing.
        SecondFactorRequired: it is the last, and an organisation asks for one.
    """
    user = await confirm(database, caller, visitor, password, always=True)
    await _show(database, caller, post, user, code)
    async with database.begin(caller) as tx:
        await factors.remove_totp(tx, user.id)
        await refuse_without(tx, user.id)
        await tell(tx, SecondFactorRemoved, user.id, before={"factor": Factor.TOTP.value})
        await write_to(tx, post, Occasion.FACTOR_REMOVED, user, inviter=user.label)
        await counts.forget_failures(tx, "account", user.label)


async def renew_codes(
    database: Database,
    caller: Caller,
    visitor: Visitor,
    post: Post,
    password: str | None,
    code: str,
) -> Sequence[str]:
    """Make backup codes in place of those there are.

    Raises:
        PersonNeeded, CredentialsWrong, TooManyFailures, SecondFactorWrong, SecondFactorMissing.
    """
    user = await confirm(database, caller, visitor, password, always=True)
    await _show(database, caller, post, user, code)
    async with database.begin(caller) as tx:
        await tell(tx, BackupCodesMade, user.id, after={"codes": "***"})
        await counts.forget_failures(tx, "account", user.label)
        return await _make_codes(tx, user.id)


async def remove_passkey(tx: Tx, caller: Caller, post: Post, passkey_id: UUID) -> None:
    """Remove one of the caller's passkeys.

    Raises:
        PersonNeeded, PasskeyUnknown.
        SecondFactorRequired: it is the last factor, and an organisation asks for one.
    """
    user = await my_user(tx, caller)
    if not await factors.remove_passkey(tx, caller.id, passkey_id):
        raise PasskeyUnknown(id=passkey_id)
    await refuse_without(tx, caller.id)
    await tell(tx, PasskeyRemoved, caller.id, before={"passkey": passkey_id})
    await write_to(tx, post, Occasion.FACTOR_REMOVED, user, inviter=user.label)


async def remove_second_factors(tx: Tx, caller: Caller, user_id: UUID, post: Post) -> None:
    """Remove all that a person shows beside the password, who has lost it; sessions end.

    Raises:
        UserUnknown, PermissionMissing, UserShared, UserOutranks.
        PersonNeeded: a program cannot.
    """
    if caller.is_program:
        raise PersonNeeded
    user = await get(tx, caller, user_id)
    await require_account(tx, caller, user_id)
    await recover(tx, user, post, by=caller.label)


async def recover_from_command_line(tx: Tx, email: str) -> User:
    """Remove every factor of a person, for whoever operates the machine. Raises UserUnknown."""
    user = await by_email(tx, email)
    await recover(tx, user, None, by="operator")
    return user


async def recover(tx: Tx, user: User, post: Post | None, *, by: str) -> None:
    """Remove every factor of a person, in the name of whoever has seen to it that it is them."""
    held = await factors.of(tx, user.id)
    await factors.remove_all(tx, user.id)
    ended = await sessions.remove_all(tx, user.id)
    before = {"totp": held.totp, "passkeys": len(held.passkeys), "by": "recovery"}
    await tell(tx, SecondFactorRemoved, user.id, before=before)
    await tell(tx, SessionEnded, user.id, before={"sessions": [str(one) for one in ended]})
    if post is not None:
        await write_to(tx, post, Occasion.FACTOR_REMOVED, user, inviter=by)


# --- At the sign-in ---------------------------------------------------------


async def needed(tx: Tx, post: Post, user: User) -> SecondFactorNeeded | None:
    """Give what says which second factor is asked for, if any is.

    What it has for passkeys is made anew and noted with `tx`.
    """
    held = await factors.of(tx, user.id)
    if not held.any:
        return None
    ways = ["totp", "backupCode"] if held.totp else []
    options = None
    if held.passkeys:
        ways.append("passkey")
        options = await passkeys.ask_second(tx, post, user.id)
    return SecondFactorNeeded(ways=ways, passkey=options)


async def prove(tx: Tx, post: Post, user: User, proof: Proof) -> Factor | None:
    """Use up what somebody shows; gives what it was, or nothing where it is not right."""
    if proof.passkey is not None:
        shown = await passkeys.check_second(tx, post, user.id, proof.passkey)
        return Factor.PASSKEY if shown else None
    code = "".join((proof.code or "").split())
    if code.isdecimal():
        found = await factors.totp_of(tx, user.id)
        if found is None or found[1] is None:
            return None
        right = await _take_totp(tx, post.sealer, user.id, found[0], code)
        return Factor.TOTP if right else None
    right = await factors.take_code(tx, user.id, _code_digest(user.id, code))
    return Factor.BACKUP_CODE if right else None


# --- Inside -----------------------------------------------------------------


async def _show(database: Database, caller: Caller, post: Post, user: User, code: str) -> None:
    """Use up a code in a transaction of its own, so that it is used up whatever follows."""
    async with database.begin(caller) as tx:
        held = await factors.of(tx, user.id)
        right = held.totp and await prove(tx, post, user, Proof(code=code)) is not None
    if not held.totp:
        raise SecondFactorMissing
    if not right:
        raise SecondFactorWrong


async def refuse_without(tx: Tx, user_id: UUID) -> None:
    """Refuse a change made just now that leaves nothing where something is asked for."""
    held = await factors.of(tx, user_id)
    if not held.any and await organizations.withheld(tx, user_id):
        raise SecondFactorRequired


async def _take_totp(tx: Tx, sealer: Sealer, user_id: UUID, sealed: bytes, code: str) -> bool:
    """Tell whether a code is of now, or one step off, and is used for the first time.

    Source: RFC 6238, sections 4 and 5.2.
    """
    totp = pyotp.TOTP(sealer.open(sealed, _context(user_id)).decode(), interval=TOTP_STEP_S)
    now = int(tx.now.timestamp()) // TOTP_STEP_S
    for step in (now, now - 1, now + 1):
        if same(totp.generate_otp(step).encode(), code.encode()):
            return await factors.take_step(tx, user_id, step)
    return False


async def _make_codes(tx: Tx, user_id: UUID) -> list[str]:
    made = [
        base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
        for _ in range(BACKUP_CODES)
    ]
    await factors.put_codes(tx, user_id, [_code_digest(user_id, code) for code in made])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in made]


def _code_digest(user_id: UUID, code: str) -> bytes:
    return digest(f"{user_id}:{code.replace('-', '').lower()}")


def _sealed(sealer: Sealer, user_id: UUID, secret: str) -> bytes:
    return sealer.seal(secret.encode(), _context(user_id))


async def seal_totps_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the secrets of authenticator apps with the sealing key that is in use."""
    for user_id, sealed in (await factors.sealed_totps(tx)).items():
        plain = sealer.open(sealed, _context(user_id))
        await factors.reseal_totp(tx, user_id, sealer.seal(plain, _context(user_id)))


def _context(user_id: UUID) -> str:
    return f"user_totps:{user_id}"
