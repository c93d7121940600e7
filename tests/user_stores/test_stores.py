"""Setting user stores up, keeping their people in step, and changing people in them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from moorage import user_stores, users
from moorage.audit import service as audit
from moorage.kit import secrets
from moorage.organizations import Role
from user_stores.slapd import (
    ADMIN,
    ADMIN_PASSWORD,
    PEOPLE,
    SERVICE_PASSWORD,
    Slapd,
    dn_of,
    dn_of_group,
)
from user_stores.test_signing_in import fields
from user_stores.town import STORES, Town
from web import OPERATOR, ROOT_KEY


def own(slapd: Slapd, town: Town, **others: Any) -> dict[str, Any]:
    """Give what makes a store of the organisation."""
    given = fields(slapd, town) | {"domains": [], "organizationId": str(town.organization_id)}
    return given | others


# --- Who may what ---------------------------------------------------------


async def test_a_user_administrator_has_a_store_of_the_own_organization(
    town: Town, slapd: Slapd
) -> None:
    made = await town.anna.post(STORES, json=own(slapd, town))
    assert made.status_code == 201, made.text
    path = f"{STORES}/{made.json()['id']}"
    _, me = await town.let_in("north\\dora", "dora knows this")
    # Nobody has said that the directory may give addresses.
    assert me["user"]["email"] is None
    for answer in (
        await town.stranger.get(path),
        await town.stranger.patch(path, json={"name": "Mine"}),
        await town.stranger.delete(path),
        await town.stranger.post(f"{path}/test", json={}),
        await town.stranger.post(f"{path}/sync"),
        await town.stranger.post(f"{path}/find-people", json={}),
        await town.stranger.post(f"{path}/people", json={"login": "x", "name": "X"}),
        await town.stranger.patch(f"{path}/people/x", json={"enabled": False}),
        await town.stranger.post(f"{path}/people/x/account"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "user_stores.unknown")
    assert (await town.stranger.get(STORES)).json()["items"] == []
    assert (await town.stranger.post(STORES, json=own(slapd, town))).status_code == 404


async def test_an_organization_gets_nobodys_address_or_account_by_its_directory(
    town: Town, slapd: Slapd
) -> None:
    refused = await town.anna.post(STORES, json=own(slapd, town, domains=["north.example"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "organizations.installation_only")
    for others, pointer in (
        ({"domains": ["*"]}, "/domains"),
        ({"linkByEmail": True}, "/linkByEmail"),
    ):
        answer = await town.admin.post(STORES, json=own(slapd, town, **others))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    elsewhere = await town.world.group(None, Role.GLOBAL_ADMIN)
    mapped = {"group": dn_of_group("crew"), "permissionGroupIds": [str(elsewhere)]}
    answer = await town.anna.post(STORES, json=own(slapd, town, mappings=[mapped]))
    assert answer.status_code == 404
    answer = await town.admin.post(STORES, json=own(slapd, town, mappings=[mapped]))
    assert answer.json()["errors"][0]["pointer"] == "/mappings/0/permissionGroupIds"


async def test_whoever_says_where_a_store_is_cannot_become_who_holds_more(
    town: Town, slapd: Slapd
) -> None:
    made = (await town.anna.post(STORES, json=own(slapd, town))).json()
    path = f"{STORES}/{made['id']}"
    _, me = await town.let_in("north\\dora", "dora knows this")
    changes = {"servers": [slapd.start_tls_url], "password": SERVICE_PASSWORD}
    assert (await town.anna.patch(path, json=changes)).status_code == 200
    admins = await town.world.group(None, Role.GLOBAL_ADMIN)
    await town.world.join(admins, UUID(me["id"]))
    refused = await town.anna.patch(path, json={"base": PEOPLE})
    assert (refused.status_code, refused.json()["code"]) == (403, "user_stores.shared")
    refused = await town.anna.post(f"{path}/test", json={"changes": {"base": PEOPLE}})
    assert refused.json()["code"] == "user_stores.shared"
    assert (await town.anna.patch(path, json={"name": "Ours"})).status_code == 200
    assert (await town.admin.patch(path, json={"base": PEOPLE})).status_code == 200


async def test_a_kept_password_is_never_shown_and_goes_to_no_other_server(
    town: Town, slapd: Slapd
) -> None:
    made = await town.store(**fields(slapd, town))
    path = f"{STORES}/{made['id']}"
    elsewhere = {"servers": ["ldaps://elsewhere.example"]}
    for answer in (
        await town.admin.patch(path, json=elsewhere),
        await town.admin.post(f"{path}/test", json={"changes": elsewhere}),
        await town.admin.patch(path, json={"authority": None}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/password")
    changed = await town.admin.patch(path, json={"password": "another secret"})
    async with town.world.database.begin() as tx:
        await audit.seal(tx)
    shown = await town.admin.get("/api/v1/audit", params={"subjectId": made["id"]})
    assert "user_stores.changed" in shown.text
    for answer in (changed, await town.admin.get(path), await town.admin.get(STORES), shown):
        assert answer.status_code == 200
        assert "another secret" not in answer.text
        assert SERVICE_PASSWORD not in answer.text


async def test_passwords_are_sealed_anew(town: Town, slapd: Slapd) -> None:
    await town.store(**fields(slapd, town))
    query = "SELECT sealed_password FROM user_stores"
    async with town.world.database.begin() as tx:
        before = (await tx.execute(query)).scalar_one()
        await secrets.add_key(tx, ROOT_KEY)
        sealer = await secrets.load_sealer(tx, ROOT_KEY)
        await user_stores.seal_anew(tx, sealer)
        assert (await tx.execute(query)).scalar_one() != before
    assert (await town.sign_in("north\\dora", "dora knows this"))[1] == 204


async def test_what_is_no_store_is_refused_with_the_field(town: Town, slapd: Slapd) -> None:
    for others, pointer in (
        ({"servers": ["http://north.example"]}, "/servers/0"),
        ({"servers": ["ldaps://north.example/dc=x"]}, "/servers/0"),
        ({"base": "north"}, "/base"),
        ({"userFilter": "(uid=anna)"}, "/userFilter"),
        ({"userFilter": "(uid={name})(cn=*)"}, "/userFilter"),
        ({"authority": "none"}, "/authority"),
        ({"password": None}, "/password"),
        ({"bindName": ""}, "/bindName"),
        ({"syncEvery": "PT1S"}, "/syncEvery"),
        ({"mappings": [{"group": "ops", "permissionGroupIds": [str(town.readers)]}]},
         "/mappings/0/group"),
    ):  # fmt: skip
        answer = await town.admin.post(STORES, json=fields(slapd, town, **others))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), (
            answer.text
        )
    await town.store(**fields(slapd, town))
    taken = await town.store(409, **fields(slapd, town, name="Other", prefix="NORTH"))
    assert taken["code"] == "user_stores.taken"


async def test_addresses_inside_are_out_of_reach_unless_allowed(town: Town, slapd: Slapd) -> None:
    town.world.app.state.outbound.allow(())
    body = {"store": fields(slapd, town)}
    trial = (await town.admin.post(f"{STORES}/test", json=body)).json()
    assert not trial["passed"]
    assert "may not connect to" in trial["steps"][0]["detail"]


# --- In step with the directory -------------------------------------------


async def test_who_is_closed_in_the_directory_is_out_and_comes_back(
    town: Town, slapd: Slapd
) -> None:
    made = await town.store(**fields(slapd, town))
    client, me = await town.let_in("north\\gert", "gert knows this")
    tokens = await town.world.client().post(
        "/api/v1/auth/token", json={"email": "north\\gert", "password": "gert knows this"}
    )
    bearer = town.world.client(Authorization=f"Bearer {tokens.json()['accessToken']}")
    assert (await bearer.get("/api/v1/auth/me")).status_code == 200
    slapd.set(dn_of("gert"), "shadowExpire", "1")
    health = (await town.sync(made["id"]))["health"]
    assert (health["people"], health["changed"], health["syncError"]) == (1, 1, "")
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    assert (await bearer.get("/api/v1/auth/me")).status_code == 401
    kept = (await town.admin.get(f"/api/v1/users/{me['id']}")).json()
    assert not kept["active"]
    slapd.set(dn_of("gert"), "shadowExpire")
    await town.sync(made["id"])
    _, back = await town.let_in("north\\gert", "gert knows this")
    assert back["id"] == me["id"]
    assert len(back["grants"]) == 1


async def test_who_was_closed_by_hand_stays_closed(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    _, me = await town.let_in("north\\hans", "hans knows this")
    path = f"/api/v1/users/{me['id']}"
    assert (await town.admin.patch(path, json={"active": False})).status_code == 200
    await town.sync(made["id"])
    assert (await town.sign_in("north\\hans", "hans knows this"))[1] == 401
    assert not (await town.admin.get(path)).json()["active"]


async def test_rights_follow_groups_and_what_a_hand_gave_stays(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    client, me = await town.let_in("north\\nina", "nina knows this")
    by_hand = await town.world.group(town.organization_id, Role.GATEWAY_ADMIN)
    await town.world.join(by_hand, UUID(me["id"]))
    assert (await client.get("/api/v1/auth/me")).json()["grants"] != me["grants"]
    crew = [dn_of(uid) for uid in ("dora", "gert", "hans")]
    slapd.set(dn_of_group("crew"), "member", *crew)
    try:
        await town.sync(made["id"])
        (left,) = (await client.get("/api/v1/auth/me")).json()["grants"]
        assert "gateways:manage" in left["permissions"]
    finally:
        slapd.set(dn_of_group("crew"), "member", *crew, dn_of("nina"))
    await town.sync(made["id"])
    assert len((await client.get("/api/v1/auth/me")).json()["grants"]) == 2


async def test_who_is_gone_from_the_directory_is_out(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    client, _ = await town.let_in("north\\sune", "sune knows this")
    slapd.remove(dn_of("sune"))
    await town.sync(made["id"])
    assert (await client.get("/api/v1/auth/me")).status_code == 401


async def test_who_is_erased_here_leaves_nothing_and_begins_anew(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    for sync in (True, False):
        _, me = await town.let_in("north\\nina", "nina knows this")
        assert (await town.admin.delete(f"/api/v1/users/{me['id']}")).status_code == 204
        if sync:
            await town.sync(made["id"])
            async with town.world.database.begin() as tx:
                left = await tx.execute("SELECT count(*) FROM user_store_accounts")
                assert left.scalar_one() == 0
        _, again = await town.let_in("north\\nina", "nina knows this")
        assert again["id"] != me["id"]
        await town.admin.delete(f"/api/v1/users/{again['id']}")


async def test_a_directory_that_is_away_closes_nobody(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    client, _ = await town.let_in("north\\tove", "tove knows this")
    away = {"servers": ["ldaps://localhost:1"], "password": SERVICE_PASSWORD}
    assert (await town.admin.patch(f"{STORES}/{made['id']}", json=away)).status_code == 200
    health = (await town.sync(made["id"]))["health"]
    assert health["state"] == "failing"
    assert "localhost:1" in health["syncError"]
    assert (await client.get("/api/v1/auth/me")).status_code == 200
    # A place that is not there is no empty directory.
    back = {"servers": [slapd.url], "password": SERVICE_PASSWORD, "base": "ou=none," + PEOPLE}
    assert (await town.admin.patch(f"{STORES}/{made['id']}", json=back)).status_code == 200
    assert (await town.sync(made["id"]))["health"]["syncError"] != ""
    assert (await client.get("/api/v1/auth/me")).status_code == 200


async def test_the_last_administrator_keeps_the_account_but_not_the_sessions(
    town: Town, slapd: Slapd
) -> None:
    made = await town.store(**fields(slapd, town))
    client, me = await town.let_in("north\\rikke", "rikke knows this")
    admins = await town.world.group(None, Role.GLOBAL_ADMIN)
    await town.world.join(admins, UUID(me["id"]))
    async with town.world.database.begin(OPERATOR) as tx:
        await users.deactivate(tx, "admin@example.org")
    slapd.set(dn_of("rikke"), "shadowExpire", "1")
    await town.keeper.sync(UUID(made["id"]))
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    assert (await town.sign_in("north\\rikke", "rikke knows this"))[1] == 401
    async with town.world.database.begin() as tx:
        assert (await users.read_account(tx, UUID(me["id"]))).active


async def test_a_store_that_is_removed_takes_what_it_gave(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town))
    client, me = await town.let_in("north\\dora", "dora knows this")
    assert (await town.admin.delete(f"{STORES}/{made['id']}")).status_code == 204
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    assert (await town.sign_in("dora@north.example", "dora knows this"))[1] == 401
    asked = {"memberId": me["id"]}
    groups = (await town.admin.get("/api/v1/permissions", params=asked)).json()["items"]
    assert groups == []


# --- Changing people there ------------------------------------------------


def writable(slapd: Slapd, town: Town) -> dict[str, Any]:
    there = {"bindName": ADMIN, "password": ADMIN_PASSWORD, "newBase": PEOPLE}
    return fields(slapd, town, mode="readWrite", **there)


async def test_a_person_is_made_changed_and_closed_in_the_directory(
    town: Town, slapd: Slapd
) -> None:
    made = await town.store(**writable(slapd, town))
    path = f"{STORES}/{made['id']}/people"
    odd = 'Zoë, "the" +1 <x>; #=\\ Ålborg'
    body = {"login": "zoe", "name": odd, "email": "zoe@north.example",
            "password": "zoe says this once"}  # fmt: skip
    person = await town.admin.post(path, json=body)
    assert person.status_code == 201, person.text
    assert person.json()["name"] == odd
    try:
        client, me = await town.let_in("north\\zoe", "zoe says this once")
        one = f"{path}/{person.json()['id']}"
        changed = await town.admin.patch(one, json={"name": "Zoe", "email": None})
        assert (changed.json()["name"], changed.json()["email"]) == ("Zoe", None)
        assert (await client.get("/api/v1/auth/me")).json()["user"]["name"] == "Zoe"
        answer = await town.admin.patch(one, json={"password": "another word of zoe"})
        assert answer.status_code == 200
        # Whoever held the old one is out.
        assert (await client.get("/api/v1/auth/me")).status_code == 401
        client, _ = await town.let_in("north\\zoe", "another word of zoe")
        own_words = {"currentPassword": "not this", "newPassword": "velvet ostrich 17 quarry"}
        refused = await client.post("/api/v1/auth/password", json=own_words)
        assert refused.json()["code"] == "users.credentials_wrong"
        own_words["currentPassword"] = "another word of zoe"
        answer = await client.post("/api/v1/auth/password", json=own_words)
        assert answer.status_code == 204, answer.text
        assert slapd.lets_in(dn_of("zoe"), "velvet ostrich 17 quarry")
        assert (await town.admin.patch(one, json={"enabled": False})).json()["enabled"] is False
        assert (await client.get("/api/v1/auth/me")).status_code == 401
        assert (await town.sign_in("north\\zoe", "velvet ostrich 17 quarry"))[1] == 401
        assert (await town.admin.patch(one, json={"enabled": True})).status_code == 200
        _, back = await town.let_in("north\\zoe", "velvet ostrich 17 quarry")
        assert back["id"] == me["id"]
        twice = await town.admin.post(path, json=body)
        assert (twice.status_code, twice.json()["code"]) == (409, "user_stores.refused")
    finally:
        slapd.remove(dn_of("zoe"))


async def test_a_read_only_store_is_changed_in_the_directory_alone(
    town: Town, slapd: Slapd
) -> None:
    made = await town.store(**fields(slapd, town))
    path = f"{STORES}/{made['id']}/people"
    client, _ = await town.let_in("north\\dora", "dora knows this")
    words = {"currentPassword": "dora knows this", "newPassword": "velvet ostrich 17 quarry"}
    for answer in (
        await client.post("/api/v1/auth/password", json=words),
        await town.admin.post(path, json={"login": "x", "name": "X"}),
        await town.admin.patch(f"{path}/{UUID(int=1)}", json={"enabled": False}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "user_stores.read_only")


async def test_a_person_gets_rights_before_the_first_sign_in(town: Town, slapd: Slapd) -> None:
    made = await town.store(**fields(slapd, town, newAccounts="nobody"))
    path = f"{STORES}/{made['id']}/people"
    assert (await town.sign_in("north\\ole", "ole knows this"))[1] == 401
    find = f"{STORES}/{made['id']}/find-people"
    found = (await town.admin.post(find, json={"q": "ole@"})).json()["items"]
    assert [one["login"] for one in found] == ["ole"]
    assert (await town.admin.post(find, json={"q": "*)(uid=*"})).json()["items"] == []
    answer = await town.admin.post(f"{path}/{found[0]['id']}/account")
    assert answer.status_code == 204, answer.text
    user = (await town.admin.get(answer.headers["Location"])).json()
    member = {"kind": "user", "id": user["id"]}
    group = f"/api/v1/permissions/{town.readers}/members"
    assert (await town.admin.post(group, json=member)).status_code in (201, 204)
    _, me = await town.let_in("north\\ole", "ole knows this")
    assert me["id"] == user["id"]
    assert len(me["grants"]) == 1
    unknown = await town.admin.post(f"{path}/{UUID(int=1)}/account")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "user_stores.entry_unknown")
