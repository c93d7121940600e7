"""`moorage broker`: files for brokers in front that ask nobody."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from cyclopts import App

from moorage.entry.remote import ApiKey, Url, client_of, find, ok

app = App(name="broker", help="Write files for brokers in front that ask nobody.")


@app.command
def export(
    name: str,
    *,
    directory: Path,
    url: Url = "",
    api_key: ApiKey = None,
    data_dir: Path | None = None,
) -> None:
    """Write the password file and the file of rights of a Mosquitto, and whose certificates count.

    Each is replaced as a whole, and only if it changed. Then the broker has to read them: SIGHUP.

    Args:
        name: id or name of the broker.
        directory: where `passwords`, `rights` and `authorities.pem` are put.
        url: of console and API; this installation's when left out.
        api_key: who you are; on the machine of the installation you are its first administrator.
        data_dir: directory of everything the installation keeps.
    """
    with client_of(url, api_key, data_dir) as client:
        broker = find(client, "brokers", name)
        files = ok(client.get(f"/api/v1/brokers/{broker['id']}/files")).json()["files"]
    changed = [one["name"] for one in files if _put(directory / one["name"], one["text"])]
    what = ", ".join(changed) or "nothing"
    sys.stdout.write(f"Changed in {directory}: {what}.\n")


def _put(path: Path, text: str) -> bool:
    """Replace a file in one step, whoever reads it meanwhile; False if it says so already.

    It keeps its owner and mode; a new one is for its owner only.
    """
    before = path.stat() if path.exists() else None
    if before is not None and path.read_text() == text:
        return False
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            Path(made).chmod(before.st_mode & 0o777)
            os.chown(made, before.st_uid, before.st_gid)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    return True
