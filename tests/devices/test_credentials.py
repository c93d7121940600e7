"""Credentials: shown once, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet import a_device, a_town
from fleet_api import signed_in
from moorage import devices
from moorage.devices import CredentialKind
from moorage.kit.db import Database


async def test_a_secret_is_shown_once_with_ready_commands(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
    path = f"/api/v1/devices/{device.id}"
    async with signed_in(database, town.admin) as client:
        made = await client.post(path + "/credentials", json={"label": "field kit"})
        assert made.status_code == 201, made.text
        assert made.headers["Cache-Control"] == "no-store"
        secret = made.json()["secret"]
        templates = {t["id"]: t["text"] for t in made.json()["connect"]["templates"]}
        assert f"Bearer {secret}" in templates["curl"]
        assert "https://iot.example.org/ingest/v1/up" in templates["curl"]
        assert f"-u '{device.id}' -P '{secret}'" in templates["mosquitto"]
        (listed,) = (await client.get(path + "/credentials")).json()
        assert listed["hint"] == secret[-4:]
        connect = await client.get(path + "/connect")
        for answer in (await client.get(path), await client.get(path + "/credentials"), connect):
            assert secret not in answer.text
        placeholders = {"chirpstack": "YOUR-INBOX-KEY"}
        for one in connect.json()["templates"]:
            assert placeholders.get(one["id"], "YOUR-SECRET") in one["text"]
        assert len(templates) == 11


async def test_a_password_works_under_its_user_name_only(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        shown = await devices.make_credential(
            tx, town.admin, device.id, CredentialKind.PASSWORD, user_name="bin-1"
        )

        async def found(secret: str, user_name: str | None) -> bool:
            kind = CredentialKind.PASSWORD
            return await devices.find_sender(tx, kind, secret, user_name) is not None

        assert await found(shown.secret, "bin-1")
        assert not await found(shown.secret, "bin-2")
        assert not await found("wrong", "bin-1")
        assert not await found(shown.secret, None)
        # Nor as a key.
        assert await devices.find_sender(tx, CredentialKind.KEY, shown.secret) is None


async def test_a_user_name_is_unique_in_the_installation(database: Database) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        one = await devices.enrol(tx, town.admin, a_device(town))
        two = await devices.enrol(tx, other.admin, a_device(other))
    body = {"kind": "password", "userName": "bin"}
    async with signed_in(database, town.admin) as client:
        path = f"/api/v1/devices/{one.id}/credentials"
        assert (await client.post(path, json=body)).status_code == 201
    async with signed_in(database, other.admin) as client:
        path = f"/api/v1/devices/{two.id}/credentials"
        refused = await client.post(path, json=body)
        assert refused.json()["code"] == "devices.user_name_taken"
        assert (await client.post(path, json=body | {"userName": "bin2"})).status_code == 201


@pytest.mark.parametrize("overlap", [timedelta(), timedelta(hours=1)])
async def test_a_rotated_secret_lives_on_only_as_long_as_asked(
    database: Database, overlap: timedelta
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        old = await devices.make_credential(tx, town.admin, device.id, CredentialKind.KEY)
        new = await devices.rotate_credential(
            tx, town.admin, device.id, old.credential.id, overlap=overlap
        )
        assert new.credential.id == old.credential.id
        first = await devices.find_sender(tx, CredentialKind.KEY, old.secret)
        second = await devices.find_sender(tx, CredentialKind.KEY, new.secret)
        assert second is not None
        assert (second.version, second.valid_until) == (2, None)
        if overlap:
            assert first is not None
            assert first.valid_until == tx.now + overlap
            tx.now += overlap
            assert await devices.find_sender(tx, CredentialKind.KEY, old.secret) is None
        else:
            assert first is None


async def test_whoever_is_asked_for_together_is_found_by_what_he_showed_himself(
    database: Database,
) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        one, other = [await devices.enrol(tx, town.admin, a_device(town)) for _ in range(2)]
        old = await devices.make_credential(tx, town.admin, one.id, CredentialKind.KEY)
        new = await devices.rotate_credential(
            tx, town.admin, one.id, old.credential.id, overlap=timedelta(hours=1)
        )
        named = await devices.make_credential(
            tx, town.admin, other.id, CredentialKind.PASSWORD, user_name="valve"
        )
        numbers = {
            (CredentialKind.KEY, old.secret, None): one.number,
            (CredentialKind.KEY, new.secret, None): one.number,
            (CredentialKind.PASSWORD, named.secret, "valve"): other.number,
        }
        strangers = [
            (CredentialKind.KEY, "mdk_unknown", None),
            (CredentialKind.KEY, named.secret, None),
            # It has the digest that the password has under its user name.
            (CredentialKind.KEY, f"valve:{named.secret}", None),
            (CredentialKind.PASSWORD, named.secret, "pump"),
            (CredentialKind.PASSWORD, old.secret, None),
        ]
        found = await devices.find_senders(tx, [*strangers, *numbers, *strangers])
        assert {shown: sender.number for shown, sender in found.items()} == numbers
        tx.now += timedelta(hours=1)
        later = await devices.find_senders(tx, numbers)
        assert later.keys() == numbers.keys() - {(CredentialKind.KEY, old.secret, None)}


async def test_an_expired_credential_names_nobody(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        ends = tx.now + timedelta(days=1)
        shown = await devices.make_credential(
            tx, town.admin, device.id, CredentialKind.KEY, expires_at=ends
        )
        sender = await devices.find_sender(tx, CredentialKind.KEY, shown.secret)
        assert sender is not None
        assert sender.valid_until == ends
        tx.now = ends
        assert await devices.find_sender(tx, CredentialKind.KEY, shown.secret) is None


async def test_a_suspended_device_is_known_but_not_let_in(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        shown = await devices.make_credential(tx, town.admin, device.id, CredentialKind.KEY)
        start = await devices.senders_changed(tx, None)
        suspended = {"state": devices.DeviceState.SUSPENDED}
        await devices.change(tx, town.admin, device.id, suspended)
        sender = await devices.find_sender(tx, CredentialKind.KEY, shown.secret)
        assert sender is not None
        assert not sender.may_send
        assert (await devices.senders_changed(tx, start.next)).numbers == [device.number]


async def test_a_change_that_commits_late_is_not_passed_over(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        early = await devices.enrol(tx, town.admin, a_device(town, "early"))
        late = await devices.enrol(tx, town.admin, a_device(town, "late"))
        mark = (await devices.senders_changed(tx, None)).next
    off = {"state": devices.DeviceState.SUSPENDED}
    async with database.begin() as slow:
        await devices.change(slow, town.admin, late.id, off)
        async with database.begin() as fast:
            await devices.change(fast, town.admin, early.id, off)
        async with database.begin() as reading:
            first = await devices.senders_changed(reading, mark)
        assert first.numbers == [early.number]
    async with database.begin() as reading:
        second = await devices.senders_changed(reading, first.next)
    assert late.number in second.numbers


async def test_a_renamed_device_changes_its_context_and_not_its_right(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        mark = (await devices.contexts_changed(tx, None)).next
    async with database.begin() as tx:
        await devices.change(tx, town.admin, device.id, {"name": "New"})
    async with database.begin() as tx:
        assert (await devices.senders_changed(tx, mark)).numbers == []
        assert (await devices.contexts_changed(tx, mark)).numbers == [device.number]
