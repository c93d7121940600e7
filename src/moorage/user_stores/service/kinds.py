"""What directories call things: OpenLDAP and Active Directory (AD DS, AD LDS, Samba)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ..model import NAME, Attributes, Entry, Nesting, StoreKind, UserStore
from .wire import Raw

# LDAP_MATCHING_RULE_IN_CHAIN (MS-ADTS, section 3.1.1.3.4.4.3).
IN_CHAIN = "1.2.840.113556.1.4.1941"
# userAccountControl (MS-ADTS, section 2.2.16).
DISABLED, NORMAL = 0x2, 0x200
# The day that closes an account: the second of January 1970; shadow(5) leaves the first undefined.
CLOSED_DAY = 1
_FILETIME_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_FILETIME_START = datetime(1601, 1, 1, tzinfo=UTC)
_DAYS_START = datetime(1970, 1, 1, tzinfo=UTC)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is usual in a family of directories.

    Attributes:
        people: a filter that finds a person by `{name}`.
        groups: a filter that finds every group.
        members: attributes of a group that name its members.
        flags: attributes that say whether an account is open.
    """

    people: str
    groups: str
    members: tuple[str, ...]
    attributes: Attributes
    nesting: Nesting
    flags: tuple[str, ...]


KINDS: Mapping[StoreKind, Kind] = {
    StoreKind.OPENLDAP: Kind(
        people="(&(objectClass=inetOrgPerson)(|(uid={name})(mail={name})))",
        groups="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
        members=("member", "uniqueMember"),
        attributes=Attributes("entryUUID", "uid", "cn", "mail"),
        nesting=Nesting.WALK,
        flags=("shadowExpire", "pwdAccountLockedTime"),
    ),
    StoreKind.ACTIVE_DIRECTORY: Kind(
        people=(
            "(&(objectCategory=person)(objectClass=user)"
            "(|(sAMAccountName={name})(userPrincipalName={name})(mail={name})))"
        ),
        groups="(objectClass=group)",
        members=("member",),
        attributes=Attributes("objectGUID", "sAMAccountName", "displayName", "mail"),
        nesting=Nesting.CHAIN,
        flags=("userAccountControl", "accountExpires", "msDS-UserAccountDisabled"),
    ),
}


def kind_of(store: UserStore) -> Kind:
    """Give what is usual for a store."""
    return KINDS[store.kind]


def attributes_of(store: UserStore) -> Attributes:
    """Give what a store calls things."""
    usual = kind_of(store).attributes
    named = {name: store.attributes.get(name) or getattr(usual, name)
             for name in Attributes.__dataclass_fields__}  # fmt: skip
    return Attributes(**named)


def nesting_of(store: UserStore) -> Nesting:
    """Tell how groups within groups are found."""
    return store.nesting or kind_of(store).nesting


def escape(text: str) -> str:
    """Make text stand for itself in a filter (RFC 4515, section 3)."""
    from .library import escape_filter_chars

    escaped: str = escape_filter_chars(text)
    return escaped


def by_name(store: UserStore, name: str) -> str:
    """Give the filter that finds who typed `name`."""
    return (store.user_filter or kind_of(store).people).replace(NAME, escape(name))


def everybody(store: UserStore) -> str:
    """Give the filter that finds everybody who could sign in."""
    return (store.user_filter or kind_of(store).people).replace(NAME, "*")


def by_part(store: UserStore, part: str) -> str:
    """Give the filter that finds people by part of their login, name or address."""
    called = attributes_of(store)
    inside = "".join(f"({name}=*{escape(part)}*)" for name in (called.login, called.name,
                                                               called.email))  # fmt: skip
    return f"(&{everybody(store)}(|{inside}))" if part else everybody(store)


def by_id(store: UserStore, entry_id: str) -> str:
    """Give the filter that finds an entry by its immutable id."""
    called = attributes_of(store).id
    if called.lower() == "objectguid":
        # A GUID is sixteen bytes, the first three parts of it little-endian.
        try:
            raw = UUID(entry_id).bytes_le
        except ValueError:
            raw = b""
        value = "".join(f"\\{byte:02x}" for byte in raw)
    else:
        value = escape(entry_id)
    return f"(&{everybody(store)}({called}={value}))"


def asked_of(store: UserStore) -> tuple[str, ...]:
    """Give the attributes that are read of a person."""
    called = attributes_of(store)
    return tuple(
        dict.fromkeys(
            (called.id, called.login, called.name, called.email, "cn", *kind_of(store).flags)
        )
    )


def entry_of(store: UserStore, raw: Raw) -> Entry | None:
    """Read a person; None without id or login."""
    called = attributes_of(store)
    entry_id = _id(called.id, raw)
    login = _text(raw, called.login)
    if not entry_id or not login:
        return None
    email = _text(raw, called.email)
    return Entry(
        id=entry_id,
        dn=raw.dn,
        login=login[:200],
        name=(_text(raw, called.name) or _text(raw, "cn") or login)[:100],
        email=email if email and len(email) <= 254 and _EMAIL.fullmatch(email) else None,
        enabled=_enabled(store, raw),
        expires_at=_expires_at(store, raw),
    )


def key_of(dn: str) -> str:
    """Give a distinguished name a form that is the same however it is written (RFC 4514)."""
    from .library import LDAPException, parse_dn

    try:
        parts = parse_dn(dn, strip=True)
    except (LDAPException, ValueError, LookupError):
        return dn.casefold()
    return ",".join(f"{name.casefold()}={_plain(value).casefold()}" for name, value, _ in parts)


def _plain(value: str) -> str:
    """Undo escapes, of which each writer has its own."""
    return re.sub(
        r"(?:\\[0-9a-fA-F]{2})+",
        lambda m: bytes.fromhex(m[0].replace("\\", "")).decode(errors="replace"),
        value,
    ).replace("\\", "")


def _text(raw: Raw, name: str) -> str | None:
    values = raw.values.get(name.lower())
    text = values[0].decode(errors="replace").replace("\0", "").strip() if values else ""
    return text or None


def _number(raw: Raw, name: str) -> int | None:
    text = _text(raw, name)
    return int(text) if text and re.fullmatch(r"-?\d{1,19}", text) else None


def _id(name: str, raw: Raw) -> str | None:
    values = raw.values.get(name.lower())
    if name.lower() == "objectguid":
        return str(UUID(bytes_le=values[0])) if values and len(values[0]) == 16 else None
    return _text(raw, name)


def _enabled(store: UserStore, raw: Raw) -> bool:
    if store.kind is StoreKind.ACTIVE_DIRECTORY:
        # AD LDS has an attribute of its own for it.
        if (_text(raw, "msDS-UserAccountDisabled") or "").upper() == "TRUE":
            return False
        return not (_number(raw, "userAccountControl") or 0) & DISABLED
    # Locked for good, in the words of the ppolicy overlay (slapo-ppolicy(5)).
    locked = _text(raw, "pwdAccountLockedTime") == "000001010000Z"
    return not locked and _number(raw, "shadowExpire") != CLOSED_DAY


def _expires_at(store: UserStore, raw: Raw) -> datetime | None:
    try:
        if store.kind is StoreKind.ACTIVE_DIRECTORY:
            ticks = _number(raw, "accountExpires")
            if ticks is None or ticks in _FILETIME_NEVER:
                return None
            return _FILETIME_START + timedelta(microseconds=ticks // 10)
        days = _number(raw, "shadowExpire")
        return None if days is None or days <= CLOSED_DAY else _DAYS_START + timedelta(days=days)
    except OverflowError:
        return None
