"""Connections to directories: TLS always, servers in turn, and nobody waits longer than they may.

The client library blocks, so each piece of work has a thread; what the event loop gives up on it
ends by shutting the socket down. Addresses are resolved here, never by the library.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import structlog

from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound, client_context, said

from ..model import Server

log = structlog.get_logger()
T = TypeVar("T")

# Result codes (RFC 4511, appendix A).
SIZE_LIMIT, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 4, 32, 49
_BUSY = (51, 52)
PAGE = 500
# A server that never ends its pages is no directory.
MOST_PAGES = 20_000
# How long a server that failed is asked last.
REST_S = 30.0
# At once for one store, so that a dead one takes no thread from another.
AT_ONCE = 4
_threads = ThreadPoolExecutor(64, thread_name_prefix="ldap")


class Unreached(Exception):
    """A server cannot be used just now; another may."""


class Declined(Exception):
    """The directory answered with a refusal."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to get into a store."""

    store_id: UUID
    name: str
    servers: tuple[Server, ...]
    authority: str | None
    bind_name: str
    password: str = field(repr=False)
    timeout_s: int = 5


@dataclass(frozen=True, slots=True)
class Raw:
    """An entry as sent: attribute names in lower case, values as bytes."""

    dn: str
    values: Mapping[str, Sequence[bytes]]


