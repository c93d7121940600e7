"""Make every table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '10s'")
    op.create_table(
        "api_allowances",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("data_bytes", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("given_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stale_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("api_allowances_pkey")),
    )
    op.create_index(
        op.f("api_allowances_stale_at_idx"), "api_allowances", ["stale_at"], unique=False
    )
    op.create_table(
        "api_answers",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("api_answers_pkey")),
    )
    op.create_index(op.f("api_answers_started_at_idx"), "api_answers", ["started_at"], unique=False)
    op.create_table(
        "api_meters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("api_meters_pkey")),
    )
    op.create_table(
        "api_usage",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("caller_kind", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("api_usage_pkey")),
    )
    op.create_index("api_usage_hour", "api_usage", ["hour", "id"], unique=False)
    op.create_index(
        "api_usage_one_each",
        "api_usage",
        ["caller_id", "hour", "area", "client_id", "organization_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "api_usage_organization", "api_usage", ["organization_id", "hour", "id"], unique=False
    )
    op.create_table(
        "audit_chains",
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=False),
        sa.Column("signed_place", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsigned_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_place", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.UniqueConstraint(
            "organization_id",
            name=op.f("audit_chains_organization_id_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "audit_collectors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("contents", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("authority", sa.Text(), nullable=True),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_collectors_pkey")),
        sa.UniqueConstraint("name", name=op.f("audit_collectors_name_key")),
    )
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_keys_pkey")),
    )
    op.create_table(
        "device_changes",
        sa.Column(
            "transaction",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("transaction", "number", name=op.f("device_changes_pkey")),
    )
    op.create_index(op.f("device_changes_at_idx"), "device_changes", ["at"], unique=False)
    op.create_table(
        "device_removals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("device_removals_pkey")),
    )
    op.create_index(
        op.f("device_removals_removed_at_idx"), "device_removals", ["removed_at"], unique=False
    )
    op.create_table(
        "facts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column(
            "transaction",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("caller_kind", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("caller_label", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("personal", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("link", sa.LargeBinary(), nullable=True),
        sa.Column("caller_salt", sa.LargeBinary(), nullable=True),
        sa.Column("caller_digest", sa.LargeBinary(), nullable=True),
        sa.Column("about_salt", sa.LargeBinary(), nullable=True),
        sa.Column("about_digest", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("facts_pkey")),
        sa.UniqueConstraint("number", name=op.f("facts_number_key")),
    )
    op.create_index(
        "facts_about_persons",
        "facts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("personal IS NOT NULL"),
    )
    op.create_index("facts_at", "facts", ["at"], unique=False)
    op.create_index("facts_caller", "facts", ["caller_id", "at"], unique=False)
    op.create_index("facts_chain", "facts", ["organization_id", "number"], unique=False)
    op.create_index("facts_organization", "facts", ["organization_id", "at"], unique=False)
    op.create_index("facts_subject", "facts", ["subject_id", "at"], unique=False)
    op.create_index(
        "facts_unnumbered",
        "facts",
        ["transaction"],
        unique=False,
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_table(
        "identity_provider_spent",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("identity_provider_spent_pkey")),
    )
    op.create_index(
        op.f("identity_provider_spent_expires_at_idx"),
        "identity_provider_spent",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "ingest_demands",
        sa.Column("door", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("quota", sa.Text(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("door", "owner", "quota", name=op.f("ingest_demands_pkey")),
    )
    op.create_table(
        "ingest_refusals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("ingest_refusals_pkey")),
        sa.UniqueConstraint("digest", name=op.f("ingest_refusals_digest_key")),
    )
    op.create_index("ingest_refusals_last", "ingest_refusals", ["last_at"], unique=False)
    op.create_index(
        "ingest_refusals_organization",
        "ingest_refusals",
        ["organization_id", "last_at"],
        unique=False,
    )
    op.create_table(
        "ingest_shed",
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("ingest_shed_pkey")),
    )
    op.create_table(
        "ingest_showing",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("reader", sa.Uuid(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("places", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("ingest_showing_pkey")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "ingest_usage",
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("quota", sa.Text(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "quota", name=op.f("ingest_usage_pkey")),
    )
    op.create_table(
        "job_runs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("job_runs_pkey")),
    )
    op.create_table(
        "ledger_derived",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "partition", "first", name=op.f("ledger_derived_pkey")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "ledger_keys",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("ledger_keys_pkey")),
    )
    op.create_index("ledger_keys_at", "ledger_keys", ["at"], unique=False)
    op.create_table(
        "ledger_partitions",
        sa.Column("log", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", "partition", name=op.f("ledger_partitions_pkey")),
    )
    op.create_table(
        "ledger_positions",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("log", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "log", "partition", name=op.f("ledger_positions_pkey")),
    )
    op.create_table(
        "ledger_raw",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "partition", "first", name=op.f("ledger_raw_pkey")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "ledger_writers",
        sa.Column("writer", sa.Uuid(), nullable=False),
        sa.Column("log", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("writer", "log", "partition", name=op.f("ledger_writers_pkey")),
    )
    op.create_index("ledger_writers_at", "ledger_writers", ["at"], unique=False)
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("mails_pkey")),
    )
    op.create_index(op.f("mails_about_id_idx"), "mails", ["about_id"], unique=False)
    op.create_index(
        "mails_due",
        "mails",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("given_up_at IS NULL"),
    )
    op.create_table(
        "oauth_spent_assertions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("oauth_spent_assertions_pkey")),
    )
    op.create_index(
        op.f("oauth_spent_assertions_expires_at_idx"),
        "oauth_spent_assertions",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("contacts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quotas", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("keep_messages", sa.Interval(), nullable=True),
        sa.Column("keep_readings", sa.Interval(), nullable=True),
        sa.Column("keep_summaries", sa.Interval(), nullable=True),
        sa.Column("keep_results", sa.Interval(), nullable=True),
        sa.Column("keep_facts", sa.Interval(), nullable=True),
        sa.Column("second_factor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "second_factor IN ('nobody', 'administrators', 'everybody')",
            name=op.f("organizations_factor_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("organizations_pkey")),
    )
    op.create_index(
        "organizations_name_key", "organizations", [sa.literal_column("lower(name)")], unique=True
    )
    op.create_table(
        "sealing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_next", sa.LargeBinary(), nullable=True),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("sealing_keys_pkey")),
    )
    op.create_table(
        "session_listeners",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("follows", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("session_listeners_pkey")),
        sa.UniqueConstraint("name", name=op.f("session_listeners_name_key")),
    )
    op.create_table(
        "session_passed",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("passed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "application_id", "listener_id", "place", name=op.f("session_passed_pkey")
        ),
    )
    op.create_index("session_passed_passed_at", "session_passed", ["passed_at"], unique=False)
    op.create_table(
        "session_programs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column(
            "terms", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "figures", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("session_programs_pkey")),
        sa.UniqueConstraint("listener_id", "key_id", "client_id", name="session_programs_key"),
    )
    op.create_table(
        "system_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "transaction",
            sa.BigInteger(),
            server_default=sa.text("pg_current_xact_id()::text::bigint"),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("system_log_pkey")),
    )
    op.create_index("system_log_at", "system_log", ["at"], unique=False)
    op.create_index("system_log_transaction", "system_log", ["transaction", "id"], unique=False)
    op.create_table(
        "target_log",
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("latency_ms", sa.REAL(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", "n", name=op.f("target_log_pkey")),
    )
    op.create_table(
        "target_outbox",
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("route_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", "n", name=op.f("target_outbox_pkey")),
    )
    op.create_table(
        "target_receipts",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index(
        "target_receipts_dead",
        "target_receipts",
        ["target_id", "at"],
        unique=False,
        postgresql_where=sa.text("outcome > 0"),
    )
    op.create_index("target_receipts_message", "target_receipts", ["message_id"], unique=False)
    op.create_index(
        "target_receipts_target_at", "target_receipts", ["target_id", "at"], unique=False
    )
    op.create_table(
        "telemetry_history",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index(
        "telemetry_history_device_at", "telemetry_history", ["device", "at"], unique=False
    )
    op.create_table(
        "telemetry_hours",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device", "day", name=op.f("telemetry_hours_pkey")),
    )
    op.create_table(
        "telemetry_latest",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_count", sa.BigInteger(), nullable=False),
        sa.Column("dropped_series", sa.Integer(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("telemetry_latest_pkey")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "telemetry_sealed",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("problems", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device", "day", name=op.f("telemetry_sealed_pkey")),
    )
    op.create_table(
        "telemetry_shapes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("units", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("telemetry_shapes_pkey")),
        sa.UniqueConstraint("digest", name=op.f("telemetry_shapes_digest_key")),
    )
    op.create_table(
        "telemetry_stale",
        sa.Column("device", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("names", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("telemetry_stale_pkey")),
    )
    op.create_table(
        "user_failures",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("user_failures_pkey")),
    )
    op.create_index(
        op.f("user_failures_failed_at_idx"), "user_failures", ["failed_at"], unique=False
    )
    op.create_table(
        "user_signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("public", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("user_signing_keys_pkey")),
    )
    op.create_table(
        "user_wishes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('reset', 'locked')", name=op.f("user_wishes_kind_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("user_wishes_pkey")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pkey")),
    )
    op.create_index("users_email_key", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "api_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("requests_per_second", sa.Double(), nullable=False),
        sa.Column("burst", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=True),
        sa.Column("data_bytes", sa.BigInteger(), nullable=True),
        sa.Column("period", sa.Interval(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("api_plans_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_plans_pkey")),
    )
    op.create_index(
        "api_plans_name_key",
        "api_plans",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["audit_keys.id"], name=op.f("audit_checkpoints_key_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_checkpoints_pkey")),
        sa.UniqueConstraint(
            "organization_id",
            "place",
            name=op.f("audit_checkpoints_organization_id_place_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "audit_collector_states",
        sa.Column("collector_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("log_transaction", sa.BigInteger(), nullable=False),
        sa.Column("log_id", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["collector_id"],
            ["audit_collectors.id"],
            name=op.f("audit_collector_states_collector_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collector_id", name=op.f("audit_collector_states_pkey")),
    )
    op.create_table(
        "brokers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("certified", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("mosquitto_hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("brokers_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("brokers_pkey")),
        sa.UniqueConstraint("digest", name=op.f("brokers_digest_key")),
    )
    op.create_index(
        "brokers_name_key",
        "brokers",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "decoders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("units", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("decoders_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("decoders_pkey")),
    )
    op.create_index(
        "decoders_by_name", "decoders", [sa.literal_column("lower(name)"), "id"], unique=False
    )
    op.create_index(
        "decoders_name_key",
        "decoders",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_index("decoders_shared", "decoders", ["id"], unique=False, postgresql_where="shared")
    op.create_table(
        "device_authorities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("list_url", sa.Text(), nullable=True),
        sa.Column("list_number", sa.Numeric(), nullable=True),
        sa.Column("list_issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("list_next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("list_looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("list_problem", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("device_authorities_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_authorities_pkey")),
        sa.UniqueConstraint("key_digest", name=op.f("device_authorities_key_digest_key")),
    )
    op.create_index(
        op.f("device_authorities_organization_id_idx"),
        "device_authorities",
        ["organization_id"],
        unique=False,
    )
    op.create_index(
        op.f("device_authorities_subject_digest_idx"),
        "device_authorities",
        ["subject_digest"],
        unique=False,
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=True),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("contacts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("personal_data", sa.Boolean(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("controlled_properties", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("device_kinds", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quotas", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("units", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("keep_messages", sa.Interval(), nullable=True),
        sa.Column("keep_readings", sa.Interval(), nullable=True),
        sa.Column("keep_summaries", sa.Interval(), nullable=True),
        sa.Column("keep_results", sa.Interval(), nullable=True),
        sa.Column("encode_commands", sa.Boolean(), nullable=False),
        sa.Column("silent_after", sa.Interval(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind IN ('application')", name=op.f("groups_kind_check")),
        sa.CheckConstraint(
            "status IN ('none', 'inOperation', 'project', 'prototype', 'other')",
            name=op.f("groups_status_check"),
        ),
        sa.CheckConstraint("end_date >= start_date", name=op.f("groups_dates_check")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("groups_organization_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("groups_pkey")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("groups_id_organization_id_key")),
    )
    op.create_index(
        "groups_end",
        "groups",
        ["end_date"],
        unique=False,
        postgresql_where=sa.text("end_date IS NOT NULL"),
    )
    op.create_index(
        "groups_name_key",
        "groups",
        ["organization_id", "kind", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("offered", sa.Boolean(), nullable=False),
        sa.Column("new_accounts", sa.Text(), nullable=False),
        sa.Column("required", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("proven_by", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("domains", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("link_by_email", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "organization_id IS NULL OR NOT '*' = ANY (domains)",
            name=op.f("identity_providers_domains_check"),
        ),
        sa.CheckConstraint(
            "protocol IN ('openIdConnect', 'saml')", name=op.f("identity_providers_protocol_check")
        ),
        sa.CheckConstraint(
            "organization_id IS NULL OR NOT link_by_email",
            name=op.f("identity_providers_link_check"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("identity_providers_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("identity_providers_pkey")),
    )
    op.create_index(
        "identity_providers_name_key",
        "identity_providers",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        op.f("identity_providers_organization_id_idx"),
        "identity_providers",
        ["organization_id"],
        unique=False,
    )
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("website", sa.Text(), nullable=True),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("keys", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "certificate_name",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
        ),
        sa.Column("certificates", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("certificate_bound", sa.Boolean(), nullable=False),
        sa.Column("grant_types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("redirect_uris", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("registration_token_id", sa.Uuid(), nullable=True),
        sa.Column("registration_digest", sa.LargeBinary(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("oauth_clients_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("oauth_clients_pkey")),
        sa.UniqueConstraint(
            "registration_digest", name=op.f("oauth_clients_registration_digest_key")
        ),
    )
    op.create_index(
        "oauth_clients_name_key",
        "oauth_clients",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "oauth_registration_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("oauth_registration_tokens_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("oauth_registration_tokens_pkey")),
        sa.UniqueConstraint("digest", name=op.f("oauth_registration_tokens_digest_key")),
    )
    op.create_index(
        "oauth_registration_tokens_organization",
        "oauth_registration_tokens",
        ["organization_id"],
        unique=False,
    )
    op.create_table(
        "permission_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("every_application", sa.Boolean(), nullable=False),
        sa.Column("add_new_applications", sa.Boolean(), nullable=False),
        sa.Column("own_devices", sa.Boolean(), nullable=False),
        sa.Column("proven_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "NOT own_devices OR NOT (every_application OR add_new_applications)",
            name=op.f("permission_groups_own_check"),
        ),
        sa.CheckConstraint(
            "organization_id IS NOT NULL OR every_application",
            name=op.f("permission_groups_global_check"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("permission_groups_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("permission_groups_pkey")),
    )
    op.create_index(
        "permission_groups_name_key",
        "permission_groups",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "user_api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("basic", sa.Boolean(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("user_api_keys_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("user_api_keys_pkey")),
        sa.UniqueConstraint("digest", name=op.f("user_api_keys_digest_key")),
    )
    op.create_index(
        "user_api_keys_name_key",
        "user_api_keys",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "user_backup_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("user_backup_codes_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("user_backup_codes_pkey")),
    )
    op.create_index(
        op.f("user_backup_codes_user_id_idx"), "user_backup_codes", ["user_id"], unique=False
    )
    op.create_table(
        "user_challenges",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('registration', 'signIn', 'secondFactor')",
            name=op.f("user_challenges_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("user_challenges_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("user_challenges_pkey")),
    )
    op.create_index(
        op.f("user_challenges_expires_at_idx"), "user_challenges", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("user_challenges_user_id_idx"), "user_challenges", ["user_id"], unique=False
    )
    op.create_table(
        "user_invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("account_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("user_invitations_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("user_invitations_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("user_invitations_pkey")),
        sa.UniqueConstraint("digest", name=op.f("user_invitations_digest_key")),
    )
    op.create_index(
        "user_invitations_email_key",
        "user_invitations",
        ["organization_id", sa.literal_column("lower(email)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        op.f("user_invitations_expires_at_idx"), "user_invitations", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("user_invitations_user_id_idx"), "user_invitations", ["user_id"], unique=False
    )
    op.create_table(
        "user_links",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('signIn', 'invitation', 'reset')", name=op.f("user_links_kind_check")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("user_links_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("user_links_pkey")),
    )
    op.create_index(op.f("user_links_user_id_idx"), "user_links", ["user_id"], unique=False)
    op.create_table(
        "user_passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("user_passkeys_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("user_passkeys_pkey")),
        sa.UniqueConstraint("credential_id", name="user_passkeys_credential_key"),
    )
    op.create_index(op.f("user_passkeys_user_id_idx"), "user_passkeys", ["user_id"], unique=False)
    op.create_table(
        "user_preferences",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("preferences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("user_preferences_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("user_preferences_pkey")),
    )
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("by_link", sa.Boolean(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('console', 'token')", name=op.f("user_sessions_kind_check")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("user_sessions_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("user_sessions_pkey")),
        sa.UniqueConstraint("digest", name=op.f("user_sessions_digest_key")),
    )
    op.create_index(
        op.f("user_sessions_expires_at_idx"), "user_sessions", ["expires_at"], unique=False
    )
    op.create_index(op.f("user_sessions_user_id_idx"), "user_sessions", ["user_id"], unique=False)
    op.create_table(
        "user_stores",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("servers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("authority", sa.Text(), nullable=True),
        sa.Column("bind_name", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=True),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("new_base", sa.Text(), nullable=False),
        sa.Column("user_filter", sa.Text(), nullable=False),
        sa.Column("group_base", sa.Text(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("nesting", sa.Text(), nullable=True),
        sa.Column("domains", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("new_accounts", sa.Text(), nullable=False),
        sa.Column("link_by_email", sa.Boolean(), nullable=False),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("sync_every", sa.Interval(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('openLdap', 'activeDirectory')", name=op.f("user_stores_kind_check")
        ),
        sa.CheckConstraint(
            "mode IN ('readOnly', 'readWrite')", name=op.f("user_stores_mode_check")
        ),
        sa.CheckConstraint(
            "organization_id IS NULL OR NOT '*' = ANY (domains)",
            name=op.f("user_stores_domains_check"),
        ),
        sa.CheckConstraint(
            "organization_id IS NULL OR NOT link_by_email", name=op.f("user_stores_link_check")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("user_stores_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("user_stores_pkey")),
    )
    op.create_index(
        "user_stores_name_key",
        "user_stores",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        op.f("user_stores_organization_id_idx"), "user_stores", ["organization_id"], unique=False
    )
    op.create_index(
        "user_stores_prefix_key", "user_stores", [sa.literal_column("lower(prefix)")], unique=True
    )
    op.create_table(
        "user_totps",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("user_totps_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("user_totps_pkey")),
    )
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("groups", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("access_requests_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_providers.id"],
            name=op.f("access_requests_provider_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("access_requests_pkey")),
        sa.UniqueConstraint("provider_id", "subject", name="access_requests_subject_key"),
    )
    op.create_index(
        op.f("access_requests_expires_at_idx"), "access_requests", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("access_requests_organization_id_idx"),
        "access_requests",
        ["organization_id"],
        unique=False,
    )
    op.create_table(
        "api_origins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name=op.f("api_origins_client_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("api_origins_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_origins_pkey")),
    )
    op.create_index(op.f("api_origins_client_id_idx"), "api_origins", ["client_id"], unique=False)
    op.create_index(
        "api_origins_one_each",
        "api_origins",
        ["organization_id", "client_id", "origin"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "api_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("subscriber_kind", sa.Text(), nullable=False),
        sa.Column(
            "subscriber_id",
            sa.Uuid(),
            sa.Computed(
                "coalesce(user_id, api_key_id, client_id, organization_id)", persisted=True
            ),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(user_id, api_key_id, client_id) = CASE subscriber_kind WHEN 'organization' THEN 0 ELSE 1 END",
            name=op.f("api_subscriptions_subscriber_check"),
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'active', 'refused')", name=op.f("api_subscriptions_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["user_api_keys.id"],
            name=op.f("api_subscriptions_api_key_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name=op.f("api_subscriptions_client_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("api_subscriptions_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["api_plans.id"],
            name=op.f("api_subscriptions_plan_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("api_subscriptions_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_subscriptions_pkey")),
    )
    op.create_index(
        op.f("api_subscriptions_api_key_id_idx"), "api_subscriptions", ["api_key_id"], unique=False
    )
    op.create_index(
        op.f("api_subscriptions_client_id_idx"), "api_subscriptions", ["client_id"], unique=False
    )
    op.create_index(
        "api_subscriptions_one_each", "api_subscriptions", ["subscriber_id", "state"], unique=True
    )
    op.create_index(
        op.f("api_subscriptions_organization_id_idx"),
        "api_subscriptions",
        ["organization_id"],
        unique=False,
    )
    op.create_index(
        op.f("api_subscriptions_plan_id_idx"), "api_subscriptions", ["plan_id"], unique=False
    )
    op.create_index(
        op.f("api_subscriptions_user_id_idx"), "api_subscriptions", ["user_id"], unique=False
    )
    op.create_table(
        "broker_contacts",
        sa.Column("broker_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["broker_id"],
            ["brokers.id"],
            name=op.f("broker_contacts_broker_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("broker_id", name=op.f("broker_contacts_pkey")),
    )
    op.create_table(
        "decoder_problems",
        sa.Column("decoder_id", sa.Uuid(), nullable=False),
        sa.Column("device_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decoder_id"],
            ["decoders.id"],
            name=op.f("decoder_problems_decoder_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "decoder_id", "device_number", "day", name=op.f("decoder_problems_pkey")
        ),
    )
    op.create_index("decoder_problems_day", "decoder_problems", ["day"], unique=False)
    op.create_index(
        "decoder_problems_last", "decoder_problems", ["decoder_id", "last_at"], unique=False
    )
    op.create_table(
        "decoder_test_cases",
        sa.Column("decoder_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expected", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "direction IN ('decode', 'decodeDownlink', 'encode')",
            name=op.f("decoder_test_cases_direction_check"),
        ),
        sa.ForeignKeyConstraint(
            ["decoder_id"],
            ["decoders.id"],
            name=op.f("decoder_test_cases_decoder_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("decoder_id", "position", name=op.f("decoder_test_cases_pkey")),
    )
    op.create_table(
        "decoder_versions",
        sa.Column("decoder_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decoder_id"],
            ["decoders.id"],
            name=op.f("decoder_versions_decoder_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("decoder_id", "n", name=op.f("decoder_versions_pkey")),
        sa.UniqueConstraint(
            "decoder_id", "hash", name=op.f("decoder_versions_decoder_id_hash_key")
        ),
    )
    op.create_index("decoder_versions_hash", "decoder_versions", ["hash"], unique=False)
    op.create_table(
        "device_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="device_claims_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_claims_pkey")),
        sa.UniqueConstraint("digest", name=op.f("device_claims_digest_key")),
    )
    op.create_index(
        op.f("device_claims_application_id_idx"), "device_claims", ["application_id"], unique=False
    )
    op.create_index(
        op.f("device_claims_expires_at_idx"), "device_claims", ["expires_at"], unique=False
    )
    op.create_table(
        "device_inboxes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="device_inboxes_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_inboxes_pkey")),
        sa.UniqueConstraint("application_id", name=op.f("device_inboxes_application_id_key")),
        sa.UniqueConstraint("digest", name=op.f("device_inboxes_digest_key")),
    )
    op.create_table(
        "device_revocations",
        sa.Column("authority_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["authority_id"],
            ["device_authorities.id"],
            name=op.f("device_revocations_authority_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("authority_id", "serial", name=op.f("device_revocations_pkey")),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("altitude_m", sa.Float(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("ownership", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decoder_id", sa.Uuid(), nullable=True),
        sa.Column("silent_after", sa.Interval(), nullable=True),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(longitude IS NULL) = (latitude IS NULL)", name=op.f("devices_location_check")
        ),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="devices_application_fkey",
            onupdate="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["decoder_id"], ["decoders.id"], name=op.f("devices_decoder_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["devices.id"],
            name=op.f("devices_gateway_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("devices_owner_id_fkey"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("devices_pkey")),
        sa.UniqueConstraint(
            "id",
            "application_id",
            "organization_id",
            name=op.f("devices_id_application_id_organization_id_key"),
        ),
        sa.UniqueConstraint("number", name=op.f("devices_number_key")),
        sa.UniqueConstraint(
            "organization_id", "serial", name=op.f("devices_organization_id_serial_key")
        ),
    )
    op.create_index("devices_by_change", "devices", ["updated_at", "id"], unique=False)
    op.create_index("devices_by_creation", "devices", ["created_at", "id"], unique=False)
    op.create_index(
        "devices_by_model",
        "devices",
        [sa.literal_column("lower(model)"), sa.literal_column("lower(manufacturer)")],
        unique=False,
    )
    op.create_index(
        "devices_by_name", "devices", [sa.literal_column("lower(name)"), "id"], unique=False
    )
    op.create_index(
        "devices_by_owner", "devices", [sa.literal_column("lower(owner)")], unique=False
    )
    op.create_index(
        "devices_by_serial", "devices", [sa.literal_column("lower(serial)")], unique=False
    )
    op.create_index("devices_decoder", "devices", ["decoder_id"], unique=False)
    op.create_index(op.f("devices_gateway_id_idx"), "devices", ["gateway_id"], unique=False)
    op.create_index(
        "devices_map",
        "devices",
        ["longitude", "latitude"],
        unique=False,
        postgresql_where=sa.text("longitude IS NOT NULL"),
    )
    op.create_index(
        "devices_of_application",
        "devices",
        ["application_id", sa.literal_column("lower(name)"), "id"],
        unique=False,
    )
    op.create_index(
        "devices_of_organization",
        "devices",
        ["organization_id", sa.literal_column("lower(name)"), "id"],
        unique=False,
    )
    op.create_index(
        "devices_own",
        "devices",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "devices_planned",
        "devices",
        ["number"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "devices_search",
        "devices",
        ["search"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search": "gin_trgm_ops"},
    )
    op.create_index("devices_tags", "devices", ["tags"], unique=False, postgresql_using="gin")
    op.create_index(
        "devices_waiting",
        "devices",
        ["application_id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "devices_with_thresholds",
        "devices",
        ["number"],
        unique=False,
        postgresql_where=sa.text("thresholds <> '[]'::jsonb"),
    )
    op.create_table(
        "identity_provider_attempts",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("arrived", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_providers.id"],
            name=op.f("identity_provider_attempts_provider_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("identity_provider_attempts_pkey")),
    )
    op.create_index(
        op.f("identity_provider_attempts_expires_at_idx"),
        "identity_provider_attempts",
        ["expires_at"],
        unique=False,
    )
    op.create_index(
        op.f("identity_provider_attempts_provider_id_idx"),
        "identity_provider_attempts",
        ["provider_id"],
        unique=False,
    )
    op.create_table(
        "identity_provider_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("signs", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_providers.id"],
            name=op.f("identity_provider_keys_provider_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("identity_provider_keys_pkey")),
    )
    op.create_index(
        "identity_provider_keys_provider_idx",
        "identity_provider_keys",
        ["provider_id"],
        unique=False,
    )
    op.create_index(
        "identity_provider_keys_signs_key",
        "identity_provider_keys",
        ["provider_id"],
        unique=True,
        postgresql_where="signs",
    )
    op.create_table(
        "identity_provider_mappings",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("provider_group", sa.Text(), nullable=False),
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("identity_provider_mappings_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_providers.id"],
            name=op.f("identity_provider_mappings_provider_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "provider_id",
            "provider_group",
            "permission_group_id",
            name=op.f("identity_provider_mappings_pkey"),
        ),
    )
    op.create_index(
        op.f("identity_provider_mappings_permission_group_id_idx"),
        "identity_provider_mappings",
        ["permission_group_id"],
        unique=False,
    )
    op.create_table(
        "identity_provider_people",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["identity_providers.id"],
            name=op.f("identity_provider_people_provider_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("identity_provider_people_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("identity_provider_people_pkey")),
        sa.UniqueConstraint("provider_id", "subject", name="identity_provider_people_subject_key"),
    )
    op.create_table(
        "oauth_authorizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("resources", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name=op.f("oauth_authorizations_client_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("oauth_authorizations_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("oauth_authorizations_pkey")),
        sa.UniqueConstraint("refresh_digest", name=op.f("oauth_authorizations_refresh_digest_key")),
    )
    op.create_index(
        "oauth_authorizations_client", "oauth_authorizations", ["client_id"], unique=False
    )
    op.create_index(
        "oauth_authorizations_idle", "oauth_authorizations", ["idle_until"], unique=False
    )
    op.create_index(
        op.f("oauth_authorizations_user_id_idx"), "oauth_authorizations", ["user_id"], unique=False
    )
    op.create_table(
        "oauth_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("resources", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name=op.f("oauth_codes_client_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("oauth_codes_user_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("oauth_codes_pkey")),
    )
    op.create_index(op.f("oauth_codes_client_id_idx"), "oauth_codes", ["client_id"], unique=False)
    op.create_index(op.f("oauth_codes_expires_at_idx"), "oauth_codes", ["expires_at"], unique=False)
    op.create_index(op.f("oauth_codes_user_id_idx"), "oauth_codes", ["user_id"], unique=False)
    op.create_table(
        "oauth_device_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_digest", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("resources", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("allowed", sa.Boolean(), nullable=True),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("interval", sa.Interval(), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["oauth_clients.id"],
            name=op.f("oauth_device_codes_client_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("oauth_device_codes_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("oauth_device_codes_pkey")),
        sa.UniqueConstraint("user_digest", name=op.f("oauth_device_codes_user_digest_key")),
    )
    op.create_index(
        op.f("oauth_device_codes_client_id_idx"), "oauth_device_codes", ["client_id"], unique=False
    )
    op.create_index(
        op.f("oauth_device_codes_expires_at_idx"),
        "oauth_device_codes",
        ["expires_at"],
        unique=False,
    )
    op.create_index(
        op.f("oauth_device_codes_user_id_idx"), "oauth_device_codes", ["user_id"], unique=False
    )
    op.create_table(
        "permission_group_applications",
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["groups.id"],
            name=op.f("permission_group_applications_application_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("permission_group_applications_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "permission_group_id", "application_id", name=op.f("permission_group_applications_pkey")
        ),
    )
    op.create_index(
        op.f("permission_group_applications_application_id_idx"),
        "permission_group_applications",
        ["application_id"],
        unique=False,
    )
    op.create_table(
        "permission_group_members",
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('user', 'apiKey', 'client', 'group')",
            name=op.f("permission_group_members_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("permission_group_members_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "permission_group_id", "kind", "member_id", name=op.f("permission_group_members_pkey")
        ),
    )
    op.create_index(
        "permission_group_members_ending",
        "permission_group_members",
        ["until"],
        unique=False,
        postgresql_where=sa.text("until IS NOT NULL"),
    )
    op.create_index(
        "permission_group_members_member",
        "permission_group_members",
        ["kind", "member_id"],
        unique=False,
    )
    op.create_table(
        "session_shared_retained",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["groups.id"],
            name=op.f("session_shared_retained_application_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "application_id", "topic", name=op.f("session_shared_retained_pkey")
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "session_shared_retained_expires", "session_shared_retained", ["expires_at"], unique=False
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("broker_id", sa.Uuid(), nullable=True),
        sa.Column("front", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("keep_alive_s", sa.Integer(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=True),
        sa.Column("client_certificate", sa.Text(), nullable=True),
        sa.Column("subscriptions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("called_by", sa.Text(), nullable=False),
        sa.Column("identifier_kind", sa.Text(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("secret_names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(broker_id IS NULL) = (front IS NULL)", name=op.f("sources_front_check")
        ),
        sa.CheckConstraint(
            "organization_id IS NOT NULL OR front IS NOT NULL",
            name=op.f("sources_organization_check"),
        ),
        sa.ForeignKeyConstraint(
            ["broker_id"], ["brokers.id"], name=op.f("sources_broker_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["groups.id"], name=op.f("sources_inbox_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("sources_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("sources_pkey")),
        sa.UniqueConstraint("broker_id", name=op.f("sources_broker_id_key")),
    )
    op.create_index(op.f("sources_inbox_id_idx"), "sources", ["inbox_id"], unique=False)
    op.create_index(
        "sources_name_key",
        "sources",
        ["organization_id", sa.literal_column("lower(name)")],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "targets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secret_names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("sealed_secrets", sa.LargeBinary(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("max_age_s", sa.Integer(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("receipt_days", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="targets_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("targets_pkey")),
    )
    op.create_index(
        "targets_name_key",
        "targets",
        ["application_id", sa.literal_column("lower(name)")],
        unique=True,
    )
    op.create_index("targets_organization", "targets", ["organization_id"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("seen_with", sa.Text(), nullable=False),
        sa.Column("run_with", sa.Text(), nullable=False),
        sa.Column("given", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("checkpoint", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("runner", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'completed', 'failed', 'cancelled')",
            name=op.f("tasks_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="tasks_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("tasks_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("tasks_pkey")),
    )
    op.create_index(
        "tasks_of_organization", "tasks", ["organization_id", "created_at"], unique=False
    )
    op.create_index(
        "tasks_open",
        "tasks",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_table(
        "user_invitation_groups",
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["user_invitations.id"],
            name=op.f("user_invitation_groups_invitation_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("user_invitation_groups_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "invitation_id", "permission_group_id", name=op.f("user_invitation_groups_pkey")
        ),
    )
    op.create_index(
        op.f("user_invitation_groups_permission_group_id_idx"),
        "user_invitation_groups",
        ["permission_group_id"],
        unique=False,
    )
    op.create_table(
        "user_spent_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["user_sessions.id"],
            name=op.f("user_spent_tokens_session_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("user_spent_tokens_pkey")),
    )
    op.create_index(
        op.f("user_spent_tokens_session_id_idx"), "user_spent_tokens", ["session_id"], unique=False
    )
    op.create_table(
        "user_store_accounts",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["user_stores.id"],
            name=op.f("user_store_accounts_store_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("user_store_accounts_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("user_store_accounts_pkey")),
        sa.UniqueConstraint("store_id", "entry_id", name="user_store_accounts_entry_key"),
    )
    op.create_table(
        "user_store_mappings",
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("directory_group", sa.Text(), nullable=False),
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("user_store_mappings_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["user_stores.id"],
            name=op.f("user_store_mappings_store_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "store_id",
            "directory_group",
            "permission_group_id",
            name=op.f("user_store_mappings_pkey"),
        ),
    )
    op.create_index(
        op.f("user_store_mappings_permission_group_id_idx"),
        "user_store_mappings",
        ["permission_group_id"],
        unique=False,
    )
    op.create_table(
        "user_store_states",
        sa.Column("store_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("sync_asked", sa.Boolean(), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_error", sa.Text(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('untried', 'reached', 'failing')", name=op.f("user_store_states_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["user_stores.id"],
            name=op.f("user_store_states_store_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("user_store_states_pkey")),
    )
    op.create_table(
        "device_contacts",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connected", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("usual_interval_s", sa.Float(), nullable=True),
        sa.Column("contacts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("device_contacts_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("device_contacts_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "device_contacts_silent",
        "device_contacts",
        ["number"],
        unique=False,
        postgresql_where=sa.text("silent_since IS NOT NULL"),
    )
    op.create_table(
        "device_courses",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("altitude_m", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("device_courses_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "until", name=op.f("device_courses_pkey")),
    )
    op.create_index("device_courses_until", "device_courses", ["until"], unique=False)
    op.create_table(
        "device_credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("mosquitto_hash", sa.Text(), nullable=True),
        sa.Column("scram_hash", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("platform", sa.Text(), nullable=True),
        sa.Column("old_topic", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("authority_id", sa.Uuid(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'password') = (user_name IS NOT NULL)",
            name=op.f("device_credentials_user_name_check"),
        ),
        sa.CheckConstraint(
            "kind IN ('key', 'password', 'certificate')", name=op.f("device_credentials_kind_check")
        ),
        sa.CheckConstraint(
            "platform IN ('os2iot', 'wso2')", name=op.f("device_credentials_platform_check")
        ),
        sa.ForeignKeyConstraint(
            ["authority_id"],
            ["device_authorities.id"],
            name=op.f("device_credentials_authority_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_credentials_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_credentials_pkey")),
        sa.UniqueConstraint("digest", name=op.f("device_credentials_digest_key")),
        sa.UniqueConstraint("previous_digest", name=op.f("device_credentials_previous_digest_key")),
        sa.UniqueConstraint("user_name", name=op.f("device_credentials_user_name_key")),
    )
    op.create_index(
        op.f("device_credentials_authority_id_idx"),
        "device_credentials",
        ["authority_id"],
        unique=False,
    )
    op.create_index(
        op.f("device_credentials_device_id_idx"), "device_credentials", ["device_id"], unique=False
    )
    op.create_index(
        "device_credentials_pinned",
        "device_credentials",
        ["device_id"],
        unique=False,
        postgresql_where=sa.text("certificate IS NOT NULL"),
    )
    op.create_table(
        "device_noted",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("altitude_m", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("device_noted_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("device_noted_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "device_photos",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_photos_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("device_photos_pkey")),
    )
    op.create_table(
        "device_states",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_states_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_states_pkey")),
    )
    op.create_index("device_states_of_device", "device_states", ["device_id", "at"], unique=False)
    op.create_table(
        "device_topic_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("device_kind", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("publish", sa.Boolean(), nullable=False),
        sa.Column("subscribe", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "publish OR channel IS NULL", name=op.f("device_topic_rules_channel_check")
        ),
        sa.CheckConstraint("publish OR subscribe", name=op.f("device_topic_rules_use_check")),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="device_topic_rules_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_topic_rules_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_topic_rules_pkey")),
    )
    op.create_index(
        op.f("device_topic_rules_application_id_idx"),
        "device_topic_rules",
        ["application_id"],
        unique=False,
    )
    op.create_index(
        op.f("device_topic_rules_device_id_idx"), "device_topic_rules", ["device_id"], unique=False
    )
    op.create_table(
        "device_units",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("hardware", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_units_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("device_units_pkey")),
    )
    op.create_index(
        "device_units_bound",
        "device_units",
        ["device_id"],
        unique=True,
        postgresql_where=sa.text("unbound_at IS NULL"),
    )
    op.create_table(
        "device_versions",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("ownership", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decoder_id", sa.Uuid(), nullable=True),
        sa.Column("silent_after", sa.Interval(), nullable=True),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.Column("identifiers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("device_versions_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "until", name=op.f("device_versions_pkey")),
    )
    op.create_index("device_versions_until", "device_versions", ["until"], unique=False)
    op.create_table(
        "identity_provider_given",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("identity_provider_given_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["identity_provider_people.user_id"],
            name=op.f("identity_provider_given_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "permission_group_id", name=op.f("identity_provider_given_pkey")
        ),
    )
    op.create_index(
        op.f("identity_provider_given_permission_group_id_idx"),
        "identity_provider_given",
        ["permission_group_id"],
        unique=False,
    )
    op.create_table(
        "identity_provider_sessions",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_hint", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["user_sessions.id"],
            name=op.f("identity_provider_sessions_session_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["identity_provider_people.user_id"],
            name=op.f("identity_provider_sessions_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("identity_provider_sessions_pkey")),
    )
    op.create_index(
        op.f("identity_provider_sessions_person_idx"),
        "identity_provider_sessions",
        ["person"],
        unique=False,
    )
    op.create_index(
        op.f("identity_provider_sessions_user_id_idx"),
        "identity_provider_sessions",
        ["user_id"],
        unique=False,
    )
    op.create_table(
        "ledger_blocks",
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.number"],
            name=op.f("ledger_blocks_device_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("device", "partition", "first", name=op.f("ledger_blocks_pkey")),
    )
    op.create_index("ledger_blocks_day", "ledger_blocks", ["day"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("application_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'acknowledged', 'cleared')", name=op.f("notices_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["device_id", "application_id", "organization_id"],
            ["devices.id", "devices.application_id", "devices.organization_id"],
            name="notices_device_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("notices_organization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_pkey")),
    )
    op.create_index(
        "notices_cause_key",
        "notices",
        ["subject_id", "kind", "cause"],
        unique=True,
        postgresql_where=sa.text("state <> 'cleared'"),
    )
    op.create_index(
        "notices_cleared",
        "notices",
        ["cleared_at"],
        unique=False,
        postgresql_where=sa.text("state = 'cleared'"),
    )
    op.create_index(
        "notices_of_application", "notices", ["application_id", "opened_at"], unique=False
    )
    op.create_index("notices_of_device", "notices", ["device_id"], unique=False)
    op.create_index(
        "notices_of_organization", "notices", ["organization_id", "opened_at"], unique=False
    )
    op.create_index(
        "notices_standing",
        "notices",
        ["opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'cleared'"),
    )
    op.create_table(
        "oauth_spent_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["oauth_authorizations.id"],
            name=op.f("oauth_spent_tokens_authorization_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("oauth_spent_tokens_pkey")),
    )
    op.create_index(
        op.f("oauth_spent_tokens_authorization_id_idx"),
        "oauth_spent_tokens",
        ["authorization_id"],
        unique=False,
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("device_number", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_within", sa.Interval(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("port", sa.SmallInteger(), nullable=True),
        sa.Column("encoded", sa.LargeBinary(), nullable=True),
        sa.Column("decoder_id", sa.Uuid(), nullable=True),
        sa.Column("decoder_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('command', 'config', 'message', 'info', 'profile', 'policy')",
            name=op.f("operations_kind_check"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sent', 'inProgress', 'completed', 'error', 'notNow', 'repeated', 'cancelled', 'expired', 'timedOut')",
            name=op.f("operations_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["device_id", "application_id", "organization_id"],
            ["devices.id", "devices.application_id", "devices.organization_id"],
            name="operations_device_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("operations_pkey")),
    )
    op.create_index(
        "operations_due",
        "operations",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'sent', 'inProgress', 'notNow')"),
    )
    op.create_index(
        "operations_finished",
        "operations",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "operations_of_application", "operations", ["application_id", "created_at"], unique=False
    )
    op.create_index("operations_of_device", "operations", ["device_id", "created_at"], unique=False)
    op.create_index(
        "operations_of_organization", "operations", ["organization_id", "created_at"], unique=False
    )
    op.create_index(
        "operations_open",
        "operations",
        ["device_number", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'sent', 'inProgress', 'notNow')"),
    )
    op.create_table(
        "session_homes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"],
            ["session_listeners.id"],
            name=op.f("session_homes_listener_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_homes_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("session_homes_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "session_homes_listener",
        "session_homes",
        ["listener_id"],
        unique=False,
        postgresql_where=sa.text("listener_id IS NOT NULL"),
    )
    op.create_table(
        "session_kept",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("expiry_s", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shares", sa.Boolean(), nullable=False),
        sa.Column("will_delay_s", sa.Integer(), nullable=True),
        sa.Column("will_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_kept_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "client_id", name=op.f("session_kept_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("session_kept_expires", "session_kept", ["expires_at"], unique=False)
    op.create_index(
        "session_kept_shares", "session_kept", ["number"], unique=False, postgresql_where="shares"
    )
    op.create_index(
        "session_kept_will",
        "session_kept",
        ["will_at"],
        unique=False,
        postgresql_where=sa.text("will_at IS NOT NULL"),
    )
    op.create_table(
        "session_packets",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("packets", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_packets_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "listener_id", "n", name=op.f("session_packets_pkey")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "session_presence",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disconnected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column(
            "terms", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "figures", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_presence_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "client_id", name=op.f("session_presence_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "session_presence_connected",
        "session_presence",
        ["listener_id"],
        unique=False,
        postgresql_where="connected",
    )
    op.create_index(
        "session_presence_gone",
        "session_presence",
        ["disconnected_at"],
        unique=False,
        postgresql_where=sa.text("NOT connected"),
    )
    op.create_table(
        "session_retained",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_retained_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", "topic", name=op.f("session_retained_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("session_retained_expires", "session_retained", ["expires_at"], unique=False)
    op.create_table(
        "session_watches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alive_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["devices.number"],
            name=op.f("session_watches_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("session_watches_pkey")),
    )
    op.create_index("session_watches_number", "session_watches", ["number"], unique=False)
    op.create_table(
        "source_devices",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"],
            ["devices.number"],
            name=op.f("source_devices_device_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("source_devices_source_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", "device", name=op.f("source_devices_pkey")),
    )
    op.create_index("source_devices_of_device", "source_devices", ["device"], unique=False)
    op.create_table(
        "source_log",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("source_log_source_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", "n", name=op.f("source_log_pkey")),
    )
    op.create_table(
        "source_states",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("connection", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_number", sa.BigInteger(), nullable=False),
        sa.Column("subscribed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "state IN ('idle', 'connected', 'failing')", name=op.f("source_states_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("source_states_source_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", "connection", name=op.f("source_states_pkey")),
    )
    op.create_table(
        "target_counts",
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "what IN ('sent', 'accepted', 'dead', 'discarded')",
            name=op.f("target_counts_what_check"),
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name=op.f("target_counts_target_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target_id", "day", "what", name=op.f("target_counts_pkey")),
    )
    op.create_table(
        "target_health",
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('idle', 'ok', 'failing', 'open')", name=op.f("target_health_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name=op.f("target_health_target_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target_id", name=op.f("target_health_pkey")),
    )
    op.create_table(
        "target_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("route_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('refused', 'attempts', 'age', 'decoder')",
            name=op.f("target_letters_reason_check"),
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name=op.f("target_letters_target_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("target_letters_pkey")),
    )
    op.create_index("target_letters_target", "target_letters", ["target_id", "id"], unique=False)
    op.create_table(
        "target_replays",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("enqueued", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'cancelled')",
            name=op.f("target_replays_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name=op.f("target_replays_target_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("target_replays_pkey")),
    )
    op.create_index(
        op.f("target_replays_target_id_idx"), "target_replays", ["target_id"], unique=False
    )
    op.create_table(
        "target_routes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("decoder_id", sa.Uuid(), nullable=True),
        sa.Column("device_ids", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("tags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("conditions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sampling", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "decoder_id IS NULL OR source = 'document'", name=op.f("target_routes_decoder_check")
        ),
        sa.CheckConstraint(
            "source IN ('document', 'raw')", name=op.f("target_routes_source_check")
        ),
        sa.ForeignKeyConstraint(
            ["application_id", "organization_id"],
            ["groups.id", "groups.organization_id"],
            name="target_routes_application_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["decoder_id"], ["decoders.id"], name=op.f("target_routes_decoder_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["target_id"],
            ["targets.id"],
            name=op.f("target_routes_target_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("target_routes_pkey")),
    )
    op.create_index("target_routes_application", "target_routes", ["application_id"], unique=False)
    op.create_index(
        op.f("target_routes_decoder_id_idx"), "target_routes", ["decoder_id"], unique=False
    )
    op.create_index(
        op.f("target_routes_target_id_idx"), "target_routes", ["target_id"], unique=False
    )
    op.create_table(
        "task_rows",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column(
            "work", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column(
            "problem", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["tasks.id"], name=op.f("task_rows_task_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "n", name=op.f("task_rows_pkey")),
    )
    op.create_index(
        "task_rows_failed",
        "task_rows",
        ["task_id", "n"],
        unique=False,
        postgresql_where=sa.text("problem IS NOT NULL"),
    )
    op.create_table(
        "telemetry_staged",
        sa.Column("generation", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("shape", sa.Integer(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation"],
            ["tasks.id"],
            name=op.f("telemetry_staged_generation_fkey"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "telemetry_staged_generation", "telemetry_staged", ["generation", "device"], unique=False
    )
    op.create_table(
        "user_store_given",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("permission_group_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission_group_id"],
            ["permission_groups.id"],
            name=op.f("user_store_given_permission_group_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_store_accounts.user_id"],
            name=op.f("user_store_given_user_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "permission_group_id", name=op.f("user_store_given_pkey")
        ),
    )
    op.create_index(
        op.f("user_store_given_permission_group_id_idx"),
        "user_store_given",
        ["permission_group_id"],
        unique=False,
    )
    op.create_table(
        "device_identifiers",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.id"],
            name=op.f("device_identifiers_device_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["device_units.id"],
            name=op.f("device_identifiers_unit_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network", "kind", "value", name=op.f("device_identifiers_pkey")),
    )
    op.create_index(
        op.f("device_identifiers_device_id_idx"), "device_identifiers", ["device_id"], unique=False
    )
    op.create_index(
        op.f("device_identifiers_unit_id_idx"), "device_identifiers", ["unit_id"], unique=False
    )
    op.create_table(
        "target_samples",
        sa.Column("route_id", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Integer(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("passed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["route_id"],
            ["target_routes.id"],
            name=op.f("target_samples_route_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("route_id", "device", name=op.f("target_samples_pkey")),
    )
