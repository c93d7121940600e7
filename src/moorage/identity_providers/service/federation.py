"""What we are to a provider by SAML, and what it said, kept for the browser that set out."""

from __future__ import annotations

import json
from dataclasses import asdict
from uuid import UUID

from moorage.kit.db import Tx
from moorage.kit.mail import Post

from ..errors import AttemptUnknown, ProviderUnknown
from ..model import Attempt, Protocol, Provider, Told
from ..store import providers as store
from . import keys
from .saml import metadata
from .saml.metadata import Us

BASE = "/api/v1/auth/saml"


def us(post: Post, provider_id: UUID) -> Us:
    """Say what we are to a provider; to each we are somebody else."""
    base = f"{post.public_url}{BASE}/{provider_id}"
    return Us(f"{base}/metadata", f"{base}/answer", f"{base}/logout")


async def our_metadata(tx: Tx, post: Post, provider_id: UUID) -> bytes:
    """Write what we say of ourselves to a provider. Raises ProviderUnknown."""
    provider = await store.get(tx, provider_id)
    if provider.protocol is not Protocol.SAML:
        raise ProviderUnknown(id=provider_id)
    shown = await keys.certificates(tx, provider.id)
    format_ = getattr(provider.settings, "name_id_format", None)
    return metadata.write_ours(us(post, provider.id), shown, format_)


def sealed(post: Post, state: bytes, told: Told) -> bytes:
    """Seal what a provider said for the browser that set out."""
    plain = {**asdict(told), "groups": sorted(told.groups)}
    return post.sealer.seal(json.dumps(plain).encode(), _context(state))


def arrived(provider: Provider, attempt: Attempt, state: bytes, post: Post) -> Told:
    """Give what a provider said meanwhile. Raises AttemptUnknown: nothing yet."""
    if attempt.arrived is None or attempt.provider_id != provider.id:
        raise AttemptUnknown
    plain = json.loads(post.sealer.open(attempt.arrived, _context(state)))
    return Told(**{**plain, "groups": frozenset(plain["groups"])})


def _context(state: bytes) -> str:
    return f"identity_providers.arrived:{state.hex()}"
