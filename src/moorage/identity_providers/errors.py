"""What can be wrong with identity providers and signing in by them."""

from moorage.kit.errors import Kind, MoorageError


class ProviderUnknown(MoorageError):
    """No such identity provider, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "identity_providers.unknown"
    message = "There is no identity provider {id} that you may see."


class ProviderTaken(MoorageError):
    """Another identity provider of the organization has this name."""

    kind = Kind.CONFLICT
    code = "identity_providers.taken"
    pointer = "/name"
    message = "Another identity provider of the organization is already named {name}."


class ProvidersTooMany(MoorageError):
    """There are as many identity providers as there may be."""

    kind = Kind.CONFLICT
    code = "identity_providers.too_many"
    message = "There may be at most {limit} identity providers."


class ProviderShared(MoorageError):
    """People of the provider belong to more than the caller's organisation."""

    kind = Kind.FORBIDDEN
    code = "identity_providers.shared"
    message = (
        "People of this identity provider hold permissions beyond the organizations whose users "
        "you manage, and whoever says where it is could sign in as them. Ask a GlobalAdmin."
    )


class ProviderUnreachable(MoorageError):
    """The provider does not answer, or not as one should."""

    kind = Kind.UPSTREAM
    code = "identity_providers.unreachable"
    message = "The identity provider {name} cannot be asked: {reason}"


class AnswerWrong(MoorageError):
    """What came back from the provider does not hold."""

    kind = Kind.UNSIGNED
    code = "identity_providers.answer_wrong"
    message = "The sign-in by {name} does not hold: {reason}"


class AttemptUnknown(MoorageError):
    """Nobody set out for a provider with this, or not in this browser, or too long ago."""

    kind = Kind.UNSIGNED
    code = "identity_providers.attempt_unknown"
    message = (
        "This sign-in was not begun in this browser, was finished already or took too long. "
        "Begin anew."
    )


class SignInDeclined(MoorageError):
    """The provider let the person not in, or they broke off."""

    kind = Kind.UNSIGNED
    code = "identity_providers.declined"
    message = "The identity provider did not let you in."


class NotLetIn(MoorageError):
    """The provider knows the person, and no account is made for them."""

    kind = Kind.FORBIDDEN
    code = "identity_providers.not_let_in"
    message = "The identity provider knows you, and this installation does not let you in: {reason}"


class AccessAsked(MoorageError):
    """A request for access waits for an answer."""

    kind = Kind.FORBIDDEN
    code = "identity_providers.access_asked"
    message = (
        "Access has been asked for in your name. A user administrator answers; then sign in again."
    )


class AccessRejected(MoorageError):
    """A user administrator rejected the request for access."""

    kind = Kind.FORBIDDEN
    code = "identity_providers.access_rejected"
    message = "Your request for access was rejected. You may ask again after a week."


class AccessRequestUnknown(MoorageError):
    """No such open request for access, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "identity_providers.access_request_unknown"
    message = "There is no request for access {id} that you may see."


class PasswordElsewhere(MoorageError):
    """The person signs in by an identity provider and has no password here."""

    kind = Kind.CONFLICT
    code = "identity_providers.password_elsewhere"
    message = "You sign in by an identity provider; change your password there."


class LogoutRequestWrong(MoorageError):
    """What asks to sign somebody out is no request of the provider."""

    kind = Kind.MALFORMED
    code = "identity_providers.logout_request_wrong"
    message = "This request to sign out does not hold: {reason}"


class KeyUnknown(MoorageError):
    """The identity provider has no such key of ours."""

    kind = Kind.NOT_FOUND
    code = "identity_providers.key_unknown"
    message = "There is no key {id} for this identity provider."


class KeysTooMany(MoorageError):
    """There are two keys already; one has to go first."""

    kind = Kind.CONFLICT
    code = "identity_providers.keys_too_many"
    message = "There may be at most {limit} keys for an identity provider. Remove one first."


class KeyInUse(MoorageError):
    """The key signs what is sent to the identity provider."""

    kind = Kind.CONFLICT
    code = "identity_providers.key_in_use"
    message = "This key signs what is sent to the identity provider. Let another sign first."


class LogoutTokenWrong(MoorageError):
    """What asks to end sessions is no logout token of a known provider."""

    kind = Kind.MALFORMED
    code = "identity_providers.logout_token_wrong"
    message = "This logout token does not hold: {reason}"
