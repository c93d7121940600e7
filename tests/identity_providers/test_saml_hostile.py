"""What answers by SAML cannot do that are forged, moved, repeated or not for here."""

from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio
from lxml import etree

from identity_providers.conftest import Harbour
from identity_providers.openid import HOME
from identity_providers.saml import (
    DS,
    ENVELOPED,
    EXCLUSIVE,
    NAMES,
    SAML,
    Case,
    Forge,
    changed,
    encrypted,
    moment,
    signed,
    text,
)
from identity_providers.simplesaml import a_pair

WRONG = "/sign-in#failed=identity_providers.answer_wrong"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
UNKNOWN = "/sign-in#failed=identity_providers.attempt_unknown"


@pytest_asyncio.fixture
async def provider(harbour: Harbour, forge: Forge) -> Any:
    """Give the provider under an attacker's hand; nobody is asked to wait for."""
    return await harbour.by_saml({"metadata": forge.metadata}, newAccounts="everybody")


async def refused(harbour: Harbour, provider: Any, forge: Forge, made: dict[str, Any]) -> None:
    """Bring each answer, made from what is said; none lets in, and an honest one does."""
    let_in = {}
    for name, make in made.items():
        case = await Case.begin(harbour.browser(), provider["id"])
        to = await case.answer(make(case))
        if to != WRONG or await case.browser.is_in():
            let_in[name] = to
    honest = await Case.begin(harbour.browser(), provider["id"])
    assert await honest.answer(forge.honest(honest.said)) == "/devices"
    assert not let_in


# --- Wrapping -------------------------------------------------------------


def _parts(xml: str) -> tuple[Any, Any, Any]:
    """Give a response, its signed assertion, and a copy of that which says something else."""
    response = etree.fromstring(xml)
    assertion = response.find("saml:Assertion", NAMES)
    evil = deepcopy(assertion)
    evil.find("saml:Subject/saml:NameID", NAMES).text = "gert"
    evil.remove(evil.find("ds:Signature", NAMES))
    evil.set("ID", "_evil")
    return response, assertion, evil


def _wrapped(number: int, xml: str) -> str:
    """Wrap a signed answer as Somorovsky et al. do (On Breaking SAML, 2012), by their numbers.

    XSW1 and XSW2 are of a signed response, the others of a signed assertion.
    """
    response, assertion, evil = _parts(xml)
    signature = assertion.find("ds:Signature", NAMES)
    thing = etree.SubElement(signature, f"{{{DS}}}Object")
    if number in (3, 4):
        signature.remove(thing)
        response.remove(assertion)
        if number == 3:
            response.extend([evil, assertion])
        else:
            evil.append(assertion)
            response.append(evil)
    elif number in (5, 6):
        signature.remove(thing)
        assertion.remove(signature)
        evil.append(signature)
        original = deepcopy(assertion)
        response.replace(assertion, evil)
        if number == 5:
            response.append(original)
        else:
            signature.append(original)
    elif number == 7:
        signature.remove(thing)
        extensions = etree.Element("{urn:oasis:names:tc:SAML:2.0:protocol}Extensions")
        extensions.append(evil)
        response.insert(1, extensions)
    else:
        assertion.remove(signature)
        original = deepcopy(assertion)
        thing.append(original)
        evil.append(signature)
        response.replace(assertion, evil)
    return text(response)


def _wrapped_response(number: int, xml: str) -> str:
    response = etree.fromstring(xml)
    signature = response.find("ds:Signature", NAMES)
    original = deepcopy(response)
    original.remove(original.find("ds:Signature", NAMES))
    response.set("ID", "_evil")
    response.find("saml:Assertion/saml:Subject/saml:NameID", NAMES).text = "gert"
    if number == 1:
        signature.append(original)
    else:
        response.insert(0, original)
    return text(response)


