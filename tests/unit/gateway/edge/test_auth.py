"""Who is let in, by which header, and what the others are told."""

import hashlib

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.auth import ANONYMOUS, Keyring, digest
from nexus.policies.token import Token

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
