"""What somebody at a door claims to be, and what is remembered of it: never a secret."""

from __future__ import annotations

from datetime import UTC, datetime

from moorage import devices
from moorage.kit.secrets import digest

from ..ports import Credentials

Claim = tuple[devices.CredentialKind, str, str | None]
# What a sender is remembered by: which kind of secret, the name beside it, the secret's digest.
CacheKey = tuple[str, str | None, bytes]


def claims_of(credentials: Credentials) -> list[Claim]:
    """Give what to look up: user name with password, then either one as a key."""
    username = credentials.username
    password = (credentials.password or b"").decode("utf-8", "replace")
    claims: list[Claim] = []
    if username and password:
        claims.append((devices.CredentialKind.PASSWORD, password, username))
    if password:
        claims.append((devices.CredentialKind.KEY, password, None))
    if username:
        claims.append((devices.CredentialKind.KEY, username, None))
    return claims


def cache_key(claim: Claim) -> CacheKey:
    """Give the key that a claim is remembered by; secrets are not kept in memory."""
    return claim[0].value, claim[2], digest(claim[1])


def inbox_claims_of(credentials: Credentials) -> list[tuple[str, str]]:
    """Give what to look up as an inbox key, with the name of whoever shows it.

    Without a client id, the user name beside a key says who sends.
    """
    username = credentials.username or ""
    password = (credentials.password or b"").decode("utf-8", "replace")
    claims = (
        (password, credentials.client_id or username),
        (username, credentials.client_id),
    )
    return [(secret, name) for secret, name in claims if secret]


def inbox_key(claim: tuple[str, str]) -> CacheKey:
    """Give the key that an inbox claim is remembered by."""
    return "inbox", claim[1], digest(claim[0])


def still_valid(sender: devices.Sender) -> bool:
    """Tell whether a remembered sender's credential has not expired."""
    return sender.valid_until is None or sender.valid_until > datetime.now(UTC)
