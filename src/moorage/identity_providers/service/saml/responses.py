"""What a provider answers about somebody, and whether it holds.

Source: SAML Core, sections 2 and 3.3; Profiles, section 4.1.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from ...model import CLOCK_SKEW, PERSISTENT, Saml, Told
from . import oiosaml
from .encryption import decrypt
from .messages import SUCCESS, Named
from .metadata import Party, Us
from .signatures import is_signed, verify
from .xml import (
    NAMES,
    SAML,
    SAMLP,
    Element,
    Wrong,
    identity,
    instant,
    needed,
    one,
    parse,
    tag,
    text,
)

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
X509_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_TOP = frozenset(
    {tag(SAML, "Issuer"), tag("http://www.w3.org/2000/09/xmldsig#", "Signature"),
     tag(SAMLP, "Extensions"), tag(SAMLP, "Status"), tag(SAML, "Assertion"),
     tag(SAML, "EncryptedAssertion")}
)  # fmt: skip
# All that is understood: any other condition must be refused (Core, section 2.5.1).
_CONDITIONS = frozenset({"AudienceRestriction", "OneTimeUse", "ProxyRestriction"})
LONGEST_SUBJECT = 255
LONGEST_SESSION = 500
LONGEST_VALUE = 100_000
LONGEST_NAME = 100
LONGEST_EMAIL = 254
LONGEST_GROUP = 1_000
MOST_GROUPS = 1_000
MOST_ATTRIBUTES = 500
# What providers call these that have no attribute of the whole name (RFC 4519, sections 2.12 and
# 2.32, X.500 by OID, WS-Federation).
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_GIVEN_NAME = ("urn:oid:2.5.4.42", "givenName", f"{_CLAIMS}/givenname")
_SURNAME = ("urn:oid:2.5.4.4", "sn", "surname", f"{_CLAIMS}/surname")
_COMMON_NAME = re.compile(r"(?:^|[,/+]\s*)CN=([^,/+]+)", re.IGNORECASE)


class Declined(Exception):
    """The provider says that it does not let the person in."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says that holds.

    Attributes:
        id: of the assertion; it is taken once, and holds `until`.
        name: how the provider names the person.
        context: how they signed in there.
        attributes: values by name.
    """

    id: str
    until: datetime
    name: Named
    context: str | None
    attributes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must fit.

    Attributes:
        keys: of ours, by which it may be encrypted.
        request: ID of what it answers; None where nobody asked.
    """

    us: Us
    party: Party
    settings: Saml
    keys: tuple[rsa.RSAPrivateKey, ...]
    request: str | None
    now: datetime


def read(raw: bytes, expected: Expected) -> Assertion:
    """Read an answer. Raises Wrong, Declined.

    Of the answer itself only what was signed is read on; the parts that say whether it may be
    taken at all are looked at either way.
    """
    response = parse(raw)
    _check_form(response)
    covered = is_signed(response)
    if covered:
        response = verify(response, expected.party.certificates)
        _check_form(response)
    _check_answer(response, expected, covered=covered)
    assertion = one(response, "saml:Assertion")
    if assertion is None:
        assertion = decrypt(needed(response, "saml:EncryptedAssertion"), expected.keys)
        if assertion.tag != tag(SAML, "Assertion"):
            raise Wrong("what is encrypted in it is no assertion.")
        _check_alone(assertion)
    elif expected.settings.encrypted or expected.settings.oiosaml:
        raise Wrong("its assertion is not encrypted.")
    if is_signed(assertion):
        assertion = verify(assertion, expected.party.certificates)
    elif not covered or expected.settings.oiosaml:
        raise Wrong("its assertion is not signed.")
    return _read(assertion, expected)


def _check_form(response: Element) -> None:
    """Refuse whatever has more than one place for what will be read."""
    if response.tag != tag(SAMLP, "Response"):
        raise Wrong("it is no SAML response.")
    if any(child.tag not in _TOP for child in response.iterchildren("*")):
        raise Wrong("it has parts that no response has.")
    direct = [*response.findall("saml:Assertion", NAMES),
              *response.findall("saml:EncryptedAssertion", NAMES)]  # fmt: skip
    everywhere = [*response.iter(tag(SAML, "Assertion"), tag(SAML, "EncryptedAssertion"),
                                 tag(SAMLP, "Response"))]  # fmt: skip
    if len(direct) > 1 or len(everywhere) != len(direct) + 1:
        raise Wrong("it has several assertions.")
    signed = [response, *(child for child in direct if child.tag == tag(SAML, "Assertion"))]
    _check_signatures(response, signed)


def _check_alone(assertion: Element) -> None:
    """Refuse an assertion with another in it, or with signatures of anything but itself."""
    if len([*assertion.iter(tag(SAML, "Assertion"), tag(SAML, "EncryptedAssertion"))]) != 1:
        raise Wrong("it has several assertions.")
    _check_signatures(assertion, [assertion])


