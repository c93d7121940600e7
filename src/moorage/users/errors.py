"""What can be wrong with people and their credentials."""

from moorage.kit.errors import Kind, MoorageError


class CredentialsWrong(MoorageError):
    """E-mail, password, link, token or key is not right, or the account is closed."""

    kind = Kind.UNSIGNED
    code = "users.credentials_wrong"
    message = (
        "These credentials are not right, have expired or were withdrawn. Check them, or ask a "
        "user administrator for a new sign-in link."
    )


class AskerGone(MoorageError):
    """Whoever asked for this may not sign in any more."""

    kind = Kind.CONFLICT
    code = "users.asker_gone"
    message = (
        "The account or key of whoever asked for this is closed, has expired or was removed. "
        "Somebody else may ask anew."
    )


class SecondFactorNeeded(MoorageError):
    """The password is right, and the account asks for a second factor."""

    kind = Kind.UNSIGNED
    code = "users.second_factor_needed"
    message = (
        "This account asks for a second factor: send the same again with `code`, of the "
        "authenticator app or one of the backup codes, or with what a passkey answers to `passkey`."
    )


class SecondFactorWrong(MoorageError):
    """The code or the passkey's answer is not right, or was used before."""

    kind = Kind.UNSIGNED
    code = "users.second_factor_wrong"
    message = (
        "This code is not right, or was used before. Wait for the next one, and see that the "
        "clock of your device is right."
    )


class SecondFactorThere(MoorageError):
    """An authenticator app is set up already."""

    kind = Kind.CONFLICT
    code = "users.second_factor_there"
    message = "An authenticator app is set up already. Remove it first to set up another."


class SecondFactorMissing(MoorageError):
    """No authenticator app is being set up, or is set up."""

    kind = Kind.CONFLICT
    code = "users.second_factor_missing"
    message = "No authenticator app is set up. Begin with setting one up."


class SecondFactorRequired(MoorageError):
    """An organization asks for a second factor, and this is the last."""

    kind = Kind.CONFLICT
    code = "users.second_factor_required"
    message = (
        "An organization that you are in asks for a second factor, and this is your last. Set "
        "another one up first."
    )


class PasskeyUnknown(MoorageError):
    """No such passkey of the caller."""

    kind = Kind.NOT_FOUND
    code = "users.passkey_unknown"
    message = "You have no passkey {id}."


class PasskeyRefused(MoorageError):
    """What the browser answered cannot be taken as a new passkey."""

    kind = Kind.INVALID
    code = "users.passkey_refused"
    pointer = "/credential"
    message = (
        "This passkey cannot be taken: it was made for another site, too long ago, or is there "
        "already. Begin anew."
    )


class TooManyPasskeys(MoorageError):
    """The person has as many passkeys as one may have."""

    kind = Kind.CONFLICT
    code = "users.too_many_passkeys"
    message = "You have {most} passkeys, as many as one may have. Remove one first."


class TooManyFailures(MoorageError):
    """Too many wrong passwords for this account or from this address."""

    kind = Kind.TOO_MANY
    code = "users.too_many_failures"
    message = "Too many wrong passwords. Try again in {retry_after_s} seconds."


class TooManyResets(MoorageError):
    """Too many mails were asked for, for this account or from this address."""

    kind = Kind.TOO_MANY
    code = "users.too_many_resets"
    message = (
        "Mail was asked for too often. Look into your mailbox, or try again in {retry_after_s} "
        "seconds."
    )


class MailOff(MoorageError):
    """No mail is sent by this installation."""

    kind = Kind.CONFLICT
    code = "users.mail_off"
    message = (
        "This installation sends no mail. Ask a user administrator for a sign-in link; an operator "
        "can set a mail server (mail.host)."
    )


class PasswordWeak(MoorageError):
    """The password does not meet the rules."""

    kind = Kind.INVALID
    code = "users.password_weak"
    message = "{reason}"

    def __init__(self, reason: str, pointer: str = "/password") -> None:
        super().__init__(reason=reason)
        self.pointer = pointer


class UserUnknown(MoorageError):
    """No such user, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "users.unknown"
    message = "There is no user {id} that you may see."


class EmailTaken(MoorageError):
    """Another user has this e-mail address."""

    kind = Kind.CONFLICT
    code = "users.email_taken"
    pointer = "/email"
    message = "There is already a user with the e-mail address {email}."


class UserOutranks(MoorageError):
    """The user holds more than the caller."""

    kind = Kind.FORBIDDEN
    code = "users.outranks"
    message = (
        "This person holds {permission} somewhere you do not, so you cannot change the account. "
        "Ask an administrator of that organization or a GlobalAdmin."
    )


class UserShared(MoorageError):
    """The account is not the caller's alone to change."""

    kind = Kind.FORBIDDEN
    code = "users.shared"
    message = (
        "This person belongs to more than the organizations whose users you manage, so the account "
        "is not yours alone to change. You can take them out of your organization and end their "
        "sessions; for the rest ask a GlobalAdmin."
    )


class InvitationNeeded(MoorageError):
    """Only a GlobalAdmin lets people in without asking them."""

    kind = Kind.FORBIDDEN
    code = "users.invitation_needed"
    message = (
        "Only a GlobalAdmin makes an account at once. Invite the person instead: POST "
        "/api/v1/invitations with the same fields."
    )


class InvitationUnknown(MoorageError):
    """No such invitation that is open, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "users.invitation_unknown"
    message = (
        "There is no invitation {id} for you to see: it was answered, withdrawn or has expired."
    )


class InvitationVoid(MoorageError):
    """Whoever made the invitation may not let anybody into its groups any more."""

    kind = Kind.CONFLICT
    code = "users.invitation_void"
    message = (
        "Whoever invited you may not let anybody in any more. Ask the organization for a new "
        "invitation."
    )


class AccountExists(MoorageError):
    """The link of an invitation leads to an account that is there already."""

    kind = Kind.CONFLICT
    code = "users.account_exists"
    message = (
        "There is an account with the e-mail address of this invitation already, and the link does "
        "not sign you in to it. Sign in as usual; the invitation waits for you there."
    )


class SessionUnknown(MoorageError):
    """No such session of the caller."""

    kind = Kind.NOT_FOUND
    code = "users.session_unknown"
    message = "You have no session {id}."


class ApiKeyUnknown(MoorageError):
    """No such API key, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "users.api_key_unknown"
    message = "There is no API key {id} that you may see."


class ApiKeyNameTaken(MoorageError):
    """Another API key of the organization carries this name."""

    kind = Kind.CONFLICT
    code = "users.api_key_name_taken"
    pointer = "/name"
    message = "Another API key of the organization is already named {name}."


class GroupForeign(MoorageError):
    """The permission groups of a key or an invitation are not of one organization."""

    kind = Kind.INVALID
    code = "users.group_foreign"
    pointer = "/permissionGroupIds"
    message = "Permission group {id} belongs to another organization than the rest."


class PersonNeeded(MoorageError):
    """Only a signed-in person can do this."""

    kind = Kind.FORBIDDEN
    code = "users.person_needed"
    message = "A program cannot do this; sign in as a person."


class PreferencesTooLarge(MoorageError):
    """More would be remembered for one person than may be."""

    kind = Kind.TOO_LARGE
    code = "users.preferences_too_large"
    message = "At most {limit} bytes of preferences are kept. Remove a saved view first."
