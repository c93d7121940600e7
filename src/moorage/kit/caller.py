"""Who asks, and what they were granted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class CallerKind(StrEnum):
    """What sort of caller."""

    PERSON = "person"
    API_KEY = "apiKey"
    CLIENT = "client"
    DEVICE = "device"
    SYSTEM = "system"


_PROGRAMS = frozenset({CallerKind.API_KEY, CallerKind.CLIENT})


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions held somewhere.

    `organization_id` None means the whole installation; `application_ids` None means every
    application of the organisation. With `own` they are held for the devices there that are the
    caller's own, and for nothing else.
    """

    permissions: frozenset[str]
    organization_id: UUID | None = None
    application_ids: frozenset[UUID] | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a caller holds one permission; what lists filter by.

    Attributes:
        everywhere: in the whole installation.
        organization_ids: in these organisations as a whole.
        application_ids: in these applications.
        own_in: for devices of `owner_id` in these organisations.
        owner_id: whose; None where `own_in` is empty.
    """

    everywhere: bool = False
    organization_ids: frozenset[UUID] = frozenset()
    application_ids: frozenset[UUID] = frozenset()
    own_in: frozenset[UUID] = frozenset()
    owner_id: UUID | None = None

    def __bool__(self) -> bool:
        """Tell whether there is anything to see at all."""
        return self.everywhere or bool(self.organization_ids or self.application_ids or self.own_in)


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, API key, OAuth client, device or the system itself, with its grants.

    With `authorization_id` an OAuth client asks: as itself, or in the name of the person `id`; it
    is `client_id`. `organization_id` is the one that a program is of.
    """

    kind: CallerKind
    id: UUID
    label: str
    grants: tuple[Grant, ...] = ()
    origin: str | None = None
    session_id: UUID | None = None
    expires_at: datetime | None = None
    authorization_id: UUID | None = None
    client_id: UUID | None = None
    organization_id: UUID | None = None
    _reaches: dict[str, Reach] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_program(self) -> bool:
        """Whether no person asks by themselves; for what nobody may do in another's name."""
        return self.kind in _PROGRAMS or self.authorization_id is not None

    @property
    def bucket(self) -> str:
        """Name whoever asks, apart from the programs that ask in their name."""
        return f"{self.kind}:{self.authorization_id or self.id}"

    @property
    def home(self) -> UUID | None:
        """The organisation that a request counts for: a program's, or a person's only one."""
        if self.is_program:
            return self.organization_id
        places = {grant.organization_id for grant in self.grants}
        return places.pop() if len(places) == 1 else None

    def reach(self, permission: str) -> Reach:
        """Tell where the caller holds `permission`."""
        known = self._reaches.get(permission)
        if known is None:
            known = self._reaches[permission] = self._reach(permission)
        return known

    def _reach(self, permission: str) -> Reach:
        organizations: set[UUID] = set()
        applications: set[UUID] = set()
        own_in: set[UUID] = set()
        for grant in self.grants:
            if permission not in grant.permissions:
                continue
            if grant.organization_id is None:
                return Reach(everywhere=True)
            if grant.own:
                own_in.add(grant.organization_id)
            elif grant.application_ids is None:
                organizations.add(grant.organization_id)
            else:
                applications |= grant.application_ids
        # A program owns nothing: it asks in somebody's name, or not for what is somebody's own.
        is_owner = bool(own_in) and self.kind is CallerKind.PERSON
        return Reach(
            False,
            frozenset(organizations),
            frozenset(applications),
            frozenset(own_in if is_owner else ()),
            self.id if is_owner else None,
        )

    def places(self, permission: str) -> frozenset[tuple[UUID, UUID]]:
        """Tell in which applications `permission` is held, each with the organisation it is of."""
        return frozenset(
            (grant.organization_id, application_id)
            for grant in self.grants
            if permission in grant.permissions and grant.organization_id is not None
            for application_id in grant.application_ids or ()
        )

    def may(
        self,
        permission: str,
        organization_id: UUID | None,
        application_id: UUID | None = None,
        owner_id: UUID | None = None,
    ) -> bool:
        """Tell whether `permission` is held there.

        Without an application the permission must cover the whole organisation; without an
        organisation, the whole installation. `owner_id` is whose the device is that it is about.
        """
        reach = self.reach(permission)
        return (
            reach.everywhere
            or (organization_id is not None and organization_id in reach.organization_ids)
            or (application_id is not None and application_id in reach.application_ids)
            or (
                owner_id is not None
                and owner_id == reach.owner_id
                and organization_id in reach.own_in
            )
        )

    def belongs_to(self, organization_id: UUID) -> bool:
        """Tell whether any grant touches the organisation."""
        return any(g.organization_id in (None, organization_id) for g in self.grants)


SYSTEM_ID = UUID(int=0)
SYSTEM = Caller(CallerKind.SYSTEM, SYSTEM_ID, "system")
