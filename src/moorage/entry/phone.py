"""A one-time link by which a phone becomes a device, for whoever operates the machine."""

from __future__ import annotations

from moorage import devices, groups, organizations
from moorage.entry.first_run import in_transaction
from moorage.entry.settings import Settings
from moorage.groups import ApplicationFilter, NewApplication
from moorage.kit.caller import SYSTEM_ID, Caller, CallerKind, Grant
from moorage.kit.db import Tx
from moorage.kit.errors import Kind, MoorageError
from moorage.kit.pages import PageRequest
from moorage.organizations import NewOrganization, Permission
from moorage.simulate import DEMO_ORGANIZATION

ORGANIZATION = "Home"
APPLICATION = "Phones"
_OPERATOR = Caller(
    CallerKind.SYSTEM, SYSTEM_ID, "moorage phone", (Grant(frozenset(map(str, Permission))),)
)
_MANY = PageRequest(limit=500)


class ApplicationNotFound(MoorageError):
    """No application, or more than one, has the name."""

    kind = Kind.NOT_FOUND
    code = "phone.application_not_found"
    message = "{count} applications are called {name}; give the id of one."


def link(settings: Settings, application: str | None = None) -> str:
    """Make a link; works once, for fifteen minutes.

    Args:
        settings: of the installation.
        application: id or name; `Phones`, made where there is none, when None.

    Raises:
        DatabaseNotRunning, ApplicationNotFound, TooManyClaims.
    """
    shown = in_transaction(settings, lambda tx: claim(tx, application))
    return shown.url(settings.public_url)


async def claim(tx: Tx, application: str | None = None) -> devices.ShownClaim:
    """Make the claim behind a link; see `link`."""
    found = await groups.list_applications(
        tx, _OPERATOR, _MANY, ApplicationFilter(q=None if application else APPLICATION)
    )
    wanted = application or APPLICATION
    fitting = [a for a in found.items if wanted in (a.name, str(a.id))]
    if application is not None and len(fitting) != 1:
        raise ApplicationNotFound(name=application, count=len(fitting) or "No")
    if fitting:
        return await devices.make_claim(tx, _OPERATOR, fitting[0].id)
    homes = await organizations.list_organizations(tx, _OPERATOR, _MANY)
    ours = [o for o in homes.items if o.name != DEMO_ORGANIZATION]
    home = (
        ours[0] if ours else await organizations.found(tx, _OPERATOR, NewOrganization(ORGANIZATION))
    )
    new = NewApplication(home.id, APPLICATION, "Phones that opened a one-time link.")
    made = await groups.make(tx, _OPERATOR, new)
    return await devices.make_claim(tx, _OPERATOR, made.id)
