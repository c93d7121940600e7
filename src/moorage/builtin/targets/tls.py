"""TLS of outgoing connections: always verified, with a private authority and client certificate."""

from __future__ import annotations

import ssl
import tempfile

from moorage.plugin import FieldInvalid

SCHEMA = {
    "type": "object",
    "title": "TLS",
    "additionalProperties": False,
    "properties": {
        "authority": {
            "type": "string",
            "title": "Certificates of a private authority (PEM)",
            "format": "pem",
        },
        "clientCertificate": {
            "type": "string",
            "title": "Client certificate with its chain (PEM); its key is a secret",
            "format": "pem",
        },
    },
}


def context(authority: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Make a context that checks the server's certificate and name.

    Args:
        authority: PEM of the authorities to trust instead of the system's.
        certificate: PEM of our certificate and its chain.
        key: PEM of its private key.

    Raises:
        FieldInvalid: a PEM text is none, or key and certificate do not belong together.
    """
    try:
        made = ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError) as wrong:
        raise FieldInvalid("/settings/tls/authority", "must be certificates in PEM") from wrong
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is None:
        return made
    if key is None:
        raise FieldInvalid("/secrets/clientKey", "is needed with a client certificate")
    # OpenSSL reads a chain from a file only.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate + "\n" + key)
        file.flush()
        try:
            made.load_cert_chain(file.name)
        except (ssl.SSLError, OSError) as wrong:
            raise FieldInvalid(
                "/settings/tls/clientCertificate",
                "must be a certificate in PEM that belongs to the key in secrets.clientKey, "
                "which must have no passphrase",
            ) from wrong
    return made
