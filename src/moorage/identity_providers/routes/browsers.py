"""What browsers on their way between us and a provider are answered."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse

from moorage.kit.errors import MoorageError

from ..service import Sending

# A provider that tells of signing out does so once (Keycloak does), and would do it in vain over a
# connection that it kept and that we have closed meanwhile.
LAST = {"Connection": "close"}
_POSTS = "document.forms[0].submit()"
_HASH = base64.b64encode(hashlib.sha256(_POSTS.encode()).digest()).decode()
_MAY = f"default-src 'none'; script-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'none'"


def failed_at(failed: MoorageError) -> Response:
    """Send the browser to the sign-in page, which says what went wrong by its code."""
    return RedirectResponse(f"/sign-in#failed={quote(failed.code)}", 303)


def sent(sending: Sending) -> Response:
    """Send the browser to a provider: by an address, or by a form that posts itself."""
    if sending.form is None:
        return RedirectResponse(sending.address, 303)
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in sending.form.items()
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Moorage</title>'
        f'<form method="post" action="{escape(sending.address)}">{fields}'
        f"<noscript><button>Continue</button></noscript></form><script>{_POSTS}</script></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _MAY})
