"""What is asked of a directory: who somebody is, their groups, everybody, and changes.

All of it blocks and belongs into `Directories.work`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moorage.users import Mapped

from ..model import Entry, Nesting, NewEntry, StoreKind, UserStore
from . import kinds
from .kinds import attributes_of, key_of, kind_of, nesting_of
from .wire import NO_SUCH_OBJECT, Declined, Raw, Session

# Of one person; whoever has more is told apart by none of them.
MOST_GROUPS = 10_000
# Values of a group that Active Directory gives at once (MS-ADTS, section 3.1.1.3.1.3.3).
RANGE = 1_500
_RANGE = re.compile(r"(?P<name>[^;]+);range=(?P<first>\d+)-(?P<last>\d+|\*)", re.IGNORECASE)
# How many names are asked for in one filter.
_AT_ONCE = 50


def authenticate(
    session: Session, store: UserStore, wanted: str, password: str
) -> tuple[Entry | None, frozenset[str] | None]:
    """Find the one whom the filter `wanted` means, and sign in as them.

    Returns:
        Who it is, None unless exactly one is found; the keys of their groups, None if the
        directory does not let them in.
    """
    entry = find(session, store, wanted)
    try:
        # Whoever is not there is refused by the same steps as whoever is.
        session.bind(entry.dn if entry else f"cn=nobody,{store.base}", password)
    except Declined:
        return entry, None
    if entry is None:
        return None, None
    session.bind_service()
    return entry, groups_of(session, store, entry.dn)


def find(session: Session, store: UserStore, wanted: str) -> Entry | None:
    """Find the one person whom a filter means; two are none."""
    found = [
        entry
        for raw in session.search(store.base, wanted, kinds.asked_of(store), most=2)
        if (entry := kinds.entry_of(store, raw)) is not None
    ]
    return found[0] if len(found) == 1 else None


def people(
    session: Session, store: UserStore, wanted: str, most: int | None = None
) -> Iterator[Entry]:
    """Read everybody whom a filter means."""
    for raw in session.search(store.base, wanted, kinds.asked_of(store), most=most):
        if (entry := kinds.entry_of(store, raw)) is not None:
            yield entry


# --- Groups ---------------------------------------------------------------


def groups_of(session: Session, store: UserStore, dn: str) -> frozenset[str]:
    """Give the keys of the groups somebody is in, through other groups too."""
    base = store.group_base or store.base
    nesting = nesting_of(store)
    if nesting is Nesting.CHAIN:
        wanted = f"(member:{kinds.IN_CHAIN}:={kinds.escape(dn)})"
        return frozenset(key_of(raw.dn) for raw in session.search(base, wanted, ["1.1"]))
    seen: dict[str, str] = {}
    level = [dn]
    while level and len(seen) < MOST_GROUPS:
        above: list[str] = []
        for at in range(0, len(level), _AT_ONCE):
            named = "".join(
                f"({attribute}={kinds.escape(one)})"
                for one in level[at : at + _AT_ONCE]
                for attribute in kind_of(store).members
            )
            for raw in session.search(base, f"(|{named})", ["1.1"]):
                # A group within itself is seen once.
                if seen.setdefault(key_of(raw.dn), raw.dn) is raw.dn:
                    above.append(raw.dn)
        level = above if nesting is Nesting.WALK else []
    return frozenset(seen)


def members_of_mapped(
    session: Session, store: UserStore, mappings: tuple[Mapped, ...], names: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """Give the keys of the mapped groups that people are in.

    Args:
        session: with the directory.
        store: whose.
        mappings: its groups.
        names: of the people, ids by the key of their distinguished name.

    Returns:
        The keys by id; whoever is in none is left out.
    """
    wanted = {key_of(one.group): one.group for one in mappings}
    found: dict[str, set[str]] = {}
    if nesting_of(store) is Nesting.CHAIN:
        everybody = kinds.everybody(store)
        for key, group in wanted.items():
            inside = f"(&{everybody}(memberOf:{kinds.IN_CHAIN}:={kinds.escape(group)}))"
            for raw in session.search(store.base, inside, ["1.1"]):
                if entry_id := names.get(key_of(raw.dn)):
                    found.setdefault(entry_id, set()).add(key)
    elif wanted:
        inside_of = _members(session, store)
        for key in wanted:
            for member in _closure(inside_of, key, deep=nesting_of(store) is Nesting.WALK):
                if entry_id := names.get(member):
                    found.setdefault(entry_id, set()).add(key)
    return {entry_id: frozenset(keys) for entry_id, keys in found.items()}


def _members(session: Session, store: UserStore) -> dict[str, list[str]]:
    """Read every group with its members, by keys."""
    asked = list(kind_of(store).members)
    if store.kind is StoreKind.ACTIVE_DIRECTORY:
        asked = [f"{name};range=0-{RANGE - 1}" for name in asked]
    base = store.group_base or store.base
    # The list first: a page that is under way bears no other search on its connection.
    groups = list(session.search(base, kind_of(store).groups, asked))
    return {key_of(raw.dn): [key_of(m) for m in members(session, raw)] for raw in groups}


def members(session: Session, raw: Raw) -> Iterator[str]:
    """Give a group's members, the rest of what Active Directory cut short too."""
    for name, values in raw.values.items():
        cut = _RANGE.fullmatch(name)
        yield from (value.decode(errors="replace") for value in values)
        first = int(cut["last"]) + 1 if cut and cut["last"] != "*" else None
        while cut and first is not None:
            rest = f"{cut['name']};range={first}-{first + len(values) - 1}"
            (more,) = session.search(raw.dn, "(objectClass=*)", [rest], only_base=True)
            found = [(_RANGE.fullmatch(key), value) for key, value in more.values.items()]
            part, got = next(((p, v) for p, v in found if p), (None, ()))
            yield from (value.decode(errors="replace") for value in got)
            ended = part is None or part["last"] == "*" or not got
            first = None if ended or part is None else int(part["last"]) + 1


