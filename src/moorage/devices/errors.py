"""What can be wrong with devices."""

from moorage.kit.errors import Kind, MoorageError


class DeviceUnknown(MoorageError):
    """No such device, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "devices.unknown"
    message = "There is no device {id} that you may see."


class SerialTaken(MoorageError):
    """Another device of the organization carries this serial."""

    kind = Kind.CONFLICT
    code = "devices.serial_taken"
    pointer = "/serial"
    message = "Another device of the organization already has the serial {serial}."


class IdentifierTaken(MoorageError):
    """Another device of the installation carries this identifier."""

    kind = Kind.CONFLICT
    code = "devices.identifier_taken"
    pointer = "/identifiers"
    # Whose it is stays untold: it may be another organisation's.
    message = (
        "The {identifier_kind} {value} already belongs to a device of this installation. Check it, "
        "or have it removed from the device that holds it."
    )


class StateNotAllowed(MoorageError):
    """The lifecycle has no such step."""

    kind = Kind.CONFLICT
    code = "devices.state_not_allowed"
    pointer = "/state"
    message = "A device that is {state} cannot become {wanted}; it can become {allowed}."


class GatewayUnfit(MoorageError):
    """The named gateway is not one, is elsewhere, or would be its own gateway."""

    kind = Kind.INVALID
    code = "devices.gateway_unfit"
    pointer = "/gatewayId"
    message = "Device {id} is not a gateway of the same organization."


class DecoderStays(MoorageError):
    """A decoder would be left behind in the old organization."""

    kind = Kind.CONFLICT
    code = "devices.decoder_stays"
    message = (
        "Decoder {id} belongs to the old organization alone. Share it, or give the device or route "
        "that uses it one of the new organization or none before moving."
    )


class CredentialUnknown(MoorageError):
    """The device has no such credential."""

    kind = Kind.NOT_FOUND
    code = "devices.credential_unknown"
    message = "The device has no credential {id}."


class UserNameTaken(MoorageError):
    """Another credential of the installation uses this user name."""

    kind = Kind.CONFLICT
    code = "devices.user_name_taken"
    pointer = "/userName"
    message = "The user name {user_name} is already in use. Choose another, or leave it out."


class SecretTaken(MoorageError):
    """Another credential of the installation has this secret."""

    kind = Kind.CONFLICT
    code = "devices.secret_taken"
    pointer = "/secret"
    message = (
        "Another credential has this secret. Let the server make one, and give the device that."
    )


class TooManyCredentials(MoorageError):
    """The device has as many credentials as it may have."""

    kind = Kind.CONFLICT
    code = "devices.too_many_credentials"
    message = "A device has at most {limit} credentials. Revoke one first."


class CertificateTaken(MoorageError):
    """Another credential of the installation has this certificate, or it was revoked."""

    kind = Kind.CONFLICT
    code = "devices.certificate_taken"
    pointer = "/certificate"
    message = (
        "This certificate belongs to a device already, or was revoked. Make a new one, with a key "
        "of its own for each device."
    )


class TooManyCertificates(MoorageError):
    """The organization has added as many certificates one by one as it may."""

    kind = Kind.CONFLICT
    code = "devices.too_many_certificates"
    message = (
        "An organization adds at most {limit} certificates one by one. Register the authority that "
        "signs them instead."
    )


class CertificateNotRotated(MoorageError):
    """A certificate has no secret here that could be made anew."""

    kind = Kind.CONFLICT
    code = "devices.certificate_not_rotated"
    message = "Only the device has a certificate's key. Add its new certificate, revoke the old."


class AuthorityUnknown(MoorageError):
    """The organization has no such authority."""

    kind = Kind.NOT_FOUND
    code = "devices.authority_unknown"
    message = "The organization has registered no authority {id}."


class AuthorityTaken(MoorageError):
    """The authority's key is registered already."""

    kind = Kind.CONFLICT
    code = "devices.authority_taken"
    pointer = "/certificate"
    message = "An authority with this key is registered already."


