"""The reference pages, made of what the code says; `scripts/write-reference` writes them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic.alias_generators import to_camel

import moorage
from moorage.entry.settings import Settings
from moorage.kit.errors import MoorageError
from moorage.kit.facts import Fact
from moorage.kit.http import STATUS
from moorage.kit.settings import LIVE, fields_of, shown, variable_of

DOCS = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Written by scripts/write-reference from the code. -->\n"


def load_everything() -> None:
    """Import every module, so that the registries are full."""
    for found in pkgutil.walk_packages(moorage.__path__, "moorage."):
        importlib.import_module(found.name)


def errors_page() -> str:
    """Describe every error code."""
    lines = [NOTE, "# Error codes\n", "Every failure of the API has one of these in `code`.\n"]
    for code, error in sorted(MoorageError.registry.items()):
        if not error.__module__.startswith("moorage."):
            continue  # A double of the tests.
        status = STATUS[error.kind]
        lines += [f"## `{code}`\n", f"{status}. {_said(error)}\n", f"> {_message(error)}\n"]
    return "\n".join(lines)


def facts_page() -> str:
    """Describe every fact."""
    lines = [NOTE, "# Facts\n", "What the audit (`GET /api/v1/audit`) tells, by `name`.\n"]
    for name, fact in sorted(Fact.registry.items()):
        lines += [f"## `{name}`\n", f"{_said(fact)}\n"]
    return "\n".join(lines)


def settings_page() -> str:
    """Describe every setting."""
    lines = [NOTE, "# Settings\n"]
    lines += ["Taken on at the start, or at once by `moorage reload` where it says *live*.\n"]
    for name, field in fields_of(Settings).items():
        live = ", live" if field.json_schema_extra == LIVE else ""
        default = "" if field.default_factory else shown(field.get_default())
        text = field.description or ""
        described = f"{text[:1].upper()}{text[1:]}."
        lines += [f"## `{name}`\n", f"{described} `{variable_of(name)}`{live}."]
        lines[-1] += f" Default: `{default}`.\n" if default else "\n"
    return "\n".join(lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "api/errors.md": errors_page,
    "api/facts.md": facts_page,
    "operating/settings.md": settings_page,
}


def _said(thing: type) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _message(error: type[MoorageError]) -> str:
    named = re.sub(r"\{(\w+)(:[^}]*)?\}", lambda m: f"*{to_camel(m[1])}*", error.message)
    return named.replace("\n", " ")


def main() -> None:
    """Write the pages."""
    load_everything()
    for name, page in PAGES.items():
        (DOCS / name).write_text(page().rstrip() + "\n")


if __name__ == "__main__":
    main()
