"""Fixtures of the tests of single sign-on."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from mailbox import Mailbox, open_mailbox
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from httpx2 import AsyncClient

import web
from identity_providers import openid, simplesaml
from identity_providers.openid import CLIENT, SECRET, Browser, Forger, RealProvider
from identity_providers.saml import Forge
from identity_providers.simplesaml import SimpleSaml
from moorage.kit.outbound import LOOPBACK
from moorage.organizations import Role
from ports import free_port

PROVIDERS = "/api/v1/identity-providers"
REQUESTS = "/api/v1/access-requests"
BACK_CHANNEL = "/api/v1/auth/single-sign-on/back-channel-logout"


def person(name: str, *groups: str) -> dict[str, Any]:
    """Give what the provider says of somebody."""
    email = f"{name.lower()}@town.example"
    return {"name": name, "email": email, "email_verified": True, "groups": list(groups)}


PEOPLE = {
    "dora": person("Dora", "crew"),
    "emil": person("Emil"),
    "fie": person("Fie", "crew", "watch"),
    "gert": person("Gert"),
}


@dataclass
class Harbour:
    """An installation with an organisation, its administrators, and browsers of people."""

    world: web.World
    organization_id: UUID
    readers: UUID
    admin: AsyncClient
    anna: AsyncClient
    stranger: AsyncClient
    browsers: list[Browser] = field(default_factory=list)

    def browser(self, trust: ssl.SSLContext | None = None) -> Browser:
        """Give a browser of nobody, which trusts somebody at the provider."""
        made = Browser(self.world.client(), trust)
        self.browsers.append(made)
        return made

    def fields(self, issuer: str, **others: Any) -> dict[str, Any]:
        """Give what makes a provider of the organisation."""
        return {
            "organizationId": str(self.organization_id),
            "name": "Town hall",
            "openIdConnect": {"issuer": issuer, "clientId": CLIENT},
            "clientSecret": SECRET,
            "mappings": [{"group": "crew", "permissionGroupIds": [str(self.readers)]}],
            **others,
        }

    async def by_saml(self, saml: dict[str, Any], **others: Any) -> Any:
        """Add a provider by SAML as the GlobalAdmin."""
        fields = self.fields("", saml=saml, **others)
        for name in ("openIdConnect", "clientSecret"):
            fields.pop(name)
        answer = await self.admin.post(PROVIDERS, json=fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def our_metadata(self, provider_id: str) -> bytes:
        """Read what we say of ourselves to a provider by SAML."""
        answer = await self.world.client().get(f"/api/v1/auth/saml/{provider_id}/metadata")
        assert answer.status_code == 200, answer.text
        return bytes(answer.content)

    async def provider(self, issuer: str, **others: Any) -> Any:
        """Add a provider as the GlobalAdmin."""
        answer = await self.admin.post(PROVIDERS, json=self.fields(issuer, **others))
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def back_channel_port() -> int:
    """Give a port that nobody has, for the provider to tell of signing out."""
    return free_port()


@pytest.fixture(scope="session")
def real(back_channel_port: int) -> Iterator[RealProvider]:
    """Give an OpenID provider nobody here wrote; it is started once."""
    tells = f"http://127.0.0.1:{back_channel_port}{BACK_CHANNEL}"
    with openid.real(PEOPLE, tells) as made:
        yield made


@pytest.fixture(scope="session")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSaml]:
    """Give a SAML provider nobody here wrote; it is started once."""
    people = {
        name: {
            "displayName": [told["name"]], "mail": [told["email"]], "groups": told["groups"],
        }
        for name, told in PEOPLE.items()
    }  # fmt: skip
    with simplesaml.real(tmp_path_factory.mktemp("idp") / "home", people) as made:
        yield made


@pytest.fixture(scope="session")
def forge() -> Forge:
    """Give a SAML provider under an attacker's hand."""
    return Forge()


@pytest_asyncio.fixture
async def forger() -> AsyncIterator[Forger]:
    """Give a provider under an attacker's hand."""
    async with openid.forger() as made:
        yield made


@pytest_asyncio.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    """Give a real SMTP server."""
    async with open_mailbox(tmp_path) as box:
        yield box


@pytest_asyncio.fixture
async def harbour(database_url: str, tmp_path: Path, box: Mailbox) -> AsyncIterator[Harbour]:
    """Give an installation of its own, which sends mail."""
    async with a_harbour(database_url, tmp_path, **box.environment()) as made:
        yield made


@asynccontextmanager
async def a_harbour(
    database_url: str, directory: Path, **environment: str
) -> AsyncIterator[Harbour]:
    """Run an installation with these settings, which may connect to this machine."""
    async with web.running(database_url, directory, **environment) as world:
        world.app.state.outbound.allow(LOOPBACK)
        organization = await world.organization("Town")
        other = await world.organization("Elsewhere")
        made = Harbour(
            world,
            organization.id,
            await world.group(organization.id, Role.READ),
            await world.admin(),
            await world.person("anna@town.example", organization.id, Role.USER_ADMIN, Role.READ),
            await world.person("otto@else.example", other.id, Role.USER_ADMIN),
        )
        try:
            yield made
        finally:
            for browser in made.browsers:
                await browser.theirs.aclose()
