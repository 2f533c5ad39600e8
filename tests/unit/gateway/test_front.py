from collections.abc import Callable
from pathlib import Path

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.config import Config, parse_config
from nexus.gateway.edge.guard import Guard
from nexus.gateway.front import create_guard, read_certificate, strict_transport
from nexus.gateway.settings import Settings, SettingsError, load_settings
from nexus.stack.authority import Folder, renew

Set = Callable[..., Settings]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Set:
    def load(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(f"NEXUS_{name}", value)
        return load_settings()

    return load


def lets_in(guard: Guard, path: str, peer: str, **fields: str) -> bool:
    headers = {name.encode(): value.encode() for name, value in fields.items()}
    try:
        guard.check(path, (peer, 1), headers.items(), headers)
    except ApiError:
        return False
    return True


def test_the_file_comes_before_the_environment_and_that_before_the_default(settings: Set) -> None:
    guard = create_guard(settings(), Config())
    assert lets_in(guard, "/metrics", "127.0.0.1")
    assert not lets_in(guard, "/metrics", "10.0.0.1")
    guard = create_guard(settings(METRICS_ALLOW="10.0.0.0/8"), Config())
    assert lets_in(guard, "/metrics", "10.0.0.1")
    assert not lets_in(guard, "/v1/admin", "10.0.0.1")
    guard = create_guard(settings(METRICS_ALLOW="10.0.0.0/8"), parse_config("ip_allowlist: {/metrics: [192.0.2.0/24]}"))
    assert not lets_in(guard, "/metrics", "10.0.0.1")
    assert lets_in(guard, "/metrics", "192.0.2.1")


def test_pages_are_kept_off_only_without_authentication_and_urls_are_names(settings: Set) -> None:
    assert lets_in(create_guard(settings(), Config()), "/v1/models", "127.0.0.1", host="evil.example")
    guard = create_guard(
        settings(AUTH="off", PUBLIC_URL="https://ai.example.org", ADVERTISED_URL="http://box:1"), Config()
    )
    for host in ("ai.example.org", "box:8800", "localhost", "127.0.0.1:8800"):
        assert lets_in(guard, "/v1/models", "127.0.0.1", host=host)
    assert not lets_in(guard, "/v1/models", "127.0.0.1", host="evil.example")


def test_strict_transport_is_told_over_tls_alone(settings: Set, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    renew(folder, ())
    assert strict_transport(settings()) == []
    secure = settings(TLS_CERT=str(folder.certificate), TLS_KEY=str(folder.key))
    assert strict_transport(secure) == []
    assert strict_transport(settings(HSTS="31536000")) == [("strict-transport-security", "max-age=31536000")]


def test_a_certificate_that_cannot_be_used_stops_the_start(settings: Set, tmp_path: Path) -> None:
    def log(level: str, event: str, **fields: object) -> None: ...

    assert read_certificate(settings(), log) is None
    folder = Folder(tmp_path)
    renew(folder, ())
    with pytest.raises(SettingsError, match=r"^NEXUS_TLS_CERT: .*cannot be used: the key is not that"):
        read_certificate(settings(TLS_CERT=str(folder.certificate), TLS_KEY=str(folder.authority_key)), log)
