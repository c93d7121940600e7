"""What can go wrong with a decoder."""

from __future__ import annotations

from moorage.kit.errors import Kind, MoorageError


class DecodeFailed(MoorageError):
    """The decoder threw, or reported errors of its own."""

    kind = Kind.INVALID
    code = "decoders.decode_failed"
    message = "The decoder failed: {reason}"


class DecoderTimedOut(MoorageError):
    """The decoder used more time than a message may take."""

    kind = Kind.INVALID
    code = "decoders.timed_out"
    message = "The decoder took longer than {limit_s} s. Look for a loop that never ends."


class DecoderOutOfMemory(MoorageError):
    """The decoder used more memory than it may."""

    kind = Kind.INVALID
    code = "decoders.out_of_memory"
    message = "The decoder used more than {limit_mib} MiB of memory."


class DecoderResting(MoorageError):
    """The decoder spent its time on earlier messages, so this one was not tried."""

    kind = Kind.TOO_MANY
    code = "decoders.resting"
    message = "The decoder timed out repeatedly and rests; decode again once it is mended."


class DecoderCrashed(MoorageError):
    """The decoder's process ended while it handled the message."""

    kind = Kind.INVALID
    code = "decoders.crashed"
    message = "The decoder's process ended while it handled this message."


class ResultTooLarge(MoorageError):
    """The decoder returned more than a message may become."""

    kind = Kind.TOO_LARGE
    code = "decoders.result_too_large"
    message = "The result is larger than {limit_kib} KiB."


class PayloadMalformed(MoorageError):
    """The payload is not of the format it should be."""

    kind = Kind.INVALID
    code = "decoders.payload_malformed"
    message = "The payload cannot be read: {reason}"


class ScriptInvalid(MoorageError):
    """The script does not load, or lacks the function that was asked for."""

    kind = Kind.INVALID
    code = "decoders.script_invalid"
    pointer = "/script"
    message = "The script is not usable: {reason}"


class RuntimeUnavailable(MoorageError):
    """No decoder process could be started."""

    kind = Kind.UNAVAILABLE
    code = "decoders.runtime_unavailable"
    message = "The decoder process did not start: {reason}"


class DecoderUnknown(MoorageError):
    """No such decoder, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "decoders.unknown"
    message = "There is no decoder {id} that you may see."


class DecoderRemoved(MoorageError):
    """A device or a route refers to a decoder that is gone."""

    kind = Kind.INVALID
    code = "decoders.removed"
    pointer = "/decoderId"
    message = "The decoder {id} was removed. Choose another one."


class DecoderForeign(MoorageError):
    """A device or a route refers to a decoder that its organization may not use."""

    kind = Kind.INVALID
    code = "decoders.foreign"
    pointer = "/decoderId"
    message = (
        "The decoder {id} belongs to another organization and is not shared. Choose another one, "
        "or ask its owner to share it."
    )


class DecoderNotChosen(MoorageError):
    """There is a command to encode and nothing to encode it with."""

    kind = Kind.INVALID
    code = "decoders.not_chosen"
    message = "The device has no decoder that could encode operations. Choose one for the device."


class EncoderMissing(MoorageError):
    """The decoder in force decodes only."""

    kind = Kind.INVALID
    code = "decoders.encoder_missing"
    message = (
        "The decoder cannot encode commands: it has no function such as encodeDownlink(input)."
    )


class KindUnknown(MoorageError):
    """No runtime of this name is installed."""

    kind = Kind.INVALID
    code = "decoders.kind_unknown"
    pointer = "/kind"
    message = (
        "No decoder kind {name} is installed. Choose one of: {known}, or install the plugin that "
        "brings it."
    )


class DecoderNameTaken(MoorageError):
    """Another decoder of the organization carries this name."""

    kind = Kind.CONFLICT
    code = "decoders.name_taken"
    pointer = "/name"
    message = "Another decoder of the organization is already named {name}. Choose another name."


class DecoderInUse(MoorageError):
    """Devices or routes still use the decoder."""

    kind = Kind.CONFLICT
    code = "decoders.in_use"
    message = (
        "{count} devices and {routes} routes{whose} still use this decoder. Give them another one "
        "first."
    )


class VersionUnknown(MoorageError):
    """The decoder has no such version."""

    kind = Kind.NOT_FOUND
    code = "decoders.version_unknown"
    message = "The decoder has no version {n}."


class ScriptNotWanted(MoorageError):
    """A text was given for a kind of decoder that has none."""

    kind = Kind.INVALID
    code = "decoders.script_not_wanted"
    pointer = "/script"
    message = "Decoders of kind {name} have no script; leave `source` out."


class TestCasesInvalid(MoorageError):
    """The test cases cannot be used."""

    kind = Kind.INVALID
    code = "decoders.test_cases_invalid"
    message = "The test cases cannot be used: {reason}."

    __test__ = False


class TestCasesFailed(MoorageError):
    """The script gives other results than its test cases expect."""

    kind = Kind.INVALID
    code = "decoders.test_cases_failed"
    message = (
        "{failed} of {total} test cases fail, so nothing was saved. Mend the script or the cases, "
        "or save with `force=true`."
    )

    __test__ = False


class TrialsTooMany(MoorageError):
    """The caller has used up the time for trying decoders."""

    kind = Kind.TOO_MANY
    code = "decoders.trials_too_many"
    message = "Trying decoders takes turns, and yours is over. Try again in {retry_after_s} s."


class TrialTooLong(MoorageError):
    """The trial was cut off."""

    kind = Kind.INVALID
    code = "decoders.trial_too_long"
    message = "The trial was stopped after {limit_s} s. Try fewer messages, or mend the script."
