"""OpenID Connect: where a provider is, what is asked of it, and whether its answer holds.

Sources: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0, Back-Channel Logout 1.0;
RFC 7636 (PKCE), RFC 9207 (issuer in the answer), RFC 9700 (best practice).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError

from moorage.kit.jose import ASYMMETRIC
from moorage.kit.secrets import make_token, same

from ..model import CLOCK_SKEW, OpenIdConnect, Told
from .issuers import Discovered, Issuers, Unreached

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Keys that nobody knows are looked for this often at most, whoever sends them.
LOOKED_FOR_EVERY_S = 5.0
LONGEST_TOKEN = 100_000
LONGEST_SUBJECT = 255
# In seconds since 1970; beyond it nothing is a time that anybody means.
LATEST = 1e11
# Whether a client is known, by how a code that nobody gave is refused; Keycloak has the last.
_SAYS = {"invalid_grant": True, "invalid_client": False, "unauthorized_client": False}
LONGEST_SESSION = 500
MOST_GROUPS = 1_000
LONGEST_GROUP = 1_000
LONGEST_NAME = 100
LONGEST_EMAIL = 254


class Wrong(Exception):
    """What a provider says does not hold; says why."""


def challenge_of(verifier: str) -> str:
    """Give what is shown of a verifier before it is (RFC 7636, section 4.2)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def way_there(
    discovered: Discovered,
    settings: OpenIdConnect,
    *,
    back: str,
    state: str,
    nonce: str,
    verifier: str,
) -> str:
    """Give the address that somebody signs in at."""
    asked = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": back,
        "scope": " ".join(dict.fromkeys(("openid", *settings.scopes))),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return with_query(discovered.authorization, asked)


def with_query(address: str, more: Mapping[str, str]) -> str:
    """Add parameters to an address that may have some."""
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(more)}"


async def redeem(
    issuers: Issuers,
    settings: OpenIdConnect,
    *,
    code: str,
    verifier: str,
    back: str,
    secret: str | None,
) -> tuple[str, str | None]:
    """Exchange a code; give the ID token and the access token. Raises Unreached, Wrong."""
    discovered = await issuers.discover(settings)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": verifier,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if secret is not None and discovered.basic:
        # Each part is form-encoded first (RFC 6749, section 2.3.1).
        pair = f"{quote(settings.client_id, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form["client_id"] = settings.client_id
        if secret is not None:
            form["client_secret"] = secret
    said = await issuers.json(
        settings, "POST", discovered.token, headers=headers, body=urlencode(form).encode()
    )
    token, access = said.get("id_token"), said.get("access_token")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise Wrong("there is no ID token in it.")
    return token, access if isinstance(access, str) else None


async def is_known(
    issuers: Issuers, settings: OpenIdConnect, *, back: str, secret: str | None
) -> bool | None:
    """Tell whether the provider takes client id and secret; None if it does not say.

    It is shown a code that nobody gave: whom it knows it tells that the code is wrong, and whom
    it does not know, that.

    Raises:
        Unreached: it answers with no word of RFC 6749, section 5.2.
    """
    token = make_token("", 48)
    try:
        await redeem(issuers, settings, code=token, verifier=token, back=back, secret=secret)
    except Unreached as refused:
        if refused.error is None:
            raise
        return _SAYS.get(refused.error)
    except Wrong:
        pass  # It gives something for anything.
    return None


