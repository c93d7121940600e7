"""`moorage get`, `create`, `change` and their like against a running installation."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installation import Installation, ok, running

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(tmp_path_factory.mktemp("things") / "data") as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def elsewhere(platform: Installation) -> None:
    """Let commands in with a key, as from another machine."""
    groups = ok(platform.admin.get("/api/v1/permissions")).json()["items"]
    (admins,) = (group["id"] for group in groups if group["organizationId"] is None)
    body = {"name": "Commands", "permissionGroupIds": [admins]}
    key = ok(platform.admin.post("/api/v1/api-keys", json=body)).json()["key"]
    platform.settings = {**platform.settings, "URL": platform.url, "API_KEY": key}


@pytest.fixture
def here(platform: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in as the administrator of this machine, as without a key."""
    others = {k: v for k, v in platform.settings.items() if k not in ("URL", "API_KEY")}
    monkeypatch.setattr(platform, "settings", others)


def moorage(
    platform: Installation, *words: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=platform.environment(), capture_output=True, text=True,
        timeout=60, check=False, input=given,
    )  # fmt: skip


def done(platform: Installation, *words: str, given: str = "") -> Any:
    """Run a command that must do; give what it printed, as JSON if it is."""
    ended = moorage(platform, *words, given=given)
    assert ended.returncode == 0, ended.stderr
    try:
        return json.loads(ended.stdout)
    except ValueError:
        return ended.stdout


def test_things_are_made_found_changed_and_removed_by_name(platform: Installation) -> None:
    north = done(platform, "create", "organizations", "name=North")
    done(platform, "create", "organizations", "name=South")
    bins = done(platform, "create", "applications", "name=Bins", "organization=north")
    assert bins["organizationId"] == north["id"]
    made = done(
        platform, "create", "devices", "name=Bin 7", "application=Bins", 'tags=["quay"]',
        "metadata.floor=2", "metadata.zone=b",
    )  # fmt: skip
    assert (made["tags"], made["metadata"]) == (["quay"], {"floor": "2", "zone": "b"})

    changed = done(platform, "change", "devices", "bin 7", "metadata.floor=3", "serial=null")
    assert changed["metadata"] == {"floor": "3", "zone": "b"}
    done(
        platform, "create", "targets", "name=Open data", "application=Bins", "kind=http",
        "settings.url=https://data.example.org/in",
    )  # fmt: skip
    kept = done(platform, "change", "targets", "open data", "receiptDays=7")
    assert kept["receiptDays"] == 7
    fetched = done(
        platform, "create", "sources", "name=Plant", "organization=North", "inbox=Bins",
        "url=mqtt://localhost:9", 'subscriptions=[{"topic": "plant/{device}/up"}]',
    )  # fmt: skip
    assert fetched["inboxId"] == bins["id"]
    done(platform, "do", "sources", "Plant", "pause")
    assert done(platform, "get", "sources", "plant")["paused"] is True
    shown = done(platform, "get", "devices", "Bin 7")
    assert shown["metadata"]["floor"] == "3"
    listed = done(platform, "get", "devices", "--where", "application=Bins", "--json")
    assert [one["id"] for one in listed] == [made["id"]]
    table = done(platform, "get", "organizations", "--columns", "name,timeZone").splitlines()
    assert table[0].split() == ["name", "timeZone"]
    assert {"North", "South"} <= {line.split()[0] for line in table[1:]}

    refused = moorage(platform, "remove", "devices", "Bin 7")
    assert refused.returncode != 0
    assert "--yes" in refused.stderr
    done(platform, "remove", "devices", "Bin 7", "--yes")
    gone = moorage(platform, "get", "devices", "Bin 7")
    assert "None of the devices is named Bin 7." in gone.stderr


