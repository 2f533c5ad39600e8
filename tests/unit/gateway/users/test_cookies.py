"""Cookies, the token against forged requests, and origins."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.users.cookies import Cookies, check_csrf, check_origin, csrf_token, new_id

PLAIN, SECURE = Cookies(False), Cookies(True)


def test_an_id_comes_back_as_it_was_set() -> None:
    session = new_id()
    for cookies in (PLAIN, SECURE):
        line = cookies.set_session(session, 60)
        pair, *attributes = line.split("; ")
        assert attributes[:4] == ["Path=/", "Max-Age=60", "HttpOnly", "SameSite=Strict"]
        assert cookies.session(b"other=1; " + pair.encode() + b"; more=2") == session
    assert SECURE.set_session(session, 60).startswith("__Host-nexus_session=")
    assert SECURE.set_session(session, 60).endswith("; Secure")
    assert "Secure" not in PLAIN.set_session(session, 60)
    assert SECURE.session(f"nexus_session={session}".encode()) is None
    assert "Path=/v1/session/oidc; Max-Age=0" in PLAIN.set_sign_in("", 0)
    assert "SameSite=Lax" in PLAIN.set_sign_in(session, 60)


@pytest.mark.parametrize(
    "header",
    [None, b"", b"nexus_session", b"nexus_session=", b"nexus_session=short", b"nexus_session=" + b"%" * 43,
     b"nexus_session=" + b"\xe9" * 43, b"nexus_session=" + b"a" * 43 + b"; nexus_session=" + b"b" * 43],
)  # fmt: skip
def test_what_is_no_session(header: bytes | None) -> None:
    assert PLAIN.session(header) is None


def test_the_same_id_twice_is_one() -> None:
    assert PLAIN.session(b"nexus_session=" + b"a" * 43 + b"; nexus_session=" + b"a" * 43) == "a" * 43


def test_the_token_belongs_to_its_session() -> None:
    ours, theirs = new_id(), new_id()
    check_csrf(ours, {b"x-csrf-token": csrf_token(ours).encode()})
    assert ours not in csrf_token(ours)
    for sent in (csrf_token(theirs).encode(), b"", b"\xff", ours.encode()):
        with pytest.raises(ApiError) as caught:
            check_csrf(ours, {b"x-csrf-token": sent})
        assert caught.value.status == 403
    with pytest.raises(ApiError):
        check_csrf(ours, {})


@pytest.mark.parametrize(
    ("fields", "public"),
    [
        ({}, None),
        ({b"origin": b"http://box:8800", b"host": b"box:8800"}, None),
        ({b"origin": b"https://Box", b"host": b"box:443"}, None),
        ({b"origin": b"https://ai.example", b"host": b"gateway:8800"}, "https://ai.example"),
        ({b"origin": b"http://[::1]:8800", b"host": b"[::1]:8800", b"sec-fetch-site": b"same-origin"}, None),
    ],
)
def test_pages_of_the_own_origin(fields: dict[bytes, bytes], public: str | None) -> None:
    check_origin(fields, public)


@pytest.mark.parametrize(
    "fields",
    [
        {b"origin": b"null", b"host": b"box"},
        {b"origin": b"http://box:8801", b"host": b"box:8800"},
        {b"origin": b"https://evil.example", b"host": b"ai.example"},
        {b"origin": b"file://box", b"host": b"box"},
        {b"origin": b"http://", b"host": b""},
        {b"origin": b"http://box@evil.example", b"host": b"box"},
        {b"origin": b"http://box.evil.example", b"host": b"box"},
        {b"origin": b"http://box", b"host": b"box", b"sec-fetch-site": b"same-site"},
        {b"host": b"box", b"sec-fetch-site": b"cross-site"},
    ],
)
def test_pages_of_another(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ApiError) as caught:
        check_origin(fields, "https://ai.example")
    assert caught.value.status == 403
