"""`moorage audit`: verifying exports without a server, and the key that signs checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from uuid import UUID

from cyclopts import App

from moorage import audit
from moorage.audit import Verdict
from moorage.entry import root_key, rows
from moorage.entry import settings as configuration
from moorage.entry.first_run import in_transaction
from moorage.kit import chain
from moorage.kit.db import Tx
from moorage.kit.secrets import load_sealer

app = App(name="audit", help="Verify exports of the audit; rotate the key that signs it.")


@app.command
def verify(
    export: Path,
    *,
    checkpoint: Path,
    key: Path | None = None,
    organization: str | None = None,
    as_json: rows.AsJson = False,
) -> int:
    """Verify an export against signed checkpoints; ends with 1 and names the first broken entry.

    Needs no server: what it reads are files.

    Args:
        export: of the audit, as JSON lines (`GET /api/v1/audit`, `Accept: application/x-ndjson`).
        checkpoint: checkpoints as JSON lines (`GET /api/v1/audit/checkpoints`), kept elsewhere.
        key: public keys to trust (JSON Web Key Set or PEM), fetched once and kept elsewhere too;
            without it those in the checkpoints are believed and shown.
        organization: id of the only organization that entries may be of; `installation` for what
            belongs to none.
        as_json: print JSON instead of sentences.
    """
    keys = None if key is None else audit.read_keys(key.read_text())
    only = None
    if organization is not None:
        only = chain.INSTALLATION if organization == "installation" else UUID(organization)
    with export.open("rb") as lines, checkpoint.open("rb") as signed:
        found = audit.verify(lines, signed, keys, only)
    sys.stdout.write(_json(found) if as_json else _words(found, pinned=keys is not None))
    return 0 if found.broken is None else 1


@app.command(name="rotate-key")
def rotate_key(*, data_dir: Path | None = None) -> None:
    """Make a new key that signs checkpoints; what the old one signed stays verifiable.

    Args:
        data_dir: directory of everything the installation keeps.
    """
    settings = configuration.read(options={"data_dir": data_dir}).settings

    async def work(tx: Tx) -> str:
        sealer = await load_sealer(tx, root_key.load(settings))
        return (await audit.rotate_key(tx, sealer)).public.hex()

    made = in_transaction(settings, work)
    sys.stdout.write(f"Checkpoints are signed with the key {made} from now on.\n")


def _words(found: Verdict, *, pinned: bool) -> str:
    lines = []
    for one in found.chains.values():
        whose = one.organization_id or "the installation"
        said = f"{whose}: entries {one.first} to {one.last}"
        if one.first > 1:
            said += f", those before {one.first} dropped by retention"
        if one.erased:
            said += f", {one.erased} without the text of a person who was erased"
        said += (
            f"; signed up to {one.signed} on {one.signed_at}" if one.signed else "; not signed yet"
        )
        lines.append(said)
    if found.unsealed:
        lines.append(f"{found.unsealed} at the end were not sealed yet and are not proven.")
    if found.absent and not found.broken:
        names = ", ".join(one or "the installation" for one in found.absent)
        lines.append(f"Not in this export, though signed: {names}")
    if not pinned and found.keys:
        keys = ", ".join(sorted(found.keys))
        lines.append(f"Signed by {keys}. Compare it with what is published, or give --key.")
    lines.append(found.broken.words if found.broken else "Everything holds.")
    return "".join(f"{line}\n" for line in lines)


def _json(found: Verdict) -> str:
    broken = found.broken
    shown = {
        "holds": broken is None,
        "broken": broken and {
            "fault": broken.fault.value, "organizationId": broken.organization_id,
            "place": broken.place, "id": broken.id, "line": broken.line, "words": broken.words,
        },
        "chains": [
            {
                "organizationId": one.organization_id, "first": one.first, "last": one.last,
                "erased": one.erased, "signed": one.signed, "signedAt": one.signed_at,
            }
            for one in found.chains.values()
        ],
        "unsealed": found.unsealed,
        "absent": found.absent,
        "keys": sorted(found.keys),
    }  # fmt: skip
    return json.dumps(shown) + "\n"
