"""What we send: requests to sign in and out, and answers to the provider's.

Source: SAML Core, sections 3.4 and 3.7; Bindings, sections 3.4 and 3.5.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml.builder import ElementMaker

from .metadata import POST, REDIRECT, Party, Us
from .signatures import sign, signed_query
from .xml import DS, MOST_BYTES, SAML, SAMLP, Element, Wrong, moment, tag, write

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass(frozen=True, slots=True)
class OurKey:
    """What we sign with."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Sending:
    """Where a browser goes with a message.

    Attributes:
        address: where; with the message in it unless there is a form.
        form: fields of a form that is posted there.
    """

    address: str
    form: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """How a provider names somebody in a session, to be shown to it again."""

    value: str
    format: str | None = None
    qualifier: str | None = None
    service_qualifier: str | None = None
    session: str | None = None

    def written(self) -> str:
        """Give it as a text."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, written: str) -> Named:
        """Read what `written` gave."""
        return cls(**json.loads(written))


def sign_in(
    us: Us,
    party: Party,
    ours: OurKey,
    *,
    message_id: str,
    relay: str,
    name_id_format: str | None,
    contexts: tuple[str, ...],
    now: datetime,
) -> Sending:
    """Ask a provider to sign somebody in.

    Args:
        us: who asks.
        party: who is asked.
        ours: what is signed with.
        message_id: comes back as InResponseTo.
        relay: comes back beside the answer.
        name_id_format: the kind of name that is asked for.
        contexts: authentication contexts one of which is asked for, or a better one.
        now: the time.
    """
    binding = REDIRECT if REDIRECT in party.sign_in else POST
    p = ElementMaker(namespace=SAMLP, nsmap={"samlp": SAMLP, "saml": SAML})
    a = ElementMaker(namespace=SAML)
    policy = [p.NameIDPolicy(Format=name_id_format, AllowCreate="true")] if name_id_format else []
    asked = (
        [
            p.RequestedAuthnContext(
                *(a.AuthnContextClassRef(c) for c in contexts), Comparison="minimum"
            )
        ]
        if contexts
        else []
    )
    message = p.AuthnRequest(
        a.Issuer(us.entity_id),
        *policy,
        *asked,
        ID=message_id,
        Version="2.0",
        IssueInstant=moment(now),
        Destination=party.sign_in[binding],
        AssertionConsumerServiceURL=us.answers,
        ProtocolBinding=POST,
    )
    return _send(message, "SAMLRequest", party.sign_in[binding], binding, relay, ours)


def sign_out(
    us: Us, party: Party, ours: OurKey, *, message_id: str, named: Named, now: datetime
) -> Sending | None:
    """Ask a provider to sign somebody out, by redirect; None where it takes none."""
    if REDIRECT not in party.sign_out:
        return None
    p = ElementMaker(namespace=SAMLP, nsmap={"samlp": SAMLP, "saml": SAML})
    a = ElementMaker(namespace=SAML)
    qualities = {
        "Format": named.format,
        "NameQualifier": named.qualifier,
        "SPNameQualifier": named.service_qualifier,
    }
    message = p.LogoutRequest(
        a.Issuer(us.entity_id),
        a.NameID(named.value, **{k: v for k, v in qualities.items() if v is not None}),
        *([p.SessionIndex(named.session)] if named.session else []),
        ID=message_id,
        Version="2.0",
        IssueInstant=moment(now),
        Destination=party.sign_out[REDIRECT],
    )
    return _send(message, "SAMLRequest", party.sign_out[REDIRECT], REDIRECT, None, ours)


def signed_out(
    us: Us,
    party: Party,
    ours: OurKey,
    *,
    message_id: str,
    to: str,
    relay: str | None,
    now: datetime,
) -> Sending | None:
    """Tell a provider that somebody is signed out here, as it asked in the message `to`."""
    binding = REDIRECT if REDIRECT in party.sign_out_answers else POST
    address = party.sign_out_answers.get(binding)
    if address is None:
        return None
    p = ElementMaker(namespace=SAMLP, nsmap={"samlp": SAMLP, "saml": SAML})
    a = ElementMaker(namespace=SAML)
    message = p.LogoutResponse(
        a.Issuer(us.entity_id),
        p.Status(p.StatusCode(Value=SUCCESS)),
        ID=message_id,
        Version="2.0",
        IssueInstant=moment(now),
        Destination=address,
        InResponseTo=to,
    )
    return _send(message, "SAMLResponse", address, binding, relay, ours)


def _send(
    message: Element, name: str, address: str, binding: str, relay: str | None, ours: OurKey
) -> Sending:
    if binding == REDIRECT:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(write(message)) + packer.flush()
        query = signed_query(name, base64.b64encode(packed).decode(), relay, ours.key)
        return Sending(f"{address}{'&' if '?' in address else '?'}{query}")
    # Right after the issuer, as the schema has it.
    place = ElementMaker(namespace=DS).Signature(Id="placeholder")
    message.insert([child.tag for child in message].index(tag(SAML, "Issuer")) + 1, place)
    signed = write(sign(message, ours.key, ours.certificate))
    form = {name: base64.b64encode(signed).decode()}
    return Sending(address, {**form, "RelayState": relay} if relay is not None else form)


def unpack(message: str, *, deflated: bool) -> bytes:
    """Give the XML that a message holds. Raises Wrong."""
    try:
        raw = base64.b64decode("".join(message.split()), validate=True)
    except ValueError as wrong:
        raise Wrong("it is no base64.") from wrong
    if not deflated:
        return raw
    opener = zlib.decompressobj(-15)
    try:
        opened = opener.decompress(raw, MOST_BYTES)
    except zlib.error as wrong:
        raise Wrong("it is not deflated.") from wrong
    if opener.unconsumed_tail or not opener.eof:
        raise Wrong("it is too long.")
    return opened
