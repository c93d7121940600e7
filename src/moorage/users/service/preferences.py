"""What the console remembers for a person: chosen columns, saved views.

Nobody else sees it, so the fact of a change has the names of what was changed only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.facts import merged

from ..errors import PreferencesTooLarge
from ..facts import PreferencesChanged
from ..store import people, preferences
from .homes import tell
from .people import my_user

MOST_BYTES = 65_536


async def my_preferences(tx: Tx, caller: Caller) -> dict[str, Any]:
    """Read what is remembered for the caller. Raises PersonNeeded."""
    await my_user(tx, caller)
    return await preferences.get(tx, caller.id)


async def prefer(tx: Tx, caller: Caller, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Remember some things for the caller (JSON Merge Patch).

    Raises:
        PersonNeeded.
        PreferencesTooLarge: all together would be more than `MOST_BYTES` of JSON.
    """
    await my_user(tx, caller)
    await people.get(tx, caller.id, lock=True)
    before = await preferences.get(tx, caller.id)
    after = merged(before, changes)
    if len(json.dumps(after).encode()) > MOST_BYTES:
        raise PreferencesTooLarge(limit=MOST_BYTES)
    changed = sorted(name for name in changes if before.get(name) != after.get(name))
    if changed:
        await preferences.put(tx, caller.id, after)
        await tell(tx, PreferencesChanged, caller.id, after={"changed": changed})
    return after