def _closure(inside_of: Mapping[str, list[str]], group: str, *, deep: bool) -> set[str]:
    seen: set[str] = set()
    level = [group]
    visited = {group}
    while level:
        below = []
        for one in level:
            for member in inside_of.get(one, ()):
                if member in inside_of and member not in visited and deep:
                    visited.add(member)
                    below.append(member)
                seen.add(member)
        level = below
    return seen


# --- Changes --------------------------------------------------------------


def make(session: Session, store: UserStore, new: NewEntry) -> Entry:
    """Make a person; with a password they can sign in at once. Raises Declined."""
    from .library import escape_rdn, parse_dn

    called = attributes_of(store)
    base = store.new_base or store.base
    common: dict[str, Any] = {called.email: new.email} if new.email else {}
    if store.kind is StoreKind.ACTIVE_DIRECTORY:
        dn = f"CN={escape_rdn(new.name)},{base}"
        domain = ".".join(value for name, value, _ in parse_dn(base) if name.upper() == "DC")
        session.add(
            dn,
            common
            | {
                "objectClass": ["top", "person", "organizationalPerson", "user"],
                called.login: new.login,
                "userPrincipalName": f"{new.login}@{domain}",
                called.name: new.name,
                # It cannot be open without a password.
                "userAccountControl": str(kinds.NORMAL | kinds.DISABLED),
            },
        )
    else:
        dn = f"{called.login}={escape_rdn(new.login)},{base}"
        names = {"cn": new.name, "sn": new.name.split()[-1], called.name: new.name}
        session.add(
            dn, common | names | {"objectClass": ["inetOrgPerson"], called.login: new.login}
        )
    if new.password is not None:
        set_password(session, store, dn, None, new.password)
        if store.kind is StoreKind.ACTIVE_DIRECTORY:
            session.replace(dn, {"userAccountControl": [str(kinds.NORMAL)]})
    return _read(session, store, dn)


def change(session: Session, store: UserStore, dn: str, changes: Mapping[str, Any]) -> Entry:
    """Change `name`, `email`, `enabled`, `password` of a person. Raises Declined."""
    called = attributes_of(store)
    attributes: dict[str, list[Any]] = {}
    if "name" in changes:
        attributes[called.name] = [changes["name"]]
    if "email" in changes:
        attributes[called.email] = [changes["email"]] if changes["email"] else []
    if "enabled" in changes:
        attributes |= _opened(session, store, dn, enabled=changes["enabled"])
    if attributes:
        session.replace(dn, attributes)
    if changes.get("password"):
        set_password(session, store, dn, None, changes["password"])
    return _read(session, store, dn)


def set_password(session: Session, store: UserStore, dn: str, old: str | None, new: str) -> None:
    """Set a password, or change it where the old one is given. Raises Declined."""
    if store.kind is not StoreKind.ACTIVE_DIRECTORY:
        session.change_password(dn, old, new)
    elif old is None:
        session.replace(dn, {"unicodePwd": [_quoted(new)]})
    else:
        session.exchange(dn, "unicodePwd", _quoted(old), _quoted(new))


def _quoted(password: str) -> bytes:
    """Write a password as unicodePwd has it (MS-ADTS, section 3.1.1.3.1.5.1)."""
    return f'"{password}"'.encode("utf-16-le")


def _opened(session: Session, store: UserStore, dn: str, *, enabled: bool) -> dict[str, list[Any]]:
    (raw,) = session.search(
        dn, "(objectClass=*)", ["objectClass", "userAccountControl"], only_base=True
    )
    if store.kind is StoreKind.ACTIVE_DIRECTORY:
        flags = int((raw.values.get("useraccountcontrol") or (str(kinds.NORMAL).encode(),))[0])
        flags = flags & ~kinds.DISABLED if enabled else flags | kinds.DISABLED
        return {"userAccountControl": [str(flags)]}
    classes = [value.decode() for value in raw.values.get("objectclass", ())]
    if enabled:
        return {"shadowExpire": []}
    if "shadowaccount" not in (name.lower() for name in classes):
        classes.append("shadowAccount")
    return {"objectClass": classes, "shadowExpire": [str(kinds.CLOSED_DAY)]}


def _read(session: Session, store: UserStore, dn: str) -> Entry:
    for raw in session.search(dn, "(objectClass=*)", kinds.asked_of(store), only_base=True):
        if (entry := kinds.entry_of(store, raw)) is not None:
            return entry
    raise Declined(NO_SUCH_OBJECT, "what was made cannot be read")
