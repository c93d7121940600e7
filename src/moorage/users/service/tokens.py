"""Access tokens (JWT, RFC 9068 in spirit) signed with ES256, and the console's CSRF tokens."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from moorage.kit.db import Tx
from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer

from ..errors import CredentialsWrong
from ..model import ACCESS_TOKEN
from ..store import sessions as store
from .second_factor import seal_totps_anew

ISSUER = "moorage"
AUDIENCE = "moorage-api"


@dataclass(frozen=True)
class SigningKeys:
    """The keys that sign access tokens, by id; the newest signs."""

    keys: dict[str, ECKey]

    @property
    def newest(self) -> str:
        """Id of the key that signs."""
        return max(self.keys)


async def load_signing_keys(tx: Tx, sealer: Sealer) -> SigningKeys:
    """Open the signing keys; make the first on a new installation."""
    sealed = await store.signing_keys(tx)
    if not sealed:
        await store.lock_signing_keys(tx)
        sealed = await store.signing_keys(tx)
    if not sealed:
        key_id = uuid7()
        made = ECKey.generate_key("P-256").as_pem(private=True)
        sealed = {key_id: sealer.seal(made, _context(key_id))}
        await store.add_signing_key(tx, key_id, sealed[key_id])
    return SigningKeys(
        {
            str(key_id): ECKey.import_key(sealer.open(value, _context(key_id)))
            for key_id, value in sealed.items()
        }
    )


async def seal_anew(tx: Tx, sealer: Sealer) -> None:
    """Seal the signing keys and authenticator apps' secrets with the sealing key that is in use."""
    await seal_totps_anew(tx, sealer)
    for key_id, sealed in (await store.signing_keys(tx)).items():
        plain = sealer.open(sealed, _context(key_id))
        await store.put_signing_key(tx, key_id, sealer.seal(plain, _context(key_id)))


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
    header = {"alg": "ES256", "kid": keys.newest, "typ": "at+jwt"}
    return jwt.encode(header, claims, keys.keys[keys.newest], algorithms=["ES256"])


def read_access_token(keys: SigningKeys, token: str, now: datetime) -> tuple[UUID, UUID, datetime]:
    """Check a token. Raises CredentialsWrong.

    Returns:
        Its user, its session, when it ends.
    """
    try:
        # The header is read before it is proven; an id that is not ours gives no key.
        read = jwt.decode(
            token, lambda found: keys.keys[str(found.headers().get("kid"))], algorithms=["ES256"]
        )
        claims = read.claims
        if (claims["iss"], claims["aud"], read.header.get("typ")) != (ISSUER, AUDIENCE, "at+jwt"):
            raise CredentialsWrong
        ends_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
    except (JoseError, KeyError, ValueError, TypeError) as wrong:
        raise CredentialsWrong from wrong
    if ends_at <= now:
        raise CredentialsWrong
    return user_id, session_id, ends_at


def csrf_token(sealer: Sealer, session_id: UUID) -> str:
    """Give the CSRF token of a console session; nobody without its answers can know it."""
    made = hmac.digest(sealer.derive("users.csrf"), session_id.bytes, "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _context(key_id: UUID) -> str:
    return f"user_signing_keys:{key_id}"
