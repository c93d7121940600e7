"""Metadata: what a provider says of itself, and what we say to it.

Source: SAML Metadata, section 2.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml.builder import ElementMaker

from ..addresses import is_address
from .encryption import CBC_, GCM, OAEP_MGF1P
from .signatures import FEWEST_BITS
from .xml import DS, MD, NAMES, SAMLP, Element, Wrong, instant, parse, tag, text, write

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
LONGEST_ENTITY = 1024
# How long a provider may keep ours before it reads them anew (xs:duration; Metadata, section
# 2.3.2): Keycloak would keep them for long, and know no new key of ours meanwhile.
OURS_HOLD = "PT10M"
# Each is tried on each answer.
MOST_CERTIFICATES = 10


@dataclass(frozen=True, slots=True)
class Us:
    """What we are to a provider.

    Attributes:
        entity_id: our name, where our metadata are too.
        answers: where answers come to.
        logout: where signing out comes to.
    """

    entity_id: str
    answers: str
    logout: str


@dataclass(frozen=True, slots=True)
class Party:
    """What a provider says of itself.

    Attributes:
        certificates: by whose keys it signs; several while one takes over.
        expired: how many more it shows that no longer hold.
        sign_in, sign_out: addresses by binding.
        sign_out_answers: where answers to its requests to sign out go, by binding.
    """

    entity_id: str
    certificates: tuple[x509.Certificate, ...]
    expired: int
    sign_in: dict[str, str]
    sign_out: dict[str, str]
    sign_out_answers: dict[str, str]


def read(raw: bytes, entity_id: str | None, now: datetime) -> Party:
    """Read what a provider says of itself. Raises Wrong."""
    root = parse(raw)
    if root.tag not in (tag(MD, "EntityDescriptor"), tag(MD, "EntitiesDescriptor")):
        raise Wrong("It shows no SAML metadata.")
    found = [
        one for one in root.iter(tag(MD, "EntityDescriptor"))
        if one.find("md:IDPSSODescriptor", NAMES) is not None
        and (entity_id is None or one.get("entityID") == entity_id)
    ]  # fmt: skip
    if len(found) != 1:
        raise Wrong(
            "The metadata tell of several identity providers; say which by its entity ID."
            if found else "The metadata tell of no identity provider of that name."
        )  # fmt: skip
    entity = found[0]
    for one in (entity, *entity.iterancestors()):
        until = instant(one.get("validUntil"))
        if until is not None and until <= now:
            raise Wrong("The metadata have expired.")
    name = entity.get("entityID", "")
    if not 0 < len(name) <= LONGEST_ENTITY:
        raise Wrong("The metadata give no entity ID.")
    role = entity.find("md:IDPSSODescriptor", NAMES)
    if SAMLP not in role.get("protocolSupportEnumeration", "").split():
        raise Wrong("The provider does not speak SAML 2.0.")
    known = _certificates(role)
    if len(known) > MOST_CERTIFICATES:
        raise Wrong(f"It shows more than {MOST_CERTIFICATES} certificates.")
    current = tuple(
        one for one in known if one.not_valid_before_utc <= now < one.not_valid_after_utc
    )
    if not current:
        raise Wrong(
            "All its certificates have expired." if known
            else "It shows no certificate that answers could be signed by."
        )  # fmt: skip
    sign_in = _addresses(role, "SingleSignOnService", "Location")
    if not sign_in:
        raise Wrong("It offers no way to sign in by redirect or POST.")
    sign_out = _addresses(role, "SingleLogoutService", "Location")
    answers = _addresses(role, "SingleLogoutService", "ResponseLocation")
    return Party(
        name, current, len(known) - len(current), sign_in, sign_out, {**sign_out, **answers}
    )


def _certificates(role: Element) -> list[x509.Certificate]:
    found = []
    for descriptor in role.findall("md:KeyDescriptor", NAMES):
        if descriptor.get("use", "signing") != "signing":
            continue
        for one in descriptor.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMES):
            try:
                der = base64.b64decode("".join(text(one).split()), validate=True)
                certificate = x509.load_der_x509_certificate(der)
                key = certificate.public_key()
            except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
                continue  # One that we cannot read signs nothing for us.
            strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= FEWEST_BITS
            if strong or isinstance(key, ec.EllipticCurvePublicKey):
                found.append(certificate)
    return found


def _addresses(role: Element, service: str, attribute: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in role.findall(f"md:{service}", NAMES):
        address = one.get(attribute)
        if one.get("Binding") in (REDIRECT, POST) and is_address(address):
            found.setdefault(one.get("Binding"), address)
    return found


def write_ours(us: Us, certificates: Sequence[str], name_id_format: str | None) -> bytes:
    """Write what we say of ourselves.

    Args:
        us: our name and addresses.
        certificates: PEM; the one that signs first. Each may be encrypted for.
        name_id_format: the kind of name that is asked for.
    """
    md = ElementMaker(namespace=MD, nsmap={"md": MD, "ds": DS})
    ds = ElementMaker(namespace=DS)
    ways = [*GCM, *CBC_, OAEP_MGF1P]
    descriptors = []
    for use in ("signing", "encryption"):
        for pem in certificates:
            der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
            shown = ds.KeyInfo(ds.X509Data(ds.X509Certificate(base64.b64encode(der).decode())))
            methods = [md.EncryptionMethod(Algorithm=way) for way in ways]
            more = methods if use == "encryption" else []
            descriptors.append(md.KeyDescriptor(shown, *more, use=use))
    document = md.EntityDescriptor(
        md.SPSSODescriptor(
            *descriptors,
            *(md.SingleLogoutService(Binding=way, Location=us.logout) for way in (REDIRECT, POST)),
            *([md.NameIDFormat(name_id_format)] if name_id_format else []),
            md.AssertionConsumerService(
                Binding=POST, Location=us.answers, index="0", isDefault="true"
            ),
            AuthnRequestsSigned="true",
            WantAssertionsSigned="true",
            protocolSupportEnumeration=SAMLP,
        ),
        entityID=us.entity_id,
        cacheDuration=OURS_HOLD,
    )
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + write(document)
