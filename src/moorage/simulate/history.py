"""Days that have passed already, so that charts are not empty on the first day.

Each device sends what it would have sent, in one batch with the device's own times: bytes in
base64, as a site does that was offline and kept them.
"""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import httpx2

from .curves import DAY_S, HOUR_S
from .errors import PlatformUnreachable
from .fleet import UPLINK, Fleet, message
from .kinds.common import OFF_FOR_S
from .model import JSON, Device, Fault, to_json

DAYS = 3.0
STEP_S = HOUR_S / 2
_AT_ONCE = 4


async def send_history(fleet: Fleet) -> int:
    """Send every device's past days; give the number of messages.

    Sent twice, a message is stored once: each carries its own id.

    Raises:
        PlatformUnreachable: the door is closed or does not take them.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    async with httpx2.AsyncClient(
        base_url=fleet.doors.http_url, timeout=60, verify=fleet.doors.verify
    ) as http:

        async def send(device: Device) -> int:
            batch = await asyncio.to_thread(_batch, device)
            headers = {
                "X-Device-Key": fleet.secrets[device.serial],
                "Content-Type": JSON,
            }
            async with gate:
                for _ in range(20):
                    answer = await http.post(UPLINK, content=to_json(batch), headers=headers)
                    if answer.status_code not in (429, 503):
                        break
                    await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
            if answer.status_code != 202:
                reason = f"its door answers {answer.status_code}: {answer.text[:200]}"
                raise PlatformUnreachable(url=fleet.doors.http_url, reason=reason)
            return len(batch)

        try:
            return sum(await asyncio.gather(*(send(device) for device in fleet.devices)))
        except httpx2.TransportError as failed:
            reason = str(failed) or type(failed).__name__
            raise PlatformUnreachable(url=fleet.doors.http_url, reason=reason) from failed


def _batch(device: Device) -> list[dict[str, Any]]:
    end = device.began_at - device.began_at % STEP_S
    if device.has(Fault.OFF):
        end -= OFF_FOR_S
    if device.has(Fault.WRONG_KEY):
        end -= DAY_S
    steps = int(DAYS * DAY_S / STEP_S)
    return [_item(device, end - back * STEP_S) for back in range(steps, -1, -1)]


def _item(device: Device, at: float) -> dict[str, Any]:
    payload = message(device, at)
    plain = device.kind.content_type == JSON
    values = json.loads(payload) if plain else {"data": base64.b64encode(payload).decode()}
    return {
        "at": datetime.fromtimestamp(at, UTC).isoformat(),
        "id": f"history-{int(at)}",
        "values": values,
    }
