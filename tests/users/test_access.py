"""Who may do what with a thing: the explanation is what is enforced."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from moorage import groups, organizations, users
from moorage.groups import NewApplication
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.pages import PageRequest
from moorage.organizations import Member, MemberKind, NewPermissionGroup, Permission, Role
from moorage.organizations import service as organizations_service
from moorage.organizations import store as organizations_store
from moorage.organizations.errors import GroupInItself
from moorage.users import Access, CredentialsWrong, NewApiKey
from moorage.users.errors import AskerGone
from web import OPERATOR, World

ACCESS = "/api/v1/access"


async def asked(client: Any, organization_id: UUID, **more: Any) -> list[Any]:
    answer = await client.get(ACCESS, params={"organizationId": str(organization_id), **more})
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def test_each_path_is_told_with_what_it_alone_gives(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    application = await _application(world, north.id, "Meters")
    reads = await world.group(north.id, Role.READ)
    operates = await world.group(
        north.id, permissions=(Permission.READ_DEVICES, Permission.OPERATE_DEVICES)
    )
    ann = await world.user("ann@example.org", reads, operates)
    told = {a["label"]: a for a in await asked(admin, north.id, applicationId=str(application))}
    assert told.keys() == {"chief@example.org", "ann@example.org"}
    mine = told["ann@example.org"]
    assert (mine["kind"], mine["id"], mine["until"]) == ("user", str(ann.id), None)
    paths = {p["groupId"]: p for p in mine["paths"]}
    assert paths[str(operates)]["onlyHere"] == ["devices:operate"]
    assert "devices:read" in paths[str(reads)]["permissions"]
    assert "devices:read" not in paths[str(reads)]["onlyHere"]
    assert "messages:read" in paths[str(reads)]["onlyHere"]
    # What is told is what happens when the group is removed.
    assert (await admin.get("/api/v1/users")).status_code == 200
    async with world.database.begin(OPERATOR) as tx:
        await organizations.revoke(tx, OPERATOR, operates, MemberKind.USER, ann.id)
    told = {a["label"]: a for a in await asked(admin, north.id, applicationId=str(application))}
    lost = set(mine["permissions"]) - set(told["ann@example.org"]["permissions"])
    assert lost == {"devices:operate"}


async def test_it_tells_who_holds_one_permission_and_until_when(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    application = await _application(world, north.id, "Meters")
    operates = await world.group(north.id, permissions=(Permission.OPERATE_DEVICES,))
    ann = await world.user("ann@example.org", operates)
    boss = await world.admin()
    ends = "2999-01-01T00:00:00Z"
    changed = await boss.patch(f"/api/v1/users/{ann.id}", json={"expiresAt": ends})
    assert changed.status_code == 200, changed.text
    place = {"applicationId": str(application), "permission": "devices:operate"}
    told = {a["label"]: a for a in await asked(admin, north.id, **place)}
    # The GlobalAdmin may as well: who operates the installation is no secret to those it is for.
    assert told.keys() == {"ann@example.org", "admin@example.org"}
    assert told["ann@example.org"]["until"].startswith("2999-01-01")
    assert told["admin@example.org"]["paths"][0]["organizationId"] is None
    await boss.patch(f"/api/v1/users/{ann.id}", json={"active": False})
    assert [a["label"] for a in await asked(admin, north.id, **place)] == ["admin@example.org"]


async def test_it_is_paged_by_name(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    reads = await world.group(north.id, Role.READ)
    for name in "dbac":
        await world.user(f"{name}@example.org", reads)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        query = {"organizationId": str(north.id), "limit": 2, "total": True, **after}
        answer = (await admin.get(ACCESS, params=query)).json()
        assert answer["total"] == 5
        seen += [a["label"].partition("@")[0] for a in answer["items"]]
        if answer["next"] is None:
            break
        after = {"after": answer["next"]}
    assert seen == ["a", "b", "c", "chief", "d"]


async def test_who_may_not_see_the_people_is_told_nothing(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    application = await _application(world, south.id, "Meters")
    reader = await world.person("reader@example.org", north.id, Role.READ)
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    for client, organization, more, status, code in (
        (world.client(), north, {}, 401, "unsigned"),
        (reader, north, {}, 403, "organizations.permission_missing"),
        (chief, south, {}, 404, "organizations.unknown"),
        (chief, north, {"applicationId": str(application)}, 422, "field_invalid"),
        (chief, north, {"permission": "everything"}, 422, "invalid"),
    ):
        query = {"organizationId": str(organization.id), **more}
        answer = await client.get(ACCESS, params=query)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.mark.parametrize("seed", range(6))
async def test_the_explanation_equals_the_enforcement(world: World, seed: int) -> None:
    """People, keys and groups at random: told is what each request of theirs would be let do."""
    pick = random.Random(seed)
    homes = [(await world.organization(name)).id for name in ("North", "South")]
    places: list[tuple[UUID, UUID | None]] = [(home, None) for home in homes]
    for home in homes:
        for name in ("Meters", "Doors", "Air"):
            places.append((home, await _application(world, home, name)))
    group_ids = await _random_groups(world, pick, homes, places)
    async with world.database.begin(OPERATOR) as tx:
        keys, people = {}, {}
        for number in range(6):
            joined = pick.sample(group_ids[None] + group_ids[homes[0]] + group_ids[homes[1]], 3)
            email = f"person{number}@example.org"
            new = users.NewUser(email, email, permission_group_ids=tuple(joined))
            people[(await users.add(tx, OPERATOR, new))[0].id] = email
        for number in range(8):
            home = pick.choice([None, *homes])
            mine = group_ids[home] if home else [g for ids in group_ids.values() for g in ids]
            scopes = pick.choice([None, tuple(pick.sample(list(Permission), 6))])
            joined = pick.sample(mine, min(3, len(mine)))
            key = NewApiKey(home, f"key {number}", tuple(joined), scopes)
            made, secret = await users.issue_key(tx, OPERATOR, key)
            keys[made.id] = secret
            # It was put into a group elsewhere before: that gives it nothing.
            stray = pick.choice(group_ids[homes[0]])
            await organizations.grant(tx, OPERATOR, stray, MemberKind.API_KEY, made.id)
    await _nest(world, pick, homes, group_ids)
    closed = pick.choice(list(people))
    async with world.database.begin(OPERATOR) as tx:
        await tx.execute("UPDATE users SET active = false WHERE id = :id", {"id": closed})
        ended = pick.choice(list(keys))
        ends = tx.now - timedelta(seconds=1)
        await _end_key(tx, ended, ends)
        # The worker has not come by yet: who is past their time has nothing all the same.
        await tx.execute(
            "UPDATE permission_group_members SET until = :ends WHERE permission_group_id IN "
            "(SELECT id FROM permission_groups WHERE name IN ('group 1', 'group 4', 'group 9'))",
            {"ends": ends},
        )
    async with world.database.begin(OPERATOR) as tx:
        callers = {id_: await _act_for(tx, id_) for id_ in people}
        callers |= {id_: await _identify(tx, secret) for id_, secret in keys.items()}
        assert callers[closed] is None
        assert callers[ended] is None
        for organization_id, application_id in places:
            owner_id = None if application_id is None else pick.choice([None, *people])
            place = organization_id, application_id, owner_id
            page = await users.explain(tx, OPERATOR, PageRequest(limit=500), *place)
            told = {access.id: access for access in page.items}
            for id_, caller in callers.items():
                may = _enforced(caller, *place)
                assert set(told[id_].permissions if id_ in told else ()) == may
            for access in page.items:
                _check_paths(access)
                without = _enforced(callers.get(access.id), organization_id, application_id)
                by_owning = {p for path in access.paths for p in path.by_owning}
                if access.id in callers:
                    assert set(access.permissions) - without <= by_owning
                assert access.id == owner_id or not by_owning
            await _check_loss(world, people, told, place)
            for permission in pick.sample(list(Permission), 5):
                holders = await users.explain(
                    tx, OPERATOR, PageRequest(limit=500), *place, permission
                )
                assert {a.id for a in holders.items} == {
                    id_ for id_, a in told.items() if permission in a.permissions
                }


def _check_paths(access: Access) -> None:
    assert access.permissions
    assert set(access.permissions) == {p for path in access.paths for p in path.permissions}
    for path in access.paths:
        assert path.permissions
        assert set(path.only_here) <= set(path.permissions)


async def _check_loss(
    world: World,
    callers: Iterable[UUID],
    told: dict[UUID, Access],
    place: tuple[UUID, UUID | None, UUID | None],
) -> None:
    """Remove each group of somebody in turn: what is lost is what was told."""
    for access in told.values():
        if access.id not in callers or access.kind is not MemberKind.USER:
            continue
        for path in access.paths:
            with suppress(_Undone):
                async with world.database.begin(OPERATOR) as tx:
                    await organizations_store.remove_group(tx, path.group_id)
                    left = _enforced(await _act_for(tx, access.id), *place)
                    assert set(access.permissions) - left == set(path.only_here)
                    raise _Undone


class _Undone(Exception):
    """Ends a transaction that is not to be kept."""


async def _nest(
    world: World, pick: random.Random, homes: list[UUID], group_ids: dict[UUID | None, list[UUID]]
) -> None:
    """Put groups into groups; a circle is refused."""
    async with world.database.begin(OPERATOR) as tx:
        for home in homes:
            for _ in range(2 * len(group_ids[home])):
                outer, inner = pick.choice(group_ids[home]), pick.choice(group_ids[home])
                with suppress(GroupInItself):
                    await organizations_service.add_member(
                        tx, OPERATOR, outer, Member(MemberKind.GROUP, inner)
                    )


def _enforced(
    caller: Caller | None,
    organization_id: UUID,
    application_id: UUID | None,
    owner_id: UUID | None = None,
) -> set[Permission]:
    if caller is None:
        return set()
    place = organization_id, application_id, owner_id
    return {p for p in Permission if organizations.may(caller, p, *place)}


async def _random_groups(
    world: World, pick: random.Random, homes: list[UUID], places: list[tuple[UUID, UUID | None]]
) -> dict[UUID | None, list[UUID]]:
    made: dict[UUID | None, list[UUID]] = {None: [], **{home: [] for home in homes}}
    for number in range(14):
        home = pick.choice([None, *homes, *homes])
        own = [a for o, a in places if o == home and a is not None]
        everywhere = home is None or pick.random() < 0.4
        # Of one's own devices, groups give little without these.
        for_owners = not everywhere and pick.random() < 0.5
        new = NewPermissionGroup(
            home,
            f"group {number}",
            tuple(pick.sample([r for r in Role if home is None or r is not Role.GLOBAL_ADMIN],
                              pick.randint(0, 2))),
            tuple(pick.sample(list(Permission), pick.randint(0, 4))),
            everywhere,
            own_devices=for_owners,
            application_ids=()
            if everywhere or for_owners
            else tuple(pick.sample(own, pick.randint(0, 2))),
        )  # fmt: skip
        async with world.database.begin(OPERATOR) as tx:
            made[home].append((await organizations.make_group(tx, OPERATOR, new)).id)
    return made


async def _application(world: World, organization_id: UUID, name: str) -> UUID:
    async with world.database.begin(OPERATOR) as tx:
        return (await groups.make(tx, OPERATOR, NewApplication(organization_id, name))).id


async def _act_for(tx: Tx, user_id: UUID) -> Caller | None:
    try:
        return await users.act_for(tx, user_id)
    except AskerGone:
        return None


async def _identify(tx: Tx, secret: str) -> Caller | None:
    try:
        return await users.identify_key(tx, secret, None)
    except CredentialsWrong:
        return None


async def _end_key(tx: Tx, key_id: UUID, at: datetime) -> None:
    await tx.execute(
        "UPDATE user_api_keys SET expires_at = :at WHERE id = :id", {"at": at, "id": key_id}
    )
