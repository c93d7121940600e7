"""XML from strangers: read without DTD, entities, network or anything that could run."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from lxml import etree

# What lxml gives has no types.
Element = Any

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
NAMES = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "xenc": XENC, "xenc11": XENC11}
MOST_BYTES = 1024 * 1024
_ID_NAMES = frozenset({"ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id"})
# Of xs:NCName what anybody writes.
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|[+-]\d\d:\d\d)")


class Wrong(Exception):
    """What a provider says does not hold; says why."""


def tag(namespace: str, name: str) -> str:
    """Give a name as lxml writes it."""
    return f"{{{namespace}}}{name}"


def parse(raw: bytes) -> Element:
    """Read a document. Raises Wrong.

    It must be UTF-8, whatever it says of itself: a DTD in another encoding would not be seen
    before the parser has read it. Processing instructions would split texts unseen.
    """
    if len(raw) > MOST_BYTES:
        raise Wrong("it is too long.")
    try:
        told = raw.decode("utf-8")
    except ValueError as wrong:
        raise Wrong("it is no UTF-8.") from wrong
    if "<!DOCTYPE" in told or "<!ENTITY" in told:
        raise Wrong("it has a DTD.")
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False,
        dtd_validation=False, attribute_defaults=False, huge_tree=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise Wrong("it is no XML.") from wrong
    about = root.getroottree().docinfo
    if about.internalDTD is not None or about.externalDTD is not None:
        raise Wrong("it has a DTD.")
    if next(root.iter(etree.Entity, etree.ProcessingInstruction), None) is not None:
        raise Wrong("it has entities or processing instructions.")
    _check_ids(root)
    return root


def _check_ids(root: Element) -> None:
    """Refuse two elements by one name, of which one could be signed and the other read."""
    found = [
        value
        for element in root.iter(etree.Element)
        for name, value in element.attrib.items()
        if name in _ID_NAMES
    ]
    if len(found) != len(set(found)):
        raise Wrong("two of its elements have one ID.")


def write(element: Element) -> bytes:
    """Give an element as a document of its own."""
    made: bytes = etree.tostring(element, encoding="utf-8", with_tail=False)
    return made


def one(element: Element, path: str) -> Element | None:
    """Find the only child of a name, such as `saml:Issuer`. Raises Wrong: there are several."""
    found = element.findall(path, NAMES)
    if len(found) > 1:
        raise Wrong(f"it has several {path.rpartition(':')[2]}.")
    return found[0] if found else None


def needed(element: Element, path: str) -> Element:
    """Find the only child of a name. Raises Wrong: there is none, or there are several."""
    found = one(element, path)
    if found is None:
        raise Wrong(f"it has no {path.rpartition(':')[2]}.")
    return found


def text(element: Element) -> str:
    """Give the whole text of an element. Raises Wrong: there is more than text in it.

    A comment would end what lxml calls the text, and with it an address or a name.
    """
    if len(element):
        raise Wrong(f"its {local(element)} is no text.")
    # What XML calls white space, and no other: with a space of another kind it is another name.
    return (element.text or "").strip(" \t\r\n")


def local(element: Element) -> str:
    """Give an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def identity(element: Element) -> str:
    """Give an element's ID. Raises Wrong."""
    found = element.get("ID", "")
    if not _ID.fullmatch(found):
        raise Wrong(f"its {local(element)} has no ID.")
    return str(found)


def instant(written: str | None) -> datetime | None:
    """Read an xs:dateTime with a zone. Raises Wrong."""
    if written is None:
        return None
    if not _INSTANT.fullmatch(written):
        raise Wrong("it has a time that is none.")
    whole, fraction = written, ""
    if "." in written:
        whole, _, rest = written.partition(".")
        digits = re.match(r"\d+", rest)
        fraction = digits.group() if digits else ""
        whole += rest[len(fraction) :]
        fraction = f".{fraction[:6]:0<6}"
    zone = whole[19:]
    try:
        return datetime.fromisoformat(f"{whole[:19]}{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise Wrong("it has a time that is none.") from wrong


def moment(at: datetime) -> str:
    """Write a time as SAML does (Core, section 1.3.3)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
