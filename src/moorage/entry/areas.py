"""The areas of the API, for people who look for the one they need: the tags of its document."""

from __future__ import annotations

from typing import Any, Final

# name, title, what it is for (Markdown). In the order in which a newcomer meets them.
_AREAS: Final = (
    (
        "devices", "Devices",
        "The registry: enrol devices one by one or many at once, find, change, move and retire "
        "them, give them identifiers, credentials, certificates, places and photos.\n\n"
        "Begin with `GET /api/v1/devices`. Programs need `devices:read`, and `devices:manage` to "
        "change something.",
    ),
    (
        "applications", "Applications",
        "The groups that own devices. Rights, retention and data targets are given per "
        "application, so each device is in one.",
    ),
    (
        "readings", "Readings and messages",
        "What devices measured: series over any period, the latest values, summaries by the hour, "
        "messages as they were received, and a live feed (server-sent events). Long periods stream "
        "as CSV, NDJSON or Parquet by `Accept`.\n\nPrograms need `messages:read`.",
    ),
    (
        "messages", "Refusals",
        "What the doors turned away: who sent, and why it was not taken.",
    ),
    (
        "presence", "Presence",
        "Which devices and programs are connected, by which door, since when, and how the last "
        "connection ended; traces of what a device and a door say to each other.",
    ),
    (
        "operations", "Operations",
        "Whatever is sent to devices: commands, configurations and messages, to one device or "
        "many, with the result of each.\n\nPrograms need `devices:operate`.",
    ),
    (
        "devices-door", "The devices' door",
        "The way in for devices that speak HTTP: send messages, take operations, answer them. A "
        "device shows a key of its own; keys of programs open nothing here.",
    ),
    (
        "inbox", "Inbox",
        "Senders that nobody knows yet, with what they sent: look, and make devices of them.",
    ),
    (
        "decoders", "Decoders",
        "From bytes to readings: scripts with versions and test cases, tried on messages that are "
        "kept, and run again over any period after a change.",
    ),
    (
        "targets", "Data targets",
        "Where documents are forwarded, by which routes, with receipts, dead letters, replays and "
        "monthly statements.",
    ),
    (
        "sources", "Sources",
        "Brokers of your own that messages are fetched from.",
    ),
    (
        "brokers", "Brokers in front",
        "Brokers that devices connect to in place of the platform's own door.",
    ),
    (
        "notices", "Notices",
        "What somebody should look at. A notice opens once per cause, and clears with it.",
    ),
    (
        "tasks", "Tasks",
        "Long work: how far it is, what became of each row, and how to stop it.",
    ),
    (
        "auth", "Signing in",
        "Who you are and what you may do, tokens, sessions, second factors and passkeys. "
        "`GET /api/v1/auth/me` tells a program whether its key works.",
    ),
    (
        "oauth", "OAuth 2.0",
        "Programs that act in a person's name or as themselves: clients, authorizations, tokens, "
        "device codes.",
    ),
    (
        "api-keys", "API keys",
        "Credentials for programs of an organization, shown once, never with more than their "
        "maker holds.\n\nA person needs `users:manage`; programs make no keys.",
    ),
    (
        "apis", "API store",
        "This catalogue: each area of the API with its operations, an OpenAPI document of its own "
        "and clients made of that.",
    ),
    (
        "plans", "Plans",
        "How much programs, organizations and people may ask of the API, and who is on which plan.",
    ),
    (
        "usage", "Usage",
        "What was asked of the API by the hour: calls, errors and bytes by caller and area.",
    ),
    (
        "allowed-origins", "Allowed origins",
        "The sites whose pages may ask the API from a browser (CORS).",
    ),
    (
        "organizations", "Organizations",
        "The tenants: names, contacts, settings, quotas, how long things are kept, and the "
        "authorities behind certificates of devices.",
    ),
    (
        "users", "People",
        "Accounts of people: who they are, until when, and which of them may still sign in.",
    ),
    (
        "invitations", "Invitations",
        "Asking people in by mail.",
    ),
    (
        "permissions", "Permission groups",
        "What people and programs may do: groups with roles and permissions, and their members.",
    ),
    (
        "access", "Access",
        "Who may do what with a thing, by which path, and what would change without one.",
    ),
    (
        "user-stores", "User stores",
        "Directories that people come from (LDAP, Active Directory).",
    ),
    (
        "identity-providers", "Identity providers",
        "Single sign-on, and requests for access by people who came that way.",
    ),
    (
        "audit", "Audit",
        "Every change: who, when, what, from where; with proof that nothing was altered. Streams "
        "as CSV, NDJSON or Parquet.\n\nPrograms need `audit:read`.",
    ),
    (
        "demo", "Demo fleet",
        "A simulated fleet to look at, added and removed in one call.",
    ),
    (
        "health", "Health",
        "Whether this installation works, for those who run it and for load balancers.",
    ),
    (
        "metrics", "Metrics",
        "What the platform counts and measures of itself, in the text form of Prometheus.",
    ),
)  # fmt: skip
TAGS: Final[list[dict[str, Any]]] = [
    {"name": name, "x-displayName": title, "description": text} for name, title, text in _AREAS
]
