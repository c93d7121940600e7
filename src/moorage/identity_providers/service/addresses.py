"""Addresses that people and providers name."""

from __future__ import annotations

from urllib.parse import urlsplit

LONGEST_ADDRESS = 2_000


def is_address(address: object) -> bool:
    """Tell whether something is an https address, or an http one of this machine."""
    if not isinstance(address, str) or len(address) > LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username or parts.password or any(c.isspace() for c in address):
        return False
    inside = host in ("localhost", "::1") or host.startswith("127.")
    return parts.scheme == "https" or (parts.scheme == "http" and inside)
