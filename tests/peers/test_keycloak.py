"""Signing in by a real Keycloak, and out again, set up as docs/operating/single-sign-on.md says."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import pytest_asyncio
from httpx2 import AsyncClient

from identity_providers import keycloak as keycloaks
from identity_providers.conftest import PEOPLE, PROVIDERS, Harbour, a_harbour
from identity_providers.keycloak import LEAVING, X500, Keycloak
from identity_providers.openid import CLIENT, Browser, listening
from identity_providers.saml import bring
from identity_providers.simplesaml import Visit, form_of, walk
from ports import free_port

WRONG = "/sign-in#failed=identity_providers.answer_wrong"
UNREACHABLE = "/sign-in#failed=identity_providers.unreachable"
# Its page for signing in has these, and no other page has.
ASKS = 'name="password"'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keycloak(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keycloak]:
    """Give the one Keycloak of these tests."""
    home = tmp_path_factory.mktemp("keycloak")
    with keycloaks.real(home, f"http://localhost:{free_port()}", PEOPLE) as made:
        async with made.admin:
            yield made


@pytest_asyncio.fixture
async def harbour(database_url: str, tmp_path: Path, keycloak: Keycloak) -> AsyncIterator[Harbour]:
    """Give an installation at the address that Keycloak has of us."""
    async with a_harbour(database_url, tmp_path, MOORAGE_PUBLIC_URL=keycloak.ours) as made:
        yield made


@pytest_asyncio.fixture
async def provider(harbour: Harbour, keycloak: Keycloak) -> Any:
    """Give Keycloak as it is set up here by OpenID Connect."""
    return await harbour.provider(keycloak.issuer, **by_openid(keycloak))


def by_openid(keycloak: Keycloak, **others: Any) -> dict[str, Any]:
    settings = {
        "issuer": keycloak.issuer, "clientId": CLIENT, "authority": keycloak.authority,
    }  # fmt: skip
    return {"openIdConnect": settings, "clientSecret": keycloak.secret, **others}


def reached(harbour: Harbour, keycloak: Keycloak) -> AbstractAsyncContextManager[str]:
    """Let Keycloak reach us by the network."""
    return listening(harbour.world.app, urlsplit(keycloak.ours).port or 0)


async def to_us(keycloak: Keycloak, browser: Browser, address: str, login: str) -> Visit:
    """Go through Keycloak's pages until it sends us back."""
    until = f"{keycloak.ours}/"
    return await walk(browser.theirs, address, login, until, password=keycloak.password)


async def sign_in(keycloak: Keycloak, browser: Browser, provider_id: str, login: str) -> str:
    """Go the whole way; give where in the console we end."""
    visit = await to_us(keycloak, browser, await browser.set_out(provider_id), login)
    if visit.form is not None:
        return await bring(browser, visit)
    return await browser.come_back(visit.address)


