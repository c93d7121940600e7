"""Where providers are and which keys they sign with, as they say themselves.

Sources: OpenID Connect Discovery 1.0; SAML Metadata.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from moorage.kit.errors import MoorageError
from moorage.kit.fetch import ask
from moorage.kit.outbound import Outbound, client_context

from ..model import OpenIdConnect, Saml
from .addresses import is_address
from .saml import metadata
from .saml.metadata import Party
from .saml.xml import Wrong

KNOWN_FOR_S = 600.0
MOST_KEPT = 200
MOST_BYTES = 1024 * 1024
TIMEOUT_S = 10.0


class Unreached(Exception):
    """A provider cannot be asked; says why.

    Attributes:
        error: the word that it refuses with (RFC 6749, section 5.2), if it says one.
    """

    def __init__(self, why: str, error: str | None = None) -> None:
        super().__init__(why)
        self.error = error


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a provider says of itself (Discovery 1.0, section 3)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    names_issuer: bool
    basic: bool


@dataclass(slots=True)
class _Kept:
    discovered: Discovered
    keys: KeySet
    at: float


class Issuers:
    """What providers say of themselves and their keys, kept for ten minutes.

    Args:
        network: says which addresses may be connected to.
    """

    def __init__(self, network: Outbound) -> None:
        self._network = network
        self._kept: dict[tuple[str, str | None], _Kept] = {}
        self._parties: dict[Saml, tuple[Party, float]] = {}

    async def discover(self, settings: OpenIdConnect) -> Discovered:
        """Say where a provider is asked what. Raises Unreached."""
        return (await self._of(settings)).discovered

    async def keys(self, settings: OpenIdConnect, *, newer_than_s: float = KNOWN_FOR_S) -> KeySet:
        """Give a provider's keys, asked for not longer ago than that. Raises Unreached."""
        return (await self._of(settings, newer_than_s)).keys

    async def party(self, settings: Saml, *, newer_than_s: float = KNOWN_FOR_S) -> Party:
        """Say what a SAML provider is, from metadata read not longer ago. Raises Unreached."""
        party, at = self._parties.get(settings, (None, 0.0))
        if party is None or time.monotonic() - at > newer_than_s:
            raw = await self._metadata(settings)
            try:
                party = metadata.read(raw, settings.entity_id, datetime.now(UTC))
            except Wrong as wrong:
                raise Unreached(str(wrong)) from wrong
            self._parties.pop(settings, None)
            self._parties[settings] = party, time.monotonic()
            if len(self._parties) > MOST_KEPT:
                self._parties.pop(next(iter(self._parties)))
        return party

    async def _metadata(self, settings: Saml) -> bytes:
        if settings.metadata is not None:
            return settings.metadata.encode()
        url = settings.metadata_url or ""
        trust = client_context(settings.authority, None, None) if settings.authority else None
        try:
            status, answer = await ask(
                self._network, "GET", url, trust=trust, most_bytes=MOST_BYTES, timeout_s=TIMEOUT_S
            )
        except MoorageError as failed:
            raise Unreached(str(failed)) from failed
        if status != 200:
            where = urlsplit(url)
            raise Unreached(f"{where.netloc}{where.path} answered {status}.")
        return answer

    async def _of(self, settings: OpenIdConnect, newer_than_s: float = KNOWN_FOR_S) -> _Kept:
        at = (settings.issuer, settings.authority)
        kept = self._kept.get(at)
        if kept is None or time.monotonic() - kept.at > newer_than_s:
            discovered = await self._discover(settings)
            keys = await self._keys(settings, discovered)
            kept = self._kept[at] = _Kept(discovered, keys, time.monotonic())
            if len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return kept

    async def _discover(self, settings: OpenIdConnect) -> Discovered:
        url = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        said = await self.json(settings, "GET", url)
        if said.get("issuer") != settings.issuer:
            raise Unreached(f"It says that its issuer is {str(said.get('issuer'))[:200]!r}.")
        found = {}
        for name, needed in (
            ("authorization_endpoint", True),
            ("token_endpoint", True),
            ("jwks_uri", True),
            ("userinfo_endpoint", False),
            ("end_session_endpoint", False),
        ):
            address = said.get(name)
            if (needed or address is not None) and not is_address(address):
                raise Unreached(f"Its {name} is missing or no https address.")
            found[name] = address
        methods = said.get("token_endpoint_auth_methods_supported")
        return Discovered(
            issuer=settings.issuer,
            authorization=str(found["authorization_endpoint"]),
            token=str(found["token_endpoint"]),
            keys=str(found["jwks_uri"]),
            userinfo=found["userinfo_endpoint"],
            end_session=found["end_session_endpoint"],
            names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
            # Basic is the default (Discovery 1.0, section 3).
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        )

    async def _keys(self, settings: OpenIdConnect, discovered: Discovered) -> KeySet:
        said = await self.json(settings, "GET", discovered.keys)
        found = said.get("keys")
        usable = [
            key
            for key in (found if isinstance(found, list) else [])
            # A secret among the public keys would let anybody sign.
            if isinstance(key, dict)
            and key.get("kty") in ("RSA", "EC", "OKP")
            and key.get("use", "sig") == "sig"
        ]
        keys = []
        for key in usable:
            try:
                keys += KeySet.import_key_set({"keys": [key]}).keys
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # One that we cannot read signs nothing for us.
        if not keys:
            raise Unreached("It shows no key that tokens could be signed with.")
        return KeySet(keys)

    async def json(
        self,
        settings: OpenIdConnect,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> dict[str, Any]:
        """Ask a provider for a JSON object. Raises Unreached."""
        trust = client_context(settings.authority, None, None) if settings.authority else None
        sent = {"Accept": "application/json", **(headers or {})}
        try:
            status, answer = await ask(
                self._network, method, url, headers=sent, body=body, trust=trust,
                most_bytes=MOST_BYTES, timeout_s=TIMEOUT_S,
            )  # fmt: skip
        except MoorageError as failed:
            raise Unreached(str(failed)) from failed
        where = urlsplit(url)
        try:
            said = json.loads(answer)
        except (ValueError, RecursionError):
            said = None
        if status != 200 or not isinstance(said, dict):
            error = said.get("error") if isinstance(said, dict) else None
            error = error[:100] if isinstance(error, str) and error.isascii() else None
            why = f" ({error})" if error is not None else ""
            raise Unreached(f"{where.netloc}{where.path} answered {status}{why}.", error)
        return said
