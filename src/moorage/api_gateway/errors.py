"""Why the gateway turns a request away."""

from moorage.kit.errors import Kind, MoorageError


class TooManyRequests(MoorageError):
    """The caller's bucket is empty."""

    kind = Kind.TOO_MANY
    code = "api.too_many_requests"
    message = "Too many requests: the bucket `{bucket}` is empty. Try again in {retry_after_s} s."


class BodyTooLarge(MoorageError):
    """The body is longer than the API takes."""

    kind = Kind.TOO_LARGE
    code = "api.body_too_large"
    message = "The body is longer than {most_bytes} bytes. Send it in parts."


class BodyTooSlow(MoorageError):
    """The body did not arrive in time."""

    kind = Kind.MALFORMED
    code = "api.body_too_slow"
    message = "The body did not arrive within {timeout_s} seconds."


class CsrfTokenWrong(MoorageError):
    """A change through the console's cookie came without its CSRF token."""

    kind = Kind.FORBIDDEN
    code = "api.csrf_token_wrong"
    message = (
        "A change with the session cookie needs the header X-CSRF-Token with the `csrfToken` of "
        "GET /api/v1/auth/me."
    )


class OriginForeign(MoorageError):
    """Another site's page sent this."""

    kind = Kind.FORBIDDEN
    code = "api.origin_foreign"
    message = (
        "A page of another site sent this. If {origin} is this installation, set "
        "MOORAGE_PUBLIC_URL to it."
    )


class IdempotencyKeyInvalid(MoorageError):
    """The idempotency key cannot be used."""

    kind = Kind.MALFORMED
    code = "api.idempotency_key_invalid"
    message = "Idempotency-Key must be 1 to 255 visible ASCII characters."


class IdempotencyKeyReused(MoorageError):
    """The same idempotency key came with another query, content type or body."""

    kind = Kind.INVALID
    code = "api.idempotency_key_reused"
    message = "This Idempotency-Key was used for another request. Make a new key for a new one."


class RequestUnderway(MoorageError):
    """The same request is being worked on."""

    kind = Kind.CONFLICT
    code = "api.request_underway"
    message = "A request with this Idempotency-Key is being worked on. Ask again in a second."


class AnswerTooLong(MoorageError):
    """The request was done before, but its answer was too long to keep."""

    kind = Kind.CONFLICT
    code = "api.answer_too_long"
    message = "This request was done before; its answer was too long to keep for repeats."
