"""Signing in by a real SAML provider, and out again."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from lxml import etree

from identity_providers.conftest import PROVIDERS, Harbour
from identity_providers.openid import HOME
from identity_providers.saml import ANSWERS, NAMES, asked, bring, sign_in
from identity_providers.simplesaml import SimpleSaml, form_of, walk
from moorage.identity_providers.model import Saml
from moorage.identity_providers.service.saml.messages import Named
from moorage.identity_providers.service.saml.responses import Assertion, told_by

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
WRONG = "/sign-in#failed=identity_providers.answer_wrong"


@pytest_asyncio.fixture
async def provider(harbour: Harbour, idp: SimpleSaml) -> Any:
    """Give the real provider, known here by its metadata, and we to it by ours."""
    idp.switch()
    made = await harbour.by_saml({"metadataUrl": idp.metadata_url})
    idp.knows(await harbour.our_metadata(made["id"]))
    return made


async def test_a_person_of_a_mapped_group_signs_in_and_is_given_what_is_mapped(
    harbour: Harbour, provider: Any
) -> None:
    dora = harbour.browser()
    assert await sign_in(dora, provider["id"], "dora") == "/devices"
    me = await dora.me()
    assert me["user"]["name"] == "Dora"
    # Nobody has said that this provider may give addresses.
    assert me["user"]["email"] is None
    assert [one["organizationId"] for one in me["grants"]] == [str(harbour.organization_id)]
    again = harbour.browser()
    await sign_in(again, provider["id"], "dora")
    assert (await again.me())["user"]["id"] == me["user"]["id"]
    assert (await harbour.admin.get(f"{PROVIDERS}/{provider['id']}")).json()["people"] == 1


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"displayName": ("Dora",), "sn": ("Dam",)}, "Dora"),
        ({"urn:oid:2.5.4.42": ("Dora",), "urn:oid:2.5.4.4": ("Dam",)}, "Dora Dam"),
        ({"sn": ("Dam",), "displayName": (" ",)}, "Dam"),
        ({}, "dora"),
    ],
)
def test_a_name_in_parts_is_put_together(attributes: dict[str, tuple[str, ...]], name: str) -> None:
    assertion = Assertion("_a", datetime.now(UTC), Named("dora"), None, attributes)
    assert told_by(Saml(metadata="x"), assertion, ()).name == name


async def test_somebody_of_no_mapped_group_asks_for_access_and_is_let_in_once_accepted(
    harbour: Harbour, provider: Any
) -> None:
    emil = harbour.browser()
    waits = "/sign-in#failed=identity_providers.access_asked"
    assert await sign_in(emil, provider["id"], "emil") == waits
    (request,) = (await harbour.anna.get("/api/v1/access-requests")).json()["items"]
    assert (request["name"], request["email"]) == ("Emil", "emil@town.example")
    path = f"/api/v1/access-requests/{request['id']}/accept"
    accepted = await harbour.anna.post(path, json={"permissionGroupIds": [str(harbour.readers)]})
    assert accepted.status_code == 200, accepted.text
    assert await sign_in(emil, provider["id"], "emil") == "/devices"


async def test_the_way_there_is_a_signed_request_that_is_new_each_time(
    harbour: Harbour, provider: Any
) -> None:
    browser = harbour.browser()
    addresses = [await browser.set_out(provider["id"]) for _ in range(2)]
    one, two = (asked(address) for address in addresses)
    assert one.id != two.id
    assert one.relay != two.relay
    request = etree.fromstring(one.xml)
    assert request.get("AssertionConsumerServiceURL") == f"{ANSWERS}{provider['id']}/answer"
    assert request.findtext("saml:Issuer", None, NAMES) == f"{ANSWERS}{provider['id']}/metadata"
    # The provider checks the signature: with another it stays at a page that says so.
    spoilt = addresses[0].replace("Signature=", "Signature=AAAA", 1)
    answer = await browser.theirs.get(spoilt)
    assert "Unable to validate signature" in answer.text


async def test_a_provider_that_takes_requests_by_form_only_is_sent_one_with_a_signature_in_it(
    harbour: Harbour, idp: SimpleSaml
) -> None:
    idp.switch(bindings=[POST])
    try:
        made = await harbour.by_saml({"metadataUrl": idp.metadata_url})
        idp.knows(await harbour.our_metadata(made["id"]))
        dora = harbour.browser()
        answer = await dora.ours.get(
            "/api/v1/auth/single-sign-on/begin", params={"provider": made["id"], "to": "/devices"}
        )
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        found = form_of(answer.text)
        assert found
        assert await bring(dora, await walk(dora.theirs, found[0], "dora", ANSWERS, found[1])) == (
            "/devices"
        )
    finally:
        idp.switch()


async def test_an_encrypted_assertion_is_opened_with_our_key(
    harbour: Harbour, idp: SimpleSaml
) -> None:
    made = await harbour.by_saml({"metadataUrl": idp.metadata_url, "encrypted": True})
    idp.knows(await harbour.our_metadata(made["id"]))
    idp.switch()
    dora = harbour.browser()
    # What anybody on the way could read is refused where that is so set up.
    assert await sign_in(dora, made["id"], "dora") == WRONG
    idp.switch(encrypt=True)
    try:
        assert await sign_in(dora, made["id"], "dora") == "/devices"
    finally:
        idp.switch()


async def test_new_keys_of_the_provider_are_found_and_the_old_hold_no_longer(
    harbour: Harbour, idp: SimpleSaml, provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(harbour.browser(), provider["id"], "dora")
    monkeypatch.setattr("moorage.identity_providers.service.answers.LOOKED_FOR_EVERY_S", 0.0)
    try:
        # Both are shown while one takes over from the other.
        idp.switch(takeover=True)
        parties = harbour.world.app.state.issuers._parties
        parties.clear()
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
        ((party, _),) = parties.values()
        assert len(party.certificates) == 2
        idp.switch(second=True)
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
        parties.clear()
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
        ((party, _),) = parties.values()
        assert list(party.certificates) == [idp.pairs[1].certificate]
    finally:
        idp.switch()


async def test_a_key_of_ours_takes_over_without_anybody_being_shut_out(
    harbour: Harbour, idp: SimpleSaml, provider: Any
) -> None:
    path = f"{PROVIDERS}/{provider['id']}/keys"
    (first,) = (await harbour.anna.get(path)).json()
    made = await harbour.anna.post(path)
    assert made.status_code == 201, made.text
    assert not made.json()["signs"]
    too_many = await harbour.anna.post(path)
    assert too_many.json()["code"] == "identity_providers.keys_too_many"
    both = await harbour.our_metadata(provider["id"])
    assert both.count(b"<ds:X509Certificate>") == 4
    idp.switch(encrypt=True)
    try:
        # The provider does not know the new one yet, and encrypts for the old.
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
        idp.knows(both)
        used = await harbour.anna.post(f"{path}/{made.json()['id']}/use")
        assert [one["signs"] for one in used.json()] == [True, False]
        # It is still encrypted for the old, and the request is signed with the new.
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
        in_use = await harbour.anna.delete(f"{path}/{made.json()['id']}")
        assert in_use.json()["code"] == "identity_providers.key_in_use"
        assert (await harbour.anna.delete(f"{path}/{first['id']}")).status_code == 204
        assert await sign_in(harbour.browser(), provider["id"], "dora") == WRONG
        idp.knows(await harbour.our_metadata(provider["id"]))
        assert await sign_in(harbour.browser(), provider["id"], "dora") == "/devices"
    finally:
        idp.switch()


async def test_signing_out_leads_to_the_provider_which_knows_whom_it_is_about(
    harbour: Harbour, idp: SimpleSaml, provider: Any
) -> None:
    dora = harbour.browser()
    await sign_in(dora, provider["id"], "dora")
    answer = await dora.ours.post("/api/v1/auth/single-sign-on/sign-out")
    assert answer.status_code == 200, answer.text
    address = answer.json()["address"]
    assert address.startswith(idp.url)
    assert not await dora.is_in()
    back = await walk(dora.theirs, address, "dora", ANSWERS)
    assert await bring(dora, back) == "/sign-in"
    # The provider has ended it, too: it asks for the password anew.
    page = await dora.theirs.get(await dora.set_out(provider["id"]), follow_redirects=True)
    assert 'name="password"' in page.text


@pytest.mark.parametrize("binding", [REDIRECT, POST])
async def test_signing_out_at_the_provider_ends_the_session_here_and_no_other(
    harbour: Harbour, idp: SimpleSaml, binding: str
) -> None:
    idp.switch(logout=[binding])
    try:
        provider = await harbour.by_saml({"metadataUrl": idp.metadata_url})
        # Of our two ways to be told it knows the one.
        ways = re.compile(rb'<md:SingleLogoutService Binding="([^"]+)"[^>]*/>')
        ours = await harbour.our_metadata(provider["id"])
        idp.knows(ways.sub(lambda way: way[0] if way[1].decode() == binding else b"", ours))
        leaving, staying = harbour.browser(), harbour.browser()
        await sign_in(leaving, provider["id"], "dora")
        await sign_in(staying, provider["id"], "dora")
        start = f"{idp.url}/saml2/idp/initSLO.php?RelayState={idp.url}/logout.php"
        visit = await walk(leaving.theirs, start, "dora", ANSWERS)
        assert (visit.form is None) is (binding == REDIRECT)
        path = visit.address.removeprefix(HOME)
        # Led here, a browser shows its cookie; with the form of another site it does not.
        going = leaving.ours if visit.form is None else harbour.world.client()
        told = await going.request("GET" if visit.form is None else "POST", path, data=visit.form)
        assert not await leaving.is_in()
        assert await staying.is_in()
        # The provider takes our answer, whose signature it checks, and has somebody leave.
        if binding == REDIRECT:
            answer = await leaving.theirs.get(told.headers["location"], follow_redirects=True)
        else:
            page = form_of(told.text)
            assert page, told.text
            answer = await leaving.theirs.post(page[0], data=page[1], follow_redirects=True)
        assert answer.url.path.endswith("/logout.php")
        assert answer.status_code == 200, answer.text
        # What it said once does not end another session later.
        again = harbour.browser()
        await sign_in(again, provider["id"], "dora")
        repeated = await harbour.world.client().request(
            "GET" if visit.form is None else "POST", path, data=visit.form
        )
        refused = "/sign-in#failed=identity_providers.logout_request_wrong"
        assert repeated.headers["location"] == refused
        assert await again.is_in()
    finally:
        idp.switch()