class RevocationListOld(MoorageError):
    """A later list of the authority is known."""

    kind = Kind.CONFLICT
    code = "devices.revocation_list_old"
    pointer = "/list"
    message = "The list of {issued_at} is older than the one of {known_at} that is known."


class TooManyAuthorities(MoorageError):
    """The organization has as many authorities as it may have."""

    kind = Kind.CONFLICT
    code = "devices.too_many_authorities"
    message = "An organization registers at most {limit} authorities. Remove one first."


class InboxUnknown(MoorageError):
    """The application has no inbox key."""

    kind = Kind.NOT_FOUND
    code = "devices.inbox_unknown"
    message = "Application {application_id} has no inbox key."


class InboxRefuses(MoorageError):
    """The inbox key is right, but whoever shows it is not let in."""

    kind = Kind.UNSIGNED
    code = "devices.inbox_refuses"
    message = "The inbox key is right, but {reason}"


class CalledUnfit(MoorageError):
    """A broker of the organization names a sender that is no device of it and may not wait."""

    kind = Kind.UNSIGNED
    code = "devices.called_unfit"
    message = "{name} is nobody to take messages from: {reason}"


class ClaimSpent(MoorageError):
    """The one-time claim makes no device, or no more."""

    kind = Kind.NOT_FOUND
    code = "devices.claim_spent"
    message = "The link was used already, or its fifteen minutes are over. Ask for a new one."


class TooManyClaims(MoorageError):
    """The application has too many claims that nobody has used yet."""

    kind = Kind.CONFLICT
    code = "devices.too_many_claims"
    message = "The application has {limit} open claims already. They end by themselves."


class NotWaiting(MoorageError):
    """The device does not wait in the inbox, or does no longer."""

    kind = Kind.CONFLICT
    code = "devices.not_waiting"
    message = "Device {id} does not wait in the inbox; it is {state}."


class ImportUnreadable(MoorageError):
    """The file to import is not what it says it is."""

    kind = Kind.INVALID
    code = "devices.import_unreadable"
    message = "The file cannot be read: {reason}"


class ImportTooLarge(MoorageError):
    """The file to import has too many rows."""

    kind = Kind.TOO_LARGE
    code = "devices.import_too_large"
    message = "An import takes at most {limit} rows. Cut the file into several."


class NotThereThen(MoorageError):
    """At that time the device was not where you may see it, or not there at all."""

    kind = Kind.NOT_FOUND
    code = "devices.not_there_then"
    message = "Device {id} was not there yet, or not where you may see it."


class RemovedSince(MoorageError):
    """The device has been removed since, with its history."""

    kind = Kind.NOT_FOUND
    code = "devices.removed_since"
    message = "Device {id} was removed at {removed_at}, and its history with it."


class PastNotKept(MoorageError):
    """The past is not kept that long."""

    kind = Kind.INVALID
    code = "devices.past_not_kept"
    pointer = "/at"
    message = "What devices were is kept since {since}. Ask for a later `at`."


class PastNotKnown(MoorageError):
    """A filter or order asks for what is not kept of the past."""

    kind = Kind.INVALID
    code = "devices.past_not_known"
    message = "{name} cannot be asked for together with `at`: only the present one is kept."


class PhotoUnknown(MoorageError):
    """The device has no photo."""

    kind = Kind.NOT_FOUND
    code = "devices.photo_unknown"
    message = "Device {id} has no photo."


class PhotoUnfit(MoorageError):
    """The upload is not an image that can be kept."""

    kind = Kind.INVALID
    code = "devices.photo_unfit"
    message = "A photo is a JPEG, PNG or WebP file of at most {limit} bytes."


class TopicRuleUnknown(MoorageError):
    """No such rule about topics in the application."""

    kind = Kind.NOT_FOUND
    code = "devices.topic_rule_unknown"
    message = "There is no topic rule {id} in this application."


class TooManyTopicRules(MoorageError):
    """An application has as many rules about topics as it may."""

    kind = Kind.CONFLICT
    code = "devices.too_many_topic_rules"
    message = "An application has at most {limit} topic rules. Use places, or remove some."
