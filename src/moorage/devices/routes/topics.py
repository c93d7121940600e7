"""HTTP of the rules about topics."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from moorage.groups import ApplicationUnknown
from moorage.kit.errors import FieldInvalid, VersionStale
from moorage.kit.http import IfMatch, Signed, Tx, check_match, may_fail, tag
from moorage.organizations import PermissionMissing

from ..errors import DeviceUnknown, TooManyTopicRules, TopicRuleUnknown
from ..model import TopicRight, TopicRule
from ..schemas.topics import TopicRightOut, TopicRuleBody, TopicRuleOut, TopicRulePatch
from ..service import topics as service

router = APIRouter(prefix="/api/v1", tags=["devices"])
_RULES = "/applications/{application_id}/topic-rules"


@router.post(_RULES, status_code=201, response_model=TopicRuleOut,
             responses=may_fail(ApplicationUnknown, PermissionMissing, DeviceUnknown,
                                TooManyTopicRules, FieldInvalid))  # fmt: skip
async def make_topic_rule(
    application_id: UUID, body: TopicRuleBody, tx: Tx, caller: Signed, response: Response
) -> TopicRule:
    """Let devices of an application use a topic."""
    rule = await service.make_rule(tx, caller, application_id, body.to_model())
    response.headers["Location"] = f"/api/v1/applications/{application_id}/topic-rules/{rule.id}"
    tag(response, rule.updated_at)
    return rule


@router.get(_RULES, response_model=list[TopicRuleOut], responses=may_fail(ApplicationUnknown))
async def list_topic_rules(application_id: UUID, tx: Tx, caller: Signed) -> list[TopicRule]:
    """List what devices of an application may use beyond their own topics; at most 100 rules."""
    return await service.list_rules(tx, caller, application_id)


@router.get(_RULES + "/{rule_id}", response_model=TopicRuleOut,
            responses=may_fail(ApplicationUnknown, TopicRuleUnknown))  # fmt: skip
async def get_topic_rule(
    application_id: UUID, rule_id: UUID, tx: Tx, caller: Signed, response: Response
) -> TopicRule:
    """Read a rule."""
    rule = await service.get_rule(tx, caller, application_id, rule_id)
    tag(response, rule.updated_at)
    return rule


@router.patch(_RULES + "/{rule_id}", response_model=TopicRuleOut,
              responses=may_fail(ApplicationUnknown, TopicRuleUnknown, PermissionMissing,
                                 DeviceUnknown, FieldInvalid, VersionStale))  # fmt: skip
async def change_topic_rule(
    application_id: UUID, rule_id: UUID, body: TopicRulePatch, tx: Tx, caller: Signed,
    response: Response, if_match: IfMatch = None,
) -> TopicRule:  # fmt: skip
    """Change a rule; devices that are connected come back under it."""
    before = await service.get_rule(tx, caller, application_id, rule_id, lock=True)
    check_match(if_match, before.updated_at)
    rule = await service.change_rule(tx, caller, application_id, rule_id, body.to_changes())
    tag(response, rule.updated_at)
    return rule


@router.delete(_RULES + "/{rule_id}", status_code=204,
               responses=may_fail(ApplicationUnknown, TopicRuleUnknown,
                                  PermissionMissing))  # fmt: skip
async def remove_topic_rule(application_id: UUID, rule_id: UUID, tx: Tx, caller: Signed) -> None:
    """Take a rule back; what was subscribed to by it ends at once."""
    await service.remove_rule(tx, caller, application_id, rule_id)


@router.get("/devices/{device_id}/topics", response_model=list[TopicRightOut],
            responses=may_fail(DeviceUnknown))  # fmt: skip
async def list_topics(device_id: UUID, tx: Tx, caller: Signed) -> tuple[TopicRight, ...]:
    """List what a device may use beyond its own topics, its places filled."""
    return await service.topics_of(tx, caller, device_id)
