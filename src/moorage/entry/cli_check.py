"""What a deployment is set to, whether it is well, what it is made of."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from moorage.entry import rows as rows_
from moorage.entry import settings as configuration
from moorage.entry.cli_run import NOWHERE, PLAIN, Doors, Everywhere, say
from moorage.kit import log
from moorage.kit import plugins as plugins_


def doctor(
    *,
    everywhere: Everywhere = PLAIN,
    doors: Doors = NOWHERE,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Check this deployment and say what to mend; ends with 1 if something is bad.

    Args:
        everywhere: options of every command.
        doors: where the platform listens.
        as_json: print JSON instead of a table.
    """
    from moorage.entry import doctor as checks

    settings = configuration.read(options=everywhere.options() | doors.options()).settings
    findings = list(checks.examine(settings))
    rows = [
        {"check": f.name, "health": f.health.value, "found": f.found, "mend": f.mend}
        for f in findings
    ]
    colours = {"good": "green", "doubtful": "yellow", "bad": "red"}
    rows_.show(rows, as_json=as_json, colour=lambda row: colours[row["health"]])
    return int(any(finding.health is checks.Health.BAD for finding in findings))


def config(
    *,
    everywhere: Everywhere = PLAIN,
    doors: Doors = NOWHERE,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show every setting in force and where it came from; secrets stay hidden.

    Args:
        everywhere: options of every command.
        doors: where the platform listens.
        as_json: print JSON instead of a table.
    """
    loaded = configuration.read(options=everywhere.options() | doors.options())
    rows = [
        {
            "setting": setting.name,
            "value": setting.value,
            "from": setting.origin,
            "taken on": "at once" if setting.live else "at start",
            "meaning": setting.description,
            **({"variable": setting.variable} if as_json else {}),
        }
        for setting in loaded.listed()
    ]
    rows_.show(rows, as_json=as_json, colour=lambda row: "" if row["from"] == "default" else "bold")


def plugins(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """List the installed plugins, and those that do not fit; ends with 1 if there are such.

    Args:
        as_json: print JSON instead of a table.
    """
    log.configure("critical", part="plugins")
    rows: list[dict[str, str]] = []
    found = {group: plugins_.find(group) for group in plugins_.GROUPS}
    for group, those in found.items():
        for name, distribution in those.distributions.items():
            rows.append({"kind": group, "name": name, "from": distribution, "left out": ""})
        rows += [
            {"kind": group, "name": one.name, "from": one.distribution, "left out": one.reason}
            for one in those.bad
        ]
    rows_.show(rows, as_json=as_json, colour=lambda row: "red" if row["left out"] else "")
    return int(any(those.bad for those in found.values()))


def reload(*, everywhere: Everywhere = PLAIN) -> None:
    """Have the running platform take on what changed in its TOML file, as far as it can.

    Args:
        everywhere: options of every command.
    """
    from moorage.entry import reload as reload_

    options = everywhere.options()
    data_dir = configuration.read(options=options).settings.data_dir
    changes = reload_.ask(data_dir)
    for names, fate in (
        (changes.live, "taken on"),
        (changes.at_start, "taken on at the next start"),
        (changes.hidden, "without effect: a variable or an option stands above the file"),
    ):
        for name in names:
            say(f"{name}: {fate}")
    if not (changes.live or changes.at_start or changes.hidden):
        say("Nothing has changed in the file; certificates are read again.")
