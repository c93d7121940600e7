"""`moorage run --lan`: who is let in, and the code for a phone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from httpx2 import Client

from entry.test_cli import moorage
from installation import ok, running
from moorage.entry import lan, ports
from moorage.entry.settings import read


def test_an_address_is_opened_beside_the_loopback_and_what_was_set_stays(tmp_path: Path) -> None:
    given: dict[str, object] = {"data_dir": tmp_path, "mqtt.host": "127.0.0.1", "api.port": 9000}
    options = lan.open_to("192.168.1.20", given)
    settings = read({}, options).settings
    assert settings.api.host == "127.0.0.1,192.168.1.20"
    assert settings.mqtt.host == "127.0.0.1"
    assert settings.public_url == "http://192.168.1.20:9000"
    needed = ports.needed(settings, (*ports.API, *ports.LISTENER))
    assert [host for _, host, _ in needed] == [
        "127.0.0.1", "192.168.1.20", "127.0.0.1", "127.0.0.1", "192.168.1.20",
    ]  # fmt: skip
    words = lan.warning(settings)
    assert "192.168.1.20:9000  not encrypted" in words
    assert "192.168.1.20:8883" in words
    assert "192.168.1.20:1883" not in words
    assert read({}, lan.open_to("fd00::7", {})).settings.public_url == "http://[fd00::7]:8080"


@pytest.mark.parametrize("given", ["0.0.0.0", "::", "224.0.0.1", "next-door", "1.2.3"])
def test_what_is_no_address_of_a_machine_is_refused(given: str, tmp_path: Path) -> None:
    failed = moorage("run", "--lan", given, data_dir=tmp_path)
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert given in failed.stderr
    assert "--lan 192.168.1.20" in failed.stderr


def in_a_namespace(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a network of its own, where nothing is but what it sets up."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        raise AssertionError("apt-get install util-linux iproute2")
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "/bin/sh", "-ec", script],
        env={"MOORAGE_DATA_DIR": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_address_of_the_default_route_is_taken_and_its_lack_told(tmp_path: Path) -> None:
    ask = f"{sys.executable} -c 'from moorage.entry import lan; print(lan.address_of(True))'"
    up = (
        "ip link set lo up; ip address add 10.20.30.40/24 dev lo; "
        "ip route add default via 10.20.30.1 dev lo; "
    )
    routed = in_a_namespace(up + ask, tmp_path)
    assert routed.stdout.strip() == "10.20.30.40", routed.stderr
    command = f"{sys.executable} -m moorage.entry.cli run --lan"
    alone = in_a_namespace(f"ip link set lo up; {command}", tmp_path)
    assert (alone.returncode, alone.stderr.count("\n")) == (2, 1)
    assert "no route into a network" in alone.stderr


def test_a_phone_is_let_in_by_the_code_that_the_start_shows(tmp_path: Path) -> None:
    with running(tmp_path / "data", words=("--lan", "127.0.0.2")) as platform:
        told = "Another one: moorage phone --lan"
        platform.until(lambda: told in platform.output.read_text(), "no code is shown")
        said = platform.output.read_text()
        assert f"127.0.0.2:{platform.api_port}  not encrypted" in said
        assert f"127.0.0.2:{platform.tls_port}" in said
        assert "▄" in said
        first = _link(said)
        assert first.startswith(f"http://127.0.0.2:{platform.api_port}/phone#claim=mcl_")
        another = moorage(
            "phone", "--lan", "127.0.0.2",
            data_dir=platform.directory, MOORAGE_API_PORT=str(platform.api_port),
        )  # fmt: skip
        assert another.returncode == 0, another.stderr
        for link, name in ((first, "first"), (_link(another.stdout), "second")):
            _become(link, name)
        (application,) = ok(platform.admin.get("/api/v1/applications")).json()["items"]
        assert (application["name"], application["deviceCount"]) == ("Phones", 2)
        wrong = moorage("phone", "--application", "Boats", data_dir=platform.directory)
        assert (wrong.returncode, wrong.stderr) == (
            2, "moorage: No applications are called Boats; give the id of one.\n",
        )  # fmt: skip


def _link(said: str) -> str:
    return next(line for line in said.splitlines() if "/phone#claim=" in line)


def _become(link: str, name: str) -> None:
    base, _, token = link.partition("/phone#claim=")
    body = {"token": token, "name": name}
    with Client(base_url=base, timeout=30) as phone:
        page = phone.get("/phone", headers={"Accept": "text/html"})
        assert page.status_code in (200, 404)  # 404 where the console is not built.
        made = ok(phone.post("/api/v1/claims", json=body, headers={"Origin": base})).json()
        key = {"Authorization": f"Bearer {made['secret']}"}
        ok(phone.post("/ingest/v1/up", json={"presses": 1}, headers=key))
        assert phone.post("/api/v1/claims", json=body).status_code == 404
