"""The authority that devices trust can be fetched by anybody."""

from __future__ import annotations

import asyncio
import ssl

from moorage.entry import tls
from web import World


async def test_a_device_fetches_what_it_has_to_trust(world: World) -> None:
    client = world.client()
    none = await client.get("/api/v1/authority.pem")
    assert (none.status_code, none.json()["code"]) == (404, "authority_unknown")

    await asyncio.to_thread(tls.server_certificate, world.settings)
    found = await client.get("/api/v1/authority.pem")
    assert found.status_code == 200
    assert found.headers["Content-Type"] == "application/x-pem-file"
    assert "PRIVATE" not in found.text
    ssl.create_default_context(cadata=found.text)
