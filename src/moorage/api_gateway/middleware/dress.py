"""The headers that every answer has, whatever it is about."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders

from ..service import Shown

# Mantine writes its variables into style elements, so styles alone may be inline.
CONSOLE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
API_POLICY = (
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), payment=()",
}


def dress(headers: MutableHeaders, *, api: bool, over_tls: bool) -> None:
    """Put the headers on that keep a browser from doing harm with an answer."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", API_POLICY if api else CONSOLE_POLICY)
    if api:
        headers.setdefault("Cache-Control", "no-store")
    if over_tls:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def show_limits(headers: MutableHeaders, shown: Sequence[Shown]) -> None:
    """Tell what the caller may ask, and what is left of it.

    Source: RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers-10, sections 3
    and 4.
    """
    if shown:
        headers["RateLimit-Policy"] = ", ".join(
            f'"{one.name}";q={one.most};w={one.window_s}'
            + (f';qu="{one.unit}"' if one.unit else "")
            for one in shown
        )
        headers["RateLimit"] = ", ".join(
            f'"{one.name}";r={one.left};t={one.reset_s}' for one in shown
        )
