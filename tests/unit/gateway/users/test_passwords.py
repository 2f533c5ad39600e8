"""Passwords: what is kept of them, that who is not there is no faster, and that no crowd is hashed at once."""

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher

from nexus.contract.errors import ApiError
from nexus.gateway.users.passwords import AT_ONCE, WAITING, Checked, Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def test_what_is_kept_is_argon2id_and_tells_right_from_wrong() -> None:
    passwords = Passwords(CHEAP)
    kept = await passwords.hashed("correct horse")
    assert kept.startswith("$argon2id$")
    assert "correct horse" not in kept
    assert await passwords.check("correct horse", kept) == Checked(True)
    assert await passwords.check("correct house", kept) == Checked(False)
    assert await passwords.check("correct horse", "no hash") == Checked(False)
    assert await passwords.check("correct horse", None) == Checked(False)


async def test_it_is_the_same_password_however_its_letters_are_put_together() -> None:
    passwords = Passwords(CHEAP)
    kept = await passwords.hashed("Zu\u0308rich-Zu\u0308rich")
    assert (await passwords.check("Z\u00fcrich-Z\u00fcrich", kept)).right


async def test_what_was_hashed_with_less_is_hashed_anew() -> None:
    kept = CHEAP.hash("correct horse")
    checked = await Passwords(PasswordHasher(2, 128, 1)).check("correct horse", kept)
    assert checked.right
    assert checked.anew is not None
    assert "m=128,t=2,p=1" in checked.anew


async def test_a_name_that_nobody_has_costs_as_much() -> None:
    passwords = Passwords(PasswordHasher(2, 16384, 1))
    kept = await passwords.hashed("correct horse")
    await passwords.check("x", None)  # the first one makes what is compared with

    async def seconds(of: str | None) -> float:
        times = []
        for _ in range(9):
            started = time.perf_counter()
            await passwords.check("wrong", of)
            times.append(time.perf_counter() - started)
        return sorted(times)[2]

    known, unknown = await seconds(kept), await seconds(None)
    assert 0.4 < unknown / known < 2.5


class _Held(PasswordHasher):
    """Hashes when it is let go, and knows how many it was asked for at once."""

    def __init__(self) -> None:
        super().__init__(1, 64, 1)
        self.go = threading.Event()
        self.running = self.most = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        assert self.go.wait(10)
        self.running -= 1
        return "hash"


async def test_only_so_many_are_hashed_at_once_and_only_so_many_wait() -> None:
    hasher = _Held()
    passwords = Passwords(hasher)
    waiting = [asyncio.create_task(passwords.hashed("x")) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0)
    waiting[-1].cancel()  # who leaves makes no room: the thread's work is still to be done
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as caught:
        await passwords.hashed("x")
    assert (caught.value.status, caught.value.retry_after) == (503, 1.0)
    hasher.go.set()
    assert await asyncio.gather(*waiting[:-1]) == ["hash"] * (AT_ONCE + WAITING - 1)
    while passwords._busy:
        await asyncio.sleep(0.001)
    assert hasher.most <= AT_ONCE
    assert await passwords.hashed("x") == "hash"
