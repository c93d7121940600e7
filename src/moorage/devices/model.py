"""Devices, as the platform knows them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sender:
    """A device that proved who it is, as the doors hold it.

    Attributes:
        number: the device in the message path; no API shows it.
        device_id: the slot.
        credential_id: what it proved itself with.
        version: grows with every change of the device or its credentials that doors must notice.
    """

    number: int
    device_id: UUID
    organization_id: UUID
    application_id: UUID
    credential_id: UUID
    version: int
