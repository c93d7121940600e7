"""Claims that a NATS server believes: JSON Web Tokens signed with an account key.

Sources: nats-io/jwt, v2, authorization_claims.go and user_claims.go; nats-io/nkeys; NATS
documentation, "Auth Callout".
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import nkeys

from moorage.kit.ids import uuid7
from moorage.kit.secrets import Sealer

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_encode = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Secret:
    """What the platform keeps of a NATS server.

    Attributes:
        token: its password there.
        seed: of the account key that signs.
    """

    token: str = field(repr=False)
    seed: str = field(repr=False)

    @property
    def issuer(self) -> str:
        """The public account key."""
        return str(nkeys.from_seed(self.seed.encode()).public_key.decode())


def new(token: str) -> Secret:
    """Make an account key."""
    return Secret(token, nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT).decode())


def seal(sealer: Sealer, broker_id: UUID, secret: Secret) -> bytes:
    """Seal what is kept of a server."""
    plain = _encode({"token": secret.token, "seed": secret.seed})
    return sealer.seal(plain, _context(broker_id))


def opened(sealer: Sealer, broker_id: UUID, sealed: bytes) -> Secret:
    """Open what is kept of a server."""
    return Secret(**_read(sealer.open(sealed, _context(broker_id))))


def _context(broker_id: UUID) -> str:
    return f"brokers.secrets:{broker_id}"


class Signer:
    """Signs claims with an account key."""

    def __init__(self, secret: Secret) -> None:
        self._pair = nkeys.from_seed(secret.seed.encode())
        self.issuer = secret.issuer

    def sign(self, subject: str, audience: str, claims: Mapping[str, Any], **more: Any) -> str:
        """Write and sign claims about a subject."""
        body = {
            "jti": str(uuid7()), "iat": int(time.time()), "iss": self.issuer,
            "sub": subject, "aud": audience, **more, "nats": {**claims, "version": 2},
        }  # fmt: skip
        signed = f"{_part(_encode(_HEADER))}.{_part(_encode(body))}"
        return f"{signed}.{_part(self._pair.sign(signed.encode()))}"


def read_claims(token: bytes) -> dict[str, Any]:
    """Read the claims of a token whose sender is known by the connection it came over.

    Raises:
        ValueError: it is none.
    """
    parts = token.split(b".")
    if len(parts) != 3:
        raise ValueError("a token has three parts")
    claims = _read(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    if not isinstance(claims, dict) or not isinstance(claims.get("nats"), dict):
        raise ValueError("a token holds claims")
    return claims


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
