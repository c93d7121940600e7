"""What import-linter cannot say about the house."""

from __future__ import annotations

import ast
import configparser
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import reference

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "moorage"
FACES = sorted(
    path
    for path in SOURCE.glob("*/__init__.py")
    if path.parent.name not in ("kit", "entry", "builtin", "testing")
)


def names_in(path: Path) -> tuple[set[str], list[str]]:
    """Give the names a face imports, and those it offers."""
    imported: set[str] = set()
    offered: list[str] = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            imported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            offered = ast.literal_eval(node.value)
    return imported, offered


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.parent.name)
def test_a_face_offers_what_it_imports_and_nothing_else(path: Path) -> None:
    imported, offered = names_in(path)
    assert set(offered) == imported
    assert len(offered) == len(set(offered))


def test_transactions_end_where_they_began() -> None:
    found = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if any(calls_of(ast.parse(path.read_text()), "commit"))
    ]
    # `Database.begin` does it for everybody; a migration ends before anybody uses the database.
    assert sorted(found) == ["entry/migrate.py", "kit/db.py"]


def calls_of(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Give the calls of a method."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=called)) if called == name:
                yield node


def test_the_lists_of_slices_agree() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    tiers = contracts["importlinter:contract:tiers"]["layers"].replace("|", "\n")
    listed = {line.strip(" ()") for line in tiers.splitlines() if line.strip(" ()")}
    assert listed == {path.stem for path in SOURCE.iterdir() if path.suffix in ("", ".py")} - {
        "__init__", "__pycache__", "console", "py", "py.typed"
    }  # fmt: skip
    layered = contracts["importlinter:contract:layers"]["containers"].split()
    with_layers = {path.parent.name for path in SOURCE.glob("*/service*")}
    assert {name.removeprefix("moorage.") for name in layered} == with_layers


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_reference_says_what_the_code_says(name: str) -> None:
    reference.load_everything()
    written = (reference.DOCS / name).read_text()
    assert written == reference.PAGES[name]().rstrip() + "\n", "run scripts/write-reference"


def test_every_sort_of_plugin_has_a_heading() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    written = "\n".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    headings = [line for line in written.splitlines() if line.startswith("#")]
    missing = [group for group in groups if not any(group in line for line in headings)]
    assert not missing


# They find out who calls.
BEFORE_ANYBODY_IS_KNOWN = {
    "devices.redeem_claim",
    "identity_providers.come_back",
    "identity_providers.end_by_provider",
    "identity_providers.end_by_request",
    "identity_providers.offers",
    "identity_providers.our_metadata",
    "identity_providers.receive",
    "identity_providers.set_out",
    "oauth.change_own",
    "oauth.read_own",
    "oauth.register",
    "oauth.remove_own",
    "users.ask_reset",
    "users.begin_passkey_sign_in",
    "users.give_tokens",
    "users.prove_password",
    "users.refresh",
    "users.reset_password",
    "users.sign_in",
    "users.sign_in_by_link",
    "users.sign_in_by_passkey",
}
# What reads or writes for somebody begins with one of these, then says for whom.
DOORS = {"tx", "database", "workshop"}


def modules_of(layer: str) -> Iterator[tuple[str, ast.Module]]:
    """Give the parsed modules of a layer of every slice."""
    for path in [*SOURCE.glob(f"*/{layer}.py"), *SOURCE.glob(f"*/{layer}/*.py")]:
        yield path.relative_to(SOURCE).parts[0], ast.parse(path.read_text())


def test_what_a_controller_calls_is_told_who_calls() -> None:
    parameters = {
        f"{room}.{node.name}": [argument.arg for argument in node.args.args]
        for room, tree in modules_of("service")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    called = set()
    for room, tree in modules_of("routes"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)):
                    called.add(f"{room if owner == 'service' else owner}.{name}")
    asked = {name: parameters[name] for name in called & parameters.keys()}
    assert len(asked) > 100
    untold = {
        name
        for name, given in asked.items()
        if given[:1] and given[0] in DOORS and given[1:2] != ["caller"]
    }
    # Whoever verifies the audit, or access tokens, reads public keys without being anybody here.
    assert (
        untold - {"decoders.kinds", "audit.list_keys", "users.key_set"} == BEFORE_ANYBODY_IS_KNOWN
    )