async def test_a_signed_part_that_is_wrapped_lets_nobody_else_in(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    def whole(case: Case) -> str:
        return forge.sign(case.said.response(case.said.assertion()))

    made: dict[str, Any] = {
        f"XSW{n}": lambda case, n=n: _wrapped_response(n, whole(case)) for n in (1, 2)
    }
    made |= {f"XSW{n}": lambda case, n=n: _wrapped(n, forge.honest(case.said)) for n in range(3, 9)}

    def same_id(case: Case) -> str:
        response, assertion, evil = _parts(forge.honest(case.said))
        evil.set("ID", assertion.get("ID"))
        response.insert(2, evil)
        return text(response)

    def in_advice(case: Case) -> str:
        response, assertion, evil = _parts(forge.honest(case.said))
        advice = etree.SubElement(evil, f"{{{SAML}}}Advice")
        response.replace(assertion, evil)
        advice.append(assertion)
        return text(response)

    await refused(harbour, provider, forge, {**made, "one ID": same_id, "advice": in_advice})


# --- Signatures -----------------------------------------------------------


async def test_only_what_the_provider_signed_as_saml_does_lets_in(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    xslt = (
        f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform'
        ' Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet version="1.0"'
        ' xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
        "<xsl:copy-of select=\"document('http://127.0.0.1:9/')\"/></xsl:template></xsl:stylesheet>"
        f'</ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}"/>'
    )
    xpath = (
        f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform'
        ' Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>true()</ds:XPath>'
        f'</ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}"/>'
    )
    comments = (
        f'<ds:Transform Algorithm="{ENVELOPED}"/>'
        f'<ds:Transform Algorithm="{EXCLUSIVE}WithComments"/>'
    )
    stranger = a_pair("stranger")
    key = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{stranger.body}</ds:X509Certificate>"
    key += "</ds:X509Data></ds:KeyInfo>"

    def by(*, pair: Any = None, **how: Any) -> Any:
        return lambda case: case.said.response(
            signed(case.said.assertion(), pair or forge.pair, **how)
        )

    def spoilt(path: str, value: str) -> Any:
        def spoil(root: Any) -> None:
            root.find(path, NAMES).text = value

        return lambda case: changed(forge.honest(case.said), spoil)

    name = "saml:Assertion/saml:Subject/saml:NameID"
    await refused(
        harbour, provider, forge,
        {
            "unsigned": lambda case: case.said.response(case.said.assertion()),
            "an XSLT transform": by(transforms=xslt),
            "an XPath transform": by(transforms=xpath),
            "canonical with comments": by(transforms=comments),
            "no transform": by(transforms=""),
            "a comment in a transform": by(
                transforms=f'<ds:Transform Algorithm="{ENVELOPED}"><!-- --></ds:Transform>'
                f'<ds:Transform Algorithm="{EXCLUSIVE}"/>'
            ),
            "SHA-1": by(digest="sha1"),
            "a stranger's key": by(pair=stranger),
            "a stranger's key, shown": by(pair=stranger, inside=key),
            "of the whole document": by(uri=""),
            "of something elsewhere": by(uri="http://127.0.0.1:9/"),
            "of an XPointer": by(uri="#xpointer(/)"),
            "an object in it": by(inside="<ds:Object/>"),
            "another name": spoilt(name, "gert"),
            "another digest": spoilt(".//ds:DigestValue", "AAAA"),
            "another value": spoilt(".//ds:SignatureValue", "AAAA"),
            "no value": spoilt(".//ds:SignatureValue", ""),
        },
    )  # fmt: skip


async def test_a_certificate_that_has_expired_signs_nothing(harbour: Harbour) -> None:
    old = a_pair("old", until=timedelta(minutes=-1))
    fresh = a_pair("fresh")
    provider = await harbour.by_saml(
        {"metadata": Forge(old, (fresh,)).metadata}, newAccounts="everybody"
    )
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(Forge(old).honest(case.said)) == WRONG
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(Forge(fresh).honest(case.said)) == "/devices"


# --- What it says ---------------------------------------------------------


async def test_an_answer_for_another_place_time_or_question_lets_nobody_in(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    later, sooner = moment(minutes=5), moment(minutes=-5)
    changes: dict[str, dict[str, Any]] = {
        "another issuer": {"issuer": "https://else.example"},
        "another audience": {"audience": "https://else.example"},
        "another recipient": {"recipient": f"{HOME}/elsewhere"},
        "another destination": {"destination": f"{HOME}/elsewhere"},
        "another question": {"request": "_another"},
        "no question": {"request": None},
        "confirmed for another question": {"confirmed": "_another"},
        "issued in future": {"issued": later},
        "begins later": {"begins": later},
        "ended": {"ends": sooner},
        "shown too late": {"shown_until": sooner},
        "shown for ever": {"shown_until": moment(days=400)},
        "no time": {"ends": "tomorrow"},
        "the session has ended": {"session_ends": sooner},
        "holder of a key": {"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"},
        "a strange condition": {"condition": '<x:Only xmlns:x="urn:x"/>'},
        "two audiences, one not ours": {
            "condition": "<saml:AudienceRestriction><saml:Audience>https://else.example"
            "</saml:Audience></saml:AudienceRestriction>"
        },
        "nobody": {"name_id": ""},
        "a name of another provider's giving": {
            "format": f'{PERSISTENT}" NameQualifier="https://else.example'
        },
        "a name anew each time": {"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
    }
    made: dict[str, Any] = {
        name: lambda case, c=change: forge.honest(case.but(**c)) for name, change in changes.items()
    }
    await refused(harbour, provider, forge, made)
    # Clocks may differ by less than a minute.
    case = await Case.begin(harbour.browser(), provider["id"])
    near = case.but(issued=moment(seconds=40), begins=moment(seconds=40))
    assert await case.answer(forge.honest(near)) == "/devices"


async def test_a_status_that_declines_is_told_as_such(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    case = await Case.begin(harbour.browser(), provider["id"])
    said = case.but(status="urn:oasis:names:tc:SAML:2.0:status:Responder")
    to = await case.answer(said.response(""))
    assert to == "/sign-in#failed=identity_providers.declined"


async def test_a_comment_in_a_name_makes_nobody_of_somebody_else(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    names = {}
    for name_id in ("dora", "dora<!-- -->.evil", "dora.evil", "dora\u00a0"):
        case = await Case.begin(harbour.browser(), provider["id"])
        # Canonical writing leaves comments out, so that the signature holds with them or without.
        assert await case.answer(forge.honest(case.but(name_id=name_id))) == "/devices"
        names[name_id] = (await case.browser.me())["user"]["id"]
    assert names["dora<!-- -->.evil"] == names["dora.evil"] != names["dora"]
    assert names["dora\u00a0"] != names["dora"]


async def test_documents_that_do_something_are_not_read(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
    ) + "]>"  # fmt: skip
    outside = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'

    def with_dtd(dtd: str, name: str) -> Any:
        return lambda case: dtd + forge.honest(case.said).replace(">dora<", f">{name}<")

    def in_utf16(case: Case) -> bytes:
        return (f'<?xml version="1.0" encoding="UTF-16"?>{outside}'
                + forge.honest(case.said)).encode("utf-16")  # fmt: skip

    def in_utf7(case: Case) -> str:
        dtd = "+ADw-!DOCTYPE r+AD4-"
        return f'<?xml version="1.0" encoding="UTF-7"?>{dtd}{forge.honest(case.said)}'

    await refused(
        harbour, provider, forge,
        {
            "an entity bomb": with_dtd(bomb, "&m;"),
            "a file": with_dtd(outside, "&x;"),
            "a DTD elsewhere": with_dtd('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/">', "dora"),
            "UTF-16": in_utf16,
            "UTF-7": in_utf7,
            "an instruction in a name": lambda case: forge.honest(case.said).replace(
                ">dora<", ">dora<?x?><"
            ),
            "deep": lambda case: "<a>" * 5_000,
            "nothing": lambda case: "",
            "no XML": lambda case: b"\x00\xff",
            "two roots": lambda case: forge.honest(case.said) * 2,
            "something else": lambda case: case.asked.xml,
        },
    )  # fmt: skip


# --- Whose it is ----------------------------------------------------------


async def test_an_answer_works_once_and_only_in_the_browser_that_set_out(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    attacker = await Case.begin(harbour.browser(), provider["id"])
    victim = harbour.browser()
    # The attacker's answer, posted by a page that the victim looks at.
    assert await attacker.answer(forge.honest(attacker.said), victim) == UNKNOWN
    assert not await victim.is_in()
    # Somebody who set out, too, is answered with what was meant for the attacker.
    other = await Case.begin(harbour.browser(), provider["id"])
    crossed = replace(other, said=attacker.said)
    assert await crossed.answer(forge.honest(attacker.said)) == WRONG
    case = await Case.begin(harbour.browser(), provider["id"])
    xml = forge.honest(case.said)
    assert await case.answer(xml) == "/devices"
    assert await case.answer(xml) == UNKNOWN
    again = await Case.begin(harbour.browser(), provider["id"])
    stolen = replace(again, said=again.but(assertion_id=case.said.assertion_id))
    assert await stolen.answer(forge.honest(stolen.said)) == WRONG


async def test_a_failed_answer_uses_the_attempt_up(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(case.said.response(case.said.assertion())) == WRONG
    assert await case.answer(forge.honest(case.said)) == UNKNOWN


async def test_who_did_not_set_out_here_is_let_in_only_where_that_is_so_set_up(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    case = await Case.begin(harbour.browser(), provider["id"])
    case = replace(case, said=case.but(request=None), asked=replace(case.asked, relay="/devices"))
    assert await case.answer(forge.honest(case.said)) == UNKNOWN
    path = f"/api/v1/identity-providers/{provider['id']}"
    changed_ = await harbour.anna.patch(path, json={"saml": {"unsolicited": True}})
    assert changed_.status_code == 200, changed_.text
    xml = forge.honest(case.but(assertion_id="_first"))
    assert await case.answer(xml) == "/devices"
    assert await case.browser.is_in()
    # Once, and not to another site.
    assert await case.answer(xml) == WRONG
    elsewhere = replace(case, asked=replace(case.asked, relay="//evil.example"))
    assert await elsewhere.answer(forge.honest(case.but(assertion_id="_second"))) == "/"
    # What answers a question that nobody here asked is still nothing.
    forged = case.but(request="_asked", assertion_id="_third")
    assert await case.answer(forge.honest(forged)) == WRONG


async def test_an_answer_for_one_provider_opens_no_other_and_no_other_organisation(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    second = await harbour.by_saml(
        {"metadata": forge.metadata}, name="Second", newAccounts="everybody"
    )
    case = await Case.begin(harbour.browser(), provider["id"])
    form = {
        "SAMLResponse": base64.b64encode(forge.honest(case.said).encode()).decode(),
        "RelayState": case.asked.relay,
    }
    for provider_id, expected in (
        (second["id"], UNKNOWN),
        ("00000000-0000-0000-0000-000000000000", "/sign-in#failed=identity_providers.unknown"),
    ):
        answer = await case.browser.ours.post(f"/api/v1/auth/saml/{provider_id}/answer", data=form)
        assert answer.headers["location"] == expected
    assert await case.answer(forge.honest(case.said)) == "/devices"
    off = await harbour.anna.patch(
        f"/api/v1/identity-providers/{provider['id']}", json={"enabled": False}
    )
    assert off.status_code == 200, off.text
    answer = await case.browser.ours.post(f"/api/v1/auth/saml/{provider['id']}/answer", data=form)
    assert answer.headers["location"] == "/sign-in#failed=identity_providers.unknown"


async def test_what_is_no_form_or_says_something_twice_is_refused(
    harbour: Harbour, provider: Any
) -> None:
    path = f"/api/v1/auth/saml/{provider['id']}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    client = harbour.world.client()
    for body in (b"", b"\xff", b"SAMLResponse=a&SAMLResponse=b", b"&".join([b"a=b"] * 20)):
        answer = await client.post(f"{path}/answer", content=body, headers=kind)
        assert answer.headers["location"] == UNKNOWN
        answer = await client.post(f"{path}/logout", content=body, headers=kind)
        refused_ = "/sign-in#failed=identity_providers.logout_request_wrong"
        assert answer.headers["location"] == refused_
    large = b"SAMLResponse=" + b"A" * 70_000
    answer = await client.post(f"{path}/answer", content=large, headers=kind)
    assert answer.status_code == 413


# --- Encryption -----------------------------------------------------------


async def test_encrypted_assertions_are_opened_and_must_be_signed_as_others(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    ours = (await harbour.our_metadata(provider["id"])).decode()

    def shut(case: Case, assertion: str, **how: Any) -> str:
        return case.said.response(encrypted(assertion, ours, **how))

    def twice(case: Case) -> str:
        one = encrypted(forge.sign(case.said.assertion()), ours)
        return case.said.response(one + one)

    def spoilt(case: Case) -> str:
        def spoil(root: Any) -> None:
            content = root.findall(".//{*}CipherValue")[-1]
            content.text = (
                content.text[:40] + ("A" if content.text[40] != "A" else "B") + (content.text[41:])
            )

        return changed(shut(case, forge.sign(case.said.assertion())), spoil)

    await refused(
        harbour, provider, forge,
        {
            "unsigned inside": lambda case: shut(case, case.said.assertion()),
            "a stranger's inside": lambda case: shut(
                case, signed(case.said.assertion(), a_pair("stranger"))
            ),
            "RSA 1.5": lambda case: shut(case, forge.sign(case.said.assertion()), wrap="rsa"),
            "two": twice,
            "spoilt": spoilt,
            "something else": lambda case: shut(case, forge.honest(case.said)),
        },
    )  # fmt: skip
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(shut(case, forge.sign(case.said.assertion()))) == "/devices"
    # Signed around what is encrypted: the signature covers it.
    case = await Case.begin(harbour.browser(), provider["id"])
    whole = forge.sign(shut(case, case.said.assertion()))
    assert await case.answer(whole) == "/devices"


# --- Signing out ----------------------------------------------------------


async def test_only_the_provider_signs_people_out(
    harbour: Harbour, provider: Any, forge: Forge
) -> None:
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(forge.honest(case.said)) == "/devices"
    to = f"{case.said.base}/logout"

    def request(**changes: Any) -> str:
        told = {
            "id": f"_{len(changes)}{hash(str(changes)) & 0xFFFF}", "at": moment(),
            "issuer": case.said.issuer, "to": to, "name": "dora", "index": "one", **changes,
        }  # fmt: skip
        return (
            '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
            f' xmlns:saml="{SAML}" ID="{told["id"]}" Version="2.0" IssueInstant="{told["at"]}"'
            f' Destination="{told["to"]}"><saml:Issuer>{told["issuer"]}</saml:Issuer>'
            f"<saml:NameID>{told['name']}</saml:NameID>"
            f"<samlp:SessionIndex>{told['index']}</samlp:SessionIndex></samlp:LogoutRequest>"
        )

    async def ask(xml: str) -> str:
        form = {"SAMLRequest": base64.b64encode(xml.encode()).decode(), "RelayState": "r"}
        answer = await harbour.world.client().post(to.removeprefix(HOME), data=form)
        return str(answer.headers["location"])

    wrong = "/sign-in#failed=identity_providers.logout_request_wrong"
    for xml in (
        request(),
        signed(request(id="_a"), a_pair("stranger")),
        forge.sign(request(to=f"{HOME}/elsewhere")),
        forge.sign(request(issuer="https://else.example")),
        forge.sign(request(at=moment(minutes=-10))),
        forge.sign(request(at=moment(minutes=10))),
    ):
        assert await ask(xml) == wrong
    bare = urlencode({"SAMLRequest": base64.b64encode(b"x").decode(), "RelayState": "r"})
    unsigned = await harbour.world.client().get(f"{to.removeprefix(HOME)}?{bare}")
    assert unsigned.headers["location"] == wrong
    twice = f"{bare}&SAMLRequest=y&SigAlg={quote('a', safe='')}&Signature=b"
    assert (await harbour.world.client().get(f"{to.removeprefix(HOME)}?{twice}")).headers[
        "location"
    ] == wrong
    # Of somebody else, or of another session: it holds, and ends nothing here.
    assert (await ask(forge.sign(request(name="emil")))).startswith("https://idp.town.example/out")
    assert (await ask(forge.sign(request(index="two")))).startswith("https://idp.town.example/out")
    assert await case.browser.is_in()
    assert (await ask(forge.sign(request(id="_right")))).startswith("https://idp.town.example/out")
    assert not await case.browser.is_in()


async def test_nothing_that_an_answer_says_stands_in_the_log_or_in_facts(
    harbour: Harbour, provider: Any, forge: Forge, capfd: pytest.CaptureFixture[str]
) -> None:
    case = await Case.begin(harbour.browser(), provider["id"])
    secret = {"displayName": ["Dora"], "cpr": ["0101011234"]}
    said = case.but(attributes=secret)
    assert await case.answer(said.response(said.assertion())) == WRONG
    case = await Case.begin(harbour.browser(), provider["id"])
    assert await case.answer(forge.honest(case.but(attributes=secret))) == "/devices"
    facts = (await harbour.admin.get("/api/v1/audit")).text
    shown = capfd.readouterr()
    for told in (facts, shown.out, shown.err):
        assert "0101011234" not in told
