"""Users: who sees and changes whom, invitations, deactivation, erasure."""

from __future__ import annotations

from uuid import UUID

from moorage import users
from moorage.kit.ids import uuid7
from moorage.organizations import Role
from web import World


async def test_a_user_administrator_sees_who_shares_an_organization(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    north_readers = await world.group(north.id, Role.READ)
    south_readers = await world.group(south.id, Role.READ)
    await world.user("anna@example.org", north_readers)
    bo = await world.user("bo@example.org", south_readers)
    both = await world.user("both@example.org", north_readers)
    await world.join(south_readers, both.id)
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN)

    listed = (await admin.get("/api/v1/users", params={"sort": "email", "total": True})).json()
    assert [u["email"] for u in listed["items"]] == [
        "anna@example.org",
        "both@example.org",
        "chief@example.org",
    ]
    assert listed["total"] == 3
    assert (await admin.get(f"/api/v1/users/{bo.id}")).status_code == 404
    foreign = await admin.get("/api/v1/users", params={"organizationId": str(south.id)})
    assert foreign.json()["items"] == []


async def test_a_reader_sees_only_themselves(world: World) -> None:
    north = await world.organization("North")
    await world.user("bo@example.org", await world.group(north.id, Role.READ))
    anna = await world.person("anna@example.org", north.id, Role.READ)
    assert (await anna.get("/api/v1/users")).json()["items"] == []
    own = (await anna.get("/api/v1/auth/me")).json()["id"]
    assert (await anna.get(f"/api/v1/users/{own}")).json()["email"] == "anna@example.org"
    patched = await anna.patch(f"/api/v1/users/{own}", json={"name": "Anna", "language": "da"})
    assert patched.json()["language"] == "da"
    refused = await anna.patch(f"/api/v1/users/{own}", json={"expiresAt": None})
    assert refused.status_code == 403


async def test_an_invited_person_signs_in_by_the_link_and_holds_what_was_given(
    world: World,
) -> None:
    north = await world.organization("North")
    group_id = await world.group(north.id, Role.READ)
    # Who invites can give only what they hold.
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    body = {
        "email": "anna@example.org",
        "name": "Anna",
        "permissionGroupIds": [str(group_id)],
    }
    answer = await admin.post("/api/v1/invitations", json=body)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/invitations/{answer.json()['id']}"
    link = answer.json()["link"]
    assert link["kind"] == "invitation"
    assert link["url"].startswith("http://localhost:8080/sign-in#token=")
    anna = world.client()
    token = link["url"].partition("#token=")[2]
    assert (await anna.post("/api/v1/auth/link", json={"token": token})).status_code == 204
    grants = (await anna.get("/api/v1/auth/me")).json()["grants"]
    assert {g["organizationId"] for g in grants} == {str(north.id)}
    again = await admin.post("/api/v1/invitations", json=body)
    assert again.json()["code"] == "users.email_taken"
    assert (await admin.get("/api/v1/invitations")).json()["items"] == []


async def test_nobody_gives_more_than_they_hold_nor_takes_over_who_holds_more(
    world: World,
) -> None:
    north = await world.organization("North")
    stronger = await world.group(north.id, Role.APPLICATION_ADMIN)
    anna = await world.user("anna@example.org", stronger)
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    body = {"email": "new@example.org", "name": "New", "permissionGroupIds": [str(stronger)]}
    refused = await admin.post("/api/v1/invitations", json=body)
    assert refused.json()["code"] == "organizations.grant_too_wide"
    link = await admin.post(f"/api/v1/users/{anna.id}/link")
    assert link.json()["code"] == "users.outranks"
    email = await admin.patch(f"/api/v1/users/{anna.id}", json={"email": "x@example.org"})
    assert email.json()["code"] == "users.outranks"
    closed = await admin.patch(f"/api/v1/users/{anna.id}", json={"active": False})
    assert closed.status_code == 200


