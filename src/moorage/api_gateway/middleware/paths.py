"""Which paths and methods the gateway treats in ways of their own."""

from __future__ import annotations

import re

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS = UNSAFE | {"GET", "HEAD", "OPTIONS"}
# These let somebody in, so credentials that no longer hold must not stand in their way.
AUTH_PUBLIC = (
    "sign-in", "link", "token", "refresh", "ways", "reset", "reset-password",
    "passkeys/challenge", "passkeys/sign-in", "single-sign-on/offers", "single-sign-on/begin",
    "single-sign-on/callback", "single-sign-on/back-channel-logout",
)  # fmt: skip
# Programs prove themselves here as OAuth has it, without cookies and from wherever they run.
PROTOCOL = frozenset(
    f"/api/v1/oauth/{name}"
    for name in (
        "token", "revoke", "introspect", "device-authorization", "register", "register/{client_id}",
    )
)  # fmt: skip
# Its own registration, which a program shows a token of its own for (RFC 7592).
OWN_REGISTRATION = re.compile(r"/api/v1/oauth/register/[^/]+")
WELL_KNOWN = frozenset(
    f"/.well-known/{name}"
    for name in ("moorage-audit-keys.json", "oauth-authorization-server", "jwks.json")
)
PUBLIC = (
    frozenset({"/api/v1/authority.pem", "/api/v1/claims"})
    | {f"/api/v1/auth/{name}" for name in AUTH_PUBLIC}
    | WELL_KNOWN
    | PROTOCOL
)
# Identity providers send browsers here by forms and addresses of their own pages; what is signed
# counts, and no cookie does.
SENT_BY_PROVIDERS = re.compile(r"/api/v1/auth/saml/[^/]+/(?:metadata|answer|logout)")


def is_public(path: str) -> bool:
    """Tell whether no credential of ours is read there."""
    own = (SENT_BY_PROVIDERS, OWN_REGISTRATION)
    return path in PUBLIC or any(one.fullmatch(path) is not None for one in own)
