"""What can be wrong with operations."""

from moorage.kit.errors import Kind, MoorageError


class OperationUnknown(MoorageError):
    """No such operation, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "operations.unknown"
    message = "There is no operation {id} that you may see."


class PayloadTooLarge(MoorageError):
    """The payload is larger than devices are sent."""

    kind = Kind.TOO_LARGE
    code = "operations.payload_too_large"
    pointer = "/payload"
    message = "The payload is {size} bytes of JSON; at most {limit} are sent to a device."


class EncodingFailed(MoorageError):
    """The device's decoder could not encode the command; it is kept as failed, and never sent."""

    kind = Kind.INVALID
    code = "operations.encoding_failed"
    message = "The device's decoder cannot encode this operation: {reason}"


class ResultTooLarge(MoorageError):
    """The device's answer is larger than is kept."""

    kind = Kind.TOO_LARGE
    code = "operations.result_too_large"
    message = "The result is {size} bytes of JSON; at most {limit} are kept."


class TooManyPending(MoorageError):
    """The device has not yet taken what was sent before."""

    kind = Kind.CONFLICT
    code = "operations.too_many_pending"
    message = "{limit} operations already wait for this device. Cancel some, or let it connect."


class DeviceTakesNone(MoorageError):
    """The device's lifecycle state lets nothing through to it."""

    kind = Kind.CONFLICT
    code = "operations.device_takes_none"
    message = "A device that is {state} takes no operations."


class AlreadyFinished(MoorageError):
    """There is nothing left to cancel."""

    kind = Kind.CONFLICT
    code = "operations.already_finished"
    message = "The operation is {state} already."


class ReportMalformed(MoorageError):
    """What the device says of an operation cannot be understood."""

    kind = Kind.INVALID
    code = "operations.report_malformed"
    message = "A report is a JSON object with `state`, one of {states}, and `result` or `problem`."
