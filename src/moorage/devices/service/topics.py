"""Rules about topics: what an application's devices may use beyond their own.

A device has its own topics, `v1/...`, which nobody else sees. A rule adds topics of the
application, which several of its devices may share. A place in a rule stands for what the device
is; where that cannot be a level of a topic, the rule gives the device nothing. A rule with
`{operationId}` says where a device hears its commands, or answers them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from moorage import groups, organizations
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.errors import FieldInvalid
from moorage.kit.facts import difference
from moorage.organizations import Permission
from moorage_mqtt import ProtocolError, check_filter

from .. import store
from ..errors import DeviceUnknown, TooManyTopicRules
from ..facts import TopicRuleChanged, TopicRuleMade, TopicRuleRemoved
from ..model import OPERATION_PLACE, NewTopicRule, Sender, TopicRight, TopicRule
from . import registry

PLACES = ("deviceId", "name", "serial", "applicationId", "organizationId")
MOST_RULES = 100
MOST_LEVELS = 32
# A device's own topics, and the operators'.
_RESERVED = re.compile(r"(v1(/|$)|\$)")
_PLACE = re.compile(r"\{([^{}/]*)\}")
_UNFIT = re.compile(r"[/+#\0]")
# Stands for the place of an operation while the others are filled; no rule has it in its topic.
_OPERATION = "\1"


async def make_rule(tx: Tx, caller: Caller, application_id: UUID, new: NewTopicRule) -> TopicRule:
    """Let devices of an application use a topic; those connected come back with it at once.

    Raises:
        ApplicationUnknown, PermissionMissing, DeviceUnknown, TooManyTopicRules.
        FieldInvalid: it is no topic filter, has an unknown place, or is about own topics.
    """
    application = await _application(tx, caller, application_id)
    await _check(tx, caller, application_id, new)
    if await store.topics.count(tx, application_id) >= MOST_RULES:
        raise TooManyTopicRules(limit=MOST_RULES)
    rule = await store.topics.add(tx, application_id, application.organization_id, new)
    await store.senders.changed_in(tx, application_id)
    tx.announce(TopicRuleMade(rule.id, rule.organization_id, after=_view(rule)))
    return rule


async def get_rule(
    tx: Tx, caller: Caller, application_id: UUID, rule_id: UUID, *, lock: bool = False
) -> TopicRule:
    """Read a rule. Raises ApplicationUnknown, TopicRuleUnknown."""
    await groups.get(tx, caller, application_id)
    return await store.topics.get(tx, application_id, rule_id, lock=lock)


async def list_rules(tx: Tx, caller: Caller, application_id: UUID) -> list[TopicRule]:
    """List an application's rules, the oldest first. Raises ApplicationUnknown."""
    await groups.get(tx, caller, application_id)
    return await store.topics.list_of(tx, application_id)


async def change_rule(
    tx: Tx, caller: Caller, application_id: UUID, rule_id: UUID, changes: Mapping[str, Any]
) -> TopicRule:
    """Change a rule.

    Raises:
        ApplicationUnknown, TopicRuleUnknown, PermissionMissing, DeviceUnknown.
        FieldInvalid: as for `make_rule`.
    """
    await _application(tx, caller, application_id)
    before = await store.topics.get(tx, application_id, rule_id, lock=True)
    wanted = replace(before, **changes)
    await _check(tx, caller, application_id, wanted)
    was, now = difference(_view(before), _view(wanted))
    if now:
        await store.topics.change(tx, rule_id, changes)
        await store.senders.changed_in(tx, application_id)
        tx.announce(TopicRuleChanged(rule_id, before.organization_id, was, now))
    return await store.topics.get(tx, application_id, rule_id)


async def remove_rule(tx: Tx, caller: Caller, application_id: UUID, rule_id: UUID) -> None:
    """Take a rule back; what was subscribed to by it ends at once.

    Raises:
        ApplicationUnknown, TopicRuleUnknown, PermissionMissing.
    """
    await _application(tx, caller, application_id)
    rule = await store.topics.get(tx, application_id, rule_id, lock=True)
    await store.topics.remove(tx, rule_id)
    await store.senders.changed_in(tx, application_id)
    tx.announce(TopicRuleRemoved(rule_id, rule.organization_id, before=_view(rule)))


async def topics_of(tx: Tx, caller: Caller, device_id: UUID) -> tuple[TopicRight, ...]:
    """Tell what a device may use beyond its own topics. Raises DeviceUnknown."""
    await registry.get(tx, caller, device_id)
    return (await _rights_of(tx, [device_id]))[device_id]


