"""Who lacked a permission, told once in a while."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.kit.decisions import AccessDenied
from moorage.organizations import PermissionMissing

from ..facts import AccessRefused

MOST_TOLD = 20_000
REFUSAL_EVERY_S = 60.0


class Refusals:
    """Tells which refusals of this process are new: one a caller, permission and minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_new(self, caller: Caller, refused: PermissionMissing | AccessDenied) -> bool:
        """Tell whether this was not told in the last minute; from now on it was."""
        now = self._clock()
        what = caller.bucket, str(refused.public.get("permission"))
        if now - self._told.get(what, -math.inf) < REFUSAL_EVERY_S:
            return False
        self._told[what] = now
        self._told.move_to_end(what)
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)
        return True


def note_refusal(
    tx: Tx, caller: Caller, refused: PermissionMissing | AccessDenied, method: str, path: str
) -> None:
    """Announce that the caller lacked a permission, in the audit of an organisation of theirs.

    What the policy decision point denied is of the installation's, which wrote the policies.
    """
    asked = {"method": method, "path": path[:500]}
    if isinstance(refused, AccessDenied):
        tx.announce(AccessRefused(caller.id, None, after={"permission": None, **asked}))
        return
    organization_id = refused.organization_id
    if organization_id is not None and not caller.belongs_to(organization_id):
        organization_id = None
    told = {"permission": refused.public["permission"], **asked}
    tx.announce(AccessRefused(caller.id, organization_id, after=told))
