"""Sessions that are let in, and what has to come with their cookie."""

import hashlib

import pytest

from nexus.contract.errors import ApiError
from nexus.contract.roles import Role
from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.visitors import Session, Visitors
from nexus.gateway.users.cookies import Cookies, csrf_token, new_id
from nexus.policies.policy import Policy
from tests.servers.clock import Clock

KIDS = Policy("kids", rpm=3)
ID = new_id()


def session(role: Role = "user", expires: float = 2000.0) -> Session:
    return Session(hashlib.sha256(ID.encode()).digest(), "user-1", "user:ada", role, KIDS, expires)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def keyring() -> Keyring:
    keyring = Keyring()
    keyring.hold((), None, {"user:ada": KIDS})
    return keyring


@pytest.fixture
def visitors(keyring: Keyring, clock: Clock) -> Visitors:
    visitors = Visitors(Cookies(False), keyring, now=clock)
    visitors.hold([session()])
    return visitors


PROVEN = {b"cookie": f"nexus_session={ID}".encode(), b"x-csrf-token": csrf_token(ID).encode(), b"host": b"box"}


def status(visitors: Visitors, **changes: bytes | None) -> int:
    fields = {**PROVEN, **{name.replace("_", "-").encode(): value for name, value in changes.items()}}
    try:
        bearer = visitors.check_asking({name: value for name, value in fields.items() if value is not None})
    except ApiError as error:
        return error.status
    return 200 if bearer is not None else 0


def test_who_is_signed_in_has_the_account_of_all_that_is_theirs(visitors: Visitors, keyring: Keyring) -> None:
    bearer = visitors.check_asking(PROVEN)
    assert bearer is not None
    assert (bearer.name, bearer.policy, bearer.role) == ("user:ada", KIDS, "user")
    assert bearer.account is keyring.bearer("user:ada").account
    assert visitors.seen == {session().digest: 1000.0}


def test_on_the_lane_everything_has_to_be_proven(visitors: Visitors) -> None:
    assert status(visitors) == 200
    assert status(visitors, x_csrf_token=None) == 403
    assert status(visitors, x_csrf_token=b"0" * 64) == 403
    assert status(visitors, origin=b"http://evil") == 403
    assert status(visitors, origin=b"http://box") == 200
    assert status(visitors, cookie=None) == 0
    assert status(visitors, cookie=b"nexus_session=x") == 0


def test_a_session_ends(visitors: Visitors, clock: Clock) -> None:
    clock.now = 1999.9
    assert status(visitors) == 200
    clock.now = 2000.0
    assert status(visitors) == 401
    clock.now = 1000.0
    visitors.hold([])
    assert status(visitors) == 401


def test_a_viewer_looks_and_does_not_ask(visitors: Visitors) -> None:
    visitors.hold([session("viewer")])
    assert status(visitors) == 403
    bearer = visitors.check(ID, PROVEN, proven=False)
    assert (bearer.policy, bearer.role) == (KIDS, "viewer")


def test_a_user_who_may_ask_for_nothing_any_more_does_not(visitors: Visitors, keyring: Keyring) -> None:
    keyring.hold(())
    bearer = visitors.check_asking(PROVEN)
    assert bearer is not None
    assert bearer.policy is not None
    assert not bearer.policy.operations.allows("chat.completions")
