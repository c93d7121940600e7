"""Configuration read once at start: environment, an optional TOML file, defaults.

A setting has one dotted name (`api.port`), which gives its variable (`MOORAGE_API_PORT`) and its
place in the file (`port` under `[api]`). Whatever is unknown is an error that names the nearest.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from moorage.kit.errors import Kind, MoorageError

PREFIX = "MOORAGE_"
# Variables with the prefix that are not settings: where the file is, how a part reaches its
# supervisor, where commands reach an installation and as whom.
RESERVED = frozenset(
    {
        "MOORAGE_API_KEY",
        "MOORAGE_CONFIG",
        "MOORAGE_DEVICE_KEY",
        "MOORAGE_SIMULATE_API_KEY",
        "MOORAGE_SUPERVISOR_FD",
        "MOORAGE_URL",
    }
)
HIDDEN = "********"
# Marks a setting that a running platform takes on when told to (`moorage reload`).
LIVE: dict[str, JsonValue] = {"live": True}


class SettingUnknown(MoorageError):
    """A setting of this name does not exist."""

    kind = Kind.INVALID
    code = "settings.unknown"
    message = "{where}: there is no setting {name}.{hint}"


class SettingInvalid(MoorageError):
    """A setting has a value that cannot be used."""

    kind = Kind.INVALID
    code = "settings.invalid"
    message = "{where}: {name} {reason}"


class SettingsFileUnreadable(MoorageError):
    """The configuration file cannot be read."""

    kind = Kind.INVALID
    code = "settings.file_unreadable"
    message = "{where}: {reason}"


class Section(BaseModel):
    """A frozen group of settings; each field has a description."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Setting:
    """One effective setting, for showing.

    Attributes:
        name: dotted.
        value: as text, secrets hidden.
        origin: `default`, a variable, `file: key` or `command line`.
        live: whether a running platform takes it on when told to.
    """

    name: str
    variable: str
    value: str
    origin: str
    description: str
    live: bool


@dataclass(frozen=True)
class Loaded(Generic[S]):
    """Settings and where each one came from.

    Attributes:
        origins: by dotted name; what is missing is a default.
    """

    settings: S
    origins: Mapping[str, str]

    def listed(self) -> Iterator[Setting]:
        """List every setting as it is in force."""
        fields = fields_of(type(self.settings))
        for name, value in values_of(self.settings):
            field = fields[name]
            yield Setting(
                name=name,
                variable=variable_of(name),
                value=shown(value),
                origin=self.origins.get(name, "default"),
                description=field.description or "",
                live=field.json_schema_extra == LIVE,
            )


def load(
    kind: type[S],
    *,
    environment: Mapping[str, str],
    file: Path | None = None,
    options: Mapping[str, object] | None = None,
) -> Loaded[S]:
    """Read the settings; an option wins over a variable, a variable over the file.

    Args:
        kind: the composed sections.
        environment: variables; those without our prefix are passed over.
        file: TOML; must exist when given.
        options: values from the command line, by dotted name.

    Raises:
        SettingUnknown: a variable or key does not exist.
        SettingInvalid: a value cannot be used.
        SettingsFileUnreadable: the file is missing or is not TOML.
    """
    fields = fields_of(kind)
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    if file is not None:
        for name, value in _from_file(file, fields):
            values[name], origins[name] = value, f"{file}: {name}"
    for name, variable, text in _from_environment(environment, fields):
        values[name] = _parsed(name, variable, text, fields[name])
        origins[name] = variable
    for name, value in (options or {}).items():
        values[name], origins[name] = value, "command line"
    try:
        settings = kind.model_validate(_nested(values))
    except ValidationError as failed:
        first = failed.errors(include_url=False)[0]
        name = _name_at(first["loc"], fields)
        where = next((o for n, o in origins.items() if n == name or n.startswith(f"{name}.")), "?")
        raise SettingInvalid(name=name, where=where, reason=_reason(first["msg"])) from failed
    return Loaded(settings, origins)


def fields_of(kind: type[BaseModel], above: str = "") -> dict[str, FieldInfo]:
    """List the settings of a section and the sections in it, by dotted name."""
    found: dict[str, FieldInfo] = {}
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            found |= fields_of(inner, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = field
    return found


def values_of(settings: Section) -> Iterator[tuple[str, Any]]:
    """Give the values of a section and the sections in it, by dotted name."""
    for name in fields_of(type(settings)):
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        yield name, value


def variable_of(name: str) -> str:
    """Give the environment variable of a dotted name."""
    return PREFIX + name.replace(".", "_").upper()


def shown(value: object) -> str:
    """Give a value as text, without secrets."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value)
    return str(value)


def _from_file(file: Path, fields: Mapping[str, FieldInfo]) -> Iterator[tuple[str, object]]:
    try:
        tree = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failed:
        raise SettingsFileUnreadable(where=str(file), reason=str(failed)) from failed
    yield from _flattened(tree, "", str(file), fields)


def _flattened(
    tree: Mapping[str, Any], above: str, where: str, fields: Mapping[str, FieldInfo]
) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        name = f"{above}{key}"
        if name in fields:
            yield name, value
        elif isinstance(value, dict) and any(known.startswith(f"{name}.") for known in fields):
            yield from _flattened(value, f"{name}.", where, fields)
        else:
            raise SettingUnknown(name=name, where=where, hint=_hint(name, fields))


def _from_environment(
    environment: Mapping[str, str], fields: Mapping[str, FieldInfo]
) -> Iterator[tuple[str, str, str]]:
    names = {variable_of(name): name for name in fields}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        if variable not in names:
            raise SettingUnknown(name=variable, where="environment", hint=_hint(variable, names))
        if text:
            yield names[variable], variable, text


def _parsed(name: str, variable: str, text: str, field: FieldInfo) -> object:
    """Read a list or table written as JSON; anything else is left to its type."""
    # The type itself, and each of a union's: `list[str] | None`.
    kinds = map(get_origin, (field.annotation, *get_args(field.annotation)))
    if not {dict, list, tuple, frozenset}.intersection(kinds):
        return text
    try:
        return json.loads(text)
    except ValueError as failed:
        raise SettingInvalid(name=name, where=variable, reason="must be JSON") from failed


def _nested(values: Mapping[str, object]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        branch = tree
        for part in above:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return tree


def _name_at(place: tuple[int | str, ...], fields: Mapping[str, FieldInfo]) -> str:
    """Give the setting that an error of pydantic lies in."""
    parts = [str(part) for part in place]
    for end in range(len(parts), 0, -1):
        if (name := ".".join(parts[:end])) in fields:
            return name
    return ".".join(parts)


def _reason(message: str) -> str:
    return "is wrong: " + message.removeprefix("Value error, ")


def _hint(name: str, known: Mapping[str, object]) -> str:
    # Without the prefix, which alone would make any two variables look alike.
    bare = {other.removeprefix(PREFIX): other for other in known}
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.6)
    return f" Did you mean {bare[nearest[0]]}?" if nearest else " `moorage config` lists them all."
