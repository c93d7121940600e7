"""What the fetching of sources takes of its process."""

from __future__ import annotations

from dataclasses import dataclass

from moorage import ingest
from moorage.kit.db import Database
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from .front import Fronts
from .roster import Roster


@dataclass(frozen=True, slots=True)
class Means:
    """What fetching takes of the process."""

    database: Database
    door: ingest.Door
    sealer: Sealer
    network: Outbound
    roster: Roster
    fronts: Fronts
