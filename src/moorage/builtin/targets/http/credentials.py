"""How a request shows who sends it: fixed headers, Basic, OAuth 2.0, a signature."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from moorage.plugin import FieldInvalid

from .client import Client, request_bytes, split

# A token is renewed this long before it ends.
EARLY_S = 30.0


class TokenRefused(Exception):
    """The token endpoint gave no token; the text says why."""

    def __init__(self, text: str, *, temporary: bool) -> None:
        super().__init__(text)
        self.temporary = temporary


class Tokens:
    """An access token by the client credentials grant (RFC 6749, section 4.4), kept and renewed."""

    def __init__(
        self, client: Client, settings: Mapping[str, Any], secret: str, timeout_s: float
    ) -> None:
        self._client = client
        self._origin, self._target = split(settings["tokenUrl"])
        self._form = {"grant_type": "client_credentials"}
        if settings.get("scope"):
            self._form["scope"] = settings["scope"]
        if settings.get("audience"):
            self._form["audience"] = settings["audience"]
        self._headers = {"Accept": "application/json"}
        if settings.get("send", "header") == "header":
            # Both parts are form-encoded first (RFC 6749, section 2.3.1).
            pair = f"{quote(settings['clientId'], safe='')}:{quote(secret, safe='')}"
            self._headers["Authorization"] = "Basic " + _base64(pair.encode())
        else:
            self._form |= {"client_id": settings["clientId"], "client_secret": secret}
        self._timeout_s = timeout_s
        self._token = ""
        self._until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def get(self, *, instead_of: str = "") -> str:
        """Give a token, asking for one if there is none, it ends soon, or it was refused.

        Raises:
            TokenRefused: the endpoint gave none.
            OSError, TimeoutError, MoorageError: it could not be reached.
        """
        async with self._one_at_a_time:
            if not self._token or self._token == instead_of or time.monotonic() >= self._until:
                await self._ask()
            return self._token

    async def _ask(self) -> None:
        headers = self._headers | {"Content-Type": "application/x-www-form-urlencoded"}
        data = request_bytes(
            "POST", self._origin, self._target, headers, urlencode(self._form).encode()
        )
        answer = await self._client.request(self._origin, data, self._timeout_s)
        if not 200 <= answer.status < 300:
            raise TokenRefused(
                f"The token endpoint answered {answer.status}.",
                temporary=answer.status >= 500 or answer.status in (408, 429),
            )
        try:
            given = msgspec.json.decode(answer.body)
            self._token = str(given["access_token"])
            lasts_s = float(given.get("expires_in", 300))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as wrong:
            raise TokenRefused(
                "The token endpoint answered without an access_token.", temporary=False
            ) from wrong
        self._until = time.monotonic() + max(1.0, lasts_s - EARLY_S)


def basic(user: str, password: str) -> str:
    """Write an Authorization header of the Basic scheme (RFC 7617)."""
    return "Basic " + _base64(f"{user}:{password}".encode())


def signing_key(secret: str) -> bytes:
    """Read a Standard Webhooks secret. Raises FieldInvalid."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as wrong:
        raise FieldInvalid(
            "/secrets/signingSecret", "must be base64, with or without whsec_ in front"
        ) from wrong
    if not 16 <= len(key) <= 96:
        raise FieldInvalid("/secrets/signingSecret", "must hold 24 to 64 bytes")
    return key


def signature(key: bytes, message_id: str, body: bytes, at_s: int) -> dict[str, str]:
    """Make the headers that sign a body.

    Source: Standard Webhooks 1.0.0, symmetric signatures: HMAC-SHA256 over `id.timestamp.body`.
    """
    signed = f"{message_id}.{at_s}.".encode() + body
    value = _base64(hmac.digest(key, signed, hashlib.sha256))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{value}",
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
