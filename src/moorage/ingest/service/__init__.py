"""The rules of messages in."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from moorage import organizations
from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Tx

from .. import store
from ..model import RefusalRow
from .chirpstack import unwrap
from .deriving import Deriver
from .door import Door, now_us
from .inbox import list_waiting
from .peers import OS2IOT_URL, WSO2_URL, is_wso2_path
from .peers import is_ours as is_peers
from .process import CONSUMER, Process
from .quotas import measure as measure_quotas
from .redecode import KIND as RE_DECODE
from .redecode import ReDecoder, apply, ask, discard
from .room import Room
from .split import Part, check, device_us, read_port, says_json, split
from .topics import PUBLISHED, SUBSCRIBED
from .writing import print_of

__all__ = [
    "CONSUMER",
    "OS2IOT_URL",
    "PUBLISHED",
    "RE_DECODE",
    "SUBSCRIBED",
    "WSO2_URL",
    "Deriver",
    "Door",
    "Part",
    "Process",
    "ReDecoder",
    "Room",
    "apply",
    "ask",
    "check",
    "count_refusals",
    "count_shed",
    "device_us",
    "discard",
    "forget_refusals",
    "is_peers",
    "is_wso2_path",
    "list_refusals",
    "list_waiting",
    "measure_quotas",
    "now_us",
    "print_of",
    "read_port",
    "says_json",
    "split",
    "unwrap",
]


async def list_refusals(
    tx: Tx,
    caller: Caller,
    asked: pages.PageRequest,
    *,
    since: datetime | None = None,
    device_id: UUID | None = None,
) -> pages.Page[RefusalRow]:
    """List what the doors turned away, as far as the caller may see the devices."""
    seen = caller.reach(organizations.Permission.READ_MESSAGES)
    return await store.list_refusals(tx, seen, asked, since=since, device_id=device_id)


async def count_refusals(tx: Tx) -> dict[tuple[str, str], int]:
    """Count what the doors turned away in 30 days by reason and protocol; for operators."""
    return await store.count_by_reason(tx)


async def count_shed(tx: Tx) -> dict[str, int]:
    """Count the messages that the doors did not take, ever, by reason; for operators."""
    return await store.count_shed(tx)


async def forget_refusals(tx: Tx) -> None:
    """Forget what was turned away more than 30 days ago."""
    await store.forget_refusals(tx, tx.now - timedelta(days=30))
