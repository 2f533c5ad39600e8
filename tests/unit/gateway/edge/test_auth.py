"""Who is let in, by which header, and what the others are told."""

import contextlib
import hashlib
import time

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.auth import ANONYMOUS, MADE, Keyring, check_address, digest, new_token
from nexus.policies.networks import parse_host, parse_network
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from tests.servers.clock import Clock

ONE, TWO, ADA = (Token(digest(f"sk-{name}"), name) for name in ("one", "two", "ada"))
KEYRING = Keyring([ONE, TWO])


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"Bearer sk-one", "one"),
        (b"bearer sk-two", "two"),
        (b"BEARER  sk-one", "one"),
        (b"Bearer sk-one ", "one"),
    ],
)
def test_a_known_token_is_known_by_name(header: bytes, name: str) -> None:
    assert KEYRING.check(header).name == name


@pytest.mark.parametrize(
    "header",
    [b"Bearer sk-three", b"Bearer", b"Bearer ", b"", b"sk-one", b"Basic sk-one", b"Bearersk-one", b"Bearer \xff\x00",
     b"Bearer sk-one sk-two", b"Bearer " + digest("sk-one")],
)  # fmt: skip
def test_anything_else_is_401_and_is_not_repeated(header: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        KEYRING.check(header)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")
    assert "sk-" not in caught.value.message


def test_no_header_is_401_and_says_what_to_send() -> None:
    with pytest.raises(ApiError, match="Authorization: Bearer") as caught:
        KEYRING.check(None)
    assert caught.value.status == 401


def test_where_none_is_required_everyone_is_let_in_and_known_tokens_keep_their_names() -> None:
    keyring = Keyring([ONE], required=False)
    assert keyring.check(None).name == ANONYMOUS
    assert keyring.check(b"Bearer sk-wrong").name == ANONYMOUS
    assert keyring.check(b"Bearer sk-one").name == "one"


def test_what_is_kept_of_a_token_is_its_sha_256() -> None:
    assert digest("sk-one") == hashlib.sha256(b"sk-one").digest()


def test_a_lent_token_is_let_in_by_the_name_it_was_lent_under_until_it_is_taken_back() -> None:
    keyring = Keyring([ONE, ADA])
    token, other = keyring.lend("ada"), keyring.lend("ada")
    assert token != other
    assert keyring.check(f"Bearer {token}".encode()).name == "ada"
    version = keyring.version
    keyring.take_back(token)
    assert keyring.version != version
    with pytest.raises(ApiError) as caught:
        keyring.check(f"Bearer {token}".encode())
    assert (caught.value.status, token in caught.value.message) == (401, False)
    assert keyring.check(f"Bearer {other}".encode()).name == "ada"
    assert keyring.check(b"Bearer sk-one").name == "one"


def test_lending_alone_makes_nothing_void() -> None:
    keyring = Keyring([ADA])
    version = keyring.version
    keyring.lend("ada")
    assert keyring.version == version


def test_where_no_token_is_required_a_lent_one_keeps_its_name_for_its_time() -> None:
    keyring = Keyring([ADA], required=False)
    token = keyring.lend("ada")
    assert keyring.check(f"Bearer {token}".encode()).name == "ada"
    keyring.take_back(token)
    assert keyring.check(f"Bearer {token}".encode()).name == ANONYMOUS


@pytest.mark.parametrize("required", [True, False])
def test_a_lent_token_asks_for_operations_and_sees_nothing_of_its_callers(required: bool) -> None:
    keyring = Keyring([ONE], required=required)
    token = keyring.lend("one")
    with pytest.raises(ApiError) as caught:
        keyring.check_owner(f"bearer  {token} ".encode())
    assert (caught.value.status, caught.value.code) == (403, "permission_denied")
    assert keyring.check_owner(b"Bearer sk-one").name == "one"
    keyring.take_back(token)
    if required:
        with pytest.raises(ApiError, match="not a known one"):
            keyring.check_owner(f"Bearer {token}".encode())
    else:
        assert keyring.check_owner(None).name == ANONYMOUS


HOME = Policy("home", ip_allow=(parse_network("10.0.0.0/8"),))


def test_a_token_that_expires_is_let_in_until_then_and_what_was_looked_up_is_void() -> None:
    clock = Clock(1000.0)
    keyring = Keyring([Token(digest("sk-one"), "one", expires=1010.0), TWO], now=clock)
    lent = f"Bearer {keyring.lend('one')}".encode()
    assert keyring.check(b"Bearer sk-one").name == keyring.check(lent).name == "one"
    version = keyring.version
    keyring.expire()
    assert keyring.version == version
    clock.now = 1010.0
    with pytest.raises(ApiError, match="has expired") as caught:
        keyring.check(b"Bearer sk-one")
    assert caught.value.status == 401
    keyring.expire()
    assert keyring.version != version
    version = keyring.version
    keyring.expire()
    assert keyring.version == version
    with pytest.raises(ApiError):
        keyring.check(lent)
    assert not keyring.bearer("one").policy.operations.patterns
    assert keyring.bearer("two").policy is None


def test_an_expired_token_stays_expired_through_an_edit() -> None:
    token = Token(digest("sk-one"), "one", expires=5.0)
    keyring = Keyring([token], now=Clock(1000.0))
    keyring.hold([token])
    with pytest.raises(ApiError, match="has expired"):
        keyring.check(b"Bearer sk-one")


def test_an_edit_changes_the_policy_and_forgets_nothing_that_was_used() -> None:
    keyring = Keyring([ONE])
    before = keyring.check(b"Bearer sk-one")
    version = keyring.version
    keyring.hold([Token(ONE.digest, "one", HOME), TWO])
    after = keyring.check(b"Bearer sk-one")
    assert keyring.version != version
    assert (before.policy, after.policy) == (None, HOME)
    assert after.account is before.account
    keyring.hold([TWO])
    with pytest.raises(ApiError) as caught:
        keyring.check(b"Bearer sk-one")
    assert caught.value.status == 401


def test_a_loan_has_its_lenders_policy_and_account_as_they_are_now() -> None:
    keyring = Keyring([ONE])
    header = f"Bearer {keyring.lend('one')}".encode()
    keyring.hold([Token(ONE.digest, "one", HOME)])
    lent = keyring.check(header)
    assert (lent.name, lent.policy, lent.lent) == ("one", HOME, True)
    assert lent.account is keyring.check(b"Bearer sk-one").account
    keyring.hold([])
    with pytest.raises(ApiError):
        keyring.check(header)


def test_an_address_that_is_not_meant_is_403_and_so_is_one_that_nobody_knows() -> None:
    keyring = Keyring([Token(ONE.digest, "one", HOME), TWO])
    bearer = keyring.check(b"Bearer sk-one")
    check_address(bearer, parse_host("10.1.2.3"))
    for address in (parse_host("11.0.0.1"), None):
        with pytest.raises(ApiError) as caught:
            check_address(bearer, address)
        assert (caught.value.status, caught.value.code) == (403, "permission_denied")
    check_address(keyring.check(b"Bearer sk-two"), None)
    lent = keyring.check(f"Bearer {keyring.lend('one')}".encode())
    check_address(lent, parse_host("11.0.0.1"))  # the service is not where its caller is


def test_where_no_token_is_required_everyone_has_the_policy_of_anonymous() -> None:
    keyring = Keyring([ONE], required=False)
    assert keyring.check(None).policy is None
    keyring.hold([ONE], HOME)
    assert keyring.check(None).policy is HOME
    assert keyring.check(b"Bearer sk-wrong").account is keyring.check(None).account
    assert keyring.check(b"Bearer sk-one").policy is None


@pytest.mark.parametrize("header", [b"Bearer ", b"Bearer", b"", b"Basic "])
def test_no_credentials_are_no_token_not_even_an_empty_one(header: bytes) -> None:
    keyring = Keyring([Token(digest(""), "empty")])
    with pytest.raises(ApiError):
        keyring.check(header)


def test_holding_what_is_held_already_voids_nothing() -> None:
    keyring = Keyring([ONE])
    version = keyring.version
    keyring.hold([Token(ONE.digest, "one")], whole=False)
    keyring.hold(iter([ONE]))
    assert keyring.version == version
    keyring.hold([ONE, TWO])
    assert keyring.version == version + 1


def test_a_token_that_may_be_the_databases_is_early_until_that_has_been_read() -> None:
    made = new_token()
    keyring = Keyring([Token(digest(f"{MADE}old"), "old", expires=5.0)], now=Clock(1000.0))
    keyring.hold([Token(digest(f"{MADE}old"), "old", expires=5.0)], whole=False)
    seen: dict[str, int] = {}
    for header in (f"Bearer {made}", f"Bearer {MADE}old", "Bearer sk-other", f"Basic {made}", "Bearer"):
        with pytest.raises(ApiError) as caught:
            keyring.check(header.encode())
        seen[header] = caught.value.status
        assert made not in caught.value.message
    assert list(seen.values()) == [503, 401, 401, 401, 401]
    keyring.hold([ONE])
    with pytest.raises(ApiError, match="not a known one"):
        keyring.check(f"Bearer {made}".encode())


def test_no_two_tokens_are_alike_and_each_has_256_random_bits() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert {len(one) for one in made} == {len(MADE) + 43}


def test_how_long_a_look_up_takes_says_nothing_of_how_much_of_a_token_is_right() -> None:
    """Interleaved, the best of many: what nearly is the token is looked up as fast as what is nothing like it."""
    token = new_token()
    keyring = Keyring([Token(digest(token), "ci"), *(Token(digest(f"sk-{n}"), f"n{n}") for n in range(1000))])
    wrong = {"near": f"Bearer {token[:-1]}~".encode(), "far": f"Bearer {'~' * len(token)}".encode()}
    best = dict.fromkeys(wrong, 1.0)
    for _ in range(300):
        for name, header in wrong.items():
            began = time.perf_counter()
            for _ in range(20):
                with contextlib.suppress(ApiError):
                    keyring.check(header)
            best[name] = min(best[name], time.perf_counter() - began)
    assert 0.8 < best["near"] / best["far"] < 1.25


def test_what_was_looked_up_is_void_once_somebody_says_so() -> None:
    keyring = Keyring()
    before = keyring.version
    keyring.void()
    assert keyring.version != before


def test_all_that_a_user_has_is_one_bearer_and_none_of_it_takes_the_others_along() -> None:
    clock = Clock(1000.0)
    keyring = Keyring(now=clock)
    soon, later = (Token(digest(f"sk-{at}"), "user:ada", HOME, clock.now + at) for at in (10.0, 100.0))
    keyring.hold([soon, later], None, {"user:ada": HOME, "user:bob": None})
    assert keyring.check(b"Bearer sk-10.0") is keyring.check(b"Bearer sk-100.0") is keyring.bearer("user:ada")
    assert keyring.bearer("user:bob").policy is None  # no token at all, and yet may ask
    assert keyring.seen == {soon.digest: clock.now, later.digest: clock.now}
    clock.now += 10
    keyring.expire()
    with pytest.raises(ApiError):
        keyring.check(b"Bearer sk-10.0")
    assert keyring.check(b"Bearer sk-100.0").name == "user:ada"
    version = keyring.version
    keyring.hold([later], None, {})
    assert keyring.version > version