@pytest.mark.usefixtures("here")
def test_a_key_is_made_from_a_file_and_shown_once(platform: Installation, tmp_path: Path) -> None:
    east = done(platform, "create", "organizations", "name=East")
    groups = done(platform, "get", "permissions", "--where", "organization=East", "--json")
    body = {"organizationId": east["id"], "permissionGroupIds": [groups[0]["id"]]}
    file = tmp_path / "key.json"
    file.write_text(json.dumps(body))
    made = done(platform, "create", "api-keys", "--file", str(file), "name=Meters")
    assert made["key"].startswith("mk_")
    assert "mk_" not in json.dumps(done(platform, "get", "api-keys", "--json"))
    from_stdin = done(
        platform, "create", "api-keys", "--file", "-", "name=More", given=json.dumps(body)
    )
    assert from_stdin["key"] != made["key"]


def test_devices_go_out_and_come_in_as_csv(platform: Installation, tmp_path: Path) -> None:
    done(platform, "create", "organizations", "name=West")
    done(platform, "create", "applications", "name=Lamps", "organization=West")
    rows = [["name", "tags"], *([f"Lamp {n}", "street"] for n in range(1_200))]
    rows[700] = ["", "street"]
    file = tmp_path / "lamps.csv"
    with file.open("w", newline="") as output:
        csv.writer(output).writerows(rows)

    words = ["import", "devices", str(file), "--application", "Lamps"]
    looked = moorage(platform, *words, "--preview")
    assert "Would be: 1199 created" in looked.stdout
    ended = moorage(platform, *words)
    assert ended.returncode == 1
    assert "1199 created, 0 updated, 0 unchanged, 1 failed" in ended.stdout
    assert [line.split()[0] for line in ended.stdout.splitlines()[1:-1]] == ["701"]

    text = done(platform, "export", "devices", "--where", "application=Lamps")
    kept = list(csv.DictReader(io.StringIO(text)))
    assert len(kept) == 1_199
    again = done(platform, "import", "devices", "-", given=text)
    assert "0 created, 0 updated, 1199 unchanged, 0 failed" in again
    facts = moorage(platform, "export", "audit", "--json").stdout.splitlines()
    assert "devices.exported" in {json.loads(line)["name"] for line in facts}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "boats"], "boats"),
        (["get", "devices", "--where", "state"], "name=value"),
        (["get", "devices", "--where", "application=Nowhere"], "is named Nowhere"),
        (["create", "organizations"], "name=value"),
        (["create", "organizations", "--file", "/nowhere"], "cannot be read"),
        (["create", "organizations", "name=X", "colour=red"], "colour"),
        (["get", "devices", "--api-key", "wrong"], "not right"),
        (["import", "devices", "/dev/null"], "is empty"),
    ],
)
def test_what_is_wrong_is_said(platform: Installation, words: list[str], said: str) -> None:
    ended = moorage(platform, *words)
    assert ended.returncode != 0
    assert said in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("here")
def test_another_installation_wants_a_key(platform: Installation) -> None:
    ended = moorage(platform, "get", "devices", "--url", "http://127.0.0.1:1")
    assert "api-key" in ended.stderr


@pytest.fixture(scope="module")
def cart(platform: Installation) -> str:
    organization_id = platform.organization("Verbs")
    platform.application(organization_id, "Sheds")
    return platform.device(platform.application(organization_id, "Carts"), "Cart 1").id


def test_credentials_of_a_device_are_made_changed_and_taken_back(
    platform: Installation, cart: str
) -> None:
    key = done(platform, "do", "devices", "cart 1", "credentials")
    named = f"credentialId={key['credential']['id']}"
    rotated = done(platform, "do", "devices", cart, "rotate-credential", named)
    assert rotated["secret"] != key["secret"]
    held = {one["id"] for one in done(platform, "get", "devices", "Cart 1", "credentials")}
    last = rotated["credential"]["id"]
    assert last in held
    done(platform, "do", "devices", "Cart 1", f"credentials/{last}", "--delete")
    left = {one["id"] for one in done(platform, "get", "devices", "Cart 1", "credentials")}
    assert left == held - {last}