async def at_the_form(browser: Browser, address: str) -> str:
    """Follow Keycloak to the page where it asks who somebody is; give the page."""
    answer = await browser.theirs.get(address, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert ASKS in answer.text
    return answer.text


async def enter(browser: Browser, page: str, login: str, password: str) -> str:
    """Fill that page in; give the page that it leads to."""
    form = form_of(page)
    assert form
    fields = form[1] | {"username": login, "password": password}
    answer = await browser.theirs.post(form[0], data=fields)
    assert answer.status_code == 200, answer.text
    return answer.text


# --- OpenID Connect ---------------------------------------------------------


async def test_a_person_of_a_mapped_group_signs_in_and_is_given_what_is_mapped(
    harbour: Harbour, keycloak: Keycloak
) -> None:
    fields = harbour.fields(
        keycloak.issuer, **by_openid(keycloak, domains=["town.example"], newAccounts="mapped")
    )
    tried = await harbour.admin.post(f"{PROVIDERS}/test", json=fields)
    assert tried.json()["passed"], tried.text
    made = await harbour.admin.post(PROVIDERS, json=fields)
    assert made.status_code == 201, made.text
    provider_id = made.json()["id"]
    dora = harbour.browser(keycloak.trust)
    page = await at_the_form(dora, await dora.set_out(provider_id))
    assert "Invalid username or password" in await enter(dora, page, "dora", "a wrong one")
    assert await sign_in(keycloak, dora, provider_id, "dora") == "/devices"
    me = await dora.me()
    assert (me["user"]["name"], me["user"]["email"]) == ("Dora Dam", "dora@town.example")
    assert [one["organizationId"] for one in me["grants"]] == [str(harbour.organization_id)]
    # Who is signed in there and here, and comes again, is asked for nothing.
    assert await sign_in(keycloak, dora, provider_id, "nobody") == "/devices"
    assert (await dora.me())["user"]["id"] == me["user"]["id"]
    # Emil is known there, and in no group.
    emil = harbour.browser(keycloak.trust)
    not_let_in = "/sign-in#failed=identity_providers.not_let_in"
    assert await sign_in(keycloak, emil, provider_id, "emil") == not_let_in


async def test_who_is_closed_at_keycloak_does_not_come_in(
    harbour: Harbour, keycloak: Keycloak, provider: Any
) -> None:
    user = await keycloak.user("fie")
    fie = harbour.browser(keycloak.trust)
    assert await sign_in(keycloak, fie, provider["id"], "fie") == "/devices"
    await keycloak.ask("PUT", f"/users/{user}", json={"enabled": False})
    try:
        # Keycloak tells nobody of it; its session is of no use from now on.
        page = await at_the_form(fie, await fie.set_out(provider["id"]))
        told = await enter(fie, page, "fie", keycloak.password)
        assert "Account is disabled" in told
    finally:
        await keycloak.ask("PUT", f"/users/{user}", json={"enabled": True})
    assert await sign_in(keycloak, fie, provider["id"], "fie") == "/devices"


async def test_signing_out_here_leads_to_keycloak_and_back(
    harbour: Harbour, keycloak: Keycloak, provider: Any
) -> None:
    dora = harbour.browser(keycloak.trust)
    await sign_in(keycloak, dora, provider["id"], "dora")
    answer = await dora.ours.post("/api/v1/auth/single-sign-on/sign-out")
    assert answer.status_code == 200, answer.text
    assert not await dora.is_in()
    async with reached(harbour, keycloak):
        # It knows by the hint whom it is about, and does not ask.
        gone = await dora.theirs.get(answer.json()["address"])
    assert (gone.status_code, gone.headers["location"]) == (302, f"{keycloak.ours}/sign-in")
    await at_the_form(dora, await dora.set_out(provider["id"]))


async def test_signing_out_at_keycloak_ends_the_session_here_at_once_and_no_other(
    harbour: Harbour, keycloak: Keycloak, provider: Any
) -> None:
    leaving, staying, other = (harbour.browser(keycloak.trust) for _ in range(3))
    for browser, name in ((leaving, "dora"), (staying, "dora"), (other, "fie")):
        await sign_in(keycloak, browser, provider["id"], name)
    async with reached(harbour, keycloak):
        await signs_out_there(keycloak, leaving)
        assert not await leaving.is_in()
        assert await staying.is_in()
        # An administrator there ends all sessions of a person.
        await keycloak.ask("POST", f"/users/{await keycloak.user('dora')}/logout")
    assert not await staying.is_in()
    assert await other.is_in()


async def signs_out_there(keycloak: Keycloak, browser: Browser) -> None:
    """Sign out by Keycloak's own page, as at another of its clients."""
    page = await browser.theirs.get(f"{keycloak.url}{LEAVING}")
    form = form_of(page.text)
    assert form, page.text
    answer = await browser.theirs.post(urljoin(keycloak.url, form[0]), data=form[1])
    assert "You are logged out" in answer.text


async def test_new_keys_of_keycloak_are_found_and_the_old_hold_no_longer(
    harbour: Harbour, keycloak: Keycloak, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.identity_providers.service.openid.LOOKED_FOR_EVERY_S", 0.0)
    issuers = harbour.world.app.state.issuers
    settings = {"metadataUrl": keycloak.metadata_url, "authority": keycloak.authority}
    by_saml = await harbour.by_saml(settings, name="By SAML")
    monkeypatch.setattr("moorage.identity_providers.service.answers.LOOKED_FOR_EVERY_S", 0.0)
    client = await keycloak.imports(await harbour.our_metadata(by_saml["id"]))
    (first,) = await keycloak.keys()
    before = harbour.browser(keycloak.trust)
    await sign_in(keycloak, before, provider["id"], "dora")
    assert await sign_in(keycloak, harbour.browser(keycloak.trust), by_saml["id"], "fie") == (
        "/devices"
    )
    second = await keycloak.add_key()
    try:
        for provider_id, name in ((provider["id"], "dora"), (by_saml["id"], "fie")):
            browser = harbour.browser(keycloak.trust)
            assert await sign_in(keycloak, browser, provider_id, name) == "/devices"
        ((party, _),) = issuers._parties.values()
        assert len(party.certificates) == 2
        # What the old one signed is still good for saying whom it is about.
        answer = await before.ours.post("/api/v1/auth/single-sign-on/sign-out")
        gone = await before.theirs.get(answer.json()["address"])
        assert gone.headers["location"] == f"{keycloak.ours}/sign-in"
        await keycloak.switch_key(first, enabled=False)
        issuers._parties.clear()
        issuers._kept.clear()
        for provider_id, name in ((provider["id"], "dora"), (by_saml["id"], "fie")):
            browser = harbour.browser(keycloak.trust)
            assert await sign_in(keycloak, browser, provider_id, name) == "/devices"
        ((party, _),) = issuers._parties.values()
        assert len(party.certificates) == 1
    finally:
        await keycloak.switch_key(first, enabled=True)
        await keycloak.ask("DELETE", f"/components/{second}")
        await keycloak.ask("DELETE", f"/clients/{client}")


async def test_with_a_wrong_client_secret_nobody_comes_in_until_it_is_mended(
    harbour: Harbour, keycloak: Keycloak
) -> None:
    wrong = by_openid(keycloak, clientSecret=f"{keycloak.secret}x")
    provider = await harbour.provider(keycloak.issuer, **wrong)
    dora = harbour.browser(keycloak.trust)
    assert await sign_in(keycloak, dora, provider["id"], "dora") == UNREACHABLE
    assert not await dora.is_in()
    path = f"{PROVIDERS}/{provider['id']}"
    for changes, passes in (({}, False), ({"clientSecret": keycloak.secret}, True)):
        tried = (await harbour.admin.post(f"{path}/test", json={"changes": changes})).json()
        steps = {step["name"]: step["passed"] for step in tried["steps"]}
        assert (tried["passed"], steps["client"]) == (passes, passes), tried
    mended = await harbour.admin.patch(path, json={"clientSecret": keycloak.secret})
    assert mended.status_code == 200, mended.text
    assert await sign_in(keycloak, dora, provider["id"], "dora") == "/devices"


# --- SAML -------------------------------------------------------------------


@pytest_asyncio.fixture
async def by_saml(harbour: Harbour, keycloak: Keycloak) -> AsyncIterator[tuple[str, str]]:
    """Give the id of Keycloak here, by its metadata, and of us there, by ours."""
    settings = {
        "metadataUrl": keycloak.metadata_url, "authority": keycloak.authority, "encrypted": True,
        "emailAttribute": X500["email"],
    }  # fmt: skip
    made = await harbour.by_saml(settings, domains=["town.example"])
    client = await keycloak.imports(await harbour.our_metadata(made["id"]))
    yield made["id"], client
    await keycloak.ask("DELETE", f"/clients/{client}")


async def test_who_comes_by_saml_has_signed_requests_and_encrypted_answers(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str]
) -> None:
    provider_id, client = by_saml
    dora = harbour.browser(keycloak.trust)
    address = await dora.set_out(provider_id)
    # Our metadata made Keycloak look at signatures: it takes no other request.
    for spoilt in (
        address.replace("Signature=", "Signature=AAAA", 1),
        re.sub("&SigAlg=.*", "", address),
    ):
        answer = await dora.theirs.get(spoilt)
        assert answer.status_code == 400
        assert "Invalid requester" in answer.text
    visit = await to_us(keycloak, dora, address, "dora")
    assert visit.form
    xml = base64.b64decode(visit.form["SAMLResponse"])
    assert b"EncryptedAssertion" in xml
    assert b"Dora" not in xml
    assert await bring(dora, visit) == "/devices"
    me = await dora.me()
    assert (me["user"]["name"], me["user"]["email"]) == ("Dora Dam", "dora@town.example")
    assert [one["organizationId"] for one in me["grants"]] == [str(harbour.organization_id)]
    again = harbour.browser(keycloak.trust)
    assert await sign_in(keycloak, again, provider_id, "dora") == "/devices"
    assert (await again.me())["user"]["id"] == me["user"]["id"]
    # What anybody on the way could read is refused, as it is set up here.
    await keycloak.change_client(client, **{"saml.encrypt": "false"})
    assert await sign_in(keycloak, again, provider_id, "dora") == WRONG


async def test_a_request_by_form_is_taken_with_the_signature_in_it(
    harbour: Harbour, keycloak: Keycloak
) -> None:
    async with AsyncClient(verify=keycloak.trust) as client:
        whole = (await client.get(keycloak.metadata_url)).text
    # Of its ways to sign in one is left; the text is pasted instead of an address.
    redirect = r'<[\w:]*SingleSignOnService [^>]*bindings:HTTP-Redirect"[^>]*(/>|></[^>]*>)'
    text, times = re.subn(redirect, "", whole)
    assert times == 1, whole
    made = await harbour.by_saml({"metadata": text})
    client_id = await keycloak.imports(await harbour.our_metadata(made["id"]))
    dora = harbour.browser(keycloak.trust)
    asked = {"provider": made["id"], "to": "/devices"}
    begun = await dora.ours.get("/api/v1/auth/single-sign-on/begin", params=asked)
    form = form_of(begun.text)
    assert form, begun.text
    visit = await walk(dora.theirs, form[0], "dora", f"{keycloak.ours}/", form[1],
                       password=keycloak.password)  # fmt: skip
    assert await bring(dora, visit) == "/devices"
    await keycloak.ask("DELETE", f"/clients/{client_id}")


async def test_who_comes_from_keycloak_without_having_set_out_here_is_let_in_where_set_up(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str]
) -> None:
    provider_id, client = by_saml
    named = {"saml_idp_initiated_sso_url_name": "moorage"}
    await keycloak.change_client(client, **named)
    start = f"{keycloak.issuer}/protocol/saml/clients/moorage?RelayState=%2Fapplications"
    dora = harbour.browser(keycloak.trust)
    visit = await to_us(keycloak, dora, start, "dora")
    unknown = "/sign-in#failed=identity_providers.attempt_unknown"
    assert await bring(dora, visit) == unknown
    path = f"{PROVIDERS}/{provider_id}"
    changed = await harbour.admin.patch(path, json={"saml": {"unsolicited": True}})
    assert changed.status_code == 200, changed.text
    assert await bring(dora, await to_us(keycloak, dora, start, "dora")) == "/applications"
    assert await dora.is_in()


