"""What the external policy decision point is asked about a request."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import parse_qsl
from uuid import UUID

from moorage.kit.caller import Caller
from moorage.kit.decisions import OURS, RESOURCE_ID, Question, subject_of

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


def question(caller: Caller, method: str, path: str, query: str, address: str) -> Question:
    """Ask whether a request is permitted.

    The resource is the path, and every id in it by the name of what it is of: `device-id` for
    `/api/v1/devices/…`. Filters of the query have the same names (`deviceId`). An id is written
    in one way, however it came: routes take it in several.
    """
    parts = [_plain(part) for part in path.split("/")]
    told = [(RESOURCE_ID, "/".join(text for text, _ in parts))]
    for (of, _), (text, is_id) in pairwise(parts):
        if is_id:
            told.append((f"{OURS}resource:{of.removesuffix('s')}-id", text))
    for name, value in parse_qsl(query):
        text, is_id = _plain(value)
        if is_id:
            told.append((f"{OURS}resource:{_HUMP.sub('-', name).lower()}", text))
    environment = ((f"{OURS}environment:address", address),)
    return Question(subject_of(caller), method, tuple(told), environment)


def _plain(text: str) -> tuple[str, bool]:
    """Write an id as we do, and tell whether it is one."""
    try:
        return str(UUID(text)), True
    except ValueError:
        return text, False
