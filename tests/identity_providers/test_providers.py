"""Setting identity providers up, who may, and what becomes of their people."""

from __future__ import annotations

import base64
from datetime import timedelta
from mailbox import Mailbox
from ssl import DER_cert_to_PEM_cert
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from httpx2 import AsyncClient

from identity_providers.conftest import PROVIDERS, REQUESTS, Harbour
from identity_providers.openid import SECRET, Forger
from identity_providers.saml import Case, Forge, encrypted
from identity_providers.simplesaml import a_pair
from moorage import identity_providers
from moorage.identity_providers import jobs
from moorage.organizations import Role
from web import OPERATOR

METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"


async def _come(harbour: Harbour, forger: Forger, provider_id: str, **said: Any) -> Any:
    """Sign somebody in by the provider; give the browser and where it ended."""
    forger.said = said
    browser = harbour.browser()
    ended = await browser.come_back(forger.answer(await browser.set_out(provider_id)))
    return browser, ended


async def test_a_user_administrator_has_a_provider_and_nobody_of_elsewhere_sees_it(
    harbour: Harbour, forger: Forger
) -> None:
    made = await harbour.anna.post(PROVIDERS, json=harbour.fields(forger.issuer))
    assert made.status_code == 201, made.text
    assert SECRET not in made.text
    assert made.json()["hasClientSecret"] is True
    path = f"{PROVIDERS}/{made.json()['id']}"
    for answer in (
        await harbour.stranger.get(path),
        await harbour.stranger.patch(path, json={"name": "Mine"}),
        await harbour.stranger.delete(path),
        await harbour.stranger.post(f"{path}/test", json={}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "identity_providers.unknown")
    assert (await harbour.stranger.get(PROVIDERS)).json()["items"] == []
    assert (await harbour.stranger.post(PROVIDERS, json=harbour.fields("https://x.example"))
            ).status_code == 404  # fmt: skip
    taken = await harbour.anna.post(PROVIDERS, json=harbour.fields(forger.issuer))
    assert (taken.status_code, taken.json()["code"]) == (409, "identity_providers.taken")


async def test_what_could_be_no_provider_is_refused_beside_the_field(harbour: Harbour) -> None:
    async def refused(client: AsyncClient, issuer: str = "https://x.example", **others: Any) -> Any:
        answer = await client.post(PROVIDERS, json=harbour.fields(issuer, **others))
        assert answer.status_code == 422, answer.text
        return answer.json()["errors"][0]["pointer"]

    for issuer in ("http://x.example", "https://u:p@x.example", "https://x.example?q", "ftp://x.y"):
        assert await refused(harbour.anna, issuer) == "/openIdConnect/issuer"
    assert await refused(harbour.admin, linkByEmail=True) == "/linkByEmail"
    assert await refused(harbour.admin, domains=["*"]) == "/domains"
    foreign = await harbour.world.group(None, Role.GLOBAL_ADMIN)
    mapped = [{"group": "crew", "permissionGroupIds": [str(foreign)]}]
    assert await refused(harbour.admin, mappings=mapped) == "/mappings/0/permissionGroupIds"
    wide = await harbour.anna.post(
        PROVIDERS, json=harbour.fields("https://x.example", mappings=mapped)
    )
    assert wide.status_code == 404
    believed = await harbour.anna.post(
        PROVIDERS, json=harbour.fields("https://x.example", domains=["town.example"])
    )
    assert believed.json()["code"] == "organizations.installation_only"


def _of_an_unknown_key(forge: Forge) -> bytes:
    """Give a certificate of a kind of key that nobody knows."""
    rsa = bytes.fromhex("2a864886f70d010101")
    der = forge.pair.certificate.public_bytes(Encoding.DER)
    assert der.count(rsa) == 1
    return der.replace(rsa, rsa[:-1] + b"\x63")


async def test_what_could_be_no_saml_is_refused_beside_the_field(
    harbour: Harbour, forge: Forge
) -> None:
    async def refused(saml: Any, **others: Any) -> Any:
        fields = harbour.fields("https://x.example", saml=saml, **others)
        if "openIdConnect" not in others:
            del fields["openIdConnect"], fields["clientSecret"]
        answer = await harbour.anna.post(PROVIDERS, json={**fields, **others})
        assert answer.status_code == 422, answer.text
        return answer.json()["errors"][0]["pointer"]

    told = forge.metadata
    both = f'<m:EntitiesDescriptor xmlns:m="{METADATA}">{told}{told}</m:EntitiesDescriptor>'
    old = Forge(a_pair("old", until=timedelta(minutes=-1))).metadata
    odd = told.replace(forge.pair.body, base64.b64encode(_of_an_unknown_key(forge)).decode())
    many = Forge(forge.pair, (forge.pair,) * 10).metadata
    url = "https://x.example/metadata"
    assert await refused({}) == "/saml/metadataUrl"
    assert await refused({"metadata": told, "metadataUrl": url}) == "/saml/metadataUrl"
    for address in ("http://x.example/metadata", "file:///etc/passwd", "https://u:p@x.example"):
        assert await refused({"metadataUrl": address}) == "/saml/metadataUrl"
    for text in (
        "<a/>",
        "no XML",
        f"<!DOCTYPE a>{told}",
        both,
        old,
        told.replace("Redirect", "X"),
        many,
        odd,
    ):
        assert await refused({"metadata": text}) == "/saml/metadata"
    other = {"metadata": told, "entityId": "https://else.example"}
    assert await refused(other) == "/saml/metadata"
    assert await refused({"metadata": told}, clientSecret="secret") == "/clientSecret"
    client = {"issuer": "https://x.example", "clientId": "moorage"}
    assert await refused({"metadata": told}, openIdConnect=client) == "/openIdConnect"
    made = await harbour.by_saml({"metadata": told})
    patched = await harbour.anna.patch(f"{PROVIDERS}/{made['id']}", json={"openIdConnect": client})
    assert patched.json()["errors"][0]["pointer"] == "/openIdConnect"
    tried = await harbour.anna.post(f"{PROVIDERS}/{made['id']}/test", json={})
    assert [step["passed"] for step in tried.json()["steps"]] == [True, True, True]


async def test_a_key_towards_a_provider_is_brought_and_is_nobody_elses(
    harbour: Harbour, forge: Forge
) -> None:
    made = await harbour.by_saml({"metadata": forge.metadata}, newAccounts="everybody")
    path = f"{PROVIDERS}/{made['id']}/keys"
    mine, other = a_pair("mine"), a_pair("other")
    old = a_pair("old", until=timedelta(minutes=-1))
    odd = DER_cert_to_PEM_cert(_of_an_unknown_key(forge))
    brought = {"certificate": mine.pem, "privateKey": mine.key_pem}
    for wrong, pointer in (
        ({**brought, "certificate": "none"}, "/certificate"),
        ({**brought, "certificate": odd}, "/certificate"),
        ({**brought, "privateKey": "none"}, "/privateKey"),
        ({**brought, "privateKey": other.key_pem}, "/privateKey"),
        ({"certificate": old.pem, "privateKey": old.key_pem}, "/certificate"),
    ):
        answer = await harbour.anna.post(path, json=wrong)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    added = await harbour.anna.post(path, json=brought)
    assert (added.status_code, added.json()["certificate"]) == (201, mine.pem)
    key = added.json()["id"]
    second = await harbour.by_saml({"metadata": forge.metadata}, name="Second")
    for client, place, code in (
        (harbour.stranger, path, "identity_providers.unknown"),
        (harbour.anna, f"{PROVIDERS}/{second['id']}/keys", "identity_providers.key_unknown"),
    ):
        for answer in (
            await client.post(f"{place}/{key}/use"), await client.delete(f"{place}/{key}")
        ):  # fmt: skip
            assert (answer.status_code, answer.json()["code"]) == (404, code)
    for answer in (await harbour.stranger.get(path), await harbour.stranger.post(path)):
        assert (answer.status_code, answer.json()["code"]) == (404, "identity_providers.unknown")
    assert (await harbour.anna.post(f"{path}/{key}/use")).status_code == 200
    async with harbour.world.database.begin(OPERATOR) as tx:
        await identity_providers.seal_anew(tx, harbour.world.app.state.sealer)
    case = await Case.begin(harbour.browser(), made["id"])
    ours = (await harbour.our_metadata(made["id"])).decode()
    assert mine.body in ours
    inside = encrypted(forge.sign(case.said.assertion()), ours)
    assert await case.answer(case.said.response(inside)) == "/devices"
    facts = (await harbour.anna.get("/api/v1/audit")).text
    assert "identity_providers.key_used" in facts
    for told in (facts, added.text, (await harbour.anna.get(path)).text):
        assert "PRIVATE" not in told


async def test_a_secret_that_is_kept_goes_to_no_other_issuer(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer)
    path = f"{PROVIDERS}/{provider['id']}"
    elsewhere = {"openIdConnect": {"issuer": "https://evil.example"}}
    refused = await harbour.anna.patch(path, json=elsewhere)
    assert refused.json()["errors"][0]["pointer"] == "/clientSecret"
    given = await harbour.anna.patch(path, json={**elsewhere, "clientSecret": "another"})
    assert given.status_code == 200, given.text
    # What was not named stays.
    assert given.json()["openIdConnect"]["clientId"] == provider["openIdConnect"]["clientId"]


async def test_whoever_says_where_a_provider_is_cannot_become_who_holds_more(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    browser, _ended = await _come(harbour, forger, provider["id"], groups=["crew"])
    admins = await harbour.world.group(None, Role.GLOBAL_ADMIN)
    await harbour.world.join(admins, (await browser.me())["user"]["id"])
    path = f"{PROVIDERS}/{provider['id']}"
    change = {"openIdConnect": {"clientId": "mine"}}
    refused = await harbour.anna.patch(path, json=change)
    assert (refused.status_code, refused.json()["code"]) == (403, "identity_providers.shared")
    assert (await harbour.admin.patch(path, json=change)).status_code == 200


async def test_trying_a_provider_out_tells_each_step(harbour: Harbour, forger: Forger) -> None:
    good = (await harbour.anna.post(f"{PROVIDERS}/test", json=harbour.fields(forger.issuer))).json()
    assert good["passed"] is True
    assert [step["name"] for step in good["steps"]] == ["discover", "keys", "signOut"]
    # Whether our client id and secret are taken is seen where the provider says so.
    for error, passes in (("invalid_grant", True), ("invalid_client", False), (None, False)):
        forger.refusal = {"error": error} if error else {}
        tried = await harbour.anna.post(f"{PROVIDERS}/test", json=harbour.fields(forger.issuer))
        steps = {step["name"]: step["passed"] for step in tried.json()["steps"]}
        assert (tried.json()["passed"], steps["client"]) == (passes, passes)
    # A secret that is kept goes to no other place.
    made = await harbour.provider(forger.issuer)
    elsewhere = {"changes": {"openIdConnect": {"issuer": f"{forger.issuer}/elsewhere"}}}
    refused = await harbour.anna.post(f"{PROVIDERS}/{made['id']}/test", json=elsewhere)
    assert refused.json()["errors"][0]["pointer"] == "/clientSecret"
    forger.configuration = {"issuer": "https://other.example"}
    bad = (await harbour.anna.post(f"{PROVIDERS}/test", json=harbour.fields(forger.issuer))).json()
    assert (bad["passed"], bad["steps"][0]["passed"]) == (False, False)


async def test_a_provider_that_is_removed_takes_what_it_gave_and_signs_its_people_out(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    browser, _ended = await _come(harbour, forger, provider["id"], groups=["crew"])
    user_id = (await browser.me())["user"]["id"]
    members = f"/api/v1/permissions/{harbour.readers}/members"
    assert user_id in (await harbour.anna.get(members)).text
    assert (await harbour.anna.delete(f"{PROVIDERS}/{provider['id']}")).status_code == 204
    assert not await browser.is_in()
    assert user_id not in (await harbour.anna.get(members)).text
    assert (await harbour.admin.get(f"/api/v1/users/{user_id}")).json()["active"] is True


async def test_a_group_lost_at_the_provider_is_lost_here_at_the_next_sign_in(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer)
    browser, ended = await _come(harbour, forger, provider["id"], groups=["crew"])
    assert (ended, len((await browser.me())["grants"])) == ("/devices", 1)
    again, ended = await _come(harbour, forger, provider["id"], groups=["others"])
    assert (ended, len((await again.me())["grants"])) == ("/devices", 0)


async def test_an_account_is_linked_by_address_only_where_that_is_believed_and_nobody_elses(
    harbour: Harbour, forger: Forger
) -> None:
    mine = {"organizationId": None, "mappings": [], "newAccounts": "everybody"}
    provider = await harbour.provider(forger.issuer, **mine)
    known = await harbour.world.user("mallory@town.example")
    stranger, _ended = await _come(harbour, forger, provider["id"], sub="one")
    # Nobody believes this address: a new account without it.
    me = (await stranger.me())["user"]
    assert (me["id"] != str(known.id), me["email"]) == (True, None)
    path = f"{PROVIDERS}/{provider['id']}"
    assert (await harbour.admin.patch(path, json={"domains": ["town.example"]})).is_success
    _browser, ended = await _come(harbour, forger, provider["id"], sub="two")
    assert ended == "/sign-in#failed=identity_providers.not_let_in"
    assert (await harbour.admin.patch(path, json={"linkByEmail": True})).is_success
    unchecked, _ended = await _come(
        harbour, forger, provider["id"], sub="three", email_verified=False
    )
    assert (await unchecked.me())["user"]["email"] is None
    linked, _ended = await _come(harbour, forger, provider["id"], sub="two")
    assert (await linked.me())["user"]["id"] == str(known.id)
    _browser, ended = await _come(harbour, forger, provider["id"], sub="four")
    assert ended == "/sign-in#failed=identity_providers.not_let_in"


async def test_whom_an_administrator_erased_is_forgotten_and_begins_anew(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    browser, _ended = await _come(harbour, forger, provider["id"], groups=["crew"])
    first = (await browser.me())["user"]["id"]
    assert (await harbour.admin.delete(f"/api/v1/users/{first}")).status_code == 204
    async with harbour.world.database.begin() as tx:
        await jobs.clear_away(tx)
    assert (await harbour.admin.get(f"{PROVIDERS}/{provider['id']}")).json()["people"] == 0
    again, _ended = await _come(harbour, forger, provider["id"], groups=["crew"])
    assert (await again.me())["user"]["id"] != first


async def test_the_secret_opens_after_it_was_sealed_anew(harbour: Harbour, forger: Forger) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    async with harbour.world.database.begin(OPERATOR) as tx:
        await identity_providers.seal_anew(tx, harbour.world.app.state.sealer)
    _browser, ended = await _come(harbour, forger, provider["id"])
    assert ended == "/devices"


async def test_nobody_is_let_in_beyond_what_the_one_who_accepts_holds(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer)
    _browser, ended = await _come(harbour, forger, provider["id"])
    assert ended == "/sign-in#failed=identity_providers.access_asked"
    (request,) = (await harbour.anna.get(REQUESTS)).json()["items"]
    path = f"{REQUESTS}/{request['id']}/accept"
    wide = await harbour.world.group(harbour.organization_id, Role.APPLICATION_ADMIN)
    refused = await harbour.anna.post(path, json={"permissionGroupIds": [str(wide)]})
    assert refused.json()["code"] == "organizations.grant_too_wide"
    elsewhere = await harbour.world.group(None, Role.GLOBAL_ADMIN)
    unknown = await harbour.anna.post(path, json={"permissionGroupIds": [str(elsewhere)]})
    assert unknown.status_code == 404
    assert len((await harbour.anna.get(REQUESTS)).json()["items"]) == 1


async def test_who_asked_is_written_to_whatever_the_answer_is(
    harbour: Harbour, forger: Forger, box: Mailbox
) -> None:
    provider = await harbour.provider(forger.issuer)
    for name, answer in (("yes", "accept"), ("no", "reject")):
        await _come(harbour, forger, provider["id"], sub=name, email=f"{name}@town.example")
        (request,) = (await harbour.anna.get(REQUESTS)).json()["items"]
        body = {"permissionGroupIds": []} if answer == "accept" else None
        done = await harbour.anna.post(f"{REQUESTS}/{request['id']}/{answer}", json=body)
        assert done.is_success, done.text
    assert await harbour.world.deliver() == 2
    (accepted, rejected) = sorted(box.mails, key=lambda mail: str(mail["To"]), reverse=True)
    assert accepted["To"] == "yes@town.example"
    assert f"/sign-in?provider={provider['id']}" in accepted.get_content()
    assert "was rejected" in rejected.get_content()
