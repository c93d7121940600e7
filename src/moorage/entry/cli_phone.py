"""`moorage phone`: a link and QR code by which a phone's browser becomes a device."""

from __future__ import annotations

import sys
from pathlib import Path

from moorage.entry import lan as lans
from moorage.entry import phone as phones
from moorage.entry import settings as configuration


def phone(
    *,
    application: str | None = None,
    lan: bool | str = False,
    data_dir: Path | None = None,
) -> None:
    """Show a QR code; the phone that opens it, once and within fifteen minutes, becomes a device.

    Args:
        application: id or name of the application it belongs to; "Phones" when left out.
        lan: the link leads to this machine's address in its network, as `moorage run --lan` gave
            it; otherwise to the public URL.
        data_dir: directory of everything the installation keeps.
    """
    options: dict[str, object] = {"data_dir": data_dir} if data_dir else {}
    if lan is not False:
        options = lans.open_to(lan, options)
    settings = configuration.read(options=options).settings
    link = phones.link(settings, application)
    sys.stdout.write(f"{lans.qr_code(link)}\n{link}\n")
