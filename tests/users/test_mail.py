"""Mail to people: invitations, forgotten passwords, and what happened to an account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from mailbox import Mailbox, open_mailbox
from pathlib import Path
from typing import Any

import pytest

import web
from moorage import users
from moorage.organizations import Role
from web import OPERATOR, World

ANNA = "anna@example.org"
PASSWORD = "ostrich velvet quarry 17"
NEW = "lantern gravel otter 42"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    async with open_mailbox(tmp_path) as box:
        yield box


@pytest.fixture
async def world(database_url: str, tmp_path: Path, box: Mailbox) -> AsyncIterator[World]:
    """Give an installation that sends mail."""
    async with web.running(database_url, tmp_path, **box.environment()) as world:
        yield world


async def with_password(world: World, email: str = ANNA) -> None:
    await world.user(email)
    client = await world.sign_in(email)
    done = await client.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    assert done.status_code == 204
    await world.deliver()


async def sign_in(world: World, password: str, email: str = ANNA) -> int:
    body = {"email": email, "password": password}
    return (await world.client().post("/api/v1/auth/sign-in", json=body)).status_code


async def ask(world: World, email: str = ANNA) -> Any:
    return await world.client().post("/api/v1/auth/reset", json={"email": email})


async def set_by(world: World, token: str, password: str = NEW) -> Any:
    body = {"token": token, "newPassword": password}
    return await world.client().post("/api/v1/auth/reset-password", json=body)


# --- Invitations --------------------------------------------------------------


async def test_an_invitation_is_mailed_and_its_link_shown_to_nobody_else(
    world: World, box: Mailbox
) -> None:
    north = await world.organization("Nørre\tKommune")
    group_id = await world.group(north.id, Role.READ)
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    body = {
        "email": ANNA, "name": "Anna", "language": "da", "permissionGroupIds": [str(group_id)]
    }  # fmt: skip
    answer = await chief.post("/api/v1/invitations", json=body)
    assert answer.status_code == 201
    assert answer.json()["link"] is None
    assert "ml_" not in answer.text

    assert await world.deliver() == 1

    (sent,) = box.mails
    assert sent["To"] == ANNA
    assert sent["Subject"] == "Du er inviteret til Nørre Kommune"
    assert "chief@example.org inviterer dig" in sent.get_content()
    anna = world.client()
    taken = await anna.post("/api/v1/auth/link", json={"token": box.link()})
    assert taken.status_code == 204
    assert (await anna.get("/api/v1/auth/me")).json()["grants"]


async def test_the_link_is_shown_to_who_asks_for_it_instead(world: World, box: Mailbox) -> None:
    admin = await world.admin()
    body = {"email": ANNA, "name": "Anna", "byMail": False}
    for path in ("/api/v1/invitations", "/api/v1/users"):
        answer = await admin.post(path, json=body)
        assert "#token=ml_" in answer.json()["link"]["url"]
    assert await world.deliver() == 0
    added = await admin.post("/api/v1/users", json={"email": "bo@example.org", "name": "Bo"})
    assert added.json()["link"] is None
    assert await world.deliver() == 1
    assert box.mails[0]["To"] == "bo@example.org"
    taken = await world.client().post("/api/v1/auth/link", json={"token": box.link()})
    assert taken.status_code == 204


async def test_a_withdrawn_invitation_is_not_sent(world: World, box: Mailbox) -> None:
    admin = await world.admin()
    made = await admin.post("/api/v1/invitations", json={"email": ANNA, "name": "Anna"})
    assert (await admin.delete(made.headers["Location"])).status_code == 204
    assert await world.deliver() == 0


# --- Forgotten passwords ------------------------------------------------------


async def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(
    world: World, box: Mailbox
) -> None:
    await with_password(world)
    elsewhere = await world.sign_in(ANNA)
    box.mails.clear()
    assert (await ask(world, "Anna@Example.org")).status_code == 204
    assert await world.deliver() == 1
    (sent,) = box.mails
    assert (sent["To"], sent["Subject"]) == (ANNA, "A new password for localhost:8080")
    assert world.origin in sent.get_content()
    token = box.link("reset")

    weak = await set_by(world, token, "anna@example.org")
    assert weak.json()["code"] == "users.password_weak"
    done = await set_by(world, token)
    assert done.status_code == 204
    assert "set-cookie" not in done.headers

    assert (await set_by(world, token)).status_code == 401
    assert (await elsewhere.get("/api/v1/auth/me")).status_code == 401
    assert await sign_in(world, PASSWORD) == 401
    assert await sign_in(world, NEW) == 204
    assert await world.deliver() == 1
    assert box.mails[-1]["Subject"] == "Your password at localhost:8080 was changed"


async def test_nobody_learns_from_the_answer_who_has_an_account(world: World, box: Mailbox) -> None:
    await with_password(world)
    box.mails.clear()
    async with world.database.begin(OPERATOR) as tx:
        await users.add(tx, OPERATOR, users.NewUser("closed@example.org", "Closed"))
        await users.deactivate(tx, "closed@example.org")
    answers = [
        await ask(world, email) for email in (ANNA, "nobody@example.org", "closed@example.org")
    ]
    seen = {
        (a.status_code, a.text, tuple(sorted(set(a.headers) - {"x-request-id"}))) for a in answers
    }
    assert seen == {(204, "", next(iter(seen))[2])}
    async with world.database.begin() as tx:
        # What is written is the same too: nothing is looked up while somebody waits.
        wishes = (await tx.execute("SELECT kind, origin FROM user_wishes")).all()
        links = (await tx.execute("SELECT count(*) FROM user_links WHERE kind = 'reset'")).scalar()
    assert (len(wishes), len(set(wishes)), links) == (3, 1, 0)
    assert await world.deliver() == 1
    assert [sent["To"] for sent in box.mails] == [ANNA]


async def test_mail_cannot_be_asked_for_often_for_one_address_nor_from_one(
    world: World, box: Mailbox
) -> None:
    await with_password(world)
    for email in (ANNA, "nobody@example.org"):
        answers = [await ask(world, email) for _ in range(5)]
        assert [a.status_code for a in answers] == [204] * 4 + [429]
        assert answers[-1].json()["code"] == "users.too_many_resets"
        assert int(answers[-1].headers["Retry-After"]) > 30
    others = [(await ask(world, f"n{n}@example.org")).status_code for n in range(20)]
    assert others[-1] == 429
    # Who only asked for mail is not kept from signing in.
    assert await sign_in(world, PASSWORD) == 204


async def test_a_reset_link_lets_nobody_in_and_a_sign_in_link_sets_no_password(
    world: World, box: Mailbox
) -> None:
    await with_password(world)
    await ask(world)
    await world.deliver()
    token = box.link("reset")
    client = world.client()
    assert (await client.post("/api/v1/auth/link", json={"token": token})).status_code == 401
    async with world.database.begin() as tx:
        _, link = await users.link_for(tx, ANNA)
    assert (await set_by(world, link.token)).status_code == 401
    assert (await set_by(world, token)).status_code == 401, "A newer link ends those before."
    entered = await client.post("/api/v1/auth/link", json={"token": link.token})
    assert entered.status_code == 204


async def test_who_asks_for_a_reset_ends_no_link_that_somebody_was_given(
    world: World, box: Mailbox
) -> None:
    await world.user(ANNA)
    async with world.database.begin() as tx:
        _, link = await users.link_for(tx, ANNA)
    await ask(world)
    await world.deliver()
    entered = await world.client().post("/api/v1/auth/link", json={"token": link.token})
    assert entered.status_code == 204


async def test_a_reset_link_ends_after_an_hour_and_with_the_account(
    world: World, box: Mailbox
) -> None:
    await with_password(world)
    await ask(world)
    await world.deliver()
    async with world.database.begin() as tx:
        await tx.execute("UPDATE user_links SET expires_at = expires_at - interval '1 hour'")
    assert (await set_by(world, box.link("reset"))).status_code == 401
    await ask(world)
    await world.deliver()
    async with world.database.begin(OPERATOR) as tx:
        await users.deactivate(tx, ANNA)
    assert (await set_by(world, box.link("reset"))).status_code == 401


@pytest.mark.parametrize("token", ["", "x" * 201, 7, None])
async def test_a_malformed_link_is_refused(world: World, token: Any) -> None:
    assert (await set_by(world, token)).status_code == 422


# --- What is told -------------------------------------------------------------


async def test_a_locked_account_is_told_once_and_a_locked_nobody_never(
    world: World, box: Mailbox
) -> None:
    await with_password(world)
    box.mails.clear()
    for email in (ANNA, "nobody@example.org"):
        assert [await sign_in(world, "wrong guess", email) for _ in range(8)].count(429) == 2
    assert await world.deliver() == 1
    (sent,) = box.mails
    assert (sent["To"], sent["Subject"]) == (
        ANNA, "Wrong passwords for your account at localhost:8080"
    )  # fmt: skip


async def test_a_changed_address_is_told_to_the_old_one(world: World, box: Mailbox) -> None:
    anna = await world.user(ANNA)
    admin = await world.admin()
    changed = await admin.patch(f"/api/v1/users/{anna.id}", json={"email": "new@example.org"})
    assert changed.status_code == 200
    assert await world.deliver() == 1
    (sent,) = box.mails
    assert sent["To"] == ANNA
    assert "new@example.org" in sent.get_content()
    assert "admin@example.org" in sent.get_content()


async def test_mail_about_somebody_who_is_erased_is_not_sent(world: World, box: Mailbox) -> None:
    anna = await world.user(ANNA)
    admin = await world.admin()
    await admin.patch(f"/api/v1/users/{anna.id}", json={"email": "new@example.org"})
    assert (await admin.delete(f"/api/v1/users/{anna.id}")).status_code == 204
    assert await world.deliver() == 0


async def test_the_sign_in_page_knows_what_it_can_offer(
    world: World, database_url: str, tmp_path: Path
) -> None:
    assert (await world.client().get("/api/v1/auth/ways")).json()["resetByMail"] is True
    async with web.running(database_url, tmp_path) as without:
        assert (await without.client().get("/api/v1/auth/ways")).json()["resetByMail"] is False
        refused = await ask(without)
        assert (refused.status_code, refused.json()["code"]) == (409, "users.mail_off")
        admin = await without.admin()
        body = {"email": ANNA, "name": "Anna", "byMail": True}
        for path in ("/api/v1/invitations", "/api/v1/users"):
            assert (await admin.post(path, json=body)).json()["code"] == "users.mail_off"
