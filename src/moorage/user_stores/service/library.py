"""The LDAP library, imported in one place and only when needed; see docs/decisions/0035."""

from __future__ import annotations

import ssl
import warnings
from typing import Any

with warnings.catch_warnings():
    # It takes two tables of pyasn1 by their old names.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPException, LDAPOperationResult
    from ldap3.utils.conv import escape_filter_chars
    from ldap3.utils.dn import escape_rdn, parse_dn
    from pyasn1.error import PyAsn1Error

__all__ = [
    "LOST",
    "LDAPException",
    "LDAPOperationResult",
    "Tls",
    "escape_filter_chars",
    "escape_rdn",
    "ldap3",
    "parse_dn",
]

# What it raises over connections, and over bytes that are no LDAP.
LOST = (
    LDAPException, OSError, PyAsn1Error, ValueError, LookupError, TypeError, AttributeError
)  # fmt: skip


class Tls(ldap3.Tls):  # type: ignore[misc]
    """TLS as everywhere in Moorage: 1.2 at least, certificate and name checked by Python's ssl."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._host = host
        self.failure: OSError | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Shake hands; the failure is kept, since the library makes a bare text of it."""
        try:
            connection.socket = self._context.wrap_socket(
                connection.socket, server_hostname=self._host
            )
        except OSError as failed:
            self.failure = failed
            raise
