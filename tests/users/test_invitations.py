"""Invitations: nobody of one organisation gets at a person of another without being let."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from moorage.organizations import Permission, Role
from web import World

INVITATIONS = "/api/v1/invitations"
MINE = "/api/v1/auth/invitations"


@dataclass
class Two:
    """Anna, who is in North, and the administrators of the users of North and of South."""

    world: World
    north: str
    south: str
    readers: str
    north_admin: AsyncClient
    south_admin: AsyncClient
    anna_id: str

    def body(self, email: str) -> dict[str, Any]:
        """Invite into South."""
        return {"email": email, "name": "As typed", "permissionGroupIds": [self.readers]}

    async def invite(self, email: str = "anna@example.org") -> dict[str, Any]:
        """Have South invite somebody."""
        answer = await self.south_admin.post(INVITATIONS, json=self.body(email))
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def facts(self, admin: AsyncClient, name: str) -> list[dict[str, Any]]:
        """Read the facts of a name that an administrator finds in the audit."""
        found = await admin.get("/api/v1/audit", params={"name": name})
        items: list[dict[str, Any]] = found.json()["items"]
        return items


@pytest.fixture
async def two(world: World) -> Two:
    north, south = await world.organization("North"), await world.organization("South")
    anna = await world.user("anna@example.org", await world.group(north.id, Role.READ))
    return Two(
        world,
        str(north.id),
        str(south.id),
        str(await world.group(south.id, Role.READ)),
        await world.person("north@example.org", north.id, Role.USER_ADMIN, Role.READ),
        await world.person("south@example.org", south.id, Role.USER_ADMIN, Role.READ),
        str(anna.id),
    )


async def test_the_inviter_learns_nothing_of_an_account_that_there_is(two: Two) -> None:
    answers = [
        await two.south_admin.post(INVITATIONS, json=two.body(email))
        for email in ("anna@example.org", "nobody@example.org")
    ]
    assert [a.status_code for a in answers] == [201, 201]
    known, unknown = [
        {k: v for k, v in a.json().items() if k not in ("id", "email", "link")} for a in answers
    ]
    for each in (known, unknown):
        for moment in ("createdAt", "updatedAt", "expiresAt"):
            each.pop(moment)
    assert known == unknown
    assert answers[0].json()["link"].keys() == answers[1].json()["link"].keys()
    listed = (await two.south_admin.get(INVITATIONS, params={"total": True})).json()
    assert [i["email"] for i in listed["items"]] == ["anna@example.org", "nobody@example.org"]
    assert listed["total"] == 2
    one = await two.south_admin.get(answers[0].headers["Location"])
    assert one.headers["ETag"] == answers[0].headers["ETag"]
    for text in (one.text, str(listed), answers[0].text):
        assert "Anna" not in text
        assert two.anna_id not in text
    users = (await two.south_admin.get("/api/v1/users")).json()["items"]
    assert [u["email"] for u in users] == ["south@example.org"]
    assert (await two.south_admin.get(f"/api/v1/users/{two.anna_id}")).status_code == 404


async def test_who_is_no_global_admin_cannot_pull_anybody_in(two: Two) -> None:
    at_once = await two.south_admin.post("/api/v1/users", json=two.body("anna@example.org"))
    assert (at_once.status_code, at_once.json()["code"]) == (403, "users.invitation_needed")
    assert "name" not in at_once.json()


async def test_who_only_sees_a_person_elsewhere_cannot_pull_them_in(two: Two) -> None:
    world = two.world
    # Of North this one may see the users, in South manage them.
    sees = await world.group(UUID(two.north), permissions=(Permission.READ_USERS,))
    manages = await world.group(UUID(two.south), Role.USER_ADMIN, Role.READ)
    await world.user("seer@example.org", sees, manages)
    client = await world.sign_in("seer@example.org")
    members = f"/api/v1/permissions/{two.readers}/members"
    refused = await client.post(members, json={"id": two.anna_id})
    assert (refused.status_code, refused.json()["code"]) == (403, "organizations.member_foreign")
    admin = await world.admin()
    assert (await admin.post(members, json={"id": two.anna_id})).status_code == 204
    assert (await two.south_admin.get(f"/api/v1/users/{two.anna_id}")).status_code == 200


async def test_an_account_that_there_is_is_joined_by_its_person_only(two: Two) -> None:
    made = await two.invite()
    token = made["link"]["url"].partition("#token=")[2]
    refused = await two.world.client().post("/api/v1/auth/link", json={"token": token})
    assert (refused.status_code, refused.json()["code"]) == (409, "users.account_exists")
    assert "set-cookie" not in refused.headers

    other = await two.world.person("other@example.org", None)
    accept = f"{MINE}/{made['id']}/accept"
    assert (await other.post(accept)).status_code == 404
    assert (await two.south_admin.post(accept)).status_code == 404

    anna = await two.world.sign_in("anna@example.org")
    (waiting,) = (await anna.get(MINE)).json()["items"]
    assert waiting["id"] == made["id"]
    assert waiting["organizationName"] == "South"
    assert waiting["invitedBy"] == "south@example.org"
    assert len(waiting["permissionGroups"]) == 1
    answers = await asyncio.gather(*(anna.post(accept) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [204, 404, 404]
    grants = (await anna.get("/api/v1/auth/me")).json()["grants"]
    assert {g["organizationId"] for g in grants} == {two.north, two.south}
    seen = await two.south_admin.get(f"/api/v1/users/{two.anna_id}")
    assert seen.json()["name"] == "Anna"
    assert (await two.south_admin.get(INVITATIONS)).json()["items"] == []
    again = await two.south_admin.post(INVITATIONS, json=two.body("anna@example.org"))
    assert again.json()["code"] == "users.email_taken"


async def test_each_home_ends_what_a_person_has_there_and_neither_the_account(two: Two) -> None:
    made = await two.invite()
    anna = await two.world.sign_in("anna@example.org")
    assert (await anna.post(f"{MINE}/{made['id']}/accept")).status_code == 204
    url = f"/api/v1/users/{two.anna_id}"
    for admin in (two.north_admin, two.south_admin):
        for refused in (
            await admin.patch(url, json={"active": False}),
            await admin.patch(url, json={"email": "x@example.org"}),
            await admin.delete(url),
            await admin.post(f"{url}/link"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "users.shared")
    assert (await two.north_admin.post(f"{url}/end-sessions")).status_code == 204
    assert (await anna.get("/api/v1/auth/me")).status_code == 401

    anna = await two.world.sign_in("anna@example.org")
    foreign = await two.north_admin.delete(f"{url}/organizations/{two.south}")
    assert foreign.status_code == 404
    assert (await anna.delete(f"{url}/organizations/{two.south}")).status_code == 403
    taken = await two.north_admin.delete(f"{url}/organizations/{two.north}")
    assert taken.status_code == 204
    grants = (await anna.get("/api/v1/auth/me")).json()["grants"]
    assert {g["organizationId"] for g in grants} == {two.south}
    assert (await two.north_admin.get(url)).status_code == 404
    # Now the person is South's alone.
    closed = await two.south_admin.patch(url, json={"active": False})
    assert closed.status_code == 200
    for admin in (two.north_admin, two.south_admin):
        (fact,) = await two.facts(admin, "users.taken_out")
        assert fact["before"] == {"organization_id": two.north}


async def test_every_home_is_told_of_invitation_sign_in_and_refusal(two: Two) -> None:
    made = await two.invite()
    (at_south,) = await two.facts(two.south_admin, "users.invitation_made")
    (at_north,) = await two.facts(two.north_admin, "users.invitation_made")
    assert at_south["subjectId"] == made["id"]
    assert (at_north["subjectId"], at_north["after"]) == (
        two.anna_id, {"organization_id": two.south},
    )  # fmt: skip
    anna = await two.world.sign_in("anna@example.org")
    await anna.post(f"{MINE}/{made['id']}/accept")
    await two.world.sign_in("anna@example.org")
    wrong = {"email": "anna@example.org", "password": "not the right one"}
    assert (await two.world.client().post("/api/v1/auth/sign-in", json=wrong)).status_code == 401
    for admin in (two.north_admin, two.south_admin):
        for name in ("users.invitation_accepted", "users.sign_in_refused"):
            (fact,) = await two.facts(admin, name)
            assert fact["subjectId"] == two.anna_id, name
        signed_in = await two.facts(admin, "users.signed_in")
        assert signed_in[0]["subjectId"] == two.anna_id


async def test_an_invitation_is_declined_withdrawn_replaced_or_expires(two: Two) -> None:
    anna = await two.world.sign_in("anna@example.org")
    made = await two.invite()
    assert (await anna.post(f"{MINE}/{made['id']}/decline")).status_code == 204
    for admin in (two.north_admin, two.south_admin):
        assert len(await two.facts(admin, "users.invitation_declined")) == 1

    made = await two.invite()
    url = f"{INVITATIONS}/{made['id']}"
    assert (await two.north_admin.delete(url)).status_code == 404
    assert (await two.south_admin.delete(url)).status_code == 204
    assert (await two.south_admin.delete(url)).status_code == 404
    assert len(await two.facts(two.south_admin, "users.invitation_withdrawn")) == 1

    first, second = await two.invite("new@example.org"), await two.invite("NEW@example.org")
    tokens = [one["link"]["url"].partition("#token=")[2] for one in (first, second)]
    client = two.world.client()
    assert (await client.post("/api/v1/auth/link", json={"token": tokens[0]})).status_code == 401
    assert (await client.post("/api/v1/auth/link", json={"token": tokens[1]})).status_code == 204

    made = await two.invite()
    async with two.world.database.begin() as tx:
        await tx.execute("UPDATE user_invitations SET expires_at = now() - interval '1 second'")
    assert (await anna.get(MINE)).json()["items"] == []
    assert (await anna.post(f"{MINE}/{made['id']}/accept")).status_code == 404
    assert (await two.south_admin.get(f"{INVITATIONS}/{made['id']}")).status_code == 404


async def test_who_takes_an_invited_address_later_needs_the_link(two: Two) -> None:
    made = await two.invite("new@example.org")
    url = f"/api/v1/users/{two.anna_id}"
    moved = await two.north_admin.patch(url, json={"email": "new@example.org"})
    assert moved.status_code == 200
    anna = await two.world.sign_in("new@example.org")
    assert (await anna.get(MINE)).json()["items"] == []
    assert (await anna.post(f"{MINE}/{made['id']}/accept")).status_code == 404
    token = made["link"]["url"].partition("#token=")[2]
    opened = await two.world.client().post("/api/v1/auth/link", json={"token": token})
    assert opened.json()["code"] == "users.account_exists"
    assert (await anna.post(f"{MINE}/{made['id']}/accept")).status_code == 204


async def test_erasure_takes_invitations_with_it(two: Two) -> None:
    await two.invite()
    assert (await two.north_admin.delete(f"/api/v1/users/{two.anna_id}")).status_code == 204
    admin = await two.world.admin()
    listed = (await admin.get("/api/v1/audit", params={"limit": 500})).text
    assert "anna@example.org" not in listed
    assert (await two.south_admin.get(INVITATIONS)).json()["items"] == []


@pytest.mark.parametrize("loss", ["left", "closed", "group widened"])
async def test_an_invitation_gives_nothing_that_the_inviter_could_not_give_now(
    two: Two, loss: str
) -> None:
    """Nor does it if the inviter left, or the group holds meanwhile what the inviter lacks."""
    invited = await two.invite()
    stranger = await two.invite("new@example.org")
    anna = await two.world.sign_in("anna@example.org")
    (received,) = (await anna.get(MINE)).json()["items"]
    admin = await two.world.admin()
    inviter = (await two.south_admin.get("/api/v1/auth/me")).json()["id"]
    if loss == "left":
        lost = await admin.delete(f"/api/v1/users/{inviter}/organizations/{two.south}")
    elif loss == "closed":
        lost = await admin.patch(f"/api/v1/users/{inviter}", json={"active": False})
    else:
        lost = await admin.patch(
            f"/api/v1/permissions/{two.readers}", json={"permissions": ["devices:manage"]}
        )
    assert lost.status_code < 300, lost.text

    refused = await anna.post(f"{MINE}/{received['id']}/accept")
    token = stranger["link"]["url"].partition("#token=")[2]
    by_link = await two.world.client().post("/api/v1/auth/link", json={"token": token})

    for answer in (refused, by_link):
        assert (answer.status_code, answer.json()["code"]) == (409, "users.invitation_void")
    members = (await admin.get(f"/api/v1/permissions/{two.readers}/members")).json()
    assert members == []
    people = (await admin.get("/api/v1/users", params={"q": "new@example.org"})).json()["items"]
    assert people == []
    # Whoever may give it asks anew.
    roles = Role.USER_ADMIN, Role.APPLICATION_ADMIN, Role.READ
    other = await two.world.person("other@example.org", UUID(two.south), *roles)
    again = await other.post(INVITATIONS, json=two.body("anna@example.org"))
    assert again.status_code == 201, again.text
    (received,) = (await anna.get(MINE)).json()["items"]
    assert invited["id"] != received["id"]
    assert (await anna.post(f"{MINE}/{received['id']}/accept")).status_code == 204
