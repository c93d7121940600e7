"""Signing in by a real OpenID provider, out again, and what a hostile one cannot do."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import KeySet, OctKey, RSAKey

from identity_providers.conftest import BACK_CHANNEL, PROVIDERS, Harbour
from identity_providers.openid import (
    CALLBACK,
    CLIENT,
    Forger,
    RealProvider,
    listening,
    sign,
    sign_by_hand,
)
from moorage.identity_providers.service import issuers as issuers_service
from moorage.identity_providers.service.openid import LOGOUT_EVENT

WRONG = "/sign-in#failed=identity_providers.answer_wrong"
UNKNOWN = "/sign-in#failed=identity_providers.attempt_unknown"


# --- A real provider --------------------------------------------------------


async def test_a_person_of_a_mapped_group_signs_in_and_is_given_what_is_mapped(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    dora = harbour.browser()
    assert await dora.sign_in(provider["id"], "dora") == "/devices"
    me = await dora.me()
    assert me["user"]["name"] == "Dora"
    # Nobody has said that this provider may give addresses.
    assert me["user"]["email"] is None
    assert [one["organizationId"] for one in me["grants"]] == [str(harbour.organization_id)]
    again = harbour.browser()
    await again.sign_in(provider["id"], "dora")
    assert (await again.me())["user"]["id"] == me["user"]["id"]
    assert (await harbour.admin.get(f"{PROVIDERS}/{provider['id']}")).json()["people"] == 1


async def test_the_way_there_asks_for_a_code_with_pkce_and_a_nonce_that_is_new_each_time(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    browser = harbour.browser()
    asked = [parse_qs(urlsplit(await browser.set_out(provider["id"])).query) for _ in range(2)]
    for one in asked:
        assert one["response_type"] == ["code"]
        assert one["code_challenge_method"] == ["S256"]
        assert one["redirect_uri"] == [CALLBACK]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


async def test_new_keys_of_the_provider_are_found_and_the_old_hold_no_longer(
    harbour: Harbour, real: RealProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await harbour.provider(real.issuer)
    await harbour.browser().sign_in(provider["id"], "dora")
    real.renew_keys("second")
    monkeypatch.setattr("moorage.identity_providers.service.openid.LOOKED_FOR_EVERY_S", 0.0)
    browser = harbour.browser()
    assert await browser.sign_in(provider["id"], "dora") == "/devices"
    kept = list(harbour.world.app.state.issuers._kept.values())
    assert [key.kid for key in kept[0].keys.keys] == ["second"]


async def test_signing_out_leads_to_the_provider_which_knows_whom_it_is_about(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    browser = harbour.browser()
    await browser.sign_in(provider["id"], "emil" if provider["people"] else "dora")
    answer = await browser.ours.post("/api/v1/auth/single-sign-on/sign-out")
    assert answer.status_code == 200, answer.text
    address = answer.json()["address"]
    assert address.startswith(real.issuer)
    assert parse_qs(urlsplit(address).query)["id_token_hint"]
    assert not await browser.is_in()
    back = await browser.there(address, "dora", until="http://localhost:8080/sign-in")
    assert back == "http://localhost:8080/sign-in"


async def test_signing_out_at_the_provider_ends_the_session_here_and_no_other(
    harbour: Harbour, real: RealProvider, back_channel_port: int
) -> None:
    provider = await harbour.provider(real.issuer)
    leaving, staying = harbour.browser(), harbour.browser()
    await leaving.sign_in(provider["id"], "fie")
    await staying.sign_in(provider["id"], "fie")
    async with listening(harbour.world.app, back_channel_port):
        # At another of its clients, say: nobody comes by here.
        await leaving.there(f"{real.issuer}/session/end?client_id={CLIENT}"
                            "&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fsign-in",
                            "fie", until="http://localhost:8080/sign-in")  # fmt: skip
    assert not await leaving.is_in()
    assert await staying.is_in()


async def test_somebody_of_no_mapped_group_asks_for_access_and_is_let_in_once_accepted(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    emil = harbour.browser()
    asked = "/sign-in#failed=identity_providers.access_asked"
    assert await emil.sign_in(provider["id"], "emil") == asked
    assert await emil.sign_in(provider["id"], "emil") == asked
    assert not await emil.is_in()
    (request,) = (await harbour.anna.get("/api/v1/access-requests")).json()["items"]
    assert (request["name"], request["email"]) == ("Emil", "emil@town.example")
    path = f"/api/v1/access-requests/{request['id']}"
    for answer in (
        await harbour.stranger.get(path),
        await harbour.stranger.post(f"{path}/accept", json={}),
        await harbour.stranger.post(f"{path}/reject"),
    ):
        assert answer.json()["code"] == "identity_providers.access_request_unknown"
    accepted = await harbour.anna.post(
        f"{path}/accept", json={"permissionGroupIds": [str(harbour.readers)]}
    )
    assert accepted.status_code == 200, accepted.text
    assert await emil.sign_in(provider["id"], "emil") == "/devices"
    me = await emil.me()
    assert me["user"]["id"] == accepted.json()["userId"]
    assert len(me["grants"]) == 1
    # What a hand gave, a sign-in without the group does not take.
    await emil.sign_in(provider["id"], "emil")
    assert len((await emil.me())["grants"]) == 1
    assert (await harbour.anna.post(f"{path}/reject")).status_code == 404


async def test_who_was_rejected_is_told_so_and_does_not_ask_anew(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    gert = harbour.browser()
    await gert.sign_in(provider["id"], "gert")
    (request,) = (await harbour.anna.get("/api/v1/access-requests")).json()["items"]
    answer = await harbour.anna.post(f"/api/v1/access-requests/{request['id']}/reject")
    assert answer.status_code == 204
    rejected = "/sign-in#failed=identity_providers.access_rejected"
    assert await gert.sign_in(provider["id"], "gert") == rejected
    assert (await harbour.anna.get("/api/v1/access-requests")).json()["items"] == []


async def test_who_is_in_none_of_the_required_groups_is_out_whatever_they_had(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    dora = harbour.browser()
    await dora.sign_in(provider["id"], "dora")
    path = f"{PROVIDERS}/{provider['id']}"
    changed = await harbour.anna.patch(path, json={"required": ["watch"]})
    assert changed.status_code == 200, changed.text
    again = harbour.browser()
    refused = "/sign-in#failed=identity_providers.not_let_in"
    assert await again.sign_in(provider["id"], "dora") == refused
    assert not await dora.is_in()
    fie = harbour.browser()
    assert await fie.sign_in(provider["id"], "fie") == "/devices"


async def test_a_closed_account_and_a_provider_switched_off_let_nobody_in(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer)
    dora = harbour.browser()
    await dora.sign_in(provider["id"], "dora")
    user_id = (await dora.me())["user"]["id"]
    assert (await harbour.anna.patch(f"/api/v1/users/{user_id}", json={"active": False})).is_success
    assert not await dora.is_in()
    assert await dora.sign_in(provider["id"], "dora") == "/sign-in#failed=users.credentials_wrong"
    assert (await harbour.anna.patch(f"/api/v1/users/{user_id}", json={"active": True})).is_success
    await dora.sign_in(provider["id"], "dora")
    there = await dora.set_out(provider["id"])
    path = f"{PROVIDERS}/{provider['id']}"
    assert (await harbour.anna.patch(path, json={"enabled": False})).is_success
    assert not await dora.is_in()
    # Whoever was on the way comes back to a door that is shut.
    back = await dora.there(there, "dora")
    assert await dora.come_back(back) == "/sign-in#failed=identity_providers.unknown"
    assert await dora.set_out(provider["id"]) == "/sign-in#failed=identity_providers.unknown"


async def test_whom_a_provider_knows_has_no_password_here(
    harbour: Harbour, real: RealProvider
) -> None:
    provider = await harbour.provider(real.issuer, domains=["town.example"])
    dora = harbour.browser()
    await dora.sign_in(provider["id"], "dora")
    assert (await dora.me())["user"]["email"] == "dora@town.example"
    answer = await dora.ours.post(
        "/api/v1/auth/password", json={"newPassword": "tangerine lighthouse 4711 ferry"}
    )
    assert (answer.status_code, answer.json()["code"]) == (
        409, "identity_providers.password_elsewhere",
    )  # fmt: skip


# --- A hostile one ----------------------------------------------------------


async def _arrive(harbour: Harbour, forger: Forger, provider_id: str, **changes: Any) -> str:
    browser = harbour.browser()
    return await browser.come_back(forger.answer(await browser.set_out(provider_id), **changes))


async def test_an_honest_answer_of_the_provider_lets_in(harbour: Harbour, forger: Forger) -> None:
    """The setup that every refusal below shares lets somebody in when nothing is forged."""
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    assert await _arrive(harbour, forger, provider["id"]) == "/devices"
    verifier = forger.asked[0]["code_verifier"][0]
    assert len(verifier) >= 43


# In 2001 and in 2100.
LONG_AGO, LONG_AHEAD = 1_000_000_000, 4_102_444_800
SAID_WRONG: tuple[dict[str, Any], ...] = (
    {"iss": "https://other.example"},
    {"aud": "somebody else"},
    {"aud": ["somebody else"]},
    {"aud": [CLIENT, "somebody else"]},
    {"azp": "somebody else"},
    {"exp": LONG_AGO},
    {"exp": None},
    {"exp": "soon"},
    {"exp": True},
    {"exp": float("nan")},
    {"exp": float("inf")},
    {"iat": LONG_AHEAD},
    {"iat": None},
    {"nbf": LONG_AHEAD},
    {"nonce": "another"},
    {"nonce": None},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"sub": "\ud800"},
    {"sub": "a\0"},
    {"nonce": "\ud800"},
    {"at_hash": "wrong"},
)


async def test_an_id_token_that_says_something_wrong_lets_nobody_in(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    for said in SAID_WRONG:
        forger.said = said
        assert await _arrive(harbour, forger, provider["id"]) == WRONG, said
    users = (await harbour.admin.get("/api/v1/users", params={"q": "Mallory"})).json()["items"]
    assert users == []
    # What is merely odd beside who it is does no harm.
    odd = {"acr": {}, "amr": [[], "\ud800"], "groups": {"x": 1}, "name": "\0\ud800", "email": 7}
    for said in ({}, odd, {**odd, "groups": ["\0", "\ud800", 7, None, "y" * 5_000], "sid": "\0"}):
        forger.said = said
        assert await _arrive(harbour, forger, provider["id"]) == "/devices"


async def test_a_token_signed_by_anything_but_the_providers_key_lets_nobody_in(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    public = forger.key.as_pem(private=False)
    other = RSAKey.generate_key(2048, {"kid": "one"})
    browser = harbour.browser()
    for forge in (
        lambda claims: sign_by_hand(claims, None),
        lambda claims: sign_by_hand(claims, public),
        lambda claims: sign(claims, OctKey.import_key(b"a secret with : and %"), alg="HS256"),
        lambda claims: sign(claims, other),
        lambda claims: sign(claims, other, jwk=other.as_dict(private=False)),
        lambda claims: sign(claims, other, kid="two"),
        lambda claims: sign(claims, forger.key)[:-6] + "AAAAAA",
        lambda claims: "no.token.at-all",
    ):
        back = forger.answer(await browser.set_out(provider["id"]))
        forger.token = forge(forger.claims())
        assert await browser.come_back(back) == WRONG
    back = forger.answer(await browser.set_out(provider["id"]))
    forger.token = sign(forger.claims(), forger.key)
    assert await browser.come_back(back) == "/devices"


async def test_a_secret_among_the_providers_keys_signs_nothing(
    harbour: Harbour, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    secret = OctKey.import_key(b"x" * 32, {"kid": "two"})
    browser = harbour.browser()
    shown = KeySet([forger.key, secret])
    monkeypatch.setattr(shown, "as_dict", lambda **_: {
        "keys": [forger.key.as_dict(private=False), secret.as_dict(private=True)]
    })  # fmt: skip
    forger.shown = shown
    back = forger.answer(await browser.set_out(provider["id"]))
    forger.token = sign(forger.claims(), secret, alg="HS256", kid="two")
    assert await browser.come_back(back) == WRONG


async def test_a_state_works_once_in_the_browser_that_set_out_and_in_no_other(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    setting_out, other = harbour.browser(), harbour.browser()
    back = forger.answer(await setting_out.set_out(provider["id"]))
    # A link that somebody else made would sign the victim in as the attacker.
    assert await other.come_back(back) == UNKNOWN
    await other.set_out(provider["id"])
    assert await other.come_back(back) == UNKNOWN
    assert await setting_out.come_back(back) == "/devices"
    assert await setting_out.come_back(back) == UNKNOWN
    assert await setting_out.come_back(f"{CALLBACK}?code=x") == UNKNOWN


async def test_over_tls_no_other_host_of_the_domain_can_set_the_cookie_of_setting_out(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer)
    harbour.world.app.state.public_url = "https://moorage.example.org"
    asked = {"provider": provider["id"]}
    gone = await harbour.world.client().get("/api/v1/auth/single-sign-on/begin", params=asked)
    set_cookie = gone.headers["Set-Cookie"]
    assert set_cookie.startswith("__Host-moorage_sign_in=")
    assert {"Path=/", "Secure", "HttpOnly"} <= set(set_cookie.split("; "))
    assert "domain" not in set_cookie.lower()


async def test_an_answer_that_names_another_issuer_is_mixed_up(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    assert await _arrive(harbour, forger, provider["id"], iss="https://other.example") == WRONG
    assert forger.asked == []
    assert await _arrive(harbour, forger, provider["id"], iss=forger.issuer) == "/devices"


async def test_a_provider_that_names_itself_in_answers_is_held_to_it(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    forger.configuration = {"authorization_response_iss_parameter_supported": True}
    assert await _arrive(harbour, forger, provider["id"]) == WRONG
    assert await _arrive(harbour, forger, provider["id"], iss=forger.issuer) == "/devices"


async def test_a_refusal_of_the_provider_is_told_as_one(harbour: Harbour, forger: Forger) -> None:
    provider = await harbour.provider(forger.issuer)
    declined = "/sign-in#failed=identity_providers.declined"
    there = await _arrive(harbour, forger, provider["id"], code=None, error="access_denied")
    assert there == declined


async def test_userinfo_of_somebody_else_lets_nobody_in(harbour: Harbour, forger: Forger) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    forger.configuration = {"userinfo_endpoint": f"{forger.issuer}/userinfo"}
    forger.userinfo = {"sub": "somebody else", "groups": ["crew"]}
    assert await _arrive(harbour, forger, provider["id"]) == WRONG
    forger.userinfo = {"sub": "mallory", "groups": ["crew"]}
    assert await _arrive(harbour, forger, provider["id"]) == "/devices"


async def test_nobody_is_sent_to_another_host_after_signing_in(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    for to, ends_at in (
        ("/devices?q=x#top", "/devices?q=x#top"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("\\\\evil", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nLocation: //evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("", "/"),
    ):
        browser = harbour.browser()
        back = forger.answer(await browser.set_out(provider["id"], to))
        assert await browser.come_back(back) == ends_at, to


async def test_a_provider_that_says_it_is_another_is_not_spoken_with(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer)
    for configuration in (
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ):
        forger.configuration = configuration
        there = await harbour.browser().set_out(provider["id"])
        assert there == "/sign-in#failed=identity_providers.unreachable"


async def test_an_inner_address_is_not_connected_to(harbour: Harbour, forger: Forger) -> None:
    provider = await harbour.provider(forger.issuer)
    harbour.world.app.state.outbound.allow(())
    there = await harbour.browser().set_out(provider["id"])
    assert there == "/sign-in#failed=identity_providers.unreachable"


# --- Logout tokens ----------------------------------------------------------


async def test_a_logout_token_ends_who_it_names_once_and_one_that_is_wrong_ends_nobody(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody")
    forger.said = {"sid": "their session"}
    browser = harbour.browser()
    await browser.come_back(forger.answer(await browser.set_out(provider["id"])))
    teller = harbour.world.client()

    def token(**changes: Any) -> str:
        events: Any = {LOGOUT_EVENT: {}}
        plain = {"events": events, "nonce": None, "jti": "one", "sid": "their session"}
        return sign(forger.claims(**{**plain, **changes}), forger.key)

    for wrong in (
        "",
        "no token",
        token(events={}),
        token(events=None),
        token(nonce="an ID token's"),
        token(jti=None),
        token(iss="https://other.example"),
        token(aud="somebody else"),
        token(exp=int(time.time()) - 3_600),
        token(sub=None, sid=None),
        sign(forger.claims(events={LOGOUT_EVENT: {}}, nonce=None, jti="x"),
             RSAKey.generate_key(2048, {"kid": "one"})),
    ):  # fmt: skip
        answer = await teller.post(BACK_CHANNEL, data={"logout_token": wrong})
        assert (answer.status_code, answer.json()["code"]) == (
            400, "identity_providers.logout_token_wrong",
        )  # fmt: skip
        assert await browser.is_in()
    other = await teller.post(BACK_CHANNEL, data={"logout_token": token(sid="another", jti="y")})
    assert other.status_code == 200
    assert await browser.is_in()
    right = token()
    told = await teller.post(BACK_CHANNEL, data={"logout_token": right})
    # Whoever tells of the next one does not do it over a connection that may be closed by then.
    assert (told.status_code, told.headers["Connection"]) == (200, "close")
    assert not await browser.is_in()
    assert (await teller.post(BACK_CHANNEL, data={"logout_token": right})).status_code == 400
    too_long = await teller.post(BACK_CHANNEL, data={"logout_token": "x" * 70_000})
    assert too_long.status_code == 413


# --- A second factor shown there --------------------------------------------


async def test_what_the_provider_says_of_a_second_factor_counts_as_far_as_it_is_set_up(
    harbour: Harbour, forger: Forger
) -> None:
    provider = await harbour.provider(forger.issuer, newAccounts="everybody", provenBy=["mfa"])
    path = f"/api/v1/organizations/{harbour.organization_id}"
    answer = await harbour.admin.patch(path, json={"secondFactor": "everybody"})
    assert answer.status_code == 200, answer.text
    forger.said = {"groups": ["crew"], "amr": ["pwd"]}
    await _check_grants(harbour, forger, provider["id"], 0)
    forger.said = {"groups": ["crew"], "amr": ["pwd", "mfa"]}
    await _check_grants(harbour, forger, provider["id"], 1)


async def _check_grants(harbour: Harbour, forger: Forger, provider_id: str, count: int) -> None:
    browser = harbour.browser()
    await browser.come_back(forger.answer(await browser.set_out(provider_id)))
    assert len((await browser.me())["grants"]) == count


def test_addresses_of_providers_are_https_or_of_this_machine() -> None:
    for address, right in (
        ("https://login.example.org", True),
        ("http://127.0.0.1:8080/realms/x", True),
        ("http://localhost", True),
        ("http://login.example.org", False),
        ("https://user:secret@login.example.org", False),
        ("https://", False),
        ("https://login.example.org:port", False),
        ("https://login .example.org", False),
        (None, False),
    ):
        assert issuers_service.is_address(address) is right, address
