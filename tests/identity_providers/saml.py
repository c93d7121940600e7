"""Browsers that go to SAML providers, and a provider under an attacker's hand."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_der_x509_certificate
from httpx2 import AsyncClient
from lxml import etree

from identity_providers.openid import HOME, Browser
from identity_providers.simplesaml import Pair, Visit, a_pair, walk

ANSWERS = f"{HOME}/api/v1/auth/saml/"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DS}
ENVELOPED = f"{DS}enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENTITY = "https://idp.town.example/saml"
HASHES: dict[str, tuple[HashAlgorithm, str, str]] = {
    "sha256": (SHA256(), "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
               "http://www.w3.org/2001/04/xmlenc#sha256"),
    "sha1": (SHA1(), f"{DS}rsa-sha1", f"{DS}sha1"),
}  # fmt: skip


# --- Browsers -------------------------------------------------------------


async def bring(browser: Browser, visit: Visit) -> str:
    """Go where the provider sends us; give where we end: in the console, or at the provider."""
    path = visit.address.removeprefix(HOME)
    if visit.form is None:
        answer = await browser.ours.get(path)
    else:
        # Another site's page sends the form, so the browser shows no cookie of ours.
        bare = AsyncClient(transport=browser.ours._transport, base_url=HOME)
        headers = {"Origin": "https://idp.example", "Sec-Fetch-Site": "cross-site"}
        answer = await bare.post(path, data=visit.form, headers=headers)
        for cookie in bare.cookies.jar:
            browser.ours.cookies.jar.set_cookie(cookie)
    assert answer.status_code == 303, answer.text
    to = str(answer.headers["location"])
    return await browser.come_back(to) if "/single-sign-on/callback" in to else to


async def sign_in(browser: Browser, provider_id: str, login: str) -> str:
    """Go the whole way to a real provider and back; give where in the console we end."""
    address = await browser.set_out(provider_id)
    return await bring(browser, await walk(browser.theirs, address, login, ANSWERS))


@dataclass(frozen=True)
class Asked:
    """What somebody was sent to a provider with."""

    id: str
    relay: str
    xml: bytes


def asked(address: str) -> Asked:
    """Read the request in an address."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    xml = zlib.decompress(base64.b64decode(query["SAMLRequest"]), -15)
    return Asked(etree.fromstring(xml).get("ID"), query["RelayState"], xml)


# --- A provider under an attacker's hand ----------------------------------


def moment(**off: float) -> str:
    """Give a time that far from now, as SAML writes it."""
    return (datetime.now(UTC) + timedelta(**off)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Said:
    """What an assertion and the response around it say; a test changes what it is about.

    Attributes:
        provider_id: of ours, whose names and addresses it is for.
        request: what it answers.
        attributes: by name.
        assertion_id, response_id: of the two.
    """

    provider_id: str
    request: str | None
    name_id: str = "dora"
    format: str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    attributes: dict[str, list[str]] = field(
        default_factory=lambda: {"displayName": ["Dora"], "groups": ["crew"]}
    )
    issuer: str = ENTITY
    audience: str | None = None
    recipient: str | None = None
    destination: str | None = None
    confirmed: str | None = None
    issued: str = field(default_factory=moment)
    begins: str = field(default_factory=lambda: moment(minutes=-1))
    ends: str = field(default_factory=lambda: moment(minutes=5))
    shown_until: str = field(default_factory=lambda: moment(minutes=5))
    session_ends: str = field(default_factory=lambda: moment(hours=8))
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    condition: str = ""
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
    session: str = "one"
    assertion_id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")
    response_id: str = field(default_factory=lambda: f"_{secrets.token_hex(16)}")

    @property
    def base(self) -> str:
        """Of our addresses."""
        return f"{ANSWERS}{self.provider_id}"

    @property
    def answers(self) -> str:
        """What it answers, as an attribute."""
        return f' InResponseTo="{self.request}"' if self.request else ""

    def assertion(self) -> str:
        """Write the assertion."""
        told = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{v}</saml:AttributeValue>" for v in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        confirmed = f' InResponseTo="{self.confirmed}"' if self.confirmed else self.answers
        return (
            f'<saml:Assertion xmlns:saml="{SAML}" ID="{self.assertion_id}" Version="2.0"'
            f' IssueInstant="{self.issued}"><saml:Issuer>{self.issuer}</saml:Issuer>'
            f'<saml:Subject><saml:NameID Format="{self.format}">{self.name_id}</saml:NameID>'
            f'<saml:SubjectConfirmation Method="{self.method}"><saml:SubjectConfirmationData'
            f'{confirmed} Recipient="{self.recipient or f"{self.base}/answer"}"'
            f' NotOnOrAfter="{self.shown_until}"/></saml:SubjectConfirmation></saml:Subject>'
            f'<saml:Conditions NotBefore="{self.begins}" NotOnOrAfter="{self.ends}">'
            f"<saml:AudienceRestriction><saml:Audience>{self.audience or f'{self.base}/metadata'}"
            f"</saml:Audience></saml:AudienceRestriction>{self.condition}</saml:Conditions>"
            f'<saml:AuthnStatement AuthnInstant="{self.issued}" SessionIndex="{self.session}"'
            f' SessionNotOnOrAfter="{self.session_ends}"><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{self.context}</saml:AuthnContextClassRef>"
            "</saml:AuthnContext></saml:AuthnStatement>"
            f"<saml:AttributeStatement>{told}</saml:AttributeStatement></saml:Assertion>"
        )

    def response(self, assertion: str) -> str:
        """Write the response around an assertion."""
        destination = self.destination or f"{self.base}/answer"
        return (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{self.response_id}"'
            f' Version="2.0" IssueInstant="{self.issued}" Destination="{destination}"'
            f"{self.answers}><saml:Issuer>{self.issuer}</saml:Issuer><samlp:Status>"
            f'<samlp:StatusCode Value="{self.status}"/></samlp:Status>{assertion}</samlp:Response>'
        )


@dataclass
class Forge:
    """A provider under an attacker's hand: what it signs and encrypts is right in form."""

    pair: Pair = field(default_factory=a_pair)
    more: tuple[Pair, ...] = ()

    @property
    def metadata(self) -> str:
        """What it says of itself."""
        keys = "".join(
            '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
            f"{pair.body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for pair in (self.pair, *self.more)
        )
        ways = "".join(
            f'<md:{name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
            f' Location="https://idp.town.example/{place}"/>'
            for name, place in (("SingleLogoutService", "out"), ("SingleSignOnService", "in"))
        )
        return (
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"'
            f' xmlns:ds="{DS}" entityID="{ENTITY}"><md:IDPSSODescriptor'
            f' protocolSupportEnumeration="{SAMLP}">{keys}{ways}</md:IDPSSODescriptor>'
            "</md:EntityDescriptor>"
        )

    def sign(self, xml: str, pair: Pair | None = None, **how: Any) -> str:
        """Sign a document's root."""
        return signed(xml, pair or self.pair, **how)

    def honest(self, said: Said) -> str:
        """Give what an honest provider would send."""
        return said.response(self.sign(said.assertion()))


def signed(
    xml: str,
    pair: Pair,
    *,
    digest: str = "sha256",
    transforms: str | None = None,
    uri: str | None = None,
    inside: str = "",
) -> str:
    """Sign a document's root by hand, as no library would where a test is about that.

    Args:
        xml: the document.
        pair: whose signature.
        digest: `sha256` or `sha1`.
        transforms: in place of the two that SAML has.
        uri: in place of the root's own.
        inside: what the signature holds besides.
    """
    root = etree.fromstring(xml)
    algorithm, method, name = HASHES[digest]
    content = canonical(root)
    value = base64.b64encode(hashlib.new(digest, content).digest()).decode()
    usual = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}"/>'
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{method}"/>'
        f'<ds:Reference URI="{uri if uri is not None else "#" + root.get("ID")}"><ds:Transforms>'
        f"{usual if transforms is None else transforms}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{name}"/><ds:DigestValue>{value}</ds:DigestValue>'
        "</ds:Reference></ds:SignedInfo>"
    )
    proof = pair.key.sign(canonical(etree.fromstring(info)), padding.PKCS1v15(), algorithm)
    whole = (
        f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>'
        f"{base64.b64encode(proof).decode()}</ds:SignatureValue>{inside}</ds:Signature>"
    )
    issuer = root.find("saml:Issuer", NAMES)
    root.insert(root.index(issuer) + 1, etree.fromstring(whole))
    return text(root)


