"""Clients that others made: requests-oauthlib and Authlib, over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError
from requests_oauthlib import OAuth2Session

from cluster import fresh_database
from programs import BACK
from served import Served, serving

BASE = "/api/v1/oauth"


@pytest.fixture(scope="module")
def served(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("served")
    with fresh_database(server_url) as url, serving(url, directory) as served:
        yield served


def make(served: Served, name: str, **more: Any) -> dict[str, Any]:
    body = {
        "organizationId": served.north.organization_id, "name": name, "redirectUris": [BACK],
        "scopes": ["users:read", "organizations:read"], **more,
    }  # fmt: skip
    return served.do(served.north.make("/oauth/clients", body))


def answered(served: Served, address: str) -> str:
    """Have a person allow what a client sent the browser to ask; gives where it is led."""
    query = address.partition("?")[2]
    body = {"query": query, "allow": True}
    answer = served.do(served.north.admin.post(f"{BASE}/authorizations/answer", json=body))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["redirectTo"])


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have oauthlib, which knows no exception for the own machine, speak without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def test_requests_oauthlib_acts_in_somebodys_name(served: Served, loopback: None) -> None:
    made = make(served, "requests-oauthlib")
    url = served.url + BASE
    with OAuth2Session(made["id"], redirect_uri=BACK, scope="users:read", pkce="S256") as session:
        address, state = session.authorization_url(f"{served.url}/oauth/authorize")
        led = answered(served, address)
        assert f"state={state}" in led
        token = session.fetch_token(
            f"{url}/token", authorization_response=led, client_secret=made["clientSecret"]
        )
        assert token["scope"] == ["users:read"]
        me = session.get(f"{served.url}/api/v1/auth/me").json()
        assert {p for g in me["grants"] for p in g["permissions"]} == {"users:read"}
        proof = {"client_id": made["id"], "client_secret": made["clientSecret"]}
        spent = token["refresh_token"]
        fresh = session.refresh_token(f"{url}/token", **proof)
        assert session.get(f"{served.url}/api/v1/auth/me").status_code == 200
        with pytest.raises(InvalidGrantError):
            session.refresh_token(f"{url}/token", refresh_token=spent, **proof)
        session.token = fresh
        assert session.get(f"{served.url}/api/v1/auth/me").status_code == 401


def test_requests_oauthlib_acts_as_itself(served: Served, loopback: None) -> None:
    made = make(served, "backend", grantTypes=["client_credentials"], redirectUris=[])
    with OAuth2Session(client=BackendApplicationClient(made["id"])) as session:
        token = session.fetch_token(
            f"{served.url}{BASE}/token", client_id=made["id"], client_secret=made["clientSecret"]
        )
        assert token["token_type"] == "Bearer"
        assert session.get(f"{served.url}/api/v1/auth/me").json()["kind"] == "client"


def test_authlib_finds_everything_by_the_published_metadata(served: Served) -> None:
    made = make(served, "authlib public", confidential=False)
    with AuthlibSession(
        made["id"], redirect_uri=BACK, scope="users:read", code_challenge_method="S256",
        token_endpoint_auth_method="none",
    ) as session:  # fmt: skip
        published = session.get(
            f"{served.url}/.well-known/oauth-authorization-server", withhold_token=True
        ).json()
        # What is published has the public address; the server of the test has another port.
        here = {k: str(v).replace(published["issuer"], served.url) for k, v in published.items()}
        address, _ = session.create_authorization_url(
            here["authorization_endpoint"], code_verifier="n" * 64
        )
        led = answered(served, address)
        token = session.fetch_token(
            here["token_endpoint"], authorization_response=led, code_verifier="n" * 64
        )
        assert session.get(f"{served.url}/api/v1/auth/me").status_code == 200
        told = session.revoke_token(here["revocation_endpoint"], token=token["refresh_token"])
        assert told.status_code == 200
        assert session.get(f"{served.url}/api/v1/auth/me").status_code == 401
