"""What is announced about identity providers and requests for access.

None of it tells who somebody is: what an erasure would have to find again.
"""

from moorage.kit.facts import Fact


class IdentityProviderAdded(Fact):
    """An identity provider was added."""

    name = "identity_providers.added"


class IdentityProviderChanged(Fact):
    """An identity provider changed; a new client secret is told, not what it is."""

    name = "identity_providers.changed"


class IdentityProviderRemoved(Fact):
    """An identity provider was removed; its people keep their accounts, and are signed out."""

    name = "identity_providers.removed"


class IdentityProviderTested(Fact):
    """Somebody tried an identity provider out; the subject is the provider."""

    name = "identity_providers.tested"


class ProviderKeyAdded(Fact):
    """A key of ours was added towards an identity provider; the subject is the provider."""

    name = "identity_providers.key_added"


class ProviderKeyUsed(Fact):
    """Another key of ours signs from now on; the subject is the provider."""

    name = "identity_providers.key_used"


class ProviderKeyRemoved(Fact):
    """A key of ours was removed from an identity provider; the subject is the provider."""

    name = "identity_providers.key_removed"


class PersonLinked(Fact):
    """An account belongs to somebody of an identity provider now; the subject is the user."""

    name = "identity_providers.person_linked"


class AccessRequested(Fact):
    """Somebody an identity provider knows asked for access; the subject is the request."""

    name = "identity_providers.access_requested"


class AccessRequestAccepted(Fact):
    """A request for access was accepted into permission groups; an account was made."""

    name = "identity_providers.access_request_accepted"


class AccessRequestRejected(Fact):
    """A request for access was rejected."""

    name = "identity_providers.access_request_rejected"
