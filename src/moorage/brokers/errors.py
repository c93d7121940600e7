"""What can be wrong with brokers in front."""

from moorage.kit.errors import Kind, MoorageError


class BrokerUnknown(MoorageError):
    """There is no such broker among those the caller may see."""

    kind = Kind.NOT_FOUND
    code = "brokers.unknown"
    message = "There is no broker {id}."


class BrokerNameTaken(MoorageError):
    """Another broker of the organisation, or of the installation, has this name."""

    kind = Kind.CONFLICT
    code = "brokers.name_taken"
    pointer = "/name"
    message = "A broker named {name} exists here already. Choose another name."


class BrokersTooMany(MoorageError):
    """There are as many brokers as there may be."""

    kind = Kind.CONFLICT
    code = "brokers.too_many"
    message = "There are at most {limit} brokers here. Remove one that is not used."


class BrokerConnected(MoorageError):
    """The broker's messages are fetched already."""

    kind = Kind.CONFLICT
    code = "brokers.connected"
    message = "The messages of {name} are fetched already. Change its source instead."


class FilesUnfit(MoorageError):
    """A broker of this kind has no files of passwords and rights."""

    kind = Kind.CONFLICT
    code = "brokers.files_unfit"
    message = "A broker of the kind {kind} asks the platform; files are for Mosquitto without it."


class TokenRefused(MoorageError):
    """A broker asked without a token, or with one that is unknown or has expired."""

    kind = Kind.UNSIGNED
    code = "brokers.token_refused"
    message = "This takes the token of a broker in front; it is shown when the broker is added."


class QuestionMalformed(MoorageError):
    """What a broker asks cannot be read."""

    kind = Kind.MALFORMED
    code = "brokers.question_malformed"
    message = "The question cannot be read: {reason}."


class QuestionUnknown(MoorageError):
    """A broker of this kind does not ask this."""

    kind = Kind.NOT_FOUND
    code = "brokers.question_unknown"
    message = "A broker of the kind {kind} does not ask for {question}."
