"""Tokens in the database: what is kept, what is told of it, and how others learn of a change."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from nexus.store.audit import Audit
from nexus.store.database import Database
from nexus.store.rows import KeptToken
from nexus.store.tables import tokens as table
from nexus.store.tokens import Tokens
from tests.servers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def tokens(database: Database, clock: Clock) -> Tokens:
    return Tokens(database, clock)


def token(name: str, *, secret: bytes | None = None, **values: object) -> KeptToken:
    digest = (secret or name.encode()).ljust(32, b"\0")
    return KeptToken(f"token-{name}", name, digest, "default", 1.5, **values)  # type: ignore[arg-type]


async def living(tokens: Tokens) -> list[str]:
    return [one.name for one in (await tokens.living())[1]]


async def test_a_token_is_kept_as_it_was_made(tokens: Tokens) -> None:
    made = token("ci", owner="Ada & Bob", expires_at=2e9)
    assert await tokens.create(made, "administrator")
    assert (await tokens.living())[1] == (made,)
    assert await tokens.find("token-ci") == await tokens.find("ci") == made
    assert await tokens.find("nobody") is None


async def test_a_name_is_free_again_once_its_token_is_revoked(tokens: Tokens, clock: Clock) -> None:
    await tokens.create(token("ci"), "administrator")
    again = replace(token("ci", secret=b"other"), id="token-2")
    assert not await tokens.create(again, "administrator")
    revoked = await tokens.revoke("token-ci", "administrator")
    assert revoked is not None
    assert revoked.revoked_at == clock.now
    assert await living(tokens) == []
    assert await tokens.find("ci") is None
    assert await tokens.find("token-ci") == revoked
    await tokens.create(again, "administrator")
    assert await tokens.find("ci") == again


async def test_of_many_that_want_a_name_at_once_one_has_it(tokens: Tokens) -> None:
    many = [replace(token("ci", secret=b"%d" % number), id=f"token-{number}") for number in range(4)]
    made = await asyncio.gather(*(tokens.create(one, "ada") for one in many))
    assert sorted(made) == [False, False, False, True]
    assert len((await tokens.living())[1]) == 1


async def test_another_secret_takes_the_place_of_the_first(tokens: Tokens) -> None:
    await tokens.create(token("ci"), "administrator")
    rotated = await tokens.rotate("token-ci", b"x" * 32, "administrator")
    assert rotated == replace(token("ci"), digest=b"x" * 32)
    assert (await tokens.living())[1] == (rotated,)


async def test_what_is_not_there_or_is_revoked_cannot_be_changed(tokens: Tokens, database: Database) -> None:
    await tokens.create(token("ci"), "administrator")
    await tokens.revoke("token-ci", "administrator")
    version = await tokens.version()
    for identity in ("token-ci", "nobody"):
        assert await tokens.revoke(identity, "administrator") is None
        assert await tokens.rotate(identity, b"x" * 32, "administrator") is None
    assert await tokens.version() == version
    assert len((await Audit(database).page(limit=10))[0]) == 2


async def test_each_change_is_another_version_and_nothing_else_is(tokens: Tokens) -> None:
    seen = [await tokens.version()]
    await tokens.create(token("ci"), "administrator")
    seen.append(await tokens.version())
    await tokens.rotate("token-ci", b"x" * 32, "administrator")
    seen.append((await tokens.living())[0])
    await tokens.revoke("token-ci", "administrator")
    seen.append(await tokens.version())
    assert len(set(seen)) == 4
    assert [await tokens.create(token("a"), "administrator") for _ in range(2)] == [True, False]
    version = await tokens.version()
    assert version == seen[-1] + 1  # the one that failed changed nothing
    await tokens.used({"token-a": 9.0})
    assert await tokens.version() == version


async def test_the_last_use_is_written_once_a_minute(tokens: Tokens) -> None:
    for name in ("a", "b"):
        await tokens.create(token(name), "administrator")

    async def used(**times: float) -> list[float | None]:
        await tokens.used({f"token-{name}": at for name, at in times.items()})
        return [one.last_used_at for one in (await tokens.living())[1]]

    assert await used(a=1000.0, nobody=1.0) == [1000.0, None]
    assert await used(a=1059.0, b=1059.0) == [1000.0, 1059.0]
    assert await used(a=1060.0, b=900.0) == [1060.0, 1059.0]


async def test_what_is_kept_of_the_secret_is_its_digest(tokens: Tokens, database: Database) -> None:
    made = token("ci")
    await tokens.create(made, "administrator")
    async with database.read() as connection:
        assert (await connection.execute(select(table.c.sha256))).scalar_one() == made.digest.hex()
        told = (await connection.execute(text("SELECT * FROM audit"))).one()
    assert made.digest.hex() not in repr(told)
    assert made.digest.hex() not in repr(made)
    assert repr(made.digest) not in repr(made)