async def test_signing_out_here_leads_to_keycloak_by_saml_and_back(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str]
) -> None:
    dora = harbour.browser(keycloak.trust)
    await sign_in(keycloak, dora, by_saml[0], "dora")
    answer = await dora.ours.post("/api/v1/auth/single-sign-on/sign-out")
    assert answer.status_code == 200, answer.text
    assert not await dora.is_in()
    back = await to_us(keycloak, dora, answer.json()["address"], "nobody")
    assert await bring(dora, back) == "/sign-in"
    await at_the_form(dora, await dora.set_out(by_saml[0]))


async def test_keycloak_that_reads_our_metadata_itself_follows_our_keys(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str]
) -> None:
    provider_id, client = by_saml
    assert b'cacheDuration="PT10M"' in await harbour.our_metadata(provider_id)
    ours = f"{keycloak.ours}/api/v1/auth/saml/{provider_id}/metadata"
    following = {"saml.useMetadataDescriptorUrl": "true", "saml.metadataDescriptorUrl": ours}
    await keycloak.change_client(client, **following)
    path = f"{PROVIDERS}/{provider_id}/keys"
    (first,) = (await harbour.admin.get(path)).json()
    async with reached(harbour, keycloak):
        for change in ("none", "add", "use", "remove"):
            if change == "add":
                second = (await harbour.admin.post(path)).json()
            elif change == "use":
                used = await harbour.admin.post(f"{path}/{second['id']}/use")
                assert used.status_code == 200, used.text
            elif change == "remove":
                assert (await harbour.admin.delete(f"{path}/{first['id']}")).status_code == 204
            # Ten minutes go by, for which our metadata let themselves be kept.
            await keycloak.ask("POST", "/clear-keys-cache")
            dora = harbour.browser(keycloak.trust)
            assert await sign_in(keycloak, dora, provider_id, "dora") == "/devices", change


