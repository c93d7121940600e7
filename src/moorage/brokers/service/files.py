"""Files for a Mosquitto that asks nobody: who may sign in, what each may, whose certificates count.

Sources: mosquitto_passwd(1), mosquitto.conf(5), sections "Authentication" and "acl_file".
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from uuid import UUID

from moorage import devices, ingest
from moorage.kit.caller import Caller
from moorage.kit.db import Tx
from moorage.sources import BrokerKind

from .. import store
from ..errors import FilesUnfit
from ..model import Piece
from . import catalogue
from .guard import ABSOLUTE, ITSELVES

PASSWORDS, RIGHTS, AUTHORITIES = "passwords", "rights", "authorities.pem"


async def files_of(tx: Tx, caller: Caller, broker_id: UUID) -> list[Piece]:
    """Write the password file and the file of rights of a Mosquitto.

    Where it checks certificates nobody but the platform needs a password, and there is a third file
    with the authorities of the organisation's devices, if it has any.

    Raises:
        BrokerUnknown, PermissionMissing, InstallationOnly, FilesUnfit.
    """
    broker = await catalogue.to_manage(tx, caller, broker_id)
    if broker.kind is not BrokerKind.MOSQUITTO:
        raise FilesUnfit(kind=broker.kind.value)
    found = await devices.named_in(tx, broker.organization_id)
    named = [one for one in found if _is_fit(one)]
    own = await store.mosquitto_hash(tx, broker_id)
    itself = [f"{name}:{own}" for name in ITSELVES]
    passwords = [*itself, *(f"{one.user_name}:{one.mosquitto_hash}" for one in named)]
    files = [Piece(PASSWORDS, _lines(passwords)), Piece(RIGHTS, _lines(_rights(named)))]
    if broker.organization_id is not None:
        known = await devices.list_authorities(tx, caller, broker.organization_id)
        pems = [ssl.DER_cert_to_PEM_cert(bytes(one.certificate)) for one in known]
        files += [Piece(AUTHORITIES, "".join(pems))] if pems else []
    return files


def _is_fit(one: devices.NamedDevice) -> bool:
    """Tell whether a user name can stand in a file, and is not taken for another device's id."""
    name = one.user_name
    if name in ITSELVES or not name.isprintable() or ":" in name or name != name.strip():
        return False
    try:
        return UUID(name) == one.device_id and name == str(one.device_id)
    except ValueError:
        return "#" not in name and "+" not in name and "/" not in name


def _rights(named: Iterable[devices.NamedDevice]) -> Iterator[str]:
    """Give the lines of the file of rights.

    Whoever is called by his id, as with a certificate, needs no lines of his own.
    """
    yield from _topics("pattern", "%u")
    for name in ITSELVES:
        yield f"user {name}"
        yield "topic readwrite #"
        yield "topic read $SYS/#"
    for one in named:
        own = () if one.user_name == str(one.device_id) else (one.device_id,)
        if own or one.children:
            yield f"user {one.user_name}"
        for device_id in (*own, *one.children):
            yield from _topics("topic", str(device_id))


def _topics(word: str, device: str) -> Iterator[str]:
    for right, topics in (("write", ingest.PUBLISHED), ("read", ingest.SUBSCRIBED)):
        for topic in topics:
            yield f"{word} {right} {ABSOLUTE}{device}/{topic.removeprefix('v1/')}"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
