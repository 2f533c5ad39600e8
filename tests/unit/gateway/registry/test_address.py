import pytest

from nexus.gateway.registry.address import Address, AddressError, base_url, host_of, parse_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://tts:8000", "http://tts:8000"),
        ("HTTP://TTS:8000/", "http://tts:8000"),
        ("http://tts:80", "http://tts"),
        ("https://tts:443/a/b//", "https://tts/a/b"),
        ("https://tts:80", "https://tts:80"),
        ("http://nexus_service.local.:1", "http://nexus_service.local.:1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
    ],
)
def test_an_address_has_one_form(text: str, url: str) -> None:
    assert parse_address(text) == Address(url)
    assert parse_address(url).url == url


@pytest.mark.parametrize(
    ("text", "authorization"),
    [
        ("http://:t0ken@host:1", "Bearer t0ken"),
        ("http://:a%2Fb%40c@host:1", "Bearer a/b@c"),
        ("http://user:pass@host:1", "Basic dXNlcjpwYXNz"),
        ("http://@host:1", None),
    ],
)
def test_credentials_leave_the_url(text: str, authorization: str | None) -> None:
    assert parse_address(text) == Address("http://host:1", authorization)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tts",
        "tts:8000",
        "//tts:8000",
        "ftp://tts",
        "http://",
        "http://:8000",
        "http://tts:0",
        "http://tts:65536",
        "http://tts:port",
        "http://tts/?a=b",
        "http://tts/#a",
        "http://tts?",
        "http://t ts",
        "http://tts\r\nx-evil: 1",
        "http://tés:1",
        "http://-tts:1",
        "http://[::1",
        "http://[::g]:1",
        "http://a..b\\c:1",
        "http://token@host:1",
        "http://:a%0d%0ab@host:1",
        "http://" + "a" * 300,
    ],
)
def test_what_is_no_base_url_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["ftp://:hidden@h", "http://u:hidden@h:0", "http://hidden@h", "http://:hidden@h?x"])
def test_a_refusal_shows_no_credentials(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert "hidden" not in str(caught.value)


def test_addresses_are_put_into_urls() -> None:
    assert base_url("10.0.0.1", 8000) == "http://10.0.0.1:8000"
    assert base_url("fd00::1", 8000) == "http://[fd00::1]:8000"
    assert host_of("http://[fd00::1]:8000") == "fd00::1"
