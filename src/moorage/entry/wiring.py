"""The map of the platform: which routes there are, and what happens by the clock."""

from __future__ import annotations

from fastapi import APIRouter

from moorage.api_gateway import jobs as api_gateway_jobs
from moorage.audit import jobs as audit_jobs
from moorage.audit import routes as audit
from moorage.groups import jobs as groups_jobs
from moorage.ingest import jobs as ingest_jobs
from moorage.ingest import routes as ingest
from moorage.kit.jobs import Schedule
from moorage.ledger import jobs as ledger_jobs
from moorage.notifications import jobs as notifications_jobs
from moorage.organizations import routes as organizations
from moorage.telemetry import jobs as telemetry_jobs
from moorage.telemetry import routes as telemetry
from moorage.users import jobs as users_jobs
from moorage.users import routes as users

ROUTERS: tuple[APIRouter, ...] = (
    *users.ROUTERS,
    organizations.router,
    organizations.permissions,
    telemetry.router,
    ingest.router,
    audit.router,
)

HOUR_S, DAY_S = 3600.0, 86_400.0

SCHEDULES: tuple[Schedule, ...] = (
    Schedule("audit.number_facts", 0.25, audit_jobs.number_facts),
    Schedule("audit.trim", DAY_S, audit_jobs.trim),
    Schedule("api_gateway.clear_away", HOUR_S, api_gateway_jobs.clear_away),
    Schedule("users.clear_away", HOUR_S, users_jobs.clear_away),
    Schedule("ledger.make_days", HOUR_S, ledger_jobs.make_days),
    Schedule("ledger.drop_days", HOUR_S, ledger_jobs.drop_days),
    Schedule("telemetry.make_days", HOUR_S, telemetry_jobs.make_days),
    Schedule("ingest.forget_refusals", DAY_S, ingest_jobs.forget_refusals),
    Schedule("groups.notice_ends", HOUR_S, groups_jobs.notice_ends),
    Schedule("notifications.trim", DAY_S, notifications_jobs.trim),
)
