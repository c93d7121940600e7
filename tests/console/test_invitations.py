"""How people come in: asked by another organisation, from a directory, or by asking themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import expect

from browsing import Platform, Visitor
from harbour import administrator, groups_of
from identity_providers import openid, simplesaml
from user_stores.slapd import (
    SERVICE,
    SERVICE_PASSWORD,
    SUFFIX,
    Slapd,
    dn_of,
    dn_of_group,
    group,
    running,
)

pytestmark = pytest.mark.timeout(400)
CHIEF = "chief@example.org"


@pytest.fixture(scope="module")
def south(platform: Platform) -> str:
    """Found South with an administrator of its users; give the id of a group for readers."""
    with closing(platform.client()) as client:
        organization = client.post("/api/v1/organizations", json={"name": "South"}).json()["id"]
        administrator(client, organization, CHIEF, "Chief")
        return groups_of(client, organization)["Readers"]


def test_an_invitation_is_made_seen_accepted_declined_and_withdrawn(
    south: str, platform: Platform, visit: Callable[..., Visitor]
) -> None:
    chief = visit("light", CHIEF)
    page = chief.page
    for email in ("anna@example.org", "nobody@example.org"):
        chief.go("/users")
        page.get_by_role("button", name="Invite a user").first.click()
        page.get_by_label("Name").fill("As typed")
        page.get_by_label("E-mail").fill(email)
        page.get_by_role("dialog").get_by_label("Permission groups").click()
        page.get_by_role("option", name="Readers").click()
        page.get_by_label("Name").click()
        page.get_by_role("button", name="Invite", exact=True).click()
        # In the same words, whether there is an account or not.
        expect(page.get_by_text("Who has no account makes one")).to_be_visible()
    chief.go("/users")
    for mode in ("light", "phone"):
        chief.turn(mode)
        expect(page.get_by_text("anna@example.org")).to_be_visible()
        expect(page.get_by_text("Anna", exact=True)).to_have_count(0)
        chief.look("invitations")
        chief.examine("invitations")
    assert chief.wrong == []

    anna = visit()
    anna.go("/")
    for mode in ("light", "phone"):
        anna.turn(mode)
        expect(anna.page.get_by_text("South invites you")).to_be_visible()
        anna.look("invited")
        anna.examine("invited")
    assert anna.wrong == []
    anna.page.get_by_role("button", name="Accept").click()
    expect(anna.page.get_by_text("South invites you")).to_have_count(0)

    chief.go("/users")
    expect(page.get_by_text("Anna", exact=True)).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("nobody@example.org")).to_have_count(0)
    with closing(platform.client()) as client:
        me = client.get("/api/v1/auth/me").json()["id"]
        group = client.get(f"/api/v1/permissions/{south}").json()
        client.delete(f"/api/v1/users/{me}/organizations/{group['organizationId']}")
        assert [m["id"] for m in client.get(f"/api/v1/permissions/{south}/members").json()] == []
    assert chief.wrong == []


def test_who_signs_in_elsewhere_asks_for_access_and_is_let_in(
    south: str, platform: Platform, visit: Callable[..., Visitor]
) -> None:
    people = {"emil": {"name": "Emil", "email": "emil@south.example", "email_verified": True}}
    nobody = "http://127.0.0.1:9/"
    with openid.real(people, nobody, home=platform.url) as provider:
        admin = visit("light")
        page = admin.page
        admin.go("/identity-providers")
        page.get_by_role("button", name="New identity provider").first.click()
        page.get_by_role("textbox", name="Name", exact=True).fill("Town hall")
        page.get_by_role("textbox", name="Issuer").fill(provider.issuer)
        page.get_by_role("textbox", name="Client id").fill(openid.CLIENT)
        page.get_by_label("Client secret").fill(openid.SECRET)
        page.get_by_role("button", name="Try", exact=True).click()
        expect(page.get_by_text("It works", exact=True).first).to_be_visible()
        page.get_by_text("It knows the client.").scroll_into_view_if_needed()
        admin.settle()
        admin.look("identity-provider-form")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_text(f"{platform.url}{openid.BACK}")).to_be_visible()

        emil = visit("phone")
        emil.page.context.clear_cookies()
        _go_by_provider(emil)
        emil.page.locator("input[name=login]").fill("emil")
        emil.page.locator("input[name=password]").fill("whatever")
        emil.page.locator("button[type=submit]").click()
        emil.page.get_by_role("button", name="Continue").click()
        expect(emil.page.get_by_text("Access is asked for")).to_be_visible()
        emil.look("sign-in-access-asked")

        admin.go("/users")
        admin.settle()
        admin.look("access-requests")
        admin.examine("access-requests")
        page.get_by_role("button", name="Accept").click()
        page.get_by_role("dialog").get_by_label("Permission groups").click()
        page.get_by_role("option", name="Readers").first.click()
        page.keyboard.press("Tab")
        page.get_by_role("dialog").get_by_role("button", name="Accept").click()
        expect(page.get_by_text("Emil is let in.")).to_be_visible()
        assert admin.wrong == []

        _go_by_provider(emil)
        emil.page.wait_for_url(f"{platform.url}/")
        emil.page.locator("h1").first.wait_for()
        who = emil.page.evaluate("fetch('/api/v1/auth/me').then((answer) => answer.json())")
        assert who["user"]["name"] == "Emil"
        assert len(who["grants"]) == 1

    for mode in ("phone", "danish"):
        visitor = visit(mode)
        for path, name in (("/identity-providers", "providers"), ("/sign-in", "provider-sign-in")):
            if path == "/sign-in":
                visitor.page.context.clear_cookies()
            visitor.go(path)
            visitor.page.get_by_text("Town hall").first.wait_for()
            visitor.settle()
            visitor.look(f"identity-{name}")
            visitor.examine(f"identity-{name}")
        assert [one for one in visitor.wrong if "401" not in one] == []


def test_a_provider_by_saml_is_set_up_by_its_metadata_and_lets_people_in_and_out(
    south: str, platform: Platform, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    people = {"frida": {"displayName": ["Frida"], "mail": ["frida@city.example"]}}
    with simplesaml.real(tmp_path / "home", people) as provider:
        told = tmp_path / "metadata.xml"
        told.write_bytes(httpx2.get(provider.metadata_url).content)
        admin = visit("light")
        page = admin.page
        admin.go("/identity-providers")
        page.get_by_role("button", name="New identity provider").first.click()
        page.get_by_text("SAML 2.0", exact=True).click()
        page.get_by_role("textbox", name="Name", exact=True).fill("City")
        page.locator("input[type=file]").set_input_files(told)
        expect(page.get_by_role("textbox", name="Or its metadata")).to_have_value(
            re.compile("EntityDescriptor")
        )
        page.get_by_role("combobox", name="Accounts are made for").click()
        page.get_by_role("option", name="everybody", exact=True).click()
        page.get_by_role("button", name="Try", exact=True).click()
        expect(page.get_by_text("It works", exact=True).first).to_be_visible()
        admin.settle()
        admin.look("saml-form")
        admin.examine("saml-form")
        page.get_by_role("button", name="Create").click()
        page.get_by_role("button", name="Add a key").click()
        page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Let it sign").click()
        expect(page.get_by_text("Holds until")).to_have_count(2)
        with page.expect_download() as loaded:
            page.get_by_role("link", name="Download our metadata").click()
        provider.knows(loaded.value.path().read_bytes())
        admin.settle()
        admin.look("saml-provider")
        admin.examine("saml-provider")
        path = page.url.removeprefix(platform.url)
        assert admin.wrong == []

        # The provider is another site: its form brings the answer without any cookie of ours.
        frida = visit("phone")
        frida.page.context.clear_cookies()
        frida.go("/sign-in")
        frida.page.get_by_role("button", name="Sign in with City").click()
        frida.page.locator("input[name=username]").fill("frida")
        frida.page.locator("input[name=password]").fill("whatever")
        frida.page.locator("button[type=submit], input[type=submit]").first.click()
        frida.page.wait_for_url(f"{platform.url}/")
        frida.page.locator("h1").first.wait_for()
        who = frida.page.evaluate("fetch('/api/v1/auth/me').then((answer) => answer.json())")
        assert who["user"]["name"] == "Frida"
        frida.page.get_by_role("button", name="Frida").first.click()
        frida.page.get_by_role("menuitem", name="Sign out").click()
        # By way of the provider, which would else let in whoever is next at this browser.
        frida.page.wait_for_url(f"{platform.url}/sign-in")
        frida.page.get_by_role("button", name="Sign in with City").click()
        expect(frida.page.locator("input[name=password]")).to_be_visible()

    for mode in ("phone", "danish"):
        visitor = visit(mode)
        visitor.go(path)
        expect(visitor.page.get_by_text("2.0").first).to_be_visible()
        visitor.settle()
        visitor.look("saml-provider")
        visitor.examine("saml-provider")
        visitor.page.get_by_role("button", name=re.compile("^(Edit|Rediger)$")).click()
        expect(visitor.page.get_by_role("dialog").get_by_text("OIOSAML 3")).to_be_visible()
        visitor.look("saml-form")
        assert visitor.wrong == []


def _go_by_provider(visitor: Visitor) -> None:
    visitor.go("/sign-in")
    visitor.page.get_by_role("button", name="Sign in with Town hall").click()


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """Give a directory with a group in it."""
    crew = group("crew", dn_of("dora"))
    with running(tmp_path_factory.mktemp("slapd"), "dora", more=crew) as made:
        yield made


def test_a_directory_is_tried_out_added_and_lets_its_people_in(
    slapd: Slapd, platform: Platform, visit: Callable[..., Visitor]
) -> None:
    with closing(platform.client()) as client:
        client.post("/api/v1/organizations", json={"name": "North"}).raise_for_status()
    admin = visit("light")
    page = admin.page
    admin.go("/user-stores")
    page.get_by_role("button", name="New user store").first.click()
    dialog = page.get_by_role("dialog")
    for label, text in (
        ("Name", "The harbour's directory"),
        ("Prefix", "north"),
        ("Servers", slapd.url),
        ("The directory's authority (PEM)", slapd.authority),
        ("Where people are", SUFFIX),
        ("Signs in for searching as", SERVICE),
        ("Password", SERVICE_PASSWORD),
        ("Somebody to look for", "dora"),
    ):
        dialog.get_by_role("textbox", name=label, exact=True).fill(text)
    dialog.get_by_role("button", name="Map another group").click()
    dialog.get_by_role("textbox", name="Group's distinguished name").fill(dn_of_group("crew"))
    dialog.get_by_role("combobox", name="Permission groups").click()
    page.get_by_role("option", name="Readers").first.click()
    dialog.get_by_role("textbox", name="Prefix", exact=True).click()
    dialog.get_by_role("button", name="Try", exact=True).click()
    expect(dialog.get_by_text("It works", exact=True).first).to_be_visible()
    expect(dialog.get_by_text(f"dora is {dn_of('dora')}")).to_be_visible()
    admin.look("user-store-form")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="The harbour's directory")).to_be_visible()
    store = page.url.removeprefix(platform.url).partition("?")[0]
    page.get_by_role("tab", name="People").click()
    page.get_by_role("textbox", name="Find a person in the directory").fill("dor")
    expect(page.get_by_text("dora@north.example")).to_be_visible()
    admin.settle()
    admin.look("user-store-people")
    admin.examine("user-store-people")
    assert admin.wrong == []

    for mode in ("phone", "danish"):
        admin = visit(mode)
        admin.go("/user-stores")
        expect(admin.page.get_by_text("The harbour's directory").first).to_be_visible()
        admin.settle()
        admin.look("user-stores")
        admin.follow(store)
        expect(admin.page.get_by_text(dn_of_group("crew")).first).to_be_visible()
        admin.settle()
        admin.look("user-store")
        admin.examine("user-store")
        admin.page.get_by_role(
            "button", name="Rediger" if mode == "danish" else "Edit"
        ).first.click()
        admin.page.get_by_role("dialog").wait_for()
        admin.look("user-store-form")
        assert admin.wrong == []

    dora = visit("light").page
    dora.context.clear_cookies()
    dora.goto(f"{platform.url}/sign-in")
    dora.get_by_label("E-mail").fill("north\\dora")
    dora.get_by_label("Password", exact=True).fill("dora knows this")
    dora.get_by_role("button", name="Sign in", exact=True).click()
    expect(dora.get_by_role("link", name="Devices").first).to_be_visible()
