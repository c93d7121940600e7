"""What happens by the clock; apart from the routes, which the worker has no use for."""

from __future__ import annotations

from moorage.api_gateway import jobs as api_gateway_jobs
from moorage.audit import jobs as audit_jobs
from moorage.decoders import jobs as decoders_jobs
from moorage.devices import jobs as devices_jobs
from moorage.groups import jobs as groups_jobs
from moorage.identity_providers import jobs as identity_providers_jobs
from moorage.ingest import jobs as ingest_jobs
from moorage.kit import mail, secrets
from moorage.kit.jobs import Schedule
from moorage.ledger import jobs as ledger_jobs
from moorage.notifications import jobs as notifications_jobs
from moorage.oauth import jobs as oauth_jobs
from moorage.operations import jobs as operations_jobs
from moorage.organizations import jobs as organizations_jobs
from moorage.sessions import jobs as sessions_jobs
from moorage.sources import jobs as sources_jobs
from moorage.targets import jobs as targets_jobs
from moorage.tasks import jobs as tasks_jobs
from moorage.telemetry import jobs as telemetry_jobs
from moorage.users import jobs as users_jobs

SECOND_S, MINUTE_S, HOUR_S, DAY_S = 1.0, 60.0, 3_600.0, 86_400.0

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("audit.trim", 10 * MINUTE_S, audit_jobs.trim),
    Schedule("api_gateway.clear_away", HOUR_S, api_gateway_jobs.clear_away),
    Schedule("kit.forget_retired_keys", DAY_S, secrets.forget_retired),
    Schedule("kit.clear_mail_away", HOUR_S, mail.clear_away),
    Schedule("organizations.end_members", SECOND_S, organizations_jobs.end_members),
    Schedule("users.clear_away", HOUR_S, users_jobs.clear_away),
    Schedule("identity_providers.clear_away", HOUR_S, identity_providers_jobs.clear_away),
    Schedule("oauth.sweep", MINUTE_S, oauth_jobs.sweep),
    Schedule("oauth.clear_away", HOUR_S, oauth_jobs.clear_away),
    Schedule("decoders.forget_old_problems", DAY_S, decoders_jobs.forget_old_problems),
    Schedule("decoders.watch", 30 * SECOND_S, decoders_jobs.watch),
    Schedule("devices.watch_silence", 10 * SECOND_S, devices_jobs.watch_silence),
    Schedule("devices.drop_silent", HOUR_S, devices_jobs.drop_silent),
    Schedule("devices.note_past", MINUTE_S, devices_jobs.note_past),
    Schedule("devices.forget_past", HOUR_S, devices_jobs.forget_past),
    Schedule("devices.trim_changes", MINUTE_S, devices_jobs.trim_changes),
    Schedule("groups.notice_ends", HOUR_S, groups_jobs.notice_ends),
    Schedule("sessions.end_lost", 5 * SECOND_S, sessions_jobs.end_lost),
    Schedule("sessions.end_traces", MINUTE_S, sessions_jobs.end_traces),
    Schedule("sessions.trim", HOUR_S, sessions_jobs.trim),
    Schedule("operations.end_overdue", 5 * SECOND_S, operations_jobs.end_overdue),
    Schedule("operations.trim", 10 * MINUTE_S, operations_jobs.trim),
    Schedule("notifications.trim", DAY_S, notifications_jobs.trim),
    Schedule("tasks.trim", DAY_S, tasks_jobs.trim),
    Schedule("ledger.make_days", HOUR_S, ledger_jobs.make_days),
    Schedule("ledger.seal", 10 * SECOND_S, ledger_jobs.seal),
    Schedule("ledger.drop_old", HOUR_S, ledger_jobs.drop_old),
    Schedule("telemetry.make_days", HOUR_S, telemetry_jobs.make_days),
    Schedule("telemetry.drop_old", HOUR_S, telemetry_jobs.drop_old),
    Schedule("telemetry.erase_removed", HOUR_S, telemetry_jobs.erase_removed),
    Schedule("targets.make_days", HOUR_S, targets_jobs.make_days),
    Schedule("targets.drop_old_receipts", HOUR_S, targets_jobs.drop_old_receipts),
    Schedule("targets.trim_log", HOUR_S, targets_jobs.trim_log),
    Schedule("sources.trim_log", 10 * MINUTE_S, sources_jobs.trim_log),
    Schedule("ingest.measure_quotas", 5 * MINUTE_S, ingest_jobs.measure_quotas),
    Schedule("ingest.forget_refusals", DAY_S, ingest_jobs.forget_refusals),
)
