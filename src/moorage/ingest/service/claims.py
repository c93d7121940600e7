"""What somebody at a door claims to be, and what is remembered of it: never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from moorage import devices
from moorage.kit.secrets import digest

from ..ports import Credentials

Claim = tuple[devices.CredentialKind, str, str | None]
# An inbox key with the kind of identifier that names the sender, and its value.
InboxClaim = tuple[str, str, str]
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


def certificate_key(credentials: Credentials) -> CacheKey | None:
    """Give the key that a client's certificate is remembered by; None if it does not count.

    Beside a password it does not: that says who connects.
    """
    if not credentials.certificate or credentials.password:
        return None
    return devices.CredentialKind.CERTIFICATE.value, None, digest(credentials.certificate)


def cache_key(claim: Claim) -> CacheKey:
    """Give the key that a claim is remembered by; secrets are not kept in memory."""
    return claim[0].value, claim[2], digest(claim[1])


def inbox_claims_of(credentials: Credentials) -> list[InboxClaim]:
    """Give what to look up as an inbox key, with what whoever shows it calls the sender.

    Without a client id, the user name beside a key says who sends.
    """
    username = credentials.username or ""
    password = (credentials.password or b"").decode("utf-8", "replace")
    if eui := credentials.dev_eui:
        claims = [(password, devices.DEV_EUI, eui), (username, devices.DEV_EUI, eui)]
    else:
        claims = [
            (password, devices.SENDER, credentials.client_id or username),
            (username, devices.SENDER, credentials.client_id),
        ]
    return [claim for claim in claims if claim[0]]


def inbox_key(claim: InboxClaim) -> CacheKey:
    """Give the key that an inbox claim is remembered by."""
    secret, kind, name = claim
    return kind, name, digest(secret)


def keys_of(credentials: Credentials) -> list[CacheKey]:
    """Give all keys that a sender with these credentials may be remembered by."""
    keys = [cache_key(claim) for claim in claims_of(credentials)]
    if (certified := certificate_key(credentials)) is not None:
        keys.append(certified)
    return keys + [inbox_key(claim) for claim in inbox_claims_of(credentials)]


def is_meant(credentials: Credentials, key: CacheKey, sender: devices.Sender) -> bool:
    """Tell whether what `key` found may send for these credentials.

    With a device's own secret a LoRaWAN server speaks for others only if that is a gateway.
    """
    return not credentials.dev_eui or sender.is_gateway or key[0] == devices.DEV_EUI


def first_meant(
    credentials: Credentials, held: Mapping[Claim, devices.Sender]
) -> tuple[CacheKey, devices.Sender] | None:
    """Give the sender of the first of the claims that somebody holds and that counts here."""
    for claim in claims_of(credentials):
        found, key = held.get(claim), cache_key(claim)
        if found is not None and is_meant(credentials, key, found):
            return key, found
    return None


def still_valid(sender: devices.Sender) -> bool:
    """Tell whether a remembered sender's credential has not expired."""
    return sender.valid_until is None or sender.valid_until > datetime.now(UTC)