def canonical(element: Any) -> bytes:
    """Write an element canonically (exclusive, without comments)."""
    made: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    return made


def text(element: Any) -> str:
    """Write an element."""
    return str(etree.tostring(element, encoding="unicode"))


def changed(xml: str, change: Callable[[Any], None]) -> str:
    """Change a document after it was signed."""
    root = etree.fromstring(xml)
    change(root)
    return text(root)


def encrypted(assertion: str, our_metadata: str, *, wrap: str = "oaep") -> str:
    """Encrypt an assertion for the first key that we offer, as XML Encryption 1.1 has it."""
    offered = re.search(r'use="encryption".*?X509Certificate>([^<]+)<', our_metadata, re.DOTALL)
    assert offered
    public: Any = load_der_x509_certificate(base64.b64decode(offered[1])).public_key()
    secret, nonce = os.urandom(32), os.urandom(12)
    content = nonce + AESGCM(secret).encrypt(nonce, assertion.encode(), None)
    if wrap == "oaep":
        how: Any = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
        method = (
            '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#rsa-oaep">'
            f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
            '<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#"'
            ' Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/></xenc:EncryptionMethod>'
        )
    else:
        how = padding.PKCS1v15()
        method = '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-1_5"/>'
    key = base64.b64encode(public.encrypt(secret, how)).decode()
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData'
        ' xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"'
        ' Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod'
        f' Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><ds:KeyInfo xmlns:ds="{DS}">'
        f"<xenc:EncryptedKey>{method}<xenc:CipherData><xenc:CipherValue>{key}</xenc:CipherValue>"
        "</xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>"
        f"{base64.b64encode(content).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )


@dataclass
class Case:
    """Somebody on the way, whom an attacker's provider answers about."""

    browser: Browser
    asked: Asked
    said: Said

    @classmethod
    async def begin(cls, browser: Browser, provider_id: str, **said: Any) -> Case:
        """Set out."""
        sent = asked(await browser.set_out(provider_id))
        return cls(browser, sent, Said(provider_id, sent.id, **said))

    def but(self, **changes: Any) -> Said:
        """Give what is said with changes."""
        return replace(self.said, **changes)

    async def answer(self, xml: str | bytes, browser: Browser | None = None) -> str:
        """Bring an answer; give where in the console we end."""
        raw = xml if isinstance(xml, bytes) else xml.encode()
        form = {"SAMLResponse": base64.b64encode(raw).decode(), "RelayState": self.asked.relay}
        return await bring(browser or self.browser, Visit(f"{self.said.base}/answer", form))