class Session:
    """One connection to one server; its methods block, and raise Unreached or Declined.

    Attributes:
        server: who it is.
    """

    def __init__(self, access: Access, server: Server, address: str) -> None:
        # A quarter of a second of CPU, which a process without user stores has no use for.
        from . import library

        self.server = server
        self._access = access
        self._library = library
        ldap3 = library.ldap3
        self._tls = library.Tls(client_context(access.authority, None, None, ""), server.host)
        there = ldap3.Server(
            f"[{address}]" if ":" in address else address,
            port=server.port,
            use_ssl=server.tls_first,
            tls=self._tls,
            get_info=ldap3.NONE,
            connect_timeout=access.timeout_s,
            allowed_referral_hosts=[],
        )
        self._connection = ldap3.Connection(
            there,
            auto_bind=ldap3.AUTO_BIND_NONE,
            # A referral would take the password wherever the directory says.
            auto_referrals=False,
            # Ranges are read by `entries.members`; attributes that are not there are left out.
            auto_range=False,
            return_empty_attributes=False,
            check_names=False,
            raise_exceptions=True,
            receive_timeout=access.timeout_s,
        )

    def open(self) -> None:
        """Connect, with TLS before anything else is said."""
        self._ask(self._connection.open, read_server_info=False)
        if not self.server.tls_first:
            try:
                self._ask(self._connection.start_tls, read_server_info=False)
            except Declined as refused:
                raise Unreached(f"{self.server} refuses StartTLS: {refused}") from refused

    def bind(self, dn: str, password: str) -> None:
        """Sign in.

        An empty password would ask to be let in as nobody, and succeed (RFC 4513, 5.1.2).
        """
        if not dn or not password:
            raise Declined(INVALID_CREDENTIALS, "a name and a password are needed")
        self._ask(self._connection.rebind, user=dn, password=password, read_server_info=False)

    def bind_service(self) -> None:
        """Sign in as the store does for searching, or as nobody where it has no name for that."""
        if self._access.bind_name:
            self.bind(self._access.bind_name, self._access.password)
        else:
            self._ask(
                self._connection.rebind,
                authentication=self._library.ldap3.ANONYMOUS,
                read_server_info=False,
            )

    def search(
        self,
        base: str,
        wanted: str,
        attributes: Sequence[str],
        *,
        most: int | None = None,
        only_base: bool = False,
    ) -> Iterator[Raw]:
        """Search below `base`, page by page (RFC 2696).

        Args:
            base: a distinguished name.
            wanted: a filter (RFC 4515), whatever came from outside escaped.
            attributes: to be read.
            most: stop after so many; without, all there are, or Declined.
            only_base: look at `base` itself alone.
        """
        ldap3 = self._library.ldap3
        cookie: bytes | None = None
        found = 0
        for _ in range(MOST_PAGES):
            self._ask(
                self._connection.search,
                base,
                wanted,
                ldap3.BASE if only_base else ldap3.SUBTREE,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=list(attributes),
                size_limit=most or 0,
                paged_size=None if most or only_base else PAGE,
                paged_cookie=cookie,
                allowed=(SIZE_LIMIT,) if most else (),
            )
            for entry in self._connection.response or ():
                if entry.get("type") == "searchResEntry":
                    found += 1
                    yield _raw(entry)
                    if most is not None and found >= most:
                        return
            cookie = _cookie(self._connection.result)
            if not cookie:
                return
        raise Unreached(f"{self.server} never ends its list")

    def add(self, dn: str, attributes: Mapping[str, Any]) -> None:
        """Add an entry."""
        self._ask(self._connection.add, dn, attributes=dict(attributes))

    def replace(self, dn: str, attributes: Mapping[str, Sequence[Any]]) -> None:
        """Replace attributes of an entry; an empty list removes one."""
        ldap3 = self._library.ldap3
        changes = {name: [(ldap3.MODIFY_REPLACE, list(v))] for name, v in attributes.items()}
        self._ask(self._connection.modify, dn, changes)

    def exchange(self, dn: str, attribute: str, old: bytes, new: bytes) -> None:
        """Replace one value that must be there."""
        ldap3 = self._library.ldap3
        changes = {attribute: [(ldap3.MODIFY_DELETE, [old]), (ldap3.MODIFY_ADD, [new])]}
        self._ask(self._connection.modify, dn, changes)

    def change_password(self, dn: str, old: str | None, new: str) -> None:
        """Change a password by the extended operation for it (RFC 3062)."""
        self._ask(self._connection.extend.standard.modify_password, dn, old, new)

    def abort(self) -> None:
        """End it from another thread; what blocks there fails at once."""
        if (open_socket := self._connection.socket) is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket, which would also forget its state.
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye."""
        with contextlib.suppress(*self._library.LOST):
            self._connection.unbind()
        if (left := self._connection.socket) is not None:
            # The library forgets a socket that did not connect.
            left.close()

    def _ask(
        self,
        action: Callable[..., object],
        *args: Any,
        allowed: tuple[int, ...] = (),
        **others: Any,
    ) -> None:
        try:
            action(*args, **others)
        except self._library.LDAPOperationResult as told:
            code, reason = told.result or 80, f"{told.description} {told.message or ''}".strip()
            if code in _BUSY:
                raise Unreached(f"{self.server} says {reason}") from told
            raise Declined(code, reason) from told
        except self._library.LOST as lost:
            raise Unreached(self._words(lost)) from lost
        # Some results are not raised: a referral, which is not followed, and a list cut short.
        result = self._connection.result or {}
        code = result.get("result", 0)
        if code and code not in allowed:
            raise Declined(code, str(result.get("description")))

    def _words(self, lost: Exception) -> str:
        if isinstance(self._tls.failure, TimeoutError):
            return f"{self.server} does not answer within {self._access.timeout_s} s"
        if self._tls.failure is not None:
            return said(self._tls.failure, self.server.host, self.server.port)
        if isinstance(lost, self._library.LDAPException | OSError):
            return f"No connection to {self.server}: {lost}"
        log.warning("ldap_answer_unreadable", server=str(self.server), exc_info=lost)
        return f"{self.server} does not answer as a directory does"


class Directories:
    """The way to every directory, and what this process knows of their servers.

    Args:
        network: says which addresses may be connected to.
    """

    def __init__(self, network: Outbound) -> None:
        self._network = network
        self._resting: dict[tuple[UUID, Server], float] = {}
        self._slots: dict[UUID, asyncio.Semaphore] = {}

    async def work(
        self, access: Access, job: Callable[[Session], T], *, most_s: float, once: bool = False
    ) -> tuple[Server, T]:
        """Run `job`, signed in as the store, on the first server that can be used.

        Args:
            access: of the store.
            job: called in a thread.
            most_s: how long it may take on one server.
            once: what was begun on one server is not begun on another; for changes.

        Raises:
            Unreached: no server can be used; it says what each of them lacks.
            Declined: the directory refused.
        """
        now = time.monotonic()
        known = self._resting
        turn = sorted(access.servers, key=lambda s: known.get((access.store_id, s), 0.0) > now)
        reasons = []
        for server in turn:
            began = [False]
            try:
                done = await self._on(access, server, job, most_s, began)
            except Unreached as lost:
                known[access.store_id, server] = time.monotonic() + REST_S
                reasons.append(str(lost))
                if once and began[0]:
                    break
            else:
                known.pop((access.store_id, server), None)
                return server, done
        raise Unreached(" ".join(f"{reason.rstrip('.')}." for reason in reasons))

    async def _on(
        self,
        access: Access,
        server: Server,
        job: Callable[[Session], T],
        most_s: float,
        began: list[bool],
    ) -> T:
        slots = self._slots.setdefault(access.store_id, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(most_s):
                try:
                    addresses = await self._network.resolve(server.host, server.port)
                except MoorageError as forbidden:
                    raise Unreached(str(forbidden)) from forbidden
                await slots.acquire()
        except TimeoutError:
            raise Unreached(f"{server} does not answer within {most_s:g} s") from None

        def signed_in(session: Session) -> T:
            session.bind_service()
            began[0] = True
            return job(session)

        return await in_thread(
            access, server, addresses[:4], signed_in, most_s=most_s, ended=slots.release
        )


async def in_thread(
    access: Access,
    server: Server,
    addresses: Sequence[str],
    job: Callable[[Session], T],
    *,
    most_s: float,
    ended: Callable[[], None] = lambda: None,
) -> T:
    """Connect to the first address that answers and run `job` there, in a thread.

    Args:
        access: of the store.
        server: whose addresses they are.
        addresses: checked ones.
        job: called with the connection, over which TLS is spoken and nobody signed in.
        most_s: how long all of it may take.
        ended: is called when the thread is free, which may be later than this returns.

    Raises:
        Unreached, Declined, and what `job` raises.
    """
    sessions: list[Session] = []
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(_threads, _run, access, server, addresses, job, sessions)

    def done(finished: asyncio.Future[T]) -> None:
        ended()
        if not finished.cancelled():
            finished.exception()

    running.add_done_callback(done)
    try:
        async with asyncio.timeout(most_s):
            return await asyncio.shield(running)
    except TimeoutError:
        raise Unreached(f"{server} does not answer within {most_s:g} s") from None
    finally:
        for session in list(sessions):
            session.abort()


def _run(
    access: Access,
    server: Server,
    addresses: Sequence[str],
    job: Callable[[Session], T],
    sessions: list[Session],
) -> T:
    lost = Unreached(f"{server} has no address")
    for address in addresses:
        session = Session(access, server, address)
        sessions[:] = [session]
        try:
            try:
                session.open()
            except Unreached as failed:
                lost = failed
                continue
            return job(session)
        finally:
            sessions.clear()
            session.close()
    raise lost


def _raw(entry: Mapping[str, Any]) -> Raw:
    return Raw(entry["dn"], {k.lower(): tuple(v) for k, v in entry["raw_attributes"].items()})


def _cookie(result: Mapping[str, Any] | None) -> bytes | None:
    control = ((result or {}).get("controls") or {}).get("1.2.840.113556.1.4.319")
    cookie: bytes | None = control["value"]["cookie"] if control else None
    return cookie or None
