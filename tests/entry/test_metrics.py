"""What Prometheus reads: figures of the whole installation, for those who may read its log."""

from __future__ import annotations

from httpx2 import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from moorage.organizations import Role
from web import World

Labels = tuple[tuple[str, str], ...]


async def figures(client: AsyncClient) -> dict[tuple[str, Labels], float]:
    """Read the figures, by name and labels."""
    answer = await client.get("/api/v1/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_figures_follow_what_happens(world: World) -> None:
    admin = await world.admin()

    async def make(path: str, **body: object) -> dict[str, str]:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made

    organization = await make("/organizations", name="Aarhus")
    application = await make("/applications", organizationId=organization["id"], name="Water")
    device = await make("/devices", applicationId=application["id"], name="Meter 1")
    shown = await make(f"/devices/{device['id']}/credentials", kind="key")
    door = world.client()
    for number in range(3):
        sent = await door.post(
            "/ingest/v1/up", json={"flow": number}, headers={"X-Device-Key": shown["secret"]}
        )
        assert sent.status_code == 202, sent.text

    before = await figures(admin)
    raw = ("log", "raw"), ("partition", "0")
    assert before["moorage_ledger_entries_total", raw] == 3
    await world.work()
    after = await figures(admin)
    processed = (("consumer", "process"), *raw)
    assert after["moorage_ledger_waiting", processed] == 0
    assert after["moorage_ledger_entries_total", (("log", "derived"), ("partition", "0"))] == 3
    states = {labels: n for (name, labels), n in after.items() if name == "moorage_devices"}
    assert sum(states.values()) == 1
    assert 0 < after["moorage_disk_used_ratio", ()] <= 1
    asked = (("method", "GET"), ("status", "2xx"))
    count = "moorage_api_request_seconds_count"
    assert after[count, asked] > before[count, asked]


async def test_only_who_reads_the_system_log_reads_the_figures(world: World) -> None:
    organization = await world.organization("Aarhus")
    admin = await world.person("ada@example.org", organization.id, Role.USER_ADMIN)
    assert (await admin.get("/api/v1/metrics")).status_code == 403
    assert (await world.client().get("/api/v1/metrics")).status_code == 401