@pytest.mark.parametrize("binding", ["redirect", "post"])
async def test_signing_out_at_keycloak_takes_the_browser_by_here(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str], binding: str
) -> None:
    provider_id, client = by_saml
    # It uses the form where it has an address for that.
    less = {"saml_single_logout_service_url_post": ""} if binding == "redirect" else {}
    await keycloak.change_client(client, front_channel=True, **less)
    leaving, staying = harbour.browser(keycloak.trust), harbour.browser(keycloak.trust)
    for browser in (leaving, staying):
        await sign_in(keycloak, browser, provider_id, "dora")
    visit = await to_us(keycloak, leaving, f"{keycloak.url}{LEAVING}", "nobody")
    assert (visit.form is None) is (binding == "redirect")
    if visit.form is None:
        told = await leaving.ours.get(visit.address)
    else:
        told = await harbour.world.client().post(visit.address, data=visit.form)
    assert told.status_code == 303, told.text
    assert not await leaving.is_in()
    assert await staying.is_in()
    end = await leaving.theirs.get(told.headers["location"], follow_redirects=True)
    assert "You are logged out" in end.text


async def test_keycloak_ends_sessions_by_saml_without_a_browser(
    harbour: Harbour, keycloak: Keycloak, by_saml: tuple[str, str]
) -> None:
    await keycloak.change_client(by_saml[1], front_channel=False)
    leaving, staying, other = (harbour.browser(keycloak.trust) for _ in range(3))
    for browser, name in ((leaving, "dora"), (staying, "dora"), (other, "fie")):
        await sign_in(keycloak, browser, by_saml[0], name)
    async with reached(harbour, keycloak):
        await signs_out_there(keycloak, leaving)
        assert not await leaving.is_in()
        assert await staying.is_in()
        await keycloak.ask("POST", f"/users/{await keycloak.user('dora')}/logout")
    assert not await staying.is_in()
    assert await other.is_in()
