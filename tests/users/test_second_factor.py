"""The second factor: authenticator apps, backup codes, and organisations that ask for one."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import pyotp
import pytest
from httpx2 import AsyncClient

from authenticator import Authenticator, add
from moorage import users
from moorage.kit.secrets import load_sealer
from moorage.organizations import Role
from web import OPERATOR, ROOT_KEY, World

ANNA = "anna@example.org"
PASSWORD = "ostrich velvet quarry 17"
FACTORS = "/api/v1/auth/second-factors"


def code_of(secret: str, steps: int = 0) -> str:
    """Give the code of now, or of some steps of 30 s later."""
    return pyotp.TOTP(secret).at(time.time() + 30 * steps)


class Person:
    """Anna with a password and an authenticator app, signed in."""

    def __init__(self, world: World, client: AsyncClient) -> None:
        self.world, self.client = world, client
        self.secret = ""
        self.codes: list[str] = []

    async def set_up(self) -> None:
        begun = await self.client.post(f"{FACTORS}/totp", json={})
        assert begun.status_code == 200, begun.text
        self.secret = begun.json()["secret"]
        body = {"code": code_of(self.secret, -1)}
        confirmed = await self.client.post(f"{FACTORS}/totp/confirm", json=body)
        assert confirmed.status_code == 200, confirmed.text
        self.codes = confirmed.json()["codes"]

    async def sign_in(self, **more: Any) -> Any:
        body = {"email": ANNA, "password": PASSWORD, **more}
        return await self.world.client().post("/api/v1/auth/sign-in", json=body)


@pytest.fixture
async def anna(world: World) -> Person:
    await world.user(ANNA)
    client = await world.sign_in(ANNA)
    await client.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    return Person(world, client)


async def facts(world: World, name: str) -> list[Any]:
    async with world.database.begin() as tx:
        rows = await tx.execute(
            "SELECT * FROM facts WHERE name = :name ORDER BY id", {"name": name}
        )
        return list(rows.mappings())


# --- Authenticator apps -------------------------------------------------------


async def test_a_password_alone_no_longer_lets_in(anna: Person) -> None:
    assert (await anna.sign_in()).status_code == 204
    await anna.set_up()
    asked = await anna.sign_in()
    assert (asked.status_code, asked.json()["code"]) == (401, "users.second_factor_needed")
    assert asked.json()["ways"] == ["totp", "backupCode"]
    assert asked.json()["passkey"] is None
    assert "set-cookie" not in asked.headers
    assert (await anna.sign_in(code=code_of(anna.secret))).status_code == 204
    (fact,) = [f for f in await facts(anna.world, "users.signed_in") if f["after"].get("factor")]
    assert fact["after"]["factor"] == "totp"


async def test_whether_there_is_a_second_factor_shows_to_who_has_the_password_only(
    anna: Person,
) -> None:
    await anna.set_up()
    for body in ({"password": "not the right password"}, {"email": "nobody@example.org"}):
        for more in ({}, {"code": code_of(anna.secret)}):
            answer = await anna.sign_in(**body, **more)
            assert answer.json()["code"] == "users.credentials_wrong"


async def test_a_code_works_once_and_none_before_it_after(anna: Person) -> None:
    await anna.set_up()
    code = code_of(anna.secret)
    answers = await asyncio.gather(*(anna.sign_in(code=code) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [204, 401, 401]
    earlier = await anna.sign_in(code=code_of(anna.secret, -1))
    assert earlier.json()["code"] == "users.second_factor_wrong"
    assert (await anna.sign_in(code=code_of(anna.secret, 1))).status_code == 204


async def test_the_code_that_set_it_up_is_used_up(anna: Person) -> None:
    await anna.set_up()
    assert (await anna.sign_in(code=code_of(anna.secret, -1))).status_code == 401


async def test_guessing_codes_makes_the_account_wait(anna: Person) -> None:
    await anna.set_up()
    right = code_of(anna.secret)
    wrong = [code for code in (f"{n:06}" for n in range(9)) if code != right]
    statuses = [(await anna.sign_in(code=code)).status_code for code in wrong[:8]]
    assert statuses == [401] * 6 + [429] * 2
    # Who asks anew with the right password alone does not end the wait.
    assert (await anna.sign_in()).status_code == 429
    assert (await anna.sign_in(code=code_of(anna.secret, 1))).status_code == 429


async def test_to_be_asked_for_the_code_counts_as_no_failure(anna: Person) -> None:
    await anna.set_up()
    for _ in range(8):
        assert (await anna.sign_in()).json()["code"] == "users.second_factor_needed"
    assert (await anna.sign_in(code=code_of(anna.secret))).status_code == 204


async def test_tokens_ask_for_it_too(anna: Person) -> None:
    await anna.set_up()
    client = anna.world.client()
    body = {"email": ANNA, "password": PASSWORD}
    refused = await client.post("/api/v1/auth/token", json=body)
    assert refused.json()["code"] == "users.second_factor_needed"
    body["code"] = code_of(anna.secret)
    assert (await client.post("/api/v1/auth/token", json=body)).status_code == 200


async def test_a_sign_in_link_asks_for_it_and_holds_until_it_is_shown(anna: Person) -> None:
    await anna.set_up()
    async with anna.world.database.begin() as tx:
        _, link = await users.link_for(tx, ANNA)

    async def open_it(**more: Any) -> Any:
        body = {"token": link.token, **more}
        return await anna.world.client().post("/api/v1/auth/link", json=body)

    assert (await open_it()).json()["code"] == "users.second_factor_needed"
    assert (await open_it(code="000000")).json()["code"] == "users.second_factor_wrong"
    code = code_of(anna.secret)
    assert (await open_it(code=code)).status_code == 204
    assert (await open_it(code=code_of(anna.secret, 1))).status_code == 401


# --- Backup codes -------------------------------------------------------------


async def test_each_backup_code_works_once_however_it_is_typed(anna: Person) -> None:
    await anna.set_up()
    assert len(set(anna.codes)) == 10
    answers = await asyncio.gather(*(anna.sign_in(code=anna.codes[0]) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [204, 401, 401]
    typed = anna.codes[1].upper().replace("-", " ")
    assert (await anna.sign_in(code=typed)).status_code == 204
    assert (await anna.client.get(FACTORS)).json()["backupCodesLeft"] == 8


async def test_new_backup_codes_end_those_before(anna: Person) -> None:
    await anna.set_up()
    body = {"password": PASSWORD, "code": anna.codes[0]}
    made = await anna.client.post(f"{FACTORS}/backup-codes", json=body)
    assert made.status_code == 200
    assert (await anna.sign_in(code=anna.codes[1])).status_code == 401
    assert (await anna.sign_in(code=made.json()["codes"][0])).status_code == 204


async def test_neither_secret_nor_codes_stand_in_the_database(anna: Person) -> None:
    await anna.set_up()
    async with anna.world.database.begin() as tx:
        for table in ("user_totps", "user_backup_codes", "facts", "user_challenges"):
            rows = await tx.execute(f"SELECT t::text AS row FROM {table} t")
            kept = "\n".join(row.row for row in rows)
            for secret in (anna.secret, *anna.codes):
                assert secret not in kept
                assert secret.encode().hex() not in kept


async def test_an_app_works_on_after_its_secret_was_sealed_anew(anna: Person) -> None:
    await anna.set_up()
    async with anna.world.database.begin() as tx:
        await users.seal_anew(tx, await load_sealer(tx, ROOT_KEY))
    assert (await anna.sign_in(code=code_of(anna.secret))).status_code == 204


# --- Setting up and removing --------------------------------------------------


async def test_an_app_counts_once_a_code_was_shown(anna: Person) -> None:
    begun = (await anna.client.post(f"{FACTORS}/totp", json={})).json()
    assert begun["uri"].startswith("otpauth://totp/Moorage%20localhost%3A8080:anna%40example.org")
    assert begun["qr"].startswith("data:image/svg+xml")
    assert (await anna.sign_in()).status_code == 204
    refused = await anna.client.post(f"{FACTORS}/totp/confirm", json={"code": "000000"})
    assert refused.json()["code"] == "users.second_factor_wrong"
    again = (await anna.client.post(f"{FACTORS}/totp", json={})).json()
    old = {"code": code_of(begun["secret"])}
    assert (await anna.client.post(f"{FACTORS}/totp/confirm", json=old)).status_code == 401
    right = {"code": code_of(again["secret"])}
    assert (await anna.client.post(f"{FACTORS}/totp/confirm", json=right)).status_code == 200
    twice = await anna.client.post(f"{FACTORS}/totp", json={})
    assert twice.json()["code"] == "users.second_factor_there"
    confirmed = await anna.client.post(f"{FACTORS}/totp/confirm", json=right)
    assert confirmed.json()["code"] == "users.second_factor_there"


async def test_it_takes_password_and_code_to_remove_it(anna: Person) -> None:
    await anna.set_up()
    body = {"email": ANNA, "password": PASSWORD, "code": anna.codes[0]}
    client = anna.world.client()
    assert (await client.post("/api/v1/auth/sign-in", json=body)).status_code == 204
    client.headers["X-CSRF-Token"] = (await client.get("/api/v1/auth/me")).json()["csrfToken"]

    async def remove(password: str | None, code: str) -> Any:
        sent = {"password": password, "code": code}
        return await client.post(f"{FACTORS}/totp/remove", json=sent)

    code = code_of(anna.secret)
    assert (await remove("not the right password", code)).status_code == 401
    assert (await remove(None, code)).json()["code"] == "users.credentials_wrong"
    assert (await remove(PASSWORD, "000000")).json()["code"] == "users.second_factor_wrong"
    assert (await remove(PASSWORD, code)).status_code == 204
    assert (await remove(PASSWORD, code)).json()["code"] == "users.second_factor_missing"
    assert (await anna.sign_in()).status_code == 204
    assert (await anna.client.get(FACTORS)).json() == {
        "totp": False, "backupCodesLeft": 0, "passkeys": []
    }  # fmt: skip


async def test_guessing_codes_in_a_stolen_session_makes_it_wait(anna: Person) -> None:
    await anna.set_up()
    body = {"password": PASSWORD, "code": "000000"}
    answers = [await anna.client.post(f"{FACTORS}/totp/remove", json=body) for _ in range(8)]
    assert [a.status_code for a in answers] == [401] * 6 + [429] * 2


async def test_it_takes_the_password_to_set_it_up(anna: Person) -> None:
    client = anna.world.client()
    await client.post("/api/v1/auth/sign-in", json={"email": ANNA, "password": PASSWORD})
    client.headers["X-CSRF-Token"] = (await client.get("/api/v1/auth/me")).json()["csrfToken"]
    assert (await client.post(f"{FACTORS}/totp", json={})).status_code == 401
    right = {"password": PASSWORD}
    assert (await client.post(f"{FACTORS}/totp", json=right)).status_code == 200


async def test_an_api_key_has_no_second_factor(world: World) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    group_id = await world.group(north.id, Role.READ)
    body = {"organizationId": str(north.id), "name": "key", "permissionGroupIds": [str(group_id)]}
    key = (await admin.post("/api/v1/api-keys", json=body)).json()["key"]
    client = world.client(X_API_KEY=key)
    for path, sent in ((f"{FACTORS}/totp", {}), (f"{FACTORS}/totp/confirm", {"code": "000000"})):
        assert (await client.post(path, json=sent)).json()["code"] == "users.person_needed"
    assert (await client.get(FACTORS)).status_code == 403


# --- Recovery -----------------------------------------------------------------


async def test_an_administrator_removes_what_somebody_has_lost_and_it_is_a_fact(
    anna: Person,
) -> None:
    await anna.set_up()
    assert (await add(anna.client, Authenticator())).status_code == 201
    admin = await anna.world.admin()
    anna_id = (await anna.client.get("/api/v1/auth/me")).json()["id"]
    assert (await admin.delete(f"/api/v1/users/{anna_id}/second-factors")).status_code == 204
    assert (await anna.client.get("/api/v1/auth/me")).status_code == 401
    assert (await anna.sign_in()).status_code == 204
    (fact,) = await facts(anna.world, "users.second_factor_removed")
    assert fact["caller_label"] == "admin@example.org"
    assert fact["before"] == {"totp": True, "passkeys": 1, "by": "recovery"}


async def test_the_operator_of_the_machine_lets_the_last_administrator_in_again(
    anna: Person,
) -> None:
    await anna.set_up()
    async with anna.world.database.begin(OPERATOR) as tx:
        await users.recover_from_command_line(tx, ANNA)
    assert (await anna.sign_in()).status_code == 204
    (fact,) = await facts(anna.world, "users.second_factor_removed")
    assert fact["caller_label"] == "operator"


async def test_who_holds_less_removes_nothing(anna: Person) -> None:
    await anna.set_up()
    world = anna.world
    north, south = await world.organization("North"), await world.organization("South")
    anna_id = (await anna.client.get("/api/v1/auth/me")).json()["id"]
    for organization, roles in ((north, (Role.READ,)), (south, (Role.USER_ADMIN,))):
        other = await world.person(f"x-{organization.name}@example.org", organization.id, *roles)
        answer = await other.delete(f"/api/v1/users/{anna_id}/second-factors")
        assert answer.status_code == 404
    stronger = await world.group(north.id, Role.APPLICATION_ADMIN)
    await world.join(stronger, UUID(anna_id))
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN)
    answer = await chief.delete(f"/api/v1/users/{anna_id}/second-factors")
    assert answer.json()["code"] == "users.outranks"
    assert (await anna.sign_in()).status_code == 401


async def test_nothing_of_it_is_left_of_who_is_erased(anna: Person) -> None:
    await anna.set_up()
    await add(anna.client, Authenticator(), name="Anna's phone")
    me = (await anna.client.get("/api/v1/auth/me")).json()["id"]
    admin = await anna.world.admin()
    assert (await admin.delete(f"/api/v1/users/{me}")).status_code == 204
    async with anna.world.database.begin() as tx:
        for table in ("user_totps", "user_backup_codes", "user_passkeys", "user_challenges"):
            kept = await tx.execute(f"SELECT count(*) FROM {table}")
            assert kept.scalar_one() == 0, table
        rows = await tx.execute("SELECT f::text AS row FROM facts f")
        kept_facts = "\n".join(row.row for row in rows)
    assert "Anna's phone" not in kept_facts
    assert ANNA not in kept_facts


# --- Organisations that ask for it --------------------------------------------


@pytest.mark.parametrize(
    ("asked", "roles"), [("everybody", (Role.READ,)), ("administrators", (Role.USER_ADMIN,))]
)
async def test_an_organization_gives_nothing_to_who_has_shown_none(
    world: World, asked: str, roles: tuple[Role, ...]
) -> None:
    north = await world.organization("North")
    path = f"/api/v1/organizations/{north.id}"
    client = await world.person(ANNA, north.id, *roles)
    admin = await world.admin()
    assert (await client.get(path)).status_code == 200
    changed = await admin.patch(path, json={"secondFactor": asked})
    assert changed.json()["secondFactor"] == asked

    assert (await client.get(path)).status_code == 404
    me = (await client.get("/api/v1/auth/me")).json()
    assert (me["grants"], me["withheld"]) == ([], [str(north.id)])

    anna = Person(world, client)
    await anna.set_up()
    assert (await client.get(path)).status_code == 200
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["withheld"] == []
    body = {"code": anna.codes[0]}
    refused = await client.post(f"{FACTORS}/totp/remove", json=body)
    assert refused.json()["code"] == "users.second_factor_required"
    assert (await client.get(FACTORS)).json()["totp"] is True


async def test_of_administrators_only_what_may_change_something_is_withheld(world: World) -> None:
    north = await world.organization("North")
    path = f"/api/v1/organizations/{north.id}"
    reader = await world.person("reader@example.org", north.id, Role.READ)
    chief = await world.group(north.id, Role.USER_ADMIN)
    both = await world.user(ANNA, chief, await world.group(north.id, Role.READ))
    client = await world.sign_in(ANNA)
    admin = await world.admin()
    await admin.patch(path, json={"secondFactor": "administrators"})
    assert (await reader.get(path)).status_code == 200
    assert (await client.get(path)).status_code == 200
    assert (await client.patch(path, json={"name": "Mine"})).status_code == 403
    assert (await client.get("/api/v1/users")).json()["items"] == []
    assert (await client.get("/api/v1/auth/me")).json()["withheld"] == [str(north.id)]
    assert (await client.get(f"/api/v1/users/{both.id}")).status_code == 200


async def test_a_group_may_give_to_who_has_shown_one_alone(world: World) -> None:
    """Those of the whole installation as well, whatever its organisations ask for."""
    client = await world.admin()
    (group,) = (await client.get("/api/v1/permissions")).json()["items"]
    path = f"/api/v1/permissions/{group['id']}"
    assert (await client.patch(path, json={"provenOnly": True})).json()["provenOnly"] is True
    for refused in (
        await client.post("/api/v1/organizations", json={"name": "North"}),
        await client.patch(path, json={"provenOnly": False}),
    ):
        assert refused.status_code in (403, 404), refused.text
    me = (await client.get("/api/v1/auth/me")).json()
    assert (me["grants"], me["withheld"], me["installationWithheld"]) == ([], [], True)

    admin = Person(world, client)
    await admin.set_up()
    made = await client.post("/api/v1/organizations", json={"name": "North"})
    assert made.status_code == 201, made.text
    assert (await client.get("/api/v1/auth/me")).json()["installationWithheld"] is False
    refused = await client.post(f"{FACTORS}/totp/remove", json={"code": admin.codes[0]})
    assert refused.json()["code"] == "users.second_factor_required"


async def test_keys_and_work_in_somebodys_name_go_on(world: World) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    group_id = await world.group(north.id, Role.READ)
    body = {"organizationId": str(north.id), "name": "key", "permissionGroupIds": [str(group_id)]}
    key = (await admin.post("/api/v1/api-keys", json=body)).json()["key"]
    anna = await world.user(ANNA, group_id)
    await admin.patch(f"/api/v1/organizations/{north.id}", json={"secondFactor": "everybody"})
    client = world.client(X_API_KEY=key)
    assert (await client.get(f"/api/v1/organizations/{north.id}")).status_code == 200
    async with world.database.begin(OPERATOR) as tx:
        assert (await users.act_for(tx, anna.id)).belongs_to(north.id)