def _check_signatures(root: Element, holders: Iterable[Element]) -> None:
    found = list(root.iter("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    own = [child for holder in holders for child in holder.findall("ds:Signature", NAMES)]
    if len(found) != len(own):
        raise Wrong("it has signatures in odd places.")


def _check_answer(response: Element, expected: Expected, *, covered: bool) -> None:
    if response.get("Version") != "2.0":
        raise Wrong("it is no SAML 2.0.")
    identity(response)
    issuer = one(response, "saml:Issuer")
    if issuer is not None:
        _check_issuer(issuer, expected.party)
    destination = response.get("Destination")
    if destination != expected.us.answers and (covered or destination is not None):
        raise Wrong("it was sent to somewhere else.")
    if response.get("InResponseTo") != expected.request:
        raise Wrong("it answers something else than was asked here.")
    at = instant(response.get("IssueInstant"))
    if at is None or at > expected.now + CLOCK_SKEW:
        raise Wrong("it is of the future; the clocks differ.")
    if needed(needed(response, "samlp:Status"), "samlp:StatusCode").get("Value") != SUCCESS:
        raise Declined


def _check_issuer(issuer: Element, party: Party) -> None:
    if issuer.get("Format", ENTITY) != ENTITY or text(issuer) != party.entity_id:
        raise Wrong("it is from another issuer.")


def _read(assertion: Element, expected: Expected) -> Assertion:
    """Read an assertion that is signed, from its signed bytes."""
    now = expected.now
    if assertion.get("Version") != "2.0":
        raise Wrong("it is no SAML 2.0.")
    _check_issuer(needed(assertion, "saml:Issuer"), expected.party)
    at = instant(assertion.get("IssueInstant"))
    if at is None or at > now + CLOCK_SKEW:
        raise Wrong("it is of the future; the clocks differ.")
    subject = needed(assertion, "saml:Subject")
    until = _confirmed(subject, expected)
    _check_conditions(needed(assertion, "saml:Conditions"), expected)
    statements = assertion.findall("saml:AuthnStatement", NAMES)
    if not statements:
        raise Wrong("it does not say that somebody signed in.")
    statement = statements[0]
    signed_in = instant(statement.get("AuthnInstant"))
    if signed_in is None or signed_in > now + CLOCK_SKEW:
        raise Wrong("it is of the future; the clocks differ.")
    ends = instant(statement.get("SessionNotOnOrAfter"))
    if ends is not None and ends <= now - CLOCK_SKEW:
        raise Wrong("the session there has ended.")
    context = statement.find("saml:AuthnContext/saml:AuthnContextClassRef", NAMES)
    session = statement.get("SessionIndex")
    named = _named(subject, session if session and len(session) <= LONGEST_SESSION else None)
    _check_namer(named, expected)
    return Assertion(
        identity(assertion),
        until,
        named,
        text(context) if context is not None else None,
        _attributes(assertion),
    )


def _named(subject: Element, session: str | None) -> Named:
    name = needed(subject, "saml:NameID")
    value = text(name)
    if not 0 < len(value) <= LONGEST_SUBJECT:
        raise Wrong("it does not say of whom.")
    return Named(
        value, name.get("Format"), name.get("NameQualifier"), name.get("SPNameQualifier"), session
    )


def _check_namer(named: Named, expected: Expected) -> None:
    """Refuse a name that another provider gave, to whom it may be another person.

    A provider that asks others in turn hands their names on (Core, section 8.3.7).
    """
    if expected.settings.subject_attribute is not None or named.format != PERSISTENT:
        return
    if named.qualifier not in (None, expected.party.entity_id):
        raise Wrong("another provider gave its name; say which attribute says who somebody is.")


def _confirmed(subject: Element, expected: Expected) -> datetime:
    """Give until when it may be shown by whoever brings it (Profiles, section 4.1.4.3)."""
    why = Wrong("it is not for whoever brings it.")
    for confirmation in subject.findall("saml:SubjectConfirmation", NAMES):
        data = one(confirmation, "saml:SubjectConfirmationData")
        if confirmation.get("Method") != BEARER or data is None:
            continue
        until = instant(data.get("NotOnOrAfter"))
        if data.get("Recipient") != expected.us.answers:
            why = Wrong("it is for another recipient.")
        elif data.get("InResponseTo") != expected.request:
            why = Wrong("it answers something else than was asked here.")
        elif data.get("NotBefore") is not None or until is None:
            why = Wrong("it does not say until when it may be shown.")
        elif until <= expected.now - CLOCK_SKEW:
            why = Wrong("it has expired.")
        else:
            return until
    raise why


def _check_conditions(conditions: Element, expected: Expected) -> None:
    begins, ends = (instant(conditions.get(n)) for n in ("NotBefore", "NotOnOrAfter"))
    if begins is not None and begins > expected.now + CLOCK_SKEW:
        raise Wrong("it is of the future; the clocks differ.")
    if ends is not None and ends <= expected.now - CLOCK_SKEW:
        raise Wrong("it has expired.")
    if any(
        child.tag.rpartition("}")[2] not in _CONDITIONS for child in conditions.iterchildren("*")
    ):
        raise Wrong("it has a condition that is not known here.")
    audiences = conditions.findall("saml:AudienceRestriction", NAMES)
    for restriction in audiences:
        if expected.us.entity_id not in [
            text(child) for child in restriction.findall("saml:Audience", NAMES)
        ]:
            raise Wrong("it is for somebody else.")
    if not audiences:
        raise Wrong("it does not say for whom.")


def _attributes(assertion: Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    told = assertion.findall("saml:AttributeStatement/saml:Attribute", NAMES)
    if len(told) > MOST_ATTRIBUTES:
        raise Wrong("it has too many attributes.")
    for attribute in told:
        values = tuple(
            text(value)
            for value in attribute.findall("saml:AttributeValue", NAMES)
            # What has a structure of its own is nothing that is asked for here.
            if not len(value) and len(value.text or "") <= LONGEST_VALUE
        )
        name = attribute.get("Name", "")
        found[name] = found.get(name, ()) + values
    return found


def told_by(settings: Saml, assertion: Assertion, proven_by: tuple[str, ...]) -> Told:
    """Give what an assertion says of a person. Raises Wrong: not enough, or not surely."""
    attributes = assertion.attributes
    oiosaml.check(attributes, profile=settings.oiosaml, least=settings.assurance)
    subject: str | None = assertion.name.value
    if settings.subject_attribute is not None:
        values = attributes.get(settings.subject_attribute, ())
        subject = values[0] if len(values) == 1 else None
    elif assertion.name.format == TRANSIENT:
        raise Wrong("it names the person anew each time; say which attribute stays.")
    if not subject or len(subject) > LONGEST_SUBJECT:
        raise Wrong("it does not say of whom.")
    email = _first(
        attributes, settings.email_attribute, *([oiosaml.EMAIL] if settings.oiosaml else [])
    )
    if email is not None and ("@" not in email or len(email) > LONGEST_EMAIL):
        email = None
    name = _first(
        attributes, settings.name_attribute, *([oiosaml.NAME] if settings.oiosaml else [])
    )
    if name is None:
        parts = (_first(attributes, *_GIVEN_NAME), _first(attributes, *_SURNAME))
        name = " ".join(part for part in parts if part is not None) or None
    if name is None and assertion.name.format == X509_NAME:
        common = _COMMON_NAME.search(assertion.name.value)
        name = common[1] if common else None
    groups = [*attributes.get(settings.groups_attribute, ())]
    groups += oiosaml.privileges(attributes, settings.privilege_scopes)
    shown = {assertion.context, oiosaml.level_of(attributes)}
    return Told(
        subject=subject,
        name=_plain(name or email or subject)[:LONGEST_NAME] or "?",
        email=_plain(email) if email else None,
        groups=frozenset(g for g in groups[: 2 * MOST_GROUPS] if 0 < len(g) <= LONGEST_GROUP),
        proven=any(one in proven_by for one in shown),
        session=assertion.name.session,
        hint=assertion.name.written(),
        name_id=assertion.name.value,
    )


def _first(attributes: Mapping[str, tuple[str, ...]], *names: str) -> str | None:
    for name in names:
        for value in attributes.get(name, ()):
            if value.strip():
                return value
    return None


def _plain(written: str) -> str:
    """Give a text on one line."""
    return " ".join("".join(c for c in written if c.isprintable()).split())


# --- Signing out ----------------------------------------------------------

ASKED_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Whom a provider asks to sign out.

    Attributes:
        id: of the request.
        name: what the provider calls the person.
        sessions: of the provider; all of the person if there are none.
        until: when the request no longer holds.
    """

    id: str
    name: str
    sessions: tuple[str, ...]
    until: datetime


def read_logout(request: Element, us: Us, party: Party, now: datetime) -> Leaving:
    """Read a request to sign out whose signature holds (Core, section 3.7.1). Raises Wrong."""
    if request.tag != tag(SAMLP, "LogoutRequest") or request.get("Version") != "2.0":
        raise Wrong("it is no request to sign out.")
    _check_issuer(needed(request, "saml:Issuer"), party)
    if request.get("Destination") != us.logout:
        raise Wrong("it was sent to somewhere else.")
    at = instant(request.get("IssueInstant"))
    if at is None or not now - ASKED_FOR - CLOCK_SKEW <= at <= now + CLOCK_SKEW:
        raise Wrong("it is of another time; the clocks differ.")
    until = instant(request.get("NotOnOrAfter"))
    if until is not None and until <= now - CLOCK_SKEW:
        raise Wrong("it has expired.")
    named = _named(request, None)
    sessions = tuple(text(child) for child in request.findall("samlp:SessionIndex", NAMES))
    return Leaving(identity(request), named.value, sessions, at + ASKED_FOR + 2 * CLOCK_SKEW)
