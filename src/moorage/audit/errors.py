"""What can be wrong with the audit."""

from moorage.kit.errors import Kind, MoorageError


class RangeEmpty(MoorageError):
    """The range ends before it begins."""

    kind = Kind.INVALID
    code = "audit.range_empty"
    pointer = "/to"
    message = "`to` must be later than `from`."


class ChainUnknown(MoorageError):
    """Nothing of that audit is sealed yet."""

    kind = Kind.NOT_FOUND
    code = "audit.chain_unknown"
    message = "Nothing of that audit is sealed yet. Facts are sealed within a second."


class CheckpointsMalformed(MoorageError):
    """What was given as checkpoints is none."""

    kind = Kind.MALFORMED
    code = "audit.checkpoints_malformed"
    message = (
        "The file holds no checkpoints. `GET /api/v1/audit/checkpoints` with "
        "`Accept: application/x-ndjson` gives them, one a line."
    )


class KeysMalformed(MoorageError):
    """What was given as public keys is none."""

    kind = Kind.MALFORMED
    code = "audit.keys_malformed"
    message = (
        "The file holds no Ed25519 public key. "
        "`/.well-known/moorage-audit-keys.json` of the installation gives them; PEM will do too."
    )


class CollectorUnknown(MoorageError):
    """There is no such collector."""

    kind = Kind.NOT_FOUND
    code = "audit.collector_unknown"
    message = "There is no collector {id}."


class CollectorNameTaken(MoorageError):
    """Another collector has this name."""

    kind = Kind.CONFLICT
    code = "audit.collector_name_taken"
    message = "Another collector is called {name}. Choose another name."


class CollectorsTooMany(MoorageError):
    """The installation has as many collectors as it may."""

    kind = Kind.CONFLICT
    code = "audit.collectors_too_many"
    message = "There are {limit} collectors, and no more are served. Remove one first."
