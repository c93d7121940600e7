"""The wheels, installed where there is no checkout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from httpx2 import Client

from parts import (
    answers,
    curl,
    device_with_key,
    environment_of,
    latest,
    running,
    said,
    sign_in,
    until,
)

CHECKOUT = Path(__file__).parents[2]
UV = str(CHECKOUT / ".venv/bin/uv")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheels and install them with the locked dependencies; give the venv's programs."""
    # A make above this one would hand its own flags down.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said(["make", "--no-print-directory", "wheel"], plain, CHECKOUT)
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    said([UV, "venv", "--quiet", "--python", str(CHECKOUT / ".venv/bin/python"), str(home)], plain)
    python = str(home / "bin/python")
    lock = str(CHECKOUT / "requirements/server.lock")
    said([UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock], plain)
    # The engine is a wheel of its own, which the server does not need.
    built = {
        wheel.name.partition("-")[0]: str(wheel) for wheel in (CHECKOUT / "dist").glob("*.whl")
    }
    assert built.keys() == {"moorage", "moorage_mqtt", "moorage_flow"}
    wheels = [built["moorage"], built["moorage_mqtt"]]
    said([UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, *wheels],
         plain)  # fmt: skip
    said([UV, "pip", "check", "--quiet", "--python", python], plain)
    return home / "bin"


def test_the_installed_platform_starts_serves_its_console_and_takes_a_message(
    programs: Path, tmp_path: Path
) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "run.log"
    environment = environment_of(data_dir)
    environment["PATH"] = f"{programs}:/usr/bin:/bin"
    moorage = str(programs / "moorage")
    assert said([moorage, "version"], environment, tmp_path) == "0.1.0\n"

    with running([moorage, "run"], environment, log, tmp_path) as process:
        url = f"http://localhost:{environment['MOORAGE_API_PORT']}"
        with Client(base_url=url, timeout=60) as client:
            until(lambda: "Moorage is ready" in log.read_text(), process)
            until(lambda: answers(client, "/health"), process)
            page = client.get("/")
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            script = next(
                part.split('"')[0] for part in page.text.split('src="')[1:] if ".js" in part
            )
            assert client.get(script).status_code == 200

            until(lambda: "#token=" in log.read_text(), process)
            link = next(line for line in log.read_text().splitlines() if "#token=" in line)
            sign_in(client, link)
            device_id, secret = device_with_key(client)
            curl(environment, secret, temperature=21.5)
            until(lambda: latest(client, device_id) == {"temperature": 21.5}, process)

        checked = subprocess.run(
            [moorage, "doctor", "--json"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        findings = {one["check"]: one for one in json.loads(checked.stdout)}
        assert findings["migrations"]["health"] == "good", findings
        assert findings["database"]["health"] == "good", findings
        shown = json.loads(said([moorage, "config", "--json"], environment, tmp_path))
        assert {one["setting"]: one["value"] for one in shown}["data_dir"] == str(data_dir)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
