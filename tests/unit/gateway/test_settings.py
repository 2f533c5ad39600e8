import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest

from nexus.gateway.registry.address import Address
from nexus.gateway.registry.sources.dns import DnsName
from nexus.gateway.settings import SettingsError, later_variables, load_settings
from nexus.policies.networks import LOOPBACK
from nexus.store.address import BlobAddress


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8800)
    assert (settings.discovery_interval, settings.health_interval) == (5.0, 2.0)
    assert (settings.services, settings.discovery_dns) == ((), ())
    assert settings.registration_secret is None
    assert settings.api_key is None
    assert settings.auth == "required"
    assert settings.max_request_bytes == 67108864
    assert settings.trusted_proxies == ()
    assert settings.admin_allow == settings.metrics_allow == LOOPBACK
    assert settings.hsts == 0


def test_lists_and_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_SERVICES", "http://One:8001/ , http://:secret@two:8002")
    monkeypatch.setenv("NEXUS_DISCOVERY_DNS", "nexus-service:8000,other:9000")
    monkeypatch.setenv("NEXUS_PORT", "0")
    monkeypatch.setenv("NEXUS_HEALTH_INTERVAL", "0.5")
    monkeypatch.setenv("NEXUS_LIFELINE_FD", "7")
    settings = load_settings()
    assert settings.services == (Address("http://one:8001"), Address("http://two:8002", "Bearer secret"))
    assert settings.discovery_dns == (DnsName("nexus-service", 8000), DnsName("other", 9000))
    assert (settings.port, settings.health_interval, settings.lifeline_fd) == (0, 0.5, 7)
    monkeypatch.setenv("NEXUS_TRUSTED_PROXIES", " 10.0.0.0/8, fd00::/8,::ffff:192.0.2.1")
    networks = (IPv4Network("10.0.0.0/8"), IPv6Network("fd00::/8"), IPv4Network("192.0.2.1/32"))
    assert load_settings().trusted_proxies == networks


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEXUS_PORT", "NEXUS_SERVICES", "NEXUS_API_KEY", "NEXUS_CONFIG", "NEXUS_REDIS_URL"):
        monkeypatch.setenv(name, "")
    assert load_settings().port == 8800


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEXUS_HOST", "not a host"),
        ("NEXUS_REGION", "e\tu"),
        ("NEXUS_TRUSTED_PROXIES", "proxy"),
        ("NEXUS_TRUSTED_PROXIES", "10.0.0.0/8 10.1.0.0/16"),
        ("NEXUS_ADMIN_ALLOW", "10.0.0.1/8"),
        ("NEXUS_METRICS_ALLOW", "*"),
        ("NEXUS_HSTS", "-1"),
        ("NEXUS_HSTS", "31536000"),  # without a certificate
        ("NEXUS_PORT", "80800"),
        ("NEXUS_PORT", "http"),
        ("NEXUS_SERVICES", "tts:8000"),
        ("NEXUS_SERVICES", "ftp://tts:8000"),
        ("NEXUS_SERVICES", "http://good:1,http://bad:99999"),
        ("NEXUS_DISCOVERY_DNS", "nexus-service"),
        ("NEXUS_DISCOVERY_DNS", "nexus-service:0"),
        ("NEXUS_DISCOVERY_DNS", "nexus service:80"),
        ("NEXUS_DISCOVERY_INTERVAL", "0"),
        ("NEXUS_DISCOVERY_INTERVAL", "nan"),
        ("NEXUS_HEALTH_INTERVAL", "soon"),
        ("NEXUS_REGISTRATION_SECRET", "two words"),
        ("NEXUS_API_KEY", "clé"),
        ("NEXUS_AUTH", "maybe"),
        ("NEXUS_CONFIG", "/nowhere/nexus.yaml"),
        ("NEXUS_TLS_CERT", "/nowhere/cert.pem"),
        ("NEXUS_WORKERS", "0"),
        ("NEXUS_WORKERS", "65"),
        ("NEXUS_DRAIN_NOTICE", "-1"),
        ("NEXUS_DRAIN_SECONDS", "for ever"),
        ("NEXUS_LIFELINE_FD", "-1"),
        ("NEXUS_MAX_REQUEST_BYTES", "0"),
        ("NEXUS_MAX_FILE_BYTES", "0"),
        ("NEXUS_DATABASE_URL", "mysql://db/nexus"),
        ("NEXUS_DATABASE_URL", "sqlite://"),
        ("NEXUS_FILES_URL", "ftp://host/files"),
        ("NEXUS_S3_ENDPOINT", "minio:9000"),
        ("NEXUS_S3_ENDPOINT", "http://me:hidden@minio:9000"),
        ("NEXUS_S3_ACCESS_KEY_ID", "alone"),
        ("NEXUS_PUBLIC_URL", "nexus.example.org"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{variable}: ")
    assert "\n" not in message


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_API_KEY", "sk-hidden")
    assert "sk-hidden" not in repr(load_settings())
    monkeypatch.setenv("NEXUS_API_KEY", "sk hidden")
    monkeypatch.setenv("NEXUS_SERVICES", "ftp://:hidden@host")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hidden" not in str(caught.value)
    monkeypatch.delenv("NEXUS_API_KEY")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hidden" not in str(caught.value)


def test_where_things_are_kept_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "sqlite:///.nexus/nexus.db"
    assert settings.files_url == BlobAddress(folder=Path(".nexus/files"))
    assert (settings.max_file_bytes, settings.public_url, settings.s3_endpoint) == (536870912, None, None)
    secret = tmp_path / "secret"
    secret.write_text("abc/+=\n")
    monkeypatch.setenv("NEXUS_FILES_URL", "s3://nexus/files")
    monkeypatch.setenv("NEXUS_S3_ENDPOINT", "http://minio:9000/")
    monkeypatch.setenv("NEXUS_S3_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("NEXUS_S3_SECRET_ACCESS_KEY_FILE", str(secret))
    monkeypatch.setenv("NEXUS_PUBLIC_URL", "https://ai.example.org/")
    settings = load_settings()
    assert settings.files_url == BlobAddress(bucket="nexus", prefix="files")
    assert (settings.s3_endpoint, settings.public_url) == ("http://minio:9000", "https://ai.example.org")
    assert settings.s3_secret_access_key is not None
    assert settings.s3_secret_access_key.get_secret_value() == "abc/+="
    assert "abc/" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@db",
        "postgres://me:hidden@db:port/nexus",
        "mysql://me:hidden@db/nexus",
        "postgresql://me:hidden@db/nexus?secret=hidden",
        "postgresql://me:hidden@[db/nexus",
        "hidden",
    ],
)
def test_a_bad_database_url_shows_no_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("NEXUS_DATABASE_URL", url)
    with pytest.raises(SettingsError, match=r"^NEXUS_DATABASE_URL: ") as caught:
        load_settings()
    assert "hidden" not in str(caught.value)