async def test_a_stranger_cannot_be_pulled_into_a_group_by_their_id(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    anna = await world.user("anna@example.org", await world.group(south.id, Role.READ))
    group_id = await world.group(north.id, Role.READ)
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    for member in (anna.id, uuid7()):
        answer = await admin.post(
            f"/api/v1/permissions/{group_id}/members", json={"id": str(member)}
        )
        assert answer.json()["code"] == "organizations.member_unknown"
    assert (await admin.get(f"/api/v1/users/{anna.id}")).status_code == 404


async def test_the_last_global_admin_stays(world: World) -> None:
    admin = await world.admin()
    own = (await admin.get("/api/v1/auth/me")).json()["id"]
    for answer in (
        await admin.patch(f"/api/v1/users/{own}", json={"active": False}),
        await admin.patch(f"/api/v1/users/{own}", json={"expiresAt": "2020-01-01T00:00:00Z"}),
        await admin.delete(f"/api/v1/users/{own}"),
    ):
        assert answer.json()["code"] == "organizations.last_admin"
    assert (await admin.get("/api/v1/auth/me")).status_code == 200


async def test_deactivation_and_expiry_act_at_once_and_can_be_undone(world: World) -> None:
    admin = await world.admin()
    user = await world.user("anna@example.org")
    for closed, opened in (
        ({"active": False}, {"active": True}),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt": None}),
    ):
        anna = await world.sign_in("anna@example.org")
        await admin.patch(f"/api/v1/users/{user.id}", json=closed)
        assert (await anna.get("/api/v1/auth/me")).status_code == 401
        await admin.patch(f"/api/v1/users/{user.id}", json=opened)
        assert (await anna.get("/api/v1/auth/me")).status_code == 401
        await world.sign_in("anna@example.org")


async def test_a_lost_race_for_a_change_is_refused(world: World) -> None:
    admin = await world.admin()
    user = await world.user("anna@example.org")
    url = f"/api/v1/users/{user.id}"
    seen = (await admin.get(url)).headers["ETag"]
    match = {"If-Match": seen}
    assert (await admin.patch(url, json={"name": "One"}, headers=match)).status_code == 200
    answer = await admin.patch(url, json={"name": "Two"}, headers=match)
    assert answer.status_code == 412


async def test_erasure_leaves_nothing_personal_and_a_readable_audit(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    anna = await world.person("anna.q@example.org", north.id, Role.USER_ADMIN, Role.READ)
    own = (await anna.get("/api/v1/auth/me")).json()["id"]
    await anna.patch(f"/api/v1/users/{own}", json={"name": "Anna Quist"})
    await world.client().post(
        "/api/v1/auth/sign-in", json={"email": "Anna.Q@example.org", "password": "wrong one here"}
    )
    assert (await admin.delete(f"/api/v1/users/{own}")).status_code == 204
    assert (await anna.get("/api/v1/auth/me")).status_code == 401
    assert (await admin.get(f"/api/v1/users/{own}")).status_code == 404
    listed = (await admin.get("/api/v1/audit", params={"limit": 500})).text
    for personal in ("anna.q@", "Anna Quist", "Anna.Q"):
        assert personal.lower() not in listed.lower()
    pseudonym = f"erased user {UUID(own).hex[-8:]}"
    by_anna = (await admin.get("/api/v1/audit", params={"callerId": own})).json()["items"]
    assert {f["callerLabel"] for f in by_anna} == {pseudonym}
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT t::text AS row FROM users t")
        assert not [r.row for r in rows if "anna" in r.row.lower()]
    # The address is free again.
    await world.user("anna.q@example.org")


async def test_what_the_console_remembers_is_the_persons_own(world: World) -> None:
    north = await world.organization("North")
    anna = await world.person("anna@example.org", north.id, Role.READ)
    bo = await world.person("bo@example.org", north.id, Role.USER_ADMIN)
    path = "/api/v1/auth/preferences"
    assert (await anna.get(path)).json() == {}
    view = {"name": "Silent lamps", "value": {"connectivity": "silent"}}
    await anna.patch(path, json={"views.devices": [view], "columns.devices": ["name"]})
    kept = await anna.patch(path, json={"columns.devices": None})
    assert kept.json() == (await anna.get(path)).json() == {"views.devices": [view]}
    assert (await bo.get(path)).json() == {}

    large = await anna.patch(path, json={"views.devices": ["x" * 70_000]})
    assert (large.status_code, large.json()["code"]) == (413, "users.preferences_too_large")
    assert (await anna.patch(path, json={"Views of mine": []})).status_code == 422
    assert (await anna.patch(path, json={"views.devices": [view]})).status_code == 200
    assert (await anna.get(path)).json() == {"views.devices": [view]}

    told = await (await world.admin()).get(
        "/api/v1/audit", params={"name": "users.preferences_changed", "sort": "at"}
    )
    assert [fact["after"] for fact in told.json()["items"]] == [
        {"changed": ["columns.devices", "views.devices"]},
        {"changed": ["columns.devices"]},
    ]


async def test_an_api_key_is_nobody_to_remember_things_for(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    body = {
        "organizationId": str(north.id),
        "name": "key",
        "permissionGroupIds": [str(await world.group(north.id, Role.READ))],
    }
    key = (await admin.post("/api/v1/api-keys", json=body)).json()["key"]
    refused = await world.client(X_API_KEY=key).patch(
        "/api/v1/auth/preferences", json={"columns.devices": []}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "users.person_needed")


async def test_what_was_remembered_goes_when_the_person_is_erased(world: World) -> None:
    north = await world.organization("North")
    anna = await world.person("anna@example.org", north.id, Role.READ)
    await anna.patch("/api/v1/auth/preferences", json={"columns.devices": ["name"]})
    own = (await anna.get("/api/v1/auth/me")).json()["id"]
    admin = await world.admin()
    assert (await admin.delete(f"/api/v1/users/{own}")).status_code == 204
    async with world.database.begin() as tx:
        left = await tx.execute("SELECT count(*) FROM user_preferences", {})
        assert left.scalar_one() == 0


async def test_a_language_nobody_chose_is_left_to_the_browser(world: World) -> None:
    admin = await world.admin()
    body = {"email": "anna@example.org", "name": "Anna"}
    assert (await admin.post("/api/v1/users", json=body)).json()["language"] is None


# --- Sessions -----------------------------------------------------------------


async def test_an_administrator_sees_and_ends_where_a_person_is_signed_in(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    await world.user("anna@example.org", await world.group(north.id, Role.READ))
    one = await world.sign_in("anna@example.org")
    other = await world.sign_in("anna@example.org")
    me = (await one.get("/api/v1/auth/me")).json()
    path = f"/api/v1/users/{me['id']}/sessions"
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    listed = (await chief.get(path)).json()
    assert {s["origin"] for s in listed} == {world.origin}
    assert [s["current"] for s in listed] == [False, False]
    assert me["sessionId"] in {s["id"] for s in listed}

    foreign = await world.person("south@example.org", south.id, Role.USER_ADMIN)
    reader = await world.person("reader@example.org", north.id, Role.READ)
    own = (await chief.get("/api/v1/auth/me")).json()["sessionId"]
    for client, session_id in ((foreign, me["sessionId"]), (reader, me["sessionId"]), (chief, own)):
        assert (await client.delete(f"{path}/{session_id}")).status_code == 404
    assert (await foreign.get(path)).status_code == 404
    assert (await reader.get(path)).status_code == 404

    assert (await chief.delete(f"{path}/{me['sessionId']}")).status_code == 204
    assert (await one.get("/api/v1/auth/me")).status_code == 401
    assert (await other.get("/api/v1/auth/me")).status_code == 200


async def test_one_ends_all_sessions_but_this_one(world: World) -> None:
    await world.user("anna@example.org")
    one, two, three = [await world.sign_in("anna@example.org") for _ in range(3)]
    assert (await one.post("/api/v1/auth/sessions/end-others")).status_code == 204
    assert (await one.get("/api/v1/auth/me")).status_code == 200
    for ended in (two, three):
        assert (await ended.get("/api/v1/auth/me")).status_code == 401


async def test_an_account_ends_at_its_hour_and_no_session_outlives_it(world: World) -> None:
    anna = await world.user("anna@example.org")
    client = await world.sign_in("anna@example.org")
    async with world.database.begin() as tx:
        # As if the day had come, which no change tells of.
        late = "UPDATE users SET expires_at = now() + interval '1 hour' WHERE id = :id"
        await tx.execute(late, {"id": anna.id})
    async with world.database.begin() as tx:
        caller = await users.identify(
            tx, world.app.state.signing_keys, session=client.cookies["moorage_session"]
        )
        assert caller.expires_at is not None
        assert (caller.expires_at - tx.now).total_seconds() <= 3600
        over = "UPDATE users SET expires_at = now() WHERE id = :id"
        await tx.execute(over, {"id": anna.id})
    assert (await client.get("/api/v1/auth/me")).status_code == 401
