"""Password hashing: argon2id in a bounded pool of threads, with old bcrypt hashes still verified.

Both algorithms let go of Python's lock, so threads are enough; one core stays free for the event loop. When more people wait
than the queue holds, the next one is turned away at once, which costs nothing, instead of making everybody wait.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import argon2
import bcrypt

from auth.domain.passwords import Password, PasswordHash, normalise_password
from service_kit.errors import ServiceUnavailable

T = TypeVar("T")

BCRYPT_PREFIXES = ("$2a$", "$2b$", "$2y$")
# bcrypt never looked at more; newer versions of the library refuse longer input.
BCRYPT_BYTES = 72
NICENESS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HashingPolicy:
    """Cost of argon2id (memory in KiB), how many threads hash and how many callers may wait for one."""

    memory_kib: int
    passes: int
    lanes: int
    threads: int
    queue_limit: int
    retry_after_seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password was right, and if so whether its hash should be made anew."""

    is_right: bool
    needs_upgrade: bool


class PasswordHashing:
    """Hashes and verifies; `verifications` counts the hashes looked at, so that tests can compare work instead of time."""

    def __init__(self, policy: HashingPolicy) -> None:
        self._policy = policy
        self._argon2 = argon2.PasswordHasher(time_cost=policy.passes, memory_cost=policy.memory_kib, parallelism=policy.lanes)
        self._threads = ThreadPoolExecutor(max_workers=policy.threads, thread_name_prefix="password", initializer=_step_back)
        # One more than there are threads: while one is hashed for, the next reads its rows. Those behind hold no connection.
        self._seats = asyncio.Semaphore(policy.threads + 1)
        self._taken = 0
        self.verifications = 0
        # What an address without a password is verified against, at the same cost as a real one.
        self._nobody = PasswordHash(self._argon2.hash("nobody has this password"))

    @asynccontextmanager
    async def place(self) -> AsyncIterator["Place"]:
        """Hold one of the places, from before the work that leads to a hash; raises ServiceUnavailable when all are taken."""
        if self._taken >= self._policy.threads + self._policy.queue_limit:
            raise ServiceUnavailable(
                "Too many people are signing in at once.", retry_after_seconds=self._policy.retry_after_seconds
            )
        self._taken += 1
        try:
            async with self._seats:
                yield Place(self)
        finally:
            self._taken -= 1

    async def hash(self, password: Password) -> PasswordHash:
        async with self.place() as place:
            return await place.hash(password)

    async def verify(self, stored: PasswordHash | None, text: str) -> Verdict:
        async with self.place() as place:
            return await place.verify(stored, text)

    async def run(self, work: Callable[["PasswordHashing"], T]) -> T:
        """Do hashing work on one of the threads; for a `Place` only, which keeps their number within the limit."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, self)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def hash_now(self, password: Password) -> PasswordHash:
        return PasswordHash(self._argon2.hash(password))

    def verify_now(self, stored: PasswordHash | None, text: str) -> Verdict:
        self.verifications += 1
        if stored is not None and stored.startswith(BCRYPT_PREFIXES):
            return Verdict(bcrypt.checkpw(text.encode()[:BCRYPT_BYTES], stored.encode()), needs_upgrade=True)
        is_right = self._matches(stored or self._nobody, normalise_password(text)) and stored is not None
        return Verdict(is_right, needs_upgrade=is_right and stored is not None and self._argon2.check_needs_rehash(stored))

    def _matches(self, stored: PasswordHash, password: Password) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            return False


@dataclass(frozen=True, slots=True)
class Place:
    """The right to have passwords hashed, one after the other."""

    hashing: PasswordHashing

    async def hash(self, password: Password) -> PasswordHash:
        return await self.hashing.run(lambda hashing: hashing.hash_now(password))

    async def verify(self, stored: PasswordHash | None, text: str) -> Verdict:
        """Look at exactly one hash, whether or not there is a stored one."""
        return await self.hashing.run(lambda hashing: hashing.verify_now(stored, text))


def _step_back() -> None:
    """Let the event loop go first where cores are few: on Linux each thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
