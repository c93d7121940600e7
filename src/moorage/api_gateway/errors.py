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


# --- Plans ------------------------------------------------------------------


class QuotaSpent(MoorageError):
    """What a plan allows in a period is used up."""

    kind = Kind.TOO_MANY
    code = "api.quota_spent"
    message = (
        "The plan {plan} allows {most} {unit} in {period_s} s, and {bucket} has used them. Try "
        "again in {retry_after_s} s, or ask for another plan."
    )


class PlanUnknown(MoorageError):
    """No such plan, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "api.plan_unknown"
    message = "There is no plan {id} that you may see."


class PlanNameTaken(MoorageError):
    """Another plan of the organization or the installation carries this name."""

    kind = Kind.CONFLICT
    code = "api.plan_name_taken"
    pointer = "/name"
    message = "Another plan is already named {name}. Choose another name."


class PlanInUse(MoorageError):
    """Somebody is on the plan."""

    kind = Kind.CONFLICT
    code = "api.plan_in_use"
    message = "Somebody is on this plan. Move them to another one first."


class PlanTooWide(MoorageError):
    """The plan would give more than the organization has itself."""

    kind = Kind.INVALID
    code = "api.plan_too_wide"
    message = (
        "A plan of this organization may give at most {requests_per_second:.12g} requests a second "
        "and {burst} at once. Ask a GlobalAdmin for a larger plan for the organization."
    )


class PlanForeign(MoorageError):
    """The plan is for the programs of one organization, and the subscriber is none of them."""

    kind = Kind.INVALID
    code = "api.plan_foreign"
    pointer = "/planId"
    message = "This plan is for programs of its own organization only."


class SubscriberUnknown(MoorageError):
    """No such subscriber, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "api.subscriber_unknown"
    message = "There is no {subscriber_kind} {id} that you may see."


class SubscriptionUnknown(MoorageError):
    """No such subscription, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "api.subscription_unknown"
    message = "There is no subscription {id} that you may see."


class SubscriptionUnderway(MoorageError):
    """Somebody else subscribes the same program just now."""

    kind = Kind.CONFLICT
    code = "api.subscription_underway"
    message = "Somebody else subscribes the same program just now. Look, and try again."


class SubscriptionDecided(MoorageError):
    """The question was answered before."""

    kind = Kind.CONFLICT
    code = "api.subscription_decided"
    message = "This subscription is {state}; there is nothing to decide."


# --- Pages of other sites ---------------------------------------------------


class OriginNotAllowed(MoorageError):
    """No organization or program lets pages of this site ask."""

    kind = Kind.FORBIDDEN
    code = "api.origin_not_allowed"
    message = (
        "Pages of {origin} may not ask here. Who manages the organization of the program allows "
        "them with POST /api/v1/allowed-origins."
    )


class OriginUnknown(MoorageError):
    """No such allowed origin, or none the caller may see."""

    kind = Kind.NOT_FOUND
    code = "api.origin_unknown"
    message = "There is no allowed origin {id} that you may see."


class OriginThere(MoorageError):
    """The origin is allowed already."""

    kind = Kind.CONFLICT
    code = "api.origin_there"
    pointer = "/origin"
    message = "{origin} is allowed there already."


# --- The API store ----------------------------------------------------------


class ApiUnknown(MoorageError):
    """The API has no such area."""

    kind = Kind.NOT_FOUND
    code = "api.api_unknown"
    message = "The API has no area {id}. GET /api/v1/apis lists them."
