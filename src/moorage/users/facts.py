"""What is announced about people and their credentials."""

from moorage.kit.facts import Fact

# What of a person's facts goes when the person is erased.
PERSONAL = frozenset({"name", "email", "origin"})


class UserInvited(Fact):
    """A user was made by a GlobalAdmin or the operator."""

    name = "users.invited"
    personal = PERSONAL


class InvitationMade(Fact):
    """An organization invited a person; the subject is the invitation, elsewhere the person."""

    name = "users.invitation_made"
    personal = PERSONAL


class InvitationAccepted(Fact):
    """A person accepted an invitation, perhaps by making an account with it."""

    name = "users.invitation_accepted"
    personal = PERSONAL


class InvitationDeclined(Fact):
    """A person declined; the subject is the invitation, elsewhere the person."""

    name = "users.invitation_declined"
    personal = PERSONAL


class InvitationWithdrawn(Fact):
    """An organization withdrew an invitation; the subject is it, elsewhere the person."""

    name = "users.invitation_withdrawn"
    personal = PERSONAL


class UserTakenOut(Fact):
    """A user was taken out of an organization."""

    name = "users.taken_out"


class UserChanged(Fact):
    """A user's fields changed; deactivation too."""

    name = "users.changed"
    personal = PERSONAL


class UserErased(Fact):
    """A user was erased; a pseudonym stays."""

    name = "users.erased"


class UserSignedIn(Fact):
    """Somebody signed in."""

    name = "users.signed_in"
    personal = PERSONAL


class SignInRefused(Fact):
    """Somebody could not sign in; the subject is the user, or zero if there is none."""

    name = "users.sign_in_refused"
    personal = PERSONAL


class LinkMade(Fact):
    """A one-time link was made for a user."""

    name = "users.link_made"
    personal = PERSONAL


class PasswordChanged(Fact):
    """A user's password was set or changed."""

    name = "users.password_changed"
    personal = PERSONAL


class SecondFactorSet(Fact):
    """A person set up an authenticator app."""

    name = "users.second_factor_set"
    personal = PERSONAL


class SecondFactorRemoved(Fact):
    """A second factor was removed: by its person, or all of them by an administrator."""

    name = "users.second_factor_removed"
    personal = PERSONAL


class BackupCodesMade(Fact):
    """A person had new backup codes made; those before work no longer."""

    name = "users.backup_codes_made"
    personal = PERSONAL


class PasskeyAdded(Fact):
    """A person added a passkey."""

    name = "users.passkey_added"
    personal = PERSONAL


class PasskeyRenamed(Fact):
    """A person gave a passkey another name, which the fact does not tell."""

    name = "users.passkey_renamed"
    personal = PERSONAL


class PasskeyRemoved(Fact):
    """A person removed a passkey."""

    name = "users.passkey_removed"
    personal = PERSONAL


class PreferencesChanged(Fact):
    """Somebody's saved views or chosen columns changed; their names are told, not what is in."""

    name = "users.preferences_changed"


class SessionEnded(Fact):
    """A session was ended, by its person, an administrator or the reuse of a refresh token."""

    name = "users.session_ended"
    personal = PERSONAL


class SigningKeyMade(Fact):
    """A new key was made that will sign access tokens."""

    name = "users.signing_key_made"


class ApiKeyIssued(Fact):
    """An API key was made."""

    name = "users.api_key_issued"


class ApiKeyChanged(Fact):
    """An API key's fields changed."""

    name = "users.api_key_changed"


class ApiKeyRevoked(Fact):
    """An API key was removed."""

    name = "users.api_key_revoked"
