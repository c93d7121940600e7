"""What is announced about OAuth clients."""

from moorage.kit.facts import Fact

PERSONAL = frozenset({"origin"})


class ClientMade(Fact):
    """An OAuth client was made, or registered itself."""

    name = "oauth.client_made"
    personal = PERSONAL


class ClientChanged(Fact):
    """An OAuth client's fields changed."""

    name = "oauth.client_changed"


class ClientRemoved(Fact):
    """An OAuth client was removed, with everything it was allowed."""

    name = "oauth.client_removed"


class SecretRotated(Fact):
    """An OAuth client got a new secret; the one before works no longer."""

    name = "oauth.secret_rotated"


class AccessAllowed(Fact):
    """A person allowed a client something in their name; the subject is the person."""

    name = "oauth.access_allowed"
    personal = PERSONAL


class AccessDenied(Fact):
    """A person refused a client; the subject is the person."""

    name = "oauth.access_denied"


class AccessEnded(Fact):
    """What a client was allowed has ended; the subject is the person, or the client itself."""

    name = "oauth.access_ended"
    personal = PERSONAL


class ClientSignedIn(Fact):
    """A client got a token as itself."""

    name = "oauth.client_signed_in"
    personal = PERSONAL


class RegistrationTokenMade(Fact):
    """A token was made by which programs register themselves."""

    name = "oauth.registration_token_made"


class RegistrationTokenRemoved(Fact):
    """A registration token was removed."""

    name = "oauth.registration_token_removed"
