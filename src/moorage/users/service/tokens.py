"""Access tokens (JWT, RFC 9068) signed with ES256, and the console's CSRF tokens."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer

from ..errors import CredentialsWrong
from ..facts import SigningKeyMade
from ..model import ACCESS_TOKEN, SIGNING_KEY_KNOWN, SIGNING_KEY_LAST, SIGNING_KEY_SIGNS, SigningKey
from ..store import sessions as store
from .second_factor import seal_totps_anew

ISSUER = "moorage"
AUDIENCE = "moorage-api"


@dataclass
class SigningKeys:
    """The keys that sign access tokens, by id, as far as this process knows.

    A key signs once every process has had time to read it, and is kept until what it signed has
    ended: what processes do not know they look up by its id.
    """

    keys: dict[str, ECKey]
    signer: str

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Make a token of these claims (RFC 9068, section 2.1)."""
        header = {"alg": "ES256", "kid": self.signer, "typ": "at+jwt"}
        return jwt.encode(header, dict(claims), self.keys[self.signer], algorithms=["ES256"])


async def load_signing_keys(tx: Tx, sealer: Sealer) -> SigningKeys:
    """Open the signing keys; make the first on a new installation."""
    rows = await store.signing_keys(tx)
    if not rows:
        await store.lock_signing_keys(tx)
        rows = await store.signing_keys(tx) or [await _make_key(tx, sealer)]
    keys = {str(row.id): ECKey.import_key(sealer.open(row.sealed, _context(row.id)))
            for row in rows}  # fmt: skip
    known = [row for row in rows if row.created_at <= tx.now - SIGNING_KEY_KNOWN]
    return SigningKeys(keys, str((known or rows[:1])[-1].id))


async def renew_signing_keys(tx: Tx, sealer: Sealer, keys: SigningKeys) -> None:
    """Read the signing keys anew; make the next one when its time has come, drop what has ended."""
    rows = await store.signing_keys(tx)
    if rows and rows[-1].created_at <= tx.now - SIGNING_KEY_SIGNS:
        await rotate_signing_key(tx, sealer, unless_after=rows[-1].id)
    for older, newer in pairwise(rows):
        if newer.created_at <= tx.now - SIGNING_KEY_LAST:
            await store.remove_signing_key(tx, older.id)
    if [str(row.id) for row in rows] != [*keys.keys] or keys.signer != str(rows[-1].id):
        read = await load_signing_keys(tx, sealer)
        keys.keys, keys.signer = read.keys, read.signer


async def rotate_signing_key(
    tx: Tx, sealer: Sealer, *, unless_after: UUID | None = None
) -> SigningKey:
    """Make the key that signs access tokens a minute from now; gives it.

    Args:
        tx: the transaction.
        sealer: seals it.
        unless_after: the newest key known; one that somebody has made since is enough.
    """
    await store.lock_signing_keys(tx)
    rows = await store.signing_keys(tx)
    if unless_after is not None and rows[-1].id != unless_after:
        return rows[-1]
    made = await _make_key(tx, sealer)
    tx.announce(SigningKeyMade(made.id))
    return made


async def _make_key(tx: Tx, sealer: Sealer) -> SigningKey:
    key_id, key = uuid7(), ECKey.generate_key("P-256")
    sealed = sealer.seal(key.as_pem(private=True), _context(key_id))
    made = SigningKey(key_id, sealed, key.as_dict(private=False), tx.now)
    await store.add_signing_key(tx, made)
    return made


async def key_set(tx: Tx) -> list[Mapping[str, Any]]:
    """Show the public halves of the keys that sign access tokens (RFC 7517)."""
    return [
        {**row.public, "kid": str(row.id), "use": "sig", "alg": "ES256"}
        for row in await store.signing_keys(tx)
    ]


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the signing keys and authenticator apps' secrets with the sealing key that is in use."""
    await seal_totps_anew(tx, sealer)
    for row in await store.signing_keys(tx):
        plain = sealer.open(row.sealed, _context(row.id))
        await store.put_signing_key(tx, row.id, sealer.seal(plain, _context(row.id)))


def make_access_token(keys: SigningKeys, user_id: UUID, session_id: UUID, now: datetime) -> str:
    """Sign a token for a session; ending the session ends the token too."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "jti": str(uuid7()),
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_TOKEN).timestamp()),
    }
    return keys.sign(claims)


async def read_token(tx: Tx, keys: SigningKeys | None, token: str) -> Mapping[str, Any]:
    """Check who signed a token and that it has not ended; gives its claims.

    Args:
        tx: the transaction; a key that `keys` does not have is looked up.
        keys: what the process knows.
        token: as it came.

    Raises:
        CredentialsWrong.
    """
    try:
        # The header is read before it is proven; an id that is not ours gives no key.
        key_id = str(jws.extract_compact(token.encode()).headers()["kid"])
        key = keys.keys.get(key_id) if keys else None
        if key is None:
            public = await store.public_key(tx, UUID(key_id))
            if public is None:
                raise CredentialsWrong
            key = ECKey.import_key(dict(public))
        read = jwt.decode(token, key, algorithms=["ES256"])
        if read.header.get("typ") != "at+jwt":
            raise CredentialsWrong
        if datetime.fromtimestamp(int(read.claims["exp"]), UTC) <= tx.now:
            raise CredentialsWrong
    except (JoseError, KeyError, ValueError, TypeError, OverflowError) as wrong:
        raise CredentialsWrong from wrong
    return read.claims


def session_of(claims: Mapping[str, Any]) -> tuple[UUID, UUID, datetime]:
    """Read whose session a token is of. Raises CredentialsWrong.

    Returns:
        Its user, its session, when it ends.
    """
    try:
        if (claims["iss"], claims["aud"]) != (ISSUER, AUDIENCE):
            raise CredentialsWrong
        ends_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        return UUID(claims["sub"]), UUID(claims["sid"]), ends_at
    except (KeyError, ValueError, TypeError, AttributeError) as wrong:
        raise CredentialsWrong from wrong


def csrf_token(sealer: Sealer, session_id: UUID) -> str:
    """Give the CSRF token of a console session; nobody without its answers can know it."""
    made = hmac.digest(sealer.derive("users.csrf"), session_id.bytes, "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _context(key_id: UUID) -> str:
    return f"user_signing_keys:{key_id}"
