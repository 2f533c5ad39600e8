"""Sessions in the database: who gets one, when it ends, and how others learn of that."""

from dataclasses import replace

import pytest

from nexus.store import sessions as module
from nexus.store.database import Database
from nexus.store.rows import KeptSession, KeptUser
from nexus.store.sessions import Sessions
from nexus.store.tokens import Tokens
from nexus.store.users import Users
from tests.servers.clock import Clock

ADA = KeptUser("user-ada", "ada", "user", "default", 1.5, "hash")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
async def sessions(database: Database, clock: Clock) -> Sessions:
    await Users(database).create(ADA, "administrator")
    return Sessions(database, 100.0, clock)


def session(number: int, at: float = 1000.0) -> KeptSession:
    return KeptSession(b"%032d" % number, ADA.id, at, at + 1000.0, at)


async def living(sessions: Sessions) -> set[int]:
    return {int(one.digest) for one in await sessions.living()}


async def test_a_session_is_kept_and_replaced_and_ended(sessions: Sessions, database: Database) -> None:
    assert await sessions.create(session(1), ADA)
    assert await sessions.living() == (session(1),)
    assert (await Users(database).living())[0].signed_in_at == 1000.0
    assert await sessions.create(session(2), ADA, instead=session(1).digest)
    assert await living(sessions) == {2}
    await sessions.end(session(2).digest)
    assert await living(sessions) == set()


async def test_who_may_not_sign_in_any_more_does_not(sessions: Sessions, database: Database) -> None:
    """What was checked before may not be so any more: a password that was changed, a user that was disabled."""
    users = Users(database)
    await users.set_password(ADA.id, "another", "administrator")
    assert not await sessions.create(session(1), ADA)
    now = replace(ADA, password="another")
    assert await sessions.create(session(1), now)
    await users.change(ADA.id, {"disabled": True}, "administrator")
    assert not await sessions.create(session(2), now)
    await users.change(ADA.id, {"disabled": False}, "administrator")
    await users.delete(ADA.id, "administrator")
    assert not await sessions.create(session(2), now)
    assert await living(sessions) == set()


async def test_an_end_after_so_long_and_after_so_long_without_use(sessions: Sessions, clock: Clock) -> None:
    for number in (1, 2):
        await sessions.create(session(number), ADA)
    clock.now = 1099.0
    await sessions.seen({session(1).digest: 1099.0, session(3).digest: 1099.0})
    assert await living(sessions) == {1, 2}
    clock.now = 1100.0
    assert await living(sessions) == {1}
    await sessions.seen({session(1).digest: 1050.0})  # another gateway, which knows of less
    clock.now = 1198.0
    assert await living(sessions) == {1}
    await sessions.seen({session(1).digest: 1990.0})
    clock.now = 1999.0
    assert await living(sessions) == {1}
    clock.now = 2000.0
    assert await living(sessions) == set()


async def test_with_too_many_the_oldest_ends(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OF_A_USER", 3)
    for number in range(5):
        await sessions.create(session(number, 1000.0 + number), ADA)
    assert await living(sessions) == {2, 3, 4}


async def test_each_change_is_another_version(sessions: Sessions, database: Database) -> None:
    tokens = Tokens(database)
    seen = [await tokens.version()]
    await sessions.create(session(1), ADA)
    seen.append(await tokens.version())
    await sessions.seen({session(1).digest: 1050.0})
    seen.append(await tokens.version())
    await sessions.end(session(1).digest)
    seen.append(await tokens.version())
    assert len(set(seen)) == 4


async def test_a_state_comes_back_once_and_in_time(
    sessions: Sessions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNDER_WAY", 2)
    assert await sessions.begin_sign_in(b"a", 1600.0)
    assert await sessions.finish_sign_in(b"a")
    assert not await sessions.finish_sign_in(b"a")
    assert not await sessions.finish_sign_in(b"b")
    assert [await sessions.begin_sign_in(one, 1600.0) for one in (b"a", b"b", b"c")] == [True, True, False]
    clock.now = 1600.0
    assert not await sessions.finish_sign_in(b"a")
    assert await sessions.begin_sign_in(b"c", 2000.0)
