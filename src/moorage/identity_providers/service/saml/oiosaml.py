"""What Danish authorities agreed on: levels of assurance, and privileges in an attribute.

Sources: OIOSAML Web SSO Profile 3.0, sections 4 and 6; OIO Basic Privilege Profile 1.2; NSIS 2.0.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from ...model import Assurance
from .xml import Element, Wrong, local, parse, text

BASE = "https://data.gov.dk"
LEVEL = f"{BASE}/concept/core/nsis/loa"
VERSION = f"{BASE}/model/core/specVersion"
NAME = f"{BASE}/model/core/eid/fullName"
EMAIL = f"{BASE}/model/core/eid/email"
PRIVILEGES = (
    f"{BASE}/model/core/eid/privilegesIntermediate",
    # Of OIOSAML 2, which KOMBIT's identity providers still speak.
    "dk:gov:saml:attribute:Privileges_intermediate",
)
_LISTS = frozenset(
    f"{{{namespace}}}PrivilegeList"
    for namespace in ("http://digst.dk/oiosaml/basic_privilege_profile",
                      "http://itst.dk/oiosaml/basic_privilege_profile")
)  # fmt: skip
_ORDER = (Assurance.LOW, Assurance.SUBSTANTIAL, Assurance.HIGH)
_NAMED = {"Low": Assurance.LOW, "Substantial": Assurance.SUBSTANTIAL, "High": Assurance.HIGH}
MOST_PRIVILEGES = 1_000

Attributes = Mapping[str, Sequence[str]]


def contexts(least: Assurance | None) -> tuple[str, ...]:
    """Give the authentication context that asks for a level of assurance."""
    return (f"{LEVEL}/{least.value.title()}",) if least is not None else ()


def check(attributes: Attributes, *, profile: bool, least: Assurance | None) -> None:
    """Check what an assertion says of the profile and of its level. Raises Wrong."""
    if profile and not any(one.startswith("OIO-SAML-3") for one in attributes.get(VERSION, ())):
        raise Wrong("it does not say that it keeps to OIOSAML 3.")
    if not profile and least is None:
        return
    told = attributes.get(LEVEL, ())
    level = _NAMED.get(told[0]) if len(told) == 1 else None
    if level is None:
        raise Wrong("it does not say its level of assurance (NSIS).")
    if least is not None and _ORDER.index(level) < _ORDER.index(least):
        raise Wrong(f"its level of assurance (NSIS) is {level.value}, and {least.value} is needed.")


def level_of(attributes: Attributes) -> str | None:
    """Give the level of assurance as it was told."""
    told = attributes.get(LEVEL, ())
    return told[0] if len(told) == 1 else None


def privileges(attributes: Attributes, scopes: Sequence[str]) -> list[str]:
    """Give the privileges somebody has, by themselves and with whom each was given for.

    What holds under a constraint only is left out: nothing here could see to the constraint.

    Returns:
        `PRIVILEGE` and `SCOPE PRIVILEGE` for each.

    Raises:
        Wrong: the list cannot be read.
    """
    found: list[str] = []
    for name in PRIVILEGES:
        for value in attributes.get(name, ()):
            for group in _groups(value):
                scope = group.get("Scope", "")
                constrained = any(local(child) == "Constraint" for child in group)
                if constrained or (scopes and scope not in scopes):
                    continue
                for child in group:
                    if local(child) != "Privilege":
                        continue
                    # A space in a name would let it pass for one that was given for somebody.
                    given = text(child)
                    if given and len(f"{scope}{given}".split()) == 1:
                        found += [given, f"{scope} {given}"]
    return list(dict.fromkeys(found))[: 2 * MOST_PRIVILEGES]


def _groups(value: str) -> list[Element]:
    try:
        raw = base64.b64decode("".join(value.split()), validate=True)
    except ValueError as wrong:
        raise Wrong("its privileges are no base64.") from wrong
    try:
        root = parse(raw)
    except Wrong as wrong:
        raise Wrong(f"its privileges cannot be read: {wrong}") from wrong
    if root.tag not in _LISTS:
        raise Wrong("its privileges are no list of privileges.")
    return [child for child in root if local(child) == "PrivilegeGroup"]