async def read_id_token(
    issuers: Issuers,
    settings: OpenIdConnect,
    token: str,
    *,
    nonce: str,
    access: str | None,
    now: datetime,
) -> dict[str, Any]:
    """Check an ID token (Core 1.0, section 3.1.3.7); give its claims. Raises Unreached, Wrong."""
    algorithm, claims = await _signed(issuers, settings, token)
    _check_times(claims, now)
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
        raise Wrong("it is for several, and does not say for whom first.")
    if claims.get("azp", settings.client_id) != settings.client_id:
        raise Wrong("it was made for another client.")
    said = claims.get("nonce")
    if not isinstance(said, str) or not said.isascii() or not same(said.encode(), nonce.encode()):
        raise Wrong("its nonce is not ours.")
    _subject(claims)
    if access is not None and "at_hash" in claims:
        bits = {"384": hashlib.sha384, "512": hashlib.sha512}.get(algorithm[-3:], hashlib.sha256)
        if not algorithm.startswith("Ed"):
            half = bits(access.encode()).digest()
            if claims["at_hash"] != _base64url(half[: len(half) // 2]):
                raise Wrong("its at_hash is not of the access token.")
    return claims


async def read_logout_token(
    issuers: Issuers, settings: OpenIdConnect, token: str, now: datetime
) -> dict[str, Any]:
    """Check a logout token (Back-Channel Logout 1.0, section 2.6). Raises Unreached, Wrong."""
    _, claims = await _signed(issuers, settings, token)
    _check_times(claims, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Wrong("it tells of no logout.")
    if "nonce" in claims:
        raise Wrong("it has a nonce, as an ID token has.")
    if not claims.get("jti"):
        raise Wrong("it has no jti.")
    for name in ("jti", "sub", "sid"):
        if name in claims and not _is_text(claims[name]):
            raise Wrong(f"its {name} is no text.")
    if not claims.get("sub") and not claims.get("sid"):
        raise Wrong("it names neither a person nor a session.")
    return claims


def unproven(token: str) -> tuple[str | None, list[str]]:
    """Read issuer and audience of a token that nothing is known of yet. Raises Wrong."""
    if len(token) > LONGEST_TOKEN:
        raise Wrong("it is too long.")
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        issuer, audience = claims.get("iss"), claims.get("aud")
    except (ValueError, IndexError, AttributeError, RecursionError) as wrong:
        raise Wrong("it is no token.") from wrong
    named = audience if isinstance(audience, list) else [audience]
    return issuer if _is_text(issuer) else None, [a for a in named if isinstance(a, str)]


async def _signed(
    issuers: Issuers, settings: OpenIdConnect, token: str
) -> tuple[str, dict[str, Any]]:
    """Check signature, issuer and audience; give the algorithm and the claims."""
    try:
        try:
            read = jwt.decode(token, await issuers.keys(settings), algorithms=ASYMMETRIC)
        except (JoseError, ValueError, TypeError, KeyError):
            # The provider may have new keys (Core 1.0, section 10.1.1).
            keys = await issuers.keys(settings, newer_than_s=LOOKED_FOR_EVERY_S)
            read = jwt.decode(token, keys, algorithms=ASYMMETRIC)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as wrong:
        raise Wrong("it is not signed by a key of the provider.") from wrong
    claims = read.claims
    if claims.get("iss") != settings.issuer:
        raise Wrong("it is from another issuer.")
    audience = claims.get("aud")
    if settings.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise Wrong("it is for somebody else.")
    return str(read.header.get("alg")), claims


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    at, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if name == "nbf" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong(f"its {name} is missing or no number.")
        if not 0 <= value < LATEST:  # NaN neither.
            raise Wrong(f"its {name} is no time.")
        if name == "exp" and value <= at - skew:
            raise Wrong("it has expired.")
        if name != "exp" and value > at + skew:
            raise Wrong("it is of the future; the clocks differ.")


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not _is_text(subject) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise Wrong("it does not say of whom.")
    return subject


def _is_text(value: object) -> TypeGuard[str]:
    """Tell whether something is a text that UTF-8 and PostgreSQL can hold."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= char <= "\udfff" for char in value)


async def more_of(
    issuers: Issuers, settings: OpenIdConnect, claims: dict[str, Any], access: str | None
) -> dict[str, Any]:
    """Add what the userinfo endpoint says of the person, where the ID token leaves it out.

    Raises:
        Unreached.
        Wrong: it is of somebody else (Core 1.0, section 5.3.2).
    """
    discovered = await issuers.discover(settings)
    wanted = (settings.groups_claim, settings.name_claim, settings.email_claim)
    if access is None or discovered.userinfo is None or all(_at(claims, n) for n in wanted):
        return claims
    headers = {"Authorization": f"Bearer {access}"}
    said = await issuers.json(settings, "GET", discovered.userinfo, headers=headers)
    if said.get("sub") != claims["sub"]:
        raise Wrong("the userinfo is of somebody else.")
    return {**said, **claims}


def told_by(
    settings: OpenIdConnect, claims: Mapping[str, Any], proven_by: tuple[str, ...], token: str
) -> Told:
    """Give what claims say of a person."""
    subject = _subject(claims)
    email = _at(claims, settings.email_claim)
    if not isinstance(email, str) or "@" not in email or len(email) > LONGEST_EMAIL:
        email = None
    if claims.get("email_verified") in (False, "false"):
        email = None
    name = _at(claims, settings.name_claim)
    if not isinstance(name, str) or not name.strip():
        name = email or claims.get("preferred_username")
    groups = _at(claims, settings.groups_claim)
    named = groups if isinstance(groups, list) else [groups]
    methods = claims.get("amr")
    shown = [claims.get("acr"), *(methods if isinstance(methods, list) else ())]
    session = claims.get("sid")
    return Told(
        subject=subject,
        name=_plain(name if isinstance(name, str) else subject)[:LONGEST_NAME] or "?",
        email=_plain(email) if email else None,
        groups=frozenset(
            g for g in named[:MOST_GROUPS] if _is_text(g) and 0 < len(g) <= LONGEST_GROUP
        ),
        proven=any(one in proven_by for one in shown),
        session=session if _is_text(session) and 0 < len(session) <= LONGEST_SESSION else None,
        hint=token,
    )


def _plain(text: str) -> str:
    """Give a text on one line, without what PostgreSQL or UTF-8 cannot hold."""
    kept = "".join(c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff")
    return " ".join(kept.split())


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """Give a claim by its name, or by the way to it with dots."""
    if name in claims:
        return claims[name]
    inner: Any = claims
    for part in name.split("."):
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner


def way_out(
    discovered: Discovered, settings: OpenIdConnect, hint: str | None, back: str
) -> str | None:
    """Give the address that somebody signs out at (RP-Initiated Logout 1.0, section 2)."""
    if discovered.end_session is None:
        return None
    asked = {"client_id": settings.client_id, "post_logout_redirect_uri": back}
    if hint is not None:
        asked["id_token_hint"] = hint
    return with_query(discovered.end_session, asked)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
