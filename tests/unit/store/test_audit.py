"""The audit log: what happened is told with what it happened to, or not at all."""

import pytest

from nexus.store.audit import Audit, entry
from nexus.store.database import Database
from nexus.store.rows import AuditEntry, KeptToken
from nexus.store.tokens import Tokens


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)


async def test_each_change_of_a_token_is_told_with_who_asked_for_it(database: Database, audit: Audit) -> None:
    times = iter(range(1, 9))
    tokens = Tokens(database, lambda: float(next(times)))
    made = KeptToken("token-1", "ci", b"1" * 32, "kids", 1.5, "Ada", 2e9)
    await tokens.create(made, "administrator")
    await tokens.rotate("token-1", b"2" * 32, "bob")
    assert not await tokens.create(made, "mallory")
    await tokens.revoke("token-1", "administrator")
    entries, more = await audit.page(limit=10)
    told = [(one.actor, one.action, one.subject) for one in entries]
    assert told == [
        ("administrator", "token.revoke", "token-1"),
        ("bob", "token.rotate", "token-1"),
        ("administrator", "token.create", "token-1"),
    ]
    assert not more
    assert entries[-1].details == {"name": "ci", "owner": "Ada", "policy": "kids", "expires_at": 2e9}
    assert entries[-1].at == 1.0
    assert [one.seq for one in entries] == sorted((one.seq for one in entries), reverse=True)


async def test_pages_and_what_is_asked_for(database: Database, audit: Audit) -> None:
    async with database.begin() as connection:
        for number in range(5):
            await connection.execute(
                entry(float(number), "ada" if number % 2 else "bob", f"do.{number}", "x" if number < 3 else "y", {})
            )

    async def actions(limit: int = 10, **asked: object) -> tuple[list[str], bool]:
        entries, more = await audit.page(limit=limit, **asked)  # type: ignore[arg-type]
        return [one.action for one in entries], more

    assert await actions() == (["do.4", "do.3", "do.2", "do.1", "do.0"], False)
    assert await actions(2) == (["do.4", "do.3"], True)
    first: tuple[AuditEntry, ...] = (await audit.page(limit=2))[0]
    assert await actions(3, before=first[-1].seq) == (["do.2", "do.1", "do.0"], False)
    assert await actions(actor="ada") == (["do.3", "do.1"], False)
    assert await actions(action="do.2") == (["do.2"], False)
    assert await actions(subject="y", actor="bob") == (["do.4"], False)
