"""Settings and certificates that a running platform takes on."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

from httpx2 import Client

from installation import Installation, running
from moorage.entry import tls
from moorage.entry.listener import Certificate
from moorage.entry.settings import read

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli", "reload"]


def reload(platform: Installation) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND, env=platform.environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_running_platform_takes_on_what_it_can_and_names_the_rest(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    file = directory / "moorage.toml"
    file.write_text("[ingest]\ndevice_burst = 50\n")
    with running(directory, {"LOG_LEVEL": "info"}) as platform:
        application_id = platform.application(platform.organization("Aarhus"), "Water")
        key = platform.device(application_id, "Meter 1")
        headers = {"Authorization": f"Bearer {key.secret}"}
        parts = {name: platform.part(name) for name in ("api", "listen", "work")}
        with Client(base_url=platform.url, headers=headers, timeout=20) as device:

            def send() -> int:
                return device.post("/ingest/v1/up", json={"t": 1}).status_code

            assert {send() for _ in range(20)} == {202}
            file.write_text("[ingest]\ndevice_burst = 'many'\n")
            wrong = reload(platform)
            assert wrong.returncode == 2
            assert "ingest.device_burst" in wrong.stderr
            assert {send() for _ in range(5)} == {202}

            file.write_text(
                "workers = 2\nlog_level = 'debug'\n[ingest]\ndevice_burst = 1\ndevice_rate = 0.1\n"
            )
            done = reload(platform)
            assert done.returncode == 0, done.stderr
            assert done.stdout.splitlines() == [
                "ingest.device_rate: taken on",
                "ingest.device_burst: taken on",
                "workers: taken on at the next start",
                "log_level: without effect: a variable or an option stands above the file",
            ]
            platform.until(lambda: send() == 429, "the new limit is not in force")
        assert {name: platform.part(name) for name in parts} == parts, "a part was restarted"
        again = reload(platform)
        assert again.stdout.splitlines() == [
            "workers: taken on at the next start",
            "log_level: without effect: a variable or an option stands above the file",
        ]
    stopped = reload(platform)
    assert stopped.returncode == 1
    assert "does not run" in stopped.stderr


def test_a_renewed_certificate_is_shown_to_who_connects_next(tmp_path: Path) -> None:
    settings = read({"MOORAGE_DATA_DIR": str(tmp_path)}).settings
    certificate = Certificate(settings)
    first = shown_by(certificate.context)
    assert shown_by(certificate.context) == first
    made = tls.server_certificate(settings)
    made.certificate.unlink()  # As when its time has come: a new one is made.
    certificate.refresh()
    renewed = shown_by(certificate.context)
    assert renewed != first

    made.key.write_text("not a key")
    certificate.refresh()
    assert shown_by(certificate.context) == renewed, "a broken file closes no door"


def shown_by(context: ssl.SSLContext) -> bytes:
    """Shake hands with the context; give the certificate it shows."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, context.wrap_socket(theirs, server_side=True) as served:
            served.recv(1)

    serving = threading.Thread(target=serve)
    serving.start()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with ours, trusting.wrap_socket(ours) as client:
        shown = client.getpeercert(binary_form=True)
        client.send(b"x")
    serving.join()
    assert shown is not None
    return shown
