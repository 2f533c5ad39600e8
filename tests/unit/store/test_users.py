"""Users in the database: what is kept, what goes with them, and what is told of it."""

from dataclasses import replace
from typing import Any

import pytest

from nexus.store.audit import Audit
from nexus.store.database import Database
from nexus.store.rows import KeptSession, KeptToken, KeptUser
from nexus.store.sessions import Sessions
from nexus.store.tokens import Tokens
from nexus.store.users import Users
from tests.servers.clock import Clock

NOW = 1_700_000_000.0


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database, Clock(NOW))


def user(name: str, **values: Any) -> KeptUser:
    return KeptUser(f"user-{name}", name, "user", "default", 1.5, **{"password": f"hash of {name}", **values})


async def belongings(database: Database, of: KeptUser) -> tuple[int, list[str]]:
    """How many sessions and which tokens' policies a user has."""
    sessions = await Sessions(database, 1e9, Clock(NOW)).living()
    tokens = await Tokens(database).of_user(of.id)
    return sum(one.user == of.id for one in sessions), [token.policy for token in tokens]


async def equip(database: Database, of: KeptUser) -> None:
    """Give a user a session and a token."""
    digest = of.id.encode().ljust(32, b"\0")
    assert await Sessions(database, 1e9, Clock(NOW)).create(KeptSession(digest, of.id, NOW, NOW + 60, NOW), of)
    token = KeptToken(f"token-{of.name}", f"{of.bearer}/t", digest, of.policy, NOW, user=of.id)
    assert await Tokens(database).create(token, of.bearer)


async def test_a_user_is_kept_as_it_was_made(users: Users) -> None:
    ada = user("ada")
    assert await users.create(ada, "administrator")
    assert await users.living() == (ada,)
    assert await users.find("ada") == await users.find("user-ada") == await users.named("ada") == ada
    assert await users.named("user-ada") is None
    assert "hash of" not in repr(ada)


async def test_names_and_what_an_issuer_knows_are_one_users_each(users: Users) -> None:
    ada = user("ada", password=None, issuer="https://id", subject="1")
    assert await users.create(ada, "oidc")
    assert not await users.create(replace(ada, id="2", name="other"), "oidc")
    assert not await users.create(replace(ada, id="3", subject="2"), "oidc")
    assert await users.create(replace(ada, id="4", name="eve", issuer="https://other"), "oidc")
    assert await users.linked("https://id", "1") == ada
    assert await users.linked("https://id", "2") is None


async def test_what_is_deleted_goes_with_all_but_its_name(users: Users, database: Database) -> None:
    ada, bob = user("ada", issuer="https://id", subject="1"), user("bob")
    for one in (ada, bob):
        await users.create(one, "administrator")
        await equip(database, one)
    assert await users.delete(ada.id, "administrator") is not None
    assert await belongings(database, ada) == (0, [])
    assert await belongings(database, bob) == (1, ["default"])
    assert await users.find("ada") is None
    assert await users.linked("https://id", "1") is None
    assert await users.delete(ada.id, "administrator") is None
    assert not await users.create(replace(user("ada"), id="again"), "administrator")


async def test_changes_and_what_they_take_away(users: Users, database: Database) -> None:
    ada = user("ada")
    await users.create(ada, "administrator")
    await equip(database, ada)
    changed = await users.change(ada.id, {"role": "viewer", "policy": "kids"}, "administrator")
    assert changed is not None
    assert (changed.role, changed.policy) == ("viewer", "kids")
    assert await belongings(database, ada) == (1, ["kids"])
    await users.change(ada.id, {"disabled": True}, "administrator")
    assert await belongings(database, ada) == (0, ["kids"])
    await users.change(ada.id, {"disabled": False}, "administrator")
    assert await users.set_password(ada.id, "another", "user:ada") is not None
    assert await users.change("nobody", {"disabled": True}, "administrator") is None
    assert await users.set_password("nobody", "x", "administrator") is None
    entries, _ = await Audit(database).page(limit=10, subject=ada.id)
    assert [(entry.actor, entry.action) for entry in entries][:2] == [
        ("user:ada", "user.password"),
        ("administrator", "user.change"),
    ]
    assert "another" not in repr(entries)


async def test_the_same_password_is_kept_otherwise_unless_it_was_changed(users: Users) -> None:
    await users.create(user("ada"), "administrator")
    await users.refresh_password("user-ada", "not this", "new")
    assert (await users.living())[0].password == "hash of ada"
    await users.refresh_password("user-ada", "hash of ada", "new")
    assert (await users.living())[0].password == "new"


async def test_pages(users: Users) -> None:
    for name in "abc":
        await users.create(user(name), "administrator")
    page = await users.page(limit=2)
    assert page is not None
    assert ([one.name for one in page[0]], page[1]) == (["a", "b"], True)
    page = await users.page(limit=2, after="user-b")
    assert page is not None
    assert ([one.name for one in page[0]], page[1]) == (["c"], False)
    assert await users.page(limit=2, after="nobody") is None


async def test_each_change_is_another_version(users: Users, database: Database) -> None:
    tokens, seen = Tokens(database), []
    await users.create(user("ada"), "administrator")
    seen.append(await tokens.version())
    for change in (
        users.change("user-ada", {"role": "viewer"}, "a"),
        users.set_password("user-ada", "x", "a"),
        users.delete("user-ada", "a"),
    ):
        await change
        seen.append(await tokens.version())
    assert len(set(seen)) == 4
    await users.delete("user-ada", "a")
    assert await tokens.version() == seen[-1]
