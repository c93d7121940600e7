"""The chain over facts: how an entry is written down, digested and linked to the one before.

Everything here works on entries as the audit's export shows them (JSON values, camelCase), so that
whoever writes the chain and whoever verifies an export without a server share every line.
docs/audit.md describes the format for other languages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

# The chain of what belongs to no organization has this id.
INSTALLATION = UUID(int=0)
SALT_BYTES = 16
# What writes chains and what removes text from them exclude each other.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('moorage.audit.chain'))"
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('moorage.audit.chain'))"
# Every digest begins with what it is of, so that none can stand for another.
_GENESIS = b"moorage audit chain 1\n"
_ENTRY = b"moorage audit entry 1\n"
_CALLER = b"moorage audit caller 1\n"
_ABOUT = b"moorage audit about 1\n"
_CHECKPOINT = b"moorage audit checkpoint 1\n"
_PLAIN = (
    "id", "number", "place", "at", "name", "organizationId", "subjectId", "callerKind", "callerId",
    "personal",
)  # fmt: skip
_SIGNED = ("organizationId", "place", "number", "link", "at", "keyId")
_EXACT = 2**53


def genesis(organization_id: UUID | None) -> bytes:
    """Give what the first entry of a chain is linked to: 32 bytes, of each chain its own."""
    return hashlib.sha256(_GENESIS + (organization_id or INSTALLATION).bytes).digest()


def link(entry: Mapping[str, Any], previous: bytes, caller: bytes, about: bytes | None) -> bytes:
    """Link an entry to the one before it.

    Args:
        entry: with its `number` and `place`.
        previous: link of the entry before, else `genesis`.
        caller: digest of who did it.
        about: digest of its personal fields; None if it has none.

    Returns:
        32 bytes that depend on the entry and on all before it.
    """
    plain: dict[str, Any] = {name: entry[name] for name in _PLAIN}
    plain["callerDigest"] = caller.hex()
    plain["aboutDigest"] = about.hex() if about is not None else None
    personal = frozenset(entry["personal"])
    for side in ("before", "after"):
        whole = entry[side]
        plain[side] = whole and {k: v for k, v in whole.items() if k not in personal}
    return hashlib.sha256(_ENTRY + previous + canonical(plain)).digest()


def caller_digest(entry: Mapping[str, Any], salt: bytes) -> bytes:
    """Digest who did it and from where: what is removed when that person is erased."""
    part = {"callerLabel": entry["callerLabel"], "origin": entry["origin"]}
    return hashlib.sha256(_CALLER + salt + canonical(part)).digest()


def about_digest(entry: Mapping[str, Any], salt: bytes) -> bytes:
    """Digest the fields that tell of a person: removed when the person they are about is erased."""
    personal = frozenset(entry["personal"])
    part = {
        side: {k: v for k, v in (entry[side] or {}).items() if k in personal}
        for side in ("before", "after")
    }
    return hashlib.sha256(_ABOUT + salt + canonical(part)).digest()


def checkpoint_bytes(checkpoint: Mapping[str, Any]) -> bytes:
    """Give what the signature of a checkpoint is over."""
    return _CHECKPOINT + canonical({name: checkpoint[name] for name in _SIGNED})


# --- Canonical JSON (RFC 8785) ----------------------------------------------


def canonical(value: Any) -> bytes:
    """Write a JSON value in its one canonical form (RFC 8785).

    A number is what a double makes of it (section 3.2.2.3); one too large for a double is written
    as the text "Infinity", so that nothing that is stored cannot be written.
    """
    if _is_plain(value):
        # Nearly always, and several times faster: msgspec writes these as the standard does.
        return msgspec.json.encode(value, order="sorted")
    return msgspec.json.encode(_ordered(value))


def _is_plain(value: Any) -> bool:
    """Tell whether a value holds neither doubles nor large integers, and only ASCII names."""
    if isinstance(value, dict):
        return all(key.isascii() and _is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, int):
        return -_EXACT <= value <= _EXACT
    return not isinstance(value, float | tuple)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in _sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return value
    try:
        return msgspec.Raw(_number(float(value)).encode())
    except OverflowError:
        return "Infinity" if value > 0 else "-Infinity"


def _sorted(keys: Mapping[str, Any]) -> list[str]:
    if all(map(str.isascii, keys)):
        return sorted(keys)
    # By UTF-16 code units (section 3.2.3), which differs beyond the basic plane.
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))


def _number(value: float) -> str:
    """Write a double as ECMAScript does (section 3.2.2.3; ECMA-262, Number::toString)."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  (NaN.)
        return '"NaN"' if value != value else f'"{"-" * (value < 0)}Infinity"'  # noqa: PLR0124
    if value == 0:
        return "0"
    # Python, too, writes the fewest digits that give the same double.
    _, figures, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    digits = "".join(map(str, figures))
    point = len(digits) + int(exponent)
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+d}"
