"""Whom file and database let in, and as whom."""

from dataclasses import replace

from nexus.contract.roles import Role
from nexus.gateway.users.held import Kept, sessions_due, sessions_held, tokens_held, users_held
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.rows import KeptSession, KeptToken, KeptUser

POLICIES = {"kids": Policy("kids")}


def user(name: str, role: Role = "user", *, disabled: bool = False) -> KeptUser:
    return KeptUser(f"user-{name}", name, role, "kids", 1.0, disabled=disabled)


def token(name: str, of: str | None = None) -> KeptToken:
    return KeptToken(f"token-{name}", name, name.encode(), "default", 1.0, user=of, expires_at=9.0)


ADA, BOB, EVE = user("ada", "admin"), user("bob", "viewer"), user("eve", disabled=True)
KEPT = Kept(
    (token("ci"), token("file"), *(token(f"of-{one.name}", one.id) for one in (ADA, BOB, EVE)), token("lost", "gone")),
    (ADA, BOB, EVE),
    tuple(KeptSession(one.id.encode(), one.id, 10.0, 100.0, 20.0) for one in (ADA, BOB, EVE)),
)


def test_all_that_a_user_has_goes_by_one_name_with_one_policy() -> None:
    held = tokens_held(KEPT, ["file"], POLICIES.get)
    assert held == [Token(b"ci", "ci", None, 9.0), Token(b"of-ada", "user:ada", POLICIES["kids"], 9.0)]
    assert users_held(KEPT, POLICIES.get) == {"user:ada": POLICIES["kids"]}


def test_viewers_are_signed_in_and_the_disabled_are_not() -> None:
    held = sessions_held(KEPT, 30.0, POLICIES.get)
    assert [(one.user, one.name, one.role, one.expires) for one in held] == [
        ("user-ada", "user:ada", "admin", 50.0),
        ("user-bob", "user:bob", "viewer", 50.0),
    ]
    assert {one.expires for one in sessions_held(KEPT, 1000.0, POLICIES.get)} == {100.0}


def test_without_users_nothing_of_theirs_is_let_in() -> None:
    off = replace(KEPT, users=(), sessions=())
    assert [one.name for one in tokens_held(off, [], POLICIES.get)] == ["ci", "file"]


def test_a_use_is_written_when_it_is_a_part_of_the_idle_time() -> None:
    seen = {b"user-ada": 30.0, b"user-bob": 29.9, b"unknown": 99.0}
    assert sessions_due(KEPT, seen, 80.0) == {b"user-ada": 30.0}
