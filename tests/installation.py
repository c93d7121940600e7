"""A whole installation, as `moorage run` makes it: for scenarios, browser tests and benches.

Its own data directory, a durable PostgreSQL of its own and free ports of the loopback. Processes
are found below the supervisor, so nothing that somebody else started is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from httpx2 import Client, HTTPError, Response

from moorage.entry import postgres, state
from ports import free_ports

COMMAND = [sys.executable, "-P", "-m", "moorage.entry.cli", "run"]
START_TIMEOUT_S = 100.0
_LINK = re.compile(rb"#token=(\S+)")


@dataclass(frozen=True)
class DeviceKey:
    """A device that may send.

    Attributes:
        id: of the API and the topics.
        user_name, secret: for MQTT; the secret alone opens HTTP when `user_name` is empty.
        credential_id: what to revoke.
    """

    id: str
    secret: str
    credential_id: str
    user_name: str = ""


@dataclass
class Installation:
    """A running `moorage run`.

    Attributes:
        directory: its data directory.
        settings: variables without their prefix, such as `INGEST_DEVICE_RATE`.
        wrapper: a command to run it under.
        words: what follows `moorage run`.
        admin: signed in as the first administrator, after `sign_in`.
    """

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    api_port: int = 0
    mqtt_port: int = 0
    tls_port: int = 0

    def __post_init__(self) -> None:
        """Choose ports and open the administrator's client."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.api_port, self.mqtt_port, self.tls_port = free_ports(3)
        self._clients: list[Client] = []
        self.admin = self._client()

    def _client(self) -> Client:
        made = Client(base_url=self.url, timeout=30)
        self._clients.append(made)
        return made

    @property
    def url(self) -> str:
        """Address of the console and API; the name under which cookies are given."""
        return f"http://localhost:{self.api_port}"

    @property
    def output(self) -> Path:
        """What all its processes wrote."""
        return self.directory.with_name(f"{self.directory.name}.log")

    @property
    def view(self) -> Path:
        """The data directory as its processes see it, whose mounts may be their own."""
        if not self.wrapper or self.process is None:
            return self.directory
        return Path(f"/proc/{self.process.pid}/root{self.directory}")

    @property
    def database_url(self) -> str:
        """URL of its PostgreSQL."""
        url = postgres.url_of(self.view)
        assert url is not None
        return url

    def environment(self) -> dict[str, str]:
        """Give the variables its processes run with, and nothing of the caller's settings."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")},
            "MOORAGE_DATA_DIR": str(self.directory),
            "MOORAGE_API_PORT": str(self.api_port),
            "MOORAGE_MQTT_PORT": str(self.mqtt_port),
            "MOORAGE_MQTT_TLS_PORT": str(self.tls_port),
            **{f"MOORAGE_{name}": value for name, value in self.settings.items()},
        }

    # --- Life ---------------------------------------------------------------

    def start(self) -> None:
        """Start it; `await_ready` waits until it works."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.wrapper, *COMMAND, *self.words],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def await_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until `/health` says that everything works."""
        self.until(self.is_ready, f"{self.directory} is not ready", timeout_s)

    def is_ready(self) -> bool:
        """Tell whether everything works, the parts' own word included."""
        assert self.process is not None and self.process.poll() is None, self.last_words()
        with contextlib.suppress(HTTPError):
            return self.admin.get("/health").status_code == 200
        return False

    def until(
        self, holds: Callable[[], Any], what: str, timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Wait until something holds; fails with the installation's last words."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, f"{what} after {timeout_s} s\n{self.last_words()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it in peace; by force if that takes too long."""
        for client in self._clients:
            client.close()
        if self.process is None:
            return
        if self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill_all()
        self.process.wait()

    def kill_all(self) -> None:
        """Send SIGKILL to the supervisor and everything below it, PostgreSQL included."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        assert self.process is not None
        self.process.wait()

    def last_words(self) -> str:
        """Give the end of what its processes and its database wrote."""
        logs = [self.output, self.view / "log" / "postgres.log"]
        texts = [path.read_text(errors="replace")[-4000:] for path in logs if path.exists()]
        return "\n--- postgres ---\n".join(texts)

    # --- Processes ----------------------------------------------------------

    def tree(self) -> list[psutil.Process]:
        """List the supervisor and everything below it."""
        if self.process is None or self.process.poll() is not None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        return []

    def supervisor(self) -> psutil.Process:
        """Give the process that watches over the parts."""
        return next(p for p in self.tree() if "moorage.entry.cli" in words_of(p))

    def part(self, name: str) -> psutil.Process | None:
        """Give a part's process (`api`, `listen`, `work`, `postgres`); None if it is down."""
        found = state.read(self.view)
        for part in found.parts if found else ():
            if part.name == name and part.pid is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    return psutil.Process(part.pid)
        return None

    def below(self, name: str) -> list[psutil.Process]:
        """List the processes below a part: PostgreSQL's backends, a worker's decoders."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if (part := self.part(name)) is not None:
                return part.children(recursive=True)
        return []

    def freeze(self, name: str) -> None:
        """Stop a part and what is below it in its tracks (SIGSTOP)."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str = "postgres") -> None:
        """Let a frozen part go on."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        part = self.part(name)
        for process in [*([part] if part else []), *self.below(name)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    # --- People and things --------------------------------------------------

    def sign_in(self) -> None:
        """Sign the first administrator in with the link that was printed at the first start."""
        self.until(lambda: _LINK.search(self.output.read_bytes()), "no sign-in link was printed")
        token = _LINK.findall(self.output.read_bytes())[-1].decode()
        self._let_in(self.admin, token)

    def _let_in(self, client: Client, token: str) -> None:
        ok(client.post("/api/v1/auth/link", json={"token": token}))
        client.headers["X-CSRF-Token"] = ok(client.get("/api/v1/auth/me")).json()["csrfToken"]

    def person(self, email: str, group_ids: list[str]) -> Client:
        """Invite a user into permission groups and sign him in."""
        body = {"email": email, "name": email, "permissionGroupIds": group_ids}
        invited = ok(self.admin.post("/api/v1/users", json=body)).json()
        client = self._client()
        self._let_in(client, invited["link"]["url"].partition("#token=")[2])
        return client

    def groups_of(self, organization_id: str) -> list[str]:
        """List the ids of an organisation's permission groups."""
        asked = {"organizationId": organization_id}
        found = ok(self.admin.get("/api/v1/permissions", params=asked)).json()
        return [group["id"] for group in found["items"]]

    def organization(self, name: str) -> str:
        """Found an organisation; give its id."""
        return self._made("/api/v1/organizations", {"name": name})

    def application(self, organization_id: str, name: str) -> str:
        """Make an application; give its id."""
        body = {"organizationId": organization_id, "name": name}
        return self._made("/api/v1/applications", body)

    def decoder(self, organization_id: str, script: str) -> str:
        """Make a JavaScript decoder; give its id."""
        body = {"organizationId": organization_id, "name": f"decoder {time.time_ns()}"}
        return self._made("/api/v1/decoders", body | {"script": script})

    def target(self, application_id: str, url: str) -> str:
        """Make an HTTP target with a route for all devices; give its id."""
        body = {"applicationId": application_id, "name": "target", "kind": "http"}
        target_id = self._made("/api/v1/targets", body | {"settings": {"url": url}})
        self._made("/api/v1/routes", {"targetId": target_id, "name": "all"})
        return target_id

    def device(
        self, application_id: str, name: str, *, decoder_id: str | None = None, user_name: str = ""
    ) -> DeviceKey:
        """Make a device with a credential: a password under `user_name`, else a key."""
        body = {"applicationId": application_id, "name": name, "decoderId": decoder_id}
        device_id = self._made("/api/v1/devices", body)
        kind = "password" if user_name else "key"
        wanted = {"kind": kind} | ({"userName": user_name} if user_name else {})
        answer = self.admin.post(f"/api/v1/devices/{device_id}/credentials", json=wanted)
        shown = ok(answer).json()
        return DeviceKey(device_id, shown["secret"], shown["credential"]["id"], user_name)

    def _made(self, path: str, body: dict[str, Any]) -> str:
        made: str = ok(self.admin.post(path, json=body)).json()["id"]
        return made


@contextlib.contextmanager
def running(
    directory: Path,
    settings: Mapping[str, str] | None = None,
    *,
    wrapper: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
) -> Iterator[Installation]:
    """Run an installation for the length of a block, its first administrator signed in.

    Args:
        directory: its data directory, new or from before.
        settings: variables without their prefix, such as `INGEST_DEVICE_RATE`.
        wrapper: a command to run it under, such as `unshare`.
        words: what follows `moorage run`.
    """
    made = Installation(directory, settings or {}, wrapper, words)
    made.start()
    try:
        made.await_ready()
        made.sign_in()
        yield made
    finally:
        made.stop()


def ok(answer: Response) -> Response:
    """Give an answer that is a success; fails with its words otherwise."""
    assert answer.is_success, f"{answer.status_code}: {answer.text}"
    return answer


def words_of(process: psutil.Process) -> list[str]:
    """Give a process's command; no words if it has ended, waited for or not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []
