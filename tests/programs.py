"""OAuth clients of tests: made by an administrator, allowed by a person, holding tokens."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from httpx2 import AsyncClient, Response

from web import World

BACK = "https://app.example.org/back"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().strip("=")
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN = "/api/v1/oauth/token"


@dataclass
class Program:
    """An OAuth client, with a client of HTTP that has no other credential."""

    http: AsyncClient
    id: str
    secret: str | None

    async def post(self, name: str, **fields: str) -> Response:
        """Send a form to an endpoint, as the program."""
        own = {"client_id": self.id} | ({"client_secret": self.secret} if self.secret else {})
        return await self.http.post(f"/api/v1/oauth/{name}", data=own | fields)

    async def exchange(self, code: str, /, **more: str) -> Response:
        """Exchange an authorisation code."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return await self.post("token", **{**fields, "code_verifier": VERIFIER, **more})

    async def refresh(self, token: str, **more: str) -> Response:
        """Exchange a refresh token."""
        return await self.post("token", grant_type="refresh_token", refresh_token=token, **more)


async def a_program(
    world: World, admin: AsyncClient, organization_id: object, **more: Any
) -> Program:
    """Make a client; confidential, with codes and refresh tokens, unless it says otherwise."""
    body = {
        "organizationId": organization_id and str(organization_id),
        "name": "Fleet app",
        "redirectUris": [BACK],
        "scopes": ["organizations:read", "users:read"],
        **more,
    }
    answer = await admin.post("/api/v1/oauth/clients", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Program(world.client(), made["id"], made["clientSecret"])


def wish(program: Program, **more: str) -> str:
    """Write the query that a program sends a browser with."""
    fields = {
        "response_type": "code",
        "client_id": program.id,
        "redirect_uri": BACK,
        "state": "xyz",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    return urlencode({name: value for name, value in fields.items() if value})


async def allow(person: AsyncClient, query: str, *, allow: bool = True) -> dict[str, str]:
    """Answer a program's wish; gives the query that the browser is led back with."""
    body = {"query": query, "allow": allow}
    answer = await person.post("/api/v1/oauth/authorizations/answer", json=body)
    assert answer.status_code == 200, answer.text
    parts = urlsplit(answer.json()["redirectTo"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


async def allowed(person: AsyncClient, program: Program, **more: str) -> dict[str, Any]:
    """Have a person allow a program; gives its tokens."""
    back = await allow(person, wish(program, **more))
    answer = await program.exchange(back["code"])
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(world: World, token: str) -> AsyncClient:
    """Give a client of HTTP that shows a token."""
    return world.client(Authorization=f"Bearer {token}")
