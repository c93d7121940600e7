"""`moorage keys`: the keys that seal stored secrets, and the root key above them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from moorage import audit, brokers, identity_providers, sources, targets, user_stores, users
from moorage.entry import root_key, rows
from moorage.entry import settings as configuration
from moorage.entry.first_run import in_transaction
from moorage.entry.settings import Settings
from moorage.kit import mail, secrets
from moorage.kit.db import Tx
from moorage.kit.secrets import Sealer, SealingKey

app = App(name="keys", help="Show and rotate the keys that seal stored secrets.")
flag = Parameter(negative="")


@app.command(name="list")
def list_(*, as_json: rows.AsJson = False, data_dir: Path | None = None) -> None:
    """List the sealing keys; never the keys themselves.

    Args:
        as_json: print JSON instead of a table.
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)

    async def work(tx: Tx) -> list[SealingKey]:
        return await secrets.read_keys(tx, root_key.load(settings))

    found = [
        {
            "id": str(key.id),
            "in use from": f"{key.from_at:%Y-%m-%d %H:%M}",
            "retired": f"{key.retired_at:%Y-%m-%d %H:%M}" if key.retired_at else "",
        }
        for key in in_transaction(settings, work)
    ]
    rows.show(found, as_json=as_json)


@app.command
def rotate(
    *,
    root: Annotated[bool, flag] = False,
    stdin: Annotated[bool, flag] = False,
    data_dir: Path | None = None,
) -> None:
    """Make a new sealing key and seal every stored secret with it; the platform may go on running.

    Args:
        root: rotate the root key above them instead.
        stdin: with --root, read the new root key (base64 of 32 bytes) from standard input; needed
            where it does not come from the file in the data directory.
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)
    if not root:
        _rotate_sealing_key(settings)
    elif stdin:
        _announce_root_key(settings, root_key.read(sys.stdin.read()))
    elif root_key.is_a_file(settings):
        _rotate_root_file(settings)
    else:
        sys.exit(
            "moorage: the root key does not come from a file here. Make the new one where it is "
            "kept and pipe it in: moorage keys rotate --root --stdin"
        )


@app.command
def settle(*, data_dir: Path | None = None) -> None:
    """End a rotation of the root key: from now on only the one that is set opens anything.

    Args:
        data_dir: directory of everything the installation keeps.
    """
    settings = _settings(data_dir)

    async def work(tx: Tx) -> None:
        await secrets.settle_root(tx, root_key.load(settings))

    in_transaction(settings, work)
    _say("Only the present root key opens the sealing keys now.")


def _rotate_sealing_key(settings: Settings) -> None:
    root = root_key.load(settings)

    async def make(tx: Tx) -> SealingKey:
        return await secrets.add_key(tx, root)

    async def seal_anew(tx: Tx) -> None:
        sealer = Sealer(await secrets.read_keys(tx, root))
        await users.seal_anew(tx, sealer)
        await user_stores.seal_anew(tx, sealer)
        await identity_providers.seal_anew(tx, sealer)
        await targets.seal_anew(tx, sealer)
        await sources.seal_anew(tx, sealer)
        await brokers.seal_anew(tx, sealer)
        await mail.seal_anew(tx, sealer)
        await audit.seal_anew(tx, sealer)
        await audit.seal_tokens_anew(tx, sealer)
        await secrets.retire_keys(tx, made.id)

    made = in_transaction(settings, make)
    wait_s = secrets.UNUSED_AT_FIRST.total_seconds()
    _say(f"Made the sealing key {made.id}; every process learns of it within {wait_s:.0f} s.")
    # Until the very second in which it comes into use, `seal` would take the one before.
    time.sleep(wait_s + 1)
    in_transaction(settings, seal_anew)
    _say("Sealed every stored secret with it. The keys before it are forgotten in two days.")


def _rotate_root_file(settings: Settings) -> None:
    """Change the file; wherever this breaks off, the file in place opens the keys: run it again."""
    present = root_key.load(settings)
    following = root_key.make_next(settings.data_dir)

    async def announce(tx: Tx) -> None:
        await secrets.seal_for_next_root(tx, present, following)

    async def close(tx: Tx) -> None:
        await secrets.settle_root(tx, following)

    in_transaction(settings, announce)
    root_key.put_next_in_place(settings.data_dir)
    in_transaction(settings, close)
    _say(
        f"{root_key.path_of(settings.data_dir)} holds a new root key. Copy it to where you keep it."
    )


def _announce_root_key(settings: Settings, following: bytes) -> None:
    async def work(tx: Tx) -> None:
        await secrets.seal_for_next_root(tx, root_key.load(settings), following)

    in_transaction(settings, work)
    _say(
        "Both root keys open the sealing keys now. Set the new one everywhere, start the parts "
        "again, then run: moorage keys settle"
    )


def _settings(data_dir: Path | None) -> Settings:
    return configuration.read(options={"data_dir": data_dir}).settings


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
