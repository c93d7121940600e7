"""Plugins: found by their entry points, checked, named when they do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import structlog

log = structlog.get_logger()

# The groups of entry points, and the attributes that what is found in each must have.
GROUPS = {
    "moorage.decoders": ("decode", "encode", "outline", "close"),
    "moorage.logs": ("durable", "open"),
    "moorage.targets": ("title", "schema", "secrets", "check", "open"),
    "moorage.transports": ("open",),
}
# Grows when a protocol of `moorage.plugin` changes so that older plugins no longer fit. A plugin
# names the one it is written for as `api_version`; one that names none is of the first.
VERSION = 1


@dataclass(frozen=True, slots=True)
class BadPlugin:
    """A plugin that was left out, and why."""

    group: str
    name: str
    distribution: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """The plugins of one group by name, the distributions they come from, and those left out."""

    plugins: dict[str, Any]
    distributions: dict[str, str]
    bad: tuple[BadPlugin, ...]


def find(group: str) -> Found:
    """Load every plugin of one of `GROUPS`; one that is bad is left out and named."""
    plugins: dict[str, Any] = {}
    distributions: dict[str, str] = {}
    bad: list[BadPlugin] = []
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        plugin, reason = _load(point, GROUPS[group])
        if not reason and point.name in plugins:
            reason = "another plugin has this name already"
        distribution = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        if reason:
            bad.append(BadPlugin(group, point.name, distribution, reason))
            log.error(
                "plugin_left_out",
                group=group,
                plugin=point.name,
                distribution=distribution,
                reason=reason,
            )
        else:
            plugins[point.name] = plugin
            distributions[point.name] = distribution
    return Found(plugins, distributions, tuple(bad))


def _load(point: EntryPoint, members: tuple[str, ...]) -> tuple[Any, str]:
    try:
        plugin = point.load()
    except Exception as failed:  # A stranger's module may fail in any way; the server must start.
        log.exception("plugin_failed_to_load", plugin=point.name)
        return None, f"it cannot be loaded: {type(failed).__name__}: {failed}"
    version = getattr(plugin, "api_version", 1)
    if version != VERSION:
        return None, f"it is written for plugin interface {version}; this server has {VERSION}"
    if missing := [name for name in members if not hasattr(plugin, name)]:
        return None, f"it lacks {', '.join(missing)}"
    return plugin, ""