def test_every_variable_can_be_the_content_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("  sk-from-file\n")
    services = tmp_path / "services"
    services.write_text("http://one:1\n")
    stack = tmp_path / "stack"
    stack.write_text("run/stack.json\n")
    monkeypatch.setenv("NEXUS_API_KEY_FILE", str(secret))
    monkeypatch.setenv("NEXUS_SERVICES_FILE", str(services))
    monkeypatch.setenv("NEXUS_STACK_FILE_FILE", str(stack))
    settings = load_settings()
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "sk-from-file"
    assert settings.services == (Address("http://one:1"),)
    assert settings.stack_file == Path("run/stack.json")


def test_a_variable_given_twice_or_by_a_missing_file_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "key"
    secret.write_text("hidden")
    monkeypatch.setenv("NEXUS_API_KEY_FILE", str(secret))
    monkeypatch.setenv("NEXUS_API_KEY", "other")
    with pytest.raises(SettingsError, match=r"^NEXUS_API_KEY: it is given twice"):
        load_settings()
    monkeypatch.delenv("NEXUS_API_KEY")
    secret.unlink()
    with pytest.raises(SettingsError, match=r"^NEXUS_API_KEY_FILE: .* cannot be read: No such file"):
        load_settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_no_authentication_is_for_loopback_only(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("NEXUS_AUTH", "off")
    monkeypatch.setenv("NEXUS_HOST", host)
    assert load_settings().auth == "off"
    monkeypatch.setenv("NEXUS_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match=r"^NEXUS_AUTH: off is only for a loopback NEXUS_HOST"):
        load_settings()


def test_tls_needs_both_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = tmp_path / "part.pem"
    part.write_text("…")
    monkeypatch.setenv("NEXUS_TLS_CERT", str(part))
    with pytest.raises(SettingsError, match=r"^NEXUS_TLS_KEY: "):
        load_settings()
    monkeypatch.setenv("NEXUS_TLS_KEY", str(part))
    assert load_settings().tls_key == part


def test_variables_of_later_versions_are_told_and_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert later_variables() == ()
    monkeypatch.setenv("NEXUS_REQUEST_LOG", "requests.jsonl")
    load_settings()
    assert later_variables() == ("NEXUS_REQUEST_LOG",)


def test_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings()
    assert (settings.redis_url, settings.limits_without_redis, settings.lease_seconds) == (None, "local", 30.0)
    (tmp_path / "redis").write_text("rediss://:secret@redis:6380/2\n")
    monkeypatch.setenv("NEXUS_REDIS_URL_FILE", str(tmp_path / "redis"))
    monkeypatch.setenv("NEXUS_LIMITS_WITHOUT_REDIS", "closed")
    monkeypatch.setenv("NEXUS_LEASE_SECONDS", "5")
    settings = load_settings()
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "rediss://:secret@redis:6380/2"
    assert (settings.limits_without_redis, settings.lease_seconds) == ("closed", 5.0)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("REDIS_URL", "http://:secret@redis", "it must begin with redis://, rediss:// or valkey://"),
        ("REDIS_URL", "redis://:secret@redis/first", "its database is a number, as in redis://host:6379/0"),
        ("LIMITS_WITHOUT_REDIS", "open", "it should be 'local' or 'closed'"),
        ("LEASE_SECONDS", "0.5", "it should be greater than or equal to 1"),
    ],
)
def test_a_bad_redis_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str) -> None:
    monkeypatch.setenv(f"NEXUS_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"NEXUS_{name}: {why}"


def test_users_are_off_and_may_be_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.users, settings.oidc_issuer, settings.oidc_role) == ("off", None, "viewer")
    assert (settings.session_lifetime, settings.session_idle) == (604800, 43200)
    monkeypatch.setenv("NEXUS_USERS", "on")
    monkeypatch.setenv("NEXUS_OIDC_CLIENT_ID", "nexus")
    for issuer in ("https://id.example/", "https://id.example/realms/a", "http://127.0.0.1:8080/realm"):
        monkeypatch.setenv("NEXUS_OIDC_ISSUER", issuer)
        assert load_settings().oidc_issuer == issuer


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"USERS": "yes"}, "NEXUS_USERS"),
        ({"USERS": "on", "AUTH": "off"}, "NEXUS_USERS"),
        ({"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "x"}, "NEXUS_OIDC_ISSUER"),
        ({"USERS": "on", "OIDC_ISSUER": "https://id.example"}, "NEXUS_OIDC_CLIENT_ID"),
        ({"USERS": "on", "OIDC_ISSUER": "http://id.example", "OIDC_CLIENT_ID": "x"}, "NEXUS_OIDC_ISSUER"),
        ({"USERS": "on", "OIDC_ISSUER": "https://a:b@id.example", "OIDC_CLIENT_ID": "x"}, "NEXUS_OIDC_ISSUER"),
        ({"OIDC_SCOPES": "email"}, "NEXUS_OIDC_SCOPES"),
        ({"OIDC_ROLE": "admin"}, "NEXUS_OIDC_ROLE"),
        ({"SESSION_IDLE": "0"}, "NEXUS_SESSION_IDLE"),
    ],
)
def test_what_users_cannot_be(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], variable: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"NEXUS_{name}", value)
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        load_settings()
