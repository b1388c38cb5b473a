"""Answer once: a request that is repeated with the same Idempotency-Key has one effect and gets the same answer.

Answers are kept per tenant, subject, route and key, for `idempotency_retention_hours` (24 by default); housekeeping removes older
ones in bounded batches. Only successes are kept: what failed has left nothing behind and may be tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from service_kit import metrics
from service_kit.answering import json_answer
from service_kit.database import Connection
from service_kit.errors import IdempotencyKeyReused, RequestInProgress
from service_kit.unit_of_work import Transaction, UnitOfWork

Result = TypeVar("Result", bound=BaseModel)
Headers = Mapping[str, str]

REPLAYED = "Idempotency-Replayed"
"""The response header that marks an answer as the stored one."""

_FIND = """select request_hash, status, headers, body from idempotency_keys
    where tenant_id = $1 and subject = $2 and route = $3 and key = $4"""
_KEEP = """insert into idempotency_keys (tenant_id, subject, route, key, request_hash, status, headers, body)
    values ($1, $2, $3, $4, $5, $6, $7, $8)"""
_PURGE = """with old as (
        select tenant_id, subject, route, key from idempotency_keys
        where created_at < now() - $1::interval order by created_at limit $2)
    delete from idempotency_keys as kept using old where (kept.tenant_id, kept.subject, kept.route, kept.key) =
        (old.tenant_id, old.subject, old.route, old.key)"""


class Once:
    """Runs a request's work at most once per key and answers; without a key it just runs it."""

    def __init__(self, uow: UnitOfWork, *, subject: UUID, route: str, key: str | None, request_hash: bytes) -> None:
        self._uow = uow
        self._subject = subject
        self._route = route
        self._key = key
        self._request_hash = request_hash

    async def answer(
        self,
        status: int,
        work: Callable[[UnitOfWork], Awaitable[Result]],
        *,
        headers: Headers | Callable[[Result], Headers] | None = None,
    ) -> Response:
        """Runs `work` with a unit of work and answers its result as JSON, with `headers` or what they give for the result.

        With a key the work and its answer are saved in one transaction. Raises RequestInProgress while the same key is at work
        and IdempotencyKeyReused when it came with another request before.
        """
        if self._key is None:
            return json_answer(status, *_rendered(await work(self._uow), headers))
        # The lock comes before the look for the row: a statement that did both would look before it had the lock.
        async with self._uow.begin(try_lock=_lock_number(self._identity)) as transaction:
            stored = await self._begin_or_replay(transaction)
            if stored is not None:
                return stored
            extra, body = _rendered(await work(self._uow.within(transaction)), headers)
            await transaction.connection.execute(_KEEP, *self._identity, self._request_hash, status, extra, body)
        metrics.IDEMPOTENCY.labels("first").inc()
        return json_answer(status, extra, body)

    @property
    def _identity(self) -> tuple[UUID, UUID, str, str]:
        return self._uow.context.tenant_id, self._subject, self._route, self._key or ""

    async def _begin_or_replay(self, transaction: Transaction) -> Response | None:
        if not transaction.holds_lock:
            metrics.IDEMPOTENCY.labels("in_progress").inc()
            raise RequestInProgress
        row = await transaction.connection.fetchrow(_FIND, *self._identity)
        if row is None:
            return None
        if row["request_hash"] != self._request_hash:
            metrics.IDEMPOTENCY.labels("reused").inc()
            raise IdempotencyKeyReused
        metrics.IDEMPOTENCY.labels("replayed").inc()
        return json_answer(row["status"], {**_as_mapping(row["headers"]), REPLAYED: "true"}, row["body"])


def fingerprint(method: str, path: str, query: str, body: bytes) -> bytes:
    """Tells two requests apart by method, path, query and what their JSON body means, whatever its spaces and order."""
    # For a body that is not JSON the bytes themselves count.
    with suppress(ValueError):
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256()
    for part in (method.encode(), path.encode("utf-8", "surrogateescape"), query.encode("utf-8", "surrogateescape"), body):
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()


async def purge_idempotency_keys(connection: Connection, *, older_than: timedelta, limit: int = 1000) -> int:
    """Removes at most `limit` answers whose retention is over, as far as this role may see them; gives how many."""
    tag = await connection.execute(_PURGE, older_than, limit)
    removed = int(tag.rpartition(" ")[2])
    metrics.PURGED_ROWS.labels("idempotency_keys").inc(removed)
    return removed


def _lock_number(identity: tuple[UUID, UUID, str, str]) -> int:
    digest = hashlib.blake2b(repr(identity).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _rendered(result: Result, headers: Headers | Callable[[Result], Headers] | None) -> tuple[dict[str, str], bytes]:
    extra = headers(result) if callable(headers) else headers
    return dict(extra or {}), result.model_dump_json(by_alias=True).encode()


def _as_mapping(value: object) -> dict[str, str]:
    loaded = orjson.loads(value) if isinstance(value, (str, bytes)) else value
    return {str(name): str(item) for name, item in loaded.items()} if isinstance(loaded, dict) else {}
