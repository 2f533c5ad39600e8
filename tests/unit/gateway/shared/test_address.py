"""Which addresses of Redis can be used, and that no error shows a password."""

import pytest

from nexus.gateway.shared.address import RedisAddress, RedisAddressError, parse_redis_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis", RedisAddress("redis")),
        ("valkey://redis:7000/3", RedisAddress("redis", 7000, database=3)),
        ("rediss://:p%40ss%2Fword@redis", RedisAddress("redis", tls=True, password="p@ss/word")),
        ("valkeys://u:p@redis/", RedisAddress("redis", tls=True, user="u", password="p")),
        ("redis://[::1]:6380/0", RedisAddress("::1", 6380)),
    ],
)
def test_good(url: str, address: RedisAddress) -> None:
    assert parse_redis_url(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://:secret@redis", "begin with"),
        ("secret", "begin with"),
        ("redis://:secret@", "of the form"),
        ("redis://:secret@redis:0", "of the form"),
        ("redis://:secret@redis:port", "not a URL"),
        ("redis://:secret@redis:70000", "not a URL"),
        ("redis://secret@redis", "no password"),
        ("redis://:secret@redis/a", "database"),
        ("redis://:secret@redis/99999999", "database"),
        ("redis://:secret@redis?ssl_cert_reqs=none", "no query"),
        ("redis://:secret@redis#x", "no query"),
    ],
)
def test_bad(url: str, why: str) -> None:
    with pytest.raises(RedisAddressError, match=why) as caught:
        parse_redis_url(url)
    assert "secret" not in str(caught.value)


def test_what_is_shown_of_it_has_no_password() -> None:
    assert repr(parse_redis_url("redis://u:secret@redis")) == "RedisAddress(redis:6379)"