async def with_topics(tx: Tx, senders: Iterable[Sender]) -> list[Sender]:
    """Add to senders what they may use beyond their own topics; for doors."""
    senders = list(senders)
    rights = await _rights_of(tx, {sender.device_id for sender in senders})
    return [
        replace(sender, topics=own) if (own := rights[sender.device_id]) else sender
        for sender in senders
    ]


async def _rights_of(tx: Tx, device_ids: Collection[UUID]) -> dict[UUID, tuple[TopicRight, ...]]:
    found = await store.topics.rules_for(tx, device_ids)
    return {one: tuple(_rights(rules)) for one, rules in found.items()}


def _rights(rules: Iterable[tuple[TopicRule, Mapping[str, str]]]) -> Iterator[TopicRight]:
    """Say what rules give a device."""
    for rule, places in rules:
        bare = rule.topic.replace(OPERATION_PLACE, _OPERATION)
        if (topic := filled(bare, places)) is None:
            continue
        operations = None
        if bare != rule.topic:
            if topic.count(_OPERATION) != 1:
                continue
            operations = topic.replace(_OPERATION, OPERATION_PLACE)
            topic = topic.replace(_OPERATION, "+")
        yield TopicRight(topic, rule.publish, rule.subscribe, rule.channel, rule.id, operations)


def filled(topic: str, places: Mapping[str, str]) -> str | None:
    """Fill the places of a rule's topic; None if it would be no topic of the application.

    A name with a wildcard or a slash must not widen what a rule allows.
    """
    names = _PLACE.findall(topic)
    if any(not places[name] or _UNFIT.search(places[name]) for name in names):
        return None
    made = _PLACE.sub(lambda found: places[found[1]], topic)
    return None if _RESERVED.match(made) else made


async def _application(tx: Tx, caller: Caller, application_id: UUID) -> groups.Application:
    """Read an application whose devices the caller manages."""
    application = await groups.get(tx, caller, application_id)
    place = application.organization_id, application_id
    organizations.require(caller, Permission.MANAGE_DEVICES, *place)
    return application


async def _check(
    tx: Tx, caller: Caller, application_id: UUID, rule: NewTopicRule | TopicRule
) -> None:
    _check_topic(rule.topic)
    if not rule.publish and not rule.subscribe:
        raise FieldInvalid("/publish", "or `subscribe` must be true.")
    if rule.channel is not None and not rule.publish:
        raise FieldInvalid("/channel", "is for what is published; `publish` is false.")
    if OPERATION_PLACE in rule.topic:
        if rule.channel is not None:
            raise FieldInvalid("/channel", f"is not for a topic with {OPERATION_PLACE}.")
        if rule.publish and rule.subscribe:
            raise FieldInvalid("/publish", "and `subscribe` cannot both be about operations.")
    if rule.device_id is not None:
        device = await registry.get(tx, caller, rule.device_id)
        if device.application_id != application_id:
            raise DeviceUnknown(id=rule.device_id)


def _check_topic(topic: str) -> None:
    """Refuse what can be no rule's topic. Raises FieldInvalid."""
    if OPERATION_PLACE in topic:
        levels = topic.split("/")
        if levels.count(OPERATION_PLACE) != 1 or topic.count(OPERATION_PLACE) != 1:
            raise FieldInvalid("/topic", f"has {OPERATION_PLACE} as one level of its own.")
        if "+" in levels or "#" in levels:
            raise FieldInvalid("/topic", f"has no wildcard beside {OPERATION_PLACE}.")
        topic = topic.replace(OPERATION_PLACE, "x")
    for name in _PLACE.findall(topic):
        if name not in PLACES:
            known = ", ".join([*(f"{{{place}}}" for place in PLACES), OPERATION_PLACE])
            raise FieldInvalid("/topic", f"has no place {{{name}}}; there are {known}.")
    plain = _PLACE.sub("x", topic)
    if "{" in plain or "}" in plain:
        raise FieldInvalid("/topic", "has a brace that belongs to no place.")
    if _RESERVED.match(topic):
        raise FieldInvalid("/topic", "must not begin with `v1/` or `$`.")
    if topic.count("/") >= MOST_LEVELS:
        raise FieldInvalid("/topic", f"has more than {MOST_LEVELS} levels.")
    try:
        check_filter(plain)
    except ProtocolError as wrong:
        raise FieldInvalid("/topic", f"is no topic filter: {wrong}") from wrong


def _view(rule: TopicRule) -> dict[str, Any]:
    view = asdict(rule)
    for key in ("id", "organization_id", "created_at", "updated_at", "created_by", "updated_by"):
        view.pop(key)
    return view
