"""An organisation with one thing of every kind, made through the API of a running platform."""

from __future__ import annotations

from typing import Any

from httpx2 import Client

SCRIPT = """function decodeUplink(input) {
  const b = input.bytes
  return { data: { temperature: ((b[0] << 8) | b[1]) / 10, humidity: b[2] } }
}
"""


def groups_of(client: Client, organization: str) -> dict[str, str]:
    """Give the ids of an organisation's permission groups, by name."""
    answer = client.get("/api/v1/permissions", params={"organizationId": organization})
    return {group["name"]: group["id"] for group in answer.raise_for_status().json()["items"]}


def administrator(client: Client, organization: str, email: str, name: str) -> str:
    """Make a person who administers an organisation and sees no other; give the group's id."""
    group = groups_of(client, organization)["Organization administrators"]
    body = {"email": email, "name": name, "permissionGroupIds": [group]}
    client.post("/api/v1/users", json=body).raise_for_status()
    return group


class Things:
    """An organisation with one thing of every kind; its attributes are ids."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.organization = self.make("organizations", name="Harbour City")
        self.application = self.make(
            "applications", organizationId=self.organization, name="Street lights"
        )
        self.decoder = self.make(
            "decoders", organizationId=self.organization, name="Climate", script=SCRIPT
        )
        self.make("decoders", organizationId=self.organization, name="Meter", script=SCRIPT)
        self.device = self.make(
            "devices",
            applicationId=self.application,
            name="Lamp 1",
            location={"type": "Point", "coordinates": [10.2, 56.15]},
            thresholds=[{"series": "temperature", "above": 30}],
            tags=["quay"],
        )
        self.bare = self.make("devices", applicationId=self.application, name="Lamp 2")
        made = self.post(f"devices/{self.device}/credentials", {"kind": "key"})
        self.secret: str = made["secret"]
        made = self.post(f"devices/{self.bare}/credentials", {"kind": "key"})
        self.bare_secret: str = made["secret"]
        self.inbox_key: str = self.post(f"applications/{self.application}/inbox-key", {})["secret"]
        self.send_bytes(self.inbox_key, "00d737", sender="meter-1")
        self.target = self.make(
            "targets",
            applicationId=self.application,
            name="Open data",
            kind="http",
            settings={"url": "https://data.example.org/in"},
        )
        self.make("routes", targetId=self.target, name="Everything")
        self.broker = self.make(
            "brokers", organizationId=self.organization, name="Front", kind="rabbitmq"
        )
        self.source = self.make(
            "sources",
            organizationId=self.organization,
            name="Plant",
            url="mqtt://localhost:9",
            subscriptions=[{"topic": "plant/{device}/up"}],
        )
        self.post(f"devices/{self.device}/operations", {"code": "dim", "payload": {"level": 40}})
        groups = client.get("/api/v1/permissions", params={"organizationId": self.organization})
        self.group: str = groups.json()["items"][0]["id"]
        for value in (21.5, 33.0):
            self.send(temperature=value, mode="auto")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Make something. Fails with the server's words."""
        answer = self._client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """Read something."""
        return self._client.get(f"/api/v1/{path}").raise_for_status().json()

    def forget_language(self) -> None:
        """Let the browser say the administrator's language again."""
        me = self.get("auth/me")["id"]
        self._client.patch(f"/api/v1/users/{me}", json={"language": None}).raise_for_status()

    def remove_from_service(self, device: str) -> None:
        """Let a device take no operations any more."""
        body = {"state": "retired"}
        self._client.patch(f"/api/v1/devices/{device}", json=body).raise_for_status()

    def make(self, path: str, **body: Any) -> str:
        """Make something and give its id."""
        made: str = self.post(path, body)["id"]
        return made

    def remove(self, path: str) -> None:
        """Remove something."""
        self._client.delete(f"/api/v1/{path}").raise_for_status()

    def send(self, **values: Any) -> None:
        """Send a message as the device."""
        answer = self._client.post(
            "/ingest/v1/up", json=values, headers={"Authorization": f"Bearer {self.secret}"}
        )
        assert answer.status_code == 202, answer.text

    def send_bytes(self, secret: str, payload: str, *, sender: str = "") -> None:
        """Send bytes, as a device or as somebody nobody knows."""
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/octet-stream"}
        if sender:
            headers["X-Sender"] = sender
        answer = self._client.post("/ingest/v1/up", content=bytes.fromhex(payload), headers=headers)
        assert answer.status_code == 202, answer.text
