"""How settings ask for TLS with a private authority and a client certificate."""

from __future__ import annotations

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
