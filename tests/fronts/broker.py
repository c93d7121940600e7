"""What the suite knows of a broker that devices connect to: our own door, or one in front."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from httpx2 import Client as Api

from installation import DeviceKey, Installation, ok
from moorage_mqtt import V5, ConnAck
from scenarios.client import Client, dialled


@dataclass
class Place:
    """Where devices connect.

    Attributes:
        platform: the installation behind it.
        organization_id, application_id: where its devices live.
        port: of MQTT.
        version: the best that it speaks.
        refresh: has it learn of new and changed devices.
        tls_of: gives what a device proves itself with instead of a password.
        broker_id: of one in front.
    """

    platform: Installation
    organization_id: str
    application_id: str
    port: int
    version: int = V5
    refresh: Callable[[], None] = lambda: None
    tls_of: Callable[[DeviceKey], ssl.SSLContext] | None = None
    broker_id: str = ""

    def device(self, name: str, application_id: str = "") -> DeviceKey:
        """Make a device that may connect here."""
        application_id = application_id or self.application_id
        body = {"applicationId": application_id, "name": name, "kind": "mqtt"}
        made = ok(self.api.post("/api/v1/devices", json=body)).json()
        asked = {"kind": "password"}
        shown = ok(self.api.post(f"/api/v1/devices/{made['id']}/credentials", json=asked)).json()
        self.refresh()
        return DeviceKey(made["id"], shown["secret"], shown["credential"]["id"], made["id"])

    @property
    def api(self) -> Api:
        """The administrator's."""
        return self.platform.admin

    @contextlib.asynccontextmanager
    async def dialled(self, key: DeviceKey, **more: Any) -> AsyncIterator[Client]:
        """Connect as a device; the answer is for the caller to take."""
        given = {"version": self.version, "username": key.user_name, "client_id": key.id, **more}
        given.setdefault("secret", key.secret)
        if self.tls_of is not None:
            given |= {"username": None, "secret": None, "tls": self.tls_of(key)}
        async with dialled(self.port, **given) as client:
            yield client

    @contextlib.asynccontextmanager
    async def connected(self, key: DeviceKey, **more: Any) -> AsyncIterator[Client]:
        """Connect as a device that is let in."""
        async with self.dialled(key, **more) as client:
            answer = await client.next(ConnAck)
            assert answer.reason_code == 0, answer
            yield client

    async def refuses(self, key: DeviceKey, **more: Any) -> bool:
        """Tell whether a device is not let in."""
        try:
            async with self.dialled(key, **more) as client:
                with contextlib.suppress(AssertionError):
                    return (await client.next(ConnAck)).reason_code != 0
                return True
        except (ssl.SSLError, ConnectionError):
            return True

    def messages(self, key: DeviceKey) -> list[dict[str, Any]]:
        """Read what is stored of a device."""
        path, after, found = f"/api/v1/devices/{key.id}/messages", "", []
        while True:
            asked = {"limit": "200", **({"after": after} if after else {})}
            page = ok(self.api.get(path, params=asked)).json()
            found += page["items"]
            if not (after := page.get("next") or ""):
                return found

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until something holds."""
        self.platform.until(holds, what, 40)
