"""Answers by SAML, changed at random: each is refused, or says what was signed."""

from __future__ import annotations

import random
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from identity_providers.saml import Forge, Said, encrypted
from identity_providers.simplesaml import a_pair
from moorage.identity_providers.model import Saml
from moorage.identity_providers.service.saml import metadata, responses
from moorage.identity_providers.service.saml.metadata import Us
from moorage.identity_providers.service.saml.responses import Declined, Expected
from moorage.identity_providers.service.saml.xml import Wrong

CHANGES = 3_000


def _change(root: Any, evil: str, chance: random.Random) -> None:
    """Copy, move, remove or rename an element, or bring an assertion of somebody else in."""
    elements = list(root.iter(etree.Element))
    one, other = chance.choice(elements), chance.choice(elements)
    place = chance.randint(0, len(other))
    way = chance.randrange(10)
    if way == 0:
        other.insert(place, deepcopy(one))
    elif way == 1 and one is not root and one not in other.iterancestors() and one is not other:
        other.insert(place, one)
    elif way == 2 and one is not root:
        one.getparent().remove(one)
    elif way == 3:
        one.insert(0, etree.Comment("x"))
    elif way == 4 and one.attrib:
        values = [value for element in elements for value in element.attrib.values()]
        one.set(chance.choice(list(one.attrib)), chance.choice(values))
    elif way == 5:
        one.text = other.text
    elif way == 6:
        other.insert(place, etree.fromstring(evil))
    elif way == 7 and one is not root:
        one.getparent().replace(one, etree.fromstring(evil))
    elif way == 8:
        one.tag = other.tag
    elif way == 9 and one.attrib:
        del one.attrib[chance.choice(list(one.attrib))]


def test_no_change_of_an_answer_has_it_say_anything_else(forge: Forge) -> None:
    said = Said("provider", "_question")
    us = Us(f"{said.base}/metadata", f"{said.base}/answer", f"{said.base}/logout")
    ours, now = a_pair("ours"), datetime.now(UTC)
    party = metadata.read(forge.metadata.encode(), None, now)
    shown = metadata.write_ours(us, [ours.pem], None).decode()
    expected = Expected(us, party, Saml(metadata="x"), (ours.key,), said.request, now)
    inside = forge.sign(said.assertion())
    answers = [
        said.response(inside),
        forge.sign(said.response(said.assertion())),
        forge.sign(said.response(inside)),
        said.response(encrypted(inside, shown)),
        forge.sign(said.response(encrypted(said.assertion(), shown))),
    ]
    honest = responses.read(answers[0].encode(), expected)
    evil = Said("provider", "_question", name_id="gert", assertion_id=honest.id).assertion()
    held = refused = 0
    for seed in range(CHANGES):
        chance = random.Random(seed)
        root = etree.fromstring(answers[seed % len(answers)])
        for _ in range(chance.randint(1, 4)):
            _change(root, evil, chance)
        try:
            # What is neither refused nor read is a fault, and would be answered with 500.
            read = responses.read(etree.tostring(root), expected)
        except (Wrong, Declined):
            refused += 1
        else:
            assert read == honest, seed
            held += 1
    assert held > CHANGES // 50
    assert refused > CHANGES // 2
