"""Entries of the audit and of the system log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

# Where an organisation does not say, and of what belongs to none.
FACTS_KEPT = timedelta(days=5 * 365)
MOST_DROPPED = 20_000
SYSTEM_LOG_KEPT = timedelta(days=30)
# A chain is signed this often while it grows, and after so many entries.
SIGN_EVERY = timedelta(hours=1)
SIGN_AFTER = 10_000
# Rung when facts have been numbered; relays listen.
SEALED_CHANNEL = "moorage_sealed"


@dataclass(frozen=True, slots=True)
class FactEntry:
    """One fact: who, when, what, before and after, from where.

    Attributes:
        personal: fields of `before` and `after` that tell of a person.
        number: over all facts, without gaps; None, as `place` and `link`, until it is sealed,
            within a second.
        place: in the chain of its organization, counted from 1.
        link: 32 bytes over the entry and all before it (`kit.chain`).
        caller_salt: None after who did it has been erased, and before it is sealed.
        about_salt: None after the personal fields have been erased, or if it has none.
    """

    id: UUID
    number: int | None
    at: datetime
    name: str
    organization_id: UUID | None
    subject_id: UUID
    caller_kind: str
    caller_id: UUID
    caller_label: str
    origin: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    personal: Sequence[str] | None = None
    place: int | None = None
    link: bytes | None = None
    caller_salt: bytes | None = None
    caller_digest: bytes | None = None
    about_salt: bytes | None = None
    about_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain of an organization stands; of None it is the installation's.

    Attributes:
        place, number, link: of its last entry.
        signed_place: of its last checkpoint, 0 before the first.
        unsigned_since: when the first entry after that was sealed; None if all are signed.
        dropped_place: entries up to this one were dropped by retention; 0 if none.
    """

    organization_id: UUID | None
    place: int = 0
    number: int = 0
    link: bytes = b""
    signed_place: int = 0
    unsigned_since: datetime | None = None
    dropped_place: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed word on how far a chain went, and what its last entry was linked to.

    Attributes:
        key_id: of the key that signed it.
        key: its public half, 32 bytes (Ed25519).
        signature: 64 bytes over `kit.chain.checkpoint_bytes`.
    """

    id: int
    organization_id: UUID | None
    place: int
    number: int
    link: bytes
    at: datetime
    key_id: UUID
    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the audit's signer; only the newest signs.

    Attributes:
        public: 32 bytes (Ed25519, RFC 8032).
        sealed: the private half, sealed; None once it signs no more.
    """

    id: UUID
    public: bytes
    sealed: bytes | None = field(repr=False)
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which facts are asked for; None means any.

    `name` is the beginning of a fact's name; `from_` is inside the range, `to` outside.
    """

    organization_id: UUID | None = None
    subject_id: UUID | None = None
    caller_id: UUID | None = None
    name: str | None = None
    from_: datetime | None = None
    to: datetime | None = None


class Content(StrEnum):
    """What a collector is sent."""

    FACTS = "facts"
    SYSTEM_LOG = "systemLog"
    CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, slots=True)
class NewCollector:
    """A place outside to which the audit and the system log are sent.

    Attributes:
        url: `syslog://`, `syslog+tls://`, `tcp://`, `tcp+tls://`, `http://` or `https://`.
        contents: what is sent.
        from_start: everything that is kept, not only what comes from now on.
        authority: PEM of the authorities to trust instead of the system's.
        token: goes as `Authorization: Bearer` over HTTP; kept sealed.
    """

    name: str
    url: str
    contents: tuple[Content, ...]
    from_start: bool = False
    authority: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector and how far it has come.

    Attributes:
        has_token: whether a token is set.
        number: of the last fact it took; of what else it takes: `log_transaction` with `log_id`,
            and `checkpoint_id`.
        taken_at: when it last took something.
        failing_since: since when nothing gets through; None while all is well.
        error: why, in one sentence; empty while all is well.
    """

    id: UUID
    name: str
    url: str
    contents: tuple[Content, ...]
    authority: str | None
    has_token: bool
    paused: bool
    number: int
    log_transaction: int
    log_id: int
    checkpoint_id: int
    taken_at: datetime | None
    failing_since: datetime | None
    error: str
    created_at: datetime
    updated_at: datetime
    created_by: UUID
    updated_by: UUID


@dataclass(frozen=True, slots=True)
class SystemEntry:
    """A warning or error of a process or an integration."""

    id: int
    at: datetime
    part: str
    component: str
    level: str
    event: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewSystemEntry:
    """What a process reports."""

    at: datetime
    part: str
    component: str
    level: str
    event: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WantedEntries:
    """Which system log entries are asked for; None means any."""

    part: str | None = None
    component: str | None = None
    level: str | None = None
    q: str | None = None
    from_: datetime | None = None
    to: datetime | None = None
