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


class TooManyFailures(MoorageError):
    """Too many wrong passwords for this account or from this address."""

    kind = Kind.TOO_MANY
    code = "users.too_many_failures"
    message = "Too many wrong passwords. Try again in {retry_after_s} seconds."


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
    """A permission group belongs to another organization than the key."""

    kind = Kind.INVALID
    code = "users.group_foreign"
    pointer = "/permissionGroupIds"
    message = "Permission group {id} does not belong to the organization of the key."


class PersonNeeded(MoorageError):
    """Only a signed-in person can do this."""

    kind = Kind.FORBIDDEN
    code = "users.person_needed"
    message = "An API key cannot do this; sign in as a person."


class PreferencesTooLarge(MoorageError):
    """More would be remembered for one person than may be."""

    kind = Kind.TOO_LARGE
    code = "users.preferences_too_large"
    message = "At most {limit} bytes of preferences are kept. Remove a saved view first."
