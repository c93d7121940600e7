"""An authenticator in software, that signs what it is told to, wrongly where a test says so."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from httpx2 import AsyncClient, Response
from webauthn import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url as text_of

ORIGIN = "http://localhost:8080"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One credential of one site (Web Authentication, Level 2; attestation `none`).

    Attributes:
        flags: of the authenticator data, section 6.1.
        count: how often it says that it has signed; it grows with each signature.
    """

    origin: str = ORIGIN
    host: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user_handle: str | None = None

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer what `navigator.credentials.create` would."""
        self.user_handle = options["user"]["id"]
        point = self.key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self._data(ATTESTED) + attested + cose
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        response = {"clientDataJSON": text_of(client), "attestationObject": text_of(made)}
        return self._credential(response)

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer what `navigator.credentials.get` would."""
        self.count += 1
        data = self._data()
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": text_of(client),
                "authenticatorData": text_of(data),
                "signature": text_of(signature),
                "userHandle": self.user_handle,
            }
        )

    def _data(self, more: int = 0) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        known = text_of(self.credential_id)
        return {"id": known, "rawId": known, "type": "public-key", "response": response}


PASSKEYS = "/api/v1/auth/passkeys"


async def add(client: AsyncClient, authenticator: Authenticator, name: str = "Laptop") -> Response:
    """Add a passkey to the account of a client that has just signed in by a link."""
    options = await client.post(f"{PASSKEYS}/options", json={})
    assert options.status_code == 200, options.text
    credential = authenticator.make(options.json())
    return await client.post(PASSKEYS, json={"name": name, "credential": credential})


async def show(client: AsyncClient, authenticator: Authenticator) -> Response:
    """Sign in with a passkey."""
    options = (await client.post(f"{PASSKEYS}/challenge")).json()
    assert base64url_to_bytes(options["challenge"])
    credential = authenticator.sign(options)
    return await client.post(f"{PASSKEYS}/sign-in", json={"credential": credential})
