"""What was handed out of allowances: one row each, leased in parts to the processes."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, func

from moorage.kit.db import Tx

from ..model import Lease, Terms, Unused
from ..tables import allowances

# Bytes are leased in parts of what is left, and of this at least.
_LEAST_BYTES = 65_536

_BEGIN = b"""
INSERT INTO api_allowances (key, tokens, refilled_at, period, requests, data_bytes, stale_at)
VALUES (%(key)s, %(burst)s::double precision, clock_timestamp(), 0, 0, 0,
        clock_timestamp() + interval '1 hour')
ON CONFLICT (key) DO NOTHING
"""
# Everything is reckoned from the row itself, so that two who ask at once are reckoned in turn.
_LEASE = b"""
UPDATE api_allowances AS a SET
  (tokens, refilled_at, period, requests, data_bytes, given, given_bytes, stale_at) = (
    SELECT full_.tokens - lent.given, full_.now, full_.period, full_.requests + lent.given,
           full_.data_bytes + lent.given_bytes, lent.given, lent.given_bytes,
           greatest(full_.now + interval '1 hour',
                    to_timestamp(full_.period + %(period_s)s::bigint))
    FROM (
      SELECT read.now, read.period,
             least(%(burst)s::double precision, a.tokens + %(per_second)s::double precision
                   * greatest(0, extract(epoch FROM read.now - a.refilled_at))) AS tokens,
             CASE WHEN a.period = read.period THEN a.requests ELSE 0 END AS requests,
             CASE WHEN a.period = read.period THEN a.data_bytes ELSE 0 END + %(over)s::bigint
               AS data_bytes
      FROM (SELECT clock.now, (floor(extract(epoch FROM clock.now) / %(period_s)s::bigint)
                               * %(period_s)s::bigint)::bigint AS period
            FROM (SELECT greatest(a.refilled_at, clock_timestamp()) AS now) AS clock) AS read
    ) AS full_,
    LATERAL (
      SELECT %(most)s::bigint - full_.requests AS requests,
             %(most_bytes)s::bigint - full_.data_bytes AS data_bytes
    ) AS rest,
    LATERAL (
      SELECT greatest(0, CASE WHEN rest.data_bytes <= 0 THEN 0 ELSE least(
        floor(full_.tokens)::bigint, %(part)s::bigint, rest.requests,
        greatest(1, rest.requests / 8)) END) AS given
    ) AS asked,
    LATERAL (
      SELECT asked.given,
             CASE WHEN asked.given > 0 AND %(counts_bytes)s::boolean
                  THEN least(rest.data_bytes,
                             greatest(%(least_bytes)s::bigint, rest.data_bytes / 16))
                  ELSE 0 END AS given_bytes
    ) AS lent)
WHERE a.key = %(key)s
RETURNING given, given_bytes, tokens, requests, data_bytes, period,
  period + %(period_s)s::bigint - extract(epoch FROM refilled_at)::double precision AS ends_in_s
"""
_RETURN = b"""
UPDATE api_allowances SET
  tokens = tokens + greatest(0, %(requests)s::bigint),
  requests = requests - CASE WHEN period = %(period)s::bigint THEN %(requests)s::bigint ELSE 0 END,
  data_bytes = data_bytes
    - CASE WHEN period = %(period)s::bigint THEN %(data_bytes)s::bigint ELSE 0 END
WHERE key = %(key)s
"""
# No bound, in the statement's numbers.
_BOUNDLESS = 2**62


async def lease(tx: Tx, terms: Terms, part: int, over_bytes: int) -> Lease:
    """Take at most `part` requests of an allowance, and some of its bytes.

    Args:
        tx: the transaction.
        terms: of the allowance.
        part: how many requests at most.
        over_bytes: what was used beyond the lease before.
    """
    most = _BOUNDLESS if terms.requests is None else terms.requests
    most_bytes = _BOUNDLESS if terms.data_bytes is None else terms.data_bytes
    values = {
        "key": terms.key,
        "burst": float(terms.rate.burst),
        "per_second": float(terms.rate.per_second),
        "part": part,
        "over": over_bytes,
        "most": most,
        "most_bytes": most_bytes,
        "counts_bytes": terms.data_bytes is not None,
        "least_bytes": _LEAST_BYTES,
        "period_s": terms.period_s,
    }
    row = await (await tx.run(_LEASE, values)).fetchone()
    if row is None:
        await tx.run(_BEGIN, {"key": terms.key, "burst": float(terms.rate.burst)})
        row = await (await tx.run(_LEASE, values)).fetchone()
    if row is None:
        # Cleared away between the two; whoever asks again finds it.
        return Lease(0, 0, 1.0, most, most_bytes, 0, float(terms.period_s))
    given, given_bytes, tokens, requests, data_bytes, period, ends_in_s = row
    return Lease(
        given, given_bytes, tokens, most - requests, most_bytes - data_bytes, period,
        float(ends_in_s),
    )  # fmt: skip


async def give_back(tx: Tx, unused: Unused) -> None:
    """Give back what was leased and not used; a period that has ended keeps what it counted."""
    await tx.run(_RETURN, asdict(unused))


async def drop_stale(tx: Tx) -> None:
    """Delete what says nothing any more."""
    await tx.execute(delete(allowances).where(allowances.c.stale_at < func.now()))
