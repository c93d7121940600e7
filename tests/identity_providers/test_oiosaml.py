"""What Danish authorities say by OIOSAML: levels of assurance, and privileges of KOMBIT."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from lxml import etree

from identity_providers.conftest import Harbour
from identity_providers.saml import NAMES, Case, Forge, encrypted, signed

WRONG = "/sign-in#failed=identity_providers.answer_wrong"
TOWN = "urn:dk:gov:saml:cvrNumberIdentifier:11111111"
OTHER = "urn:dk:gov:saml:cvrNumberIdentifier:22222222"
ACCESS = "http://town.example/roles/usersystemrole/adgang/1"
CORE = "https://data.gov.dk/model/core"
LEVEL = "https://data.gov.dk/concept/core/nsis/loa"
INTERMEDIATE = f"{CORE}/eid/privilegesIntermediate"
OF_OIOSAML_2 = "dk:gov:saml:attribute:Privileges_intermediate"


def privileges(inside: str, before: str = "", root: str = "PrivilegeList") -> str:
    """Write a list as the OIO Basic Privilege Profile has it, the way it stands in an attribute."""
    written = (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<bpp:{root} xmlns:bpp='
        '"http://itst.dk/oiosaml/basic_privilege_profile" xmlns:xsi='
        f'"http://www.w3.org/2001/XMLSchema-instance">{inside}</bpp:{root}>'
    )
    return base64.b64encode(written.encode()).decode()


def given(scope: str, *names: str, more: str = "") -> str:
    """Write privileges that were given for somebody."""
    told = "".join(f"<Privilege>{name}</Privilege>" for name in names)
    return f'<PrivilegeGroup Scope="{scope}">{more}{told}</PrivilegeGroup>'


ADMITTED = {
    f"{CORE}/specVersion": ["OIO-SAML-3.0"],
    LEVEL: ["Substantial"],
    f"{CORE}/eid/fullName": ["Dora Dam"],
    f"{CORE}/eid/email": ["dora@town.example"],
    INTERMEDIATE: [privileges(given(TOWN, ACCESS))],
}


@pytest_asyncio.fixture
async def provider(harbour: Harbour, forge: Forge) -> Any:
    """Give a provider of OIOSAML that serves several authorities, of which one is here."""
    return await harbour.by_saml(
        {"metadata": forge.metadata, "oiosaml": True, "assurance": "substantial",
         "privilegeScopes": [TOWN]},
        newAccounts="mapped",
        mappings=[{"group": f"{TOWN} {ACCESS}", "permissionGroupIds": [str(harbour.readers)]}],
    )  # fmt: skip


@pytest.fixture
def shut(harbour: Harbour, forge: Forge) -> Callable[..., Any]:
    """Answer as an honest provider does: the assertion signed, then encrypted."""

    async def answer(provider: Any, attributes: dict[str, list[str]], **said: Any) -> Any:
        ours = (await harbour.our_metadata(provider["id"])).decode()
        case = await Case.begin(harbour.browser(), provider["id"])
        whole = case.but(attributes=attributes, **said)
        inside = encrypted(forge.sign(whole.assertion()), ours)
        return case, await case.answer(whole.response(inside))

    return answer


async def test_a_privilege_given_for_the_authority_gives_what_it_is_mapped_to(
    harbour: Harbour, provider: Any, shut: Callable[..., Any]
) -> None:
    case, to = await shut(provider, ADMITTED)
    assert to == "/devices"
    me = await case.browser.me()
    assert me["user"]["name"] == "Dora Dam"
    assert [one["organizationId"] for one in me["grants"]] == [str(harbour.organization_id)]
    request = etree.fromstring(case.asked.xml)
    context = request.find("samlp:RequestedAuthnContext", NAMES)
    assert context.get("Comparison") == "minimum"
    assert context.findtext("saml:AuthnContextClassRef", None, NAMES) == f"{LEVEL}/Substantial"


async def test_an_assertion_outside_the_profile_or_of_too_low_a_level_lets_nobody_in(
    harbour: Harbour, provider: Any, forge: Forge, shut: Callable[..., Any]
) -> None:
    changes: dict[str, dict[str, list[str]]] = {
        "too low": {LEVEL: ["Low"]},
        "no level": {LEVEL: []},
        "two levels": {LEVEL: ["Low", "High"]},
        "a level of another kind": {LEVEL: ["4"]},
        "no profile": {f"{CORE}/specVersion": []},
        "another profile": {f"{CORE}/specVersion": ["DK-SAML-2.0"]},
        "no base64": {INTERMEDIATE: ["PrivilegeList!"]},
        "no XML": {INTERMEDIATE: [base64.b64encode(b"all").decode()]},
        "no list": {INTERMEDIATE: [privileges(given(TOWN, ACCESS), root="Everything")]},
        "an entity": {
            INTERMEDIATE: [privileges(given(TOWN, "&x;"), f'<!DOCTYPE r [<!ENTITY x "{ACCESS}">]>')]
        },
        "markup in a privilege": {INTERMEDIATE: [privileges(given(TOWN, f"{ACCESS}<a/>"))]},
    }
    let_in = {}
    for name, change in changes.items():
        case, to = await shut(provider, ADMITTED | change)
        if to != WRONG or await case.browser.is_in():
            let_in[name] = to
    ours = (await harbour.our_metadata(provider["id"])).decode()
    case = await Case.begin(harbour.browser(), provider["id"])
    said = case.but(attributes=ADMITTED)
    if (to := await case.answer(forge.honest(said))) != WRONG:
        let_in["not encrypted"] = to
    case = await Case.begin(harbour.browser(), provider["id"])
    said = case.but(attributes=ADMITTED)
    around = signed(said.response(encrypted(said.assertion(), ours)), forge.pair)
    if (to := await case.answer(around)) != WRONG:
        let_in["signed around it only"] = to
    assert not let_in
    assert (await shut(provider, ADMITTED | {LEVEL: ["High"]}))[1] == "/devices"


async def test_a_privilege_for_another_authority_or_under_a_constraint_is_none(
    harbour: Harbour, provider: Any, forge: Forge, shut: Callable[..., Any]
) -> None:
    constraint = '<Constraint Name="http://town.example/constraints/kle/1">11.*</Constraint>'
    for inside in (
        "",
        given(OTHER, ACCESS),
        given(f"{TOWN}1", ACCESS),
        given(TOWN, f"{ACCESS}0"),
        given(TOWN, ACCESS, more=constraint),
    ):
        _, to = await shut(provider, ADMITTED | {INTERMEDIATE: [privileges(inside)]})
        assert to == "/sign-in#failed=identity_providers.not_let_in", inside
    # By themselves as well as with whom they are for: a name cannot bring its own scope along.
    everybodys = await harbour.by_saml(
        {"metadata": forge.metadata, "oiosaml": True}, name="Everybody's", newAccounts="mapped",
        mappings=[{"group": f"{TOWN} {ACCESS}", "permissionGroupIds": [str(harbour.readers)]}],
    )  # fmt: skip
    disguised = given("", f"{TOWN} {ACCESS}") + given(f"{TOWN} {ACCESS}", "")
    _, to = await shut(everybodys, ADMITTED | {INTERMEDIATE: [privileges(disguised)]})
    assert to == "/sign-in#failed=identity_providers.not_let_in"
    both = privileges(given(OTHER, ACCESS) + given(TOWN, ACCESS))
    assert (await shut(provider, ADMITTED | {INTERMEDIATE: [both]}))[1] == "/devices"


async def test_who_comes_by_kombit_is_named_by_the_subject_of_a_certificate(
    harbour: Harbour, forge: Forge
) -> None:
    kind = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
    provider = await harbour.by_saml(
        {"metadata": forge.metadata, "nameIdFormat": kind, "privilegeScopes": [TOWN]},
        newAccounts="mapped",
        mappings=[{"group": ACCESS, "permissionGroupIds": [str(harbour.readers)]}],
    )
    case = await Case.begin(harbour.browser(), provider["id"])
    assert f'Format="{kind}"'.encode() in case.asked.xml
    subject = "C=DK,O=11111111,CN=Dora Dam,Serial=8d2b7a3e"
    told = {OF_OIOSAML_2: [privileges(given(TOWN, ACCESS))]}
    said = case.but(name_id=subject, format=kind, attributes=told)
    assert await case.answer(forge.honest(said)) == "/devices"
    assert (await case.browser.me())["user"]["name"] == "Dora Dam"
