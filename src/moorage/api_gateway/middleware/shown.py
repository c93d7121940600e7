"""What a request shows of who asks, as browsers and tools write it."""

from __future__ import annotations

from base64 import b64decode
from http.cookies import CookieError, SimpleCookie

from moorage import users


def key_in(basic: str) -> str | None:
    """Find an API key in what came as HTTP Basic: as password, or as user name without any.

    What a proxy in front asked for is none of ours, and stands in nobody's way.
    """
    try:
        user, _, password = b64decode(basic.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    secret = password or user
    return secret if secret.startswith(users.API_KEY_PREFIX) else None


def cookie(header: str, name: str) -> str | None:
    """Find a cookie."""
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None
