"""Assertions: what clients with keys sign, to prove themselves or as a grant (RFC 7523)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError

from moorage.kit.jose import ASYMMETRIC
from moorage.kit.secrets import digest

from ...model import CLOCK_SKEW, LONGEST_ASSERTION, Client
from ..keys import read

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = 10_000
LONGEST_ID = 255
# What joserfc raises for what is not what it says it is.
_UNREADABLE = (JoseError, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion that holds, if it is the first time.

    Attributes:
        digest: of who made it and its id.
    """

    digest: bytes
    expires_at: datetime


def issuer_of(assertion: str) -> UUID | None:
    """Read who says to have made an assertion, before anything is believed."""
    if len(assertion) > LONGEST:
        return None
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
        return UUID(claims["iss"])
    except (*_UNREADABLE, AttributeError, RecursionError):
        return None


def holds(
    assertion: str, client: Client, audiences: tuple[str, ...], now: datetime
) -> Asserted | None:
    """Check what a client signed (RFC 7523, section 3): itself, of itself, for us, and soon over.

    Args:
        assertion: a JWT.
        client: who should have made it.
        audiences: what we are called.
        now: the time.
    """
    if issuer_of(assertion) != client.id:
        return None
    claims = next(_signed(assertion, client), None)
    if claims is None or claims.get("sub") != claims.get("iss"):
        return None
    told = claims.get("aud")
    if not {*audiences} & {one for one in (told if isinstance(told, list) else [told])
                           if isinstance(one, str)}:  # fmt: skip
        return None
    name = claims.get("jti")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or (not name.isprintable()):
        return None
    try:
        expires_at = _instant(claims["exp"])
        begins = [_instant(claims[name]) for name in ("nbf", "iat") if name in claims]
    except _UNREADABLE:
        return None
    if not now - CLOCK_SKEW < expires_at <= now + LONGEST_ASSERTION + CLOCK_SKEW:
        return None
    if any(one > now + CLOCK_SKEW for one in begins):
        return None
    return Asserted(digest(f"{client.id} {name}"), expires_at + CLOCK_SKEW)


def _signed(assertion: str, client: Client) -> Iterator[Mapping[str, Any]]:
    """Give the claims, once for each of the client's keys that signed them."""
    named = jws.extract_compact(assertion.encode()).headers().get("kid")
    for key in client.keys:
        if named is not None and key.get("kid", named) != named:
            continue
        try:
            algorithms = [key["alg"]] if "alg" in key else list(ASYMMETRIC)
            yield jwt.decode(assertion, read(key), algorithms=algorithms).claims
        except _UNREADABLE:
            continue


def _instant(seconds: object) -> datetime:
    """Read a NumericDate. Raises ValueError, TypeError."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(seconds)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as wrong:
        raise ValueError(seconds) from wrong
