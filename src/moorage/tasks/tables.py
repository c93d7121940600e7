"""The table of tasks."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from moorage.kit.tables import metadata, stamps

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False),
    Column("application_id", Uuid),
    Column("seen_with", Text, nullable=False),
    Column("run_with", Text, nullable=False),
    Column("given", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("checkpoint", JSONB, nullable=False),
    Column("result", JSONB),
    Column("code", Text),
    Column("problem", Text),
    # Whoever works on it, and until when it is theirs without a word.
    Column("runner", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    # By which an OAuth client asked for it, so that it does no more than that client may.
    Column("authorization_id", Uuid),
    Column("finished_at", DateTime(timezone=True)),
    *stamps(),
    ForeignKeyConstraint(
        ["application_id", "organization_id"],
        ["groups.id", "groups.organization_id"],
        onupdate="CASCADE",
        ondelete="CASCADE",
        name="tasks_application_fkey",
    ),
    CheckConstraint(
        "state IN ('waiting', 'running', 'completed', 'failed', 'cancelled')", name="state"
    ),
)
# Work that is done row by row: what is to be done, then what became of it.
task_rows = Table(
    "task_rows",
    metadata,
    Column("task_id", ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    # Null once it is done.
    Column("work", JSONB(none_as_null=True)),
    Column("outcome", Text),
    Column("subject_id", Uuid),
    Column("name", Text),
    Column("problem", JSONB(none_as_null=True)),
)
Index(
    "task_rows_failed",
    task_rows.c.task_id,
    task_rows.c.n,
    postgresql_where=task_rows.c.problem.is_not(None),
)
Index("tasks_of_organization", tasks.c.organization_id, tasks.c.created_at)
Index(
    "tasks_open",
    tasks.c.created_at,
    postgresql_where=tasks.c.state.in_(["waiting", "running"]),
)