def test_a_device_is_moved_and_asked_to_do_something(platform: Installation, cart: str) -> None:
    moved = done(platform, "do", "devices", "Cart 1", "move", "application=Sheds")
    sheds = done(platform, "get", "applications", "Sheds")
    assert (moved["id"], moved["applicationId"]) == (cart, sheds["id"])
    asked = done(
        platform, "do", "devices", "Cart 1", "operations", "--file", "-", given='{"code": "reboot"}'
    )
    assert asked["code"] == "reboot"
    done(platform, "do", "operations", asked["id"], "cancel")
    assert done(platform, "get", "operations", asked["id"])["state"] == "cancelled"


def test_the_same_is_done_to_many_devices_and_failures_are_named(
    platform: Installation, cart: str
) -> None:
    application = done(platform, "get", "devices", cart)["applicationId"]
    for n in range(3):
        done(platform, "create", "devices", f"name=Crate {n}", f"applicationId={application}")
    done(platform, "change", "devices", "Crate 1", "state=retired")

    ended = moorage(
        platform, "many", "devices", "change", "--where", "q=Crate", "--where",
        f"applicationId={application}", "changes.state=maintenance", 'addTags=["stacked"]',
    )  # fmt: skip

    assert ended.returncode == 1, ended.stderr
    assert "2 updated, 1 failed" in ended.stdout
    assert "Crate 1" in ended.stdout
    assert "retired" in ended.stdout
    assert "Crate 2" not in ended.stdout
    unsaid = moorage(platform, "many", "devices", "remove", "--where", "tag=stacked")
    assert (unsaid.returncode, unsaid.stdout) == (2, "")
    assert "--yes" in unsaid.stderr
    gone = done(platform, "many", "devices", "remove", "--where", "tag=stacked", "--yes")
    assert gone == "2 removed\n"
    left = done(platform, "get", "devices", "--where", "q=Crate", "--json")
    assert [device["name"] for device in left] == ["Crate 1"]
    none = moorage(platform, "many", "devices", "remove", "--yes")
    assert (none.returncode, none.stdout) == (2, "")


def test_a_target_is_paused_and_sent_to_again(platform: Installation, cart: str) -> None:
    done(
        platform, "create", "targets", "name=Verbs out", "application=Carts", "kind=http",
        'settings={"url": "http://127.0.0.1:9/x", "authentication": "none"}', "secrets={}",
    )  # fmt: skip
    done(platform, "do", "targets", "Verbs out", "pause")
    assert done(platform, "get", "targets", "Verbs out")["paused"] is True
    period = ("from=2026-01-01T00:00:00Z", "to=2026-01-02T00:00:00Z")
    assert done(platform, "do", "targets", "Verbs out", "replay", *period)["id"]


def test_what_can_be_done_is_listed_and_a_typo_gets_the_nearest_name(
    platform: Installation, cart: str
) -> None:
    rows = done(platform, "do", "targets", "--json")
    assert {row["kind"] for row in rows} == {"targets"}
    verbs = {row["verb"]: row for row in rows}
    assert verbs["replay"]["fields"] == "from* to*"
    assert "dead-letters/LETTER_ID --delete" in verbs
    assert "rotate-credential" in done(platform, "do")
    for words, says in (
        (("target",), "Did you mean targets?"),
        (("devices", "Cart 1", "rotate-credentials"), "Did you mean rotate-credential"),
        (("targets", "No such", "dead-letters"), "dead-letters --delete"),
        (("targets", cart, "pause", "now=true"), "pause takes no fields."),
        (("targets", "No such", "pause"), "None of the targets is named No such."),
        (("devices", "Cart 1", "move"), "applicationId"),
    ):
        refused = moorage(platform, "do", *words)
        assert refused.returncode == 2, refused.stdout
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert says in refused.stderr
