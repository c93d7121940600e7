"""Facts: what a person, client, rule or administrator changed, announced once.

One row is audit entry, outbox message and the source of a webhook body; it is written in the
transaction that makes the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata

facts = Table(
    "facts",
    metadata,
    Column("id", Uuid, primary_key=True),
    # Given by the sealer once every older transaction has ended; relays read numbered facts only.
    Column("number", BigInteger, unique=True),
    Column(
        "transaction",
        BigInteger,
        nullable=False,
        server_default=text("pg_current_xact_id()::text::bigint"),
    ),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("name", Text, nullable=False),
    Column("organization_id", Uuid),
    Column("subject_id", Uuid, nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_id", Uuid, nullable=False),
    Column("caller_label", Text, nullable=False),
    Column("origin", Text),
    Column("before", JSONB),
    Column("after", JSONB),
    # Fields of `before` and `after` that tell of the person the fact is about; none is NULL.
    Column("personal", ARRAY(Text)),
    # What the sealer adds (kit.chain): the place in its organization's chain, counted from 1, the
    # link, and of either personal part salt and digest. Erasing a part takes the salt and the text.
    Column("place", BigInteger),
    Column("link", LargeBinary),
    Column("caller_salt", LargeBinary),
    Column("caller_digest", LargeBinary),
    Column("about_salt", LargeBinary),
    Column("about_digest", LargeBinary),
    Index("facts_unnumbered", "transaction", postgresql_where=text("number IS NULL")),
    Index("facts_organization", "organization_id", "at"),
    Index("facts_chain", "organization_id", "number"),
    Index("facts_caller", "caller_id", "at"),
    Index("facts_about_persons", "id", postgresql_where=text("personal IS NOT NULL")),
    Index("facts_subject", "subject_id", "at"),
    Index("facts_at", "at"),
)


@dataclass(frozen=True)
class Fact:
    """Something that was changed.

    Attributes:
        subject_id: the thing changed.
        organization_id: whose it is; None for what belongs to the installation.
        before, after: the changed fields only, JSON-able, secrets masked.

    A class names in `personal` the fields of either that tell of the person it is about; they can
    be erased without the chain over all facts losing its proof (`kit.erasing`).
    """

    name: ClassVar[str]
    personal: ClassVar[frozenset[str]] = frozenset()
    registry: ClassVar[dict[str, type[Fact]]] = {}

    subject_id: UUID
    organization_id: UUID | None = None
    before: Mapping[str, Any] | None = field(default=None, compare=False)
    after: Mapping[str, Any] | None = field(default=None, compare=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = cls.registry.setdefault(cls.name, cls)
        if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
            raise TypeError(f"Two facts carry the name {cls.name!r}.")

    def personal_fields(self) -> list[str] | None:
        """Name the personal fields that this one has; None if there are none."""
        if not self.personal:
            return None
        return sorted(self.personal & {*(self.before or ()), *(self.after or ())}) or None


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keep only the fields whose values differ."""
    changed = [k for k in after if before.get(k) != after[k]]
    return {k: before.get(k) for k in changed}, {k: after[k] for k in changed}


def merged(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a JSON Merge Patch into an object (RFC 7396): None removes a member, at any depth."""
    made = dict(before)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, Mapping):
            known = made.get(name)
            made[name] = merged(known if isinstance(known, Mapping) else {}, value)
        else:
            made[name] = value
    return made
