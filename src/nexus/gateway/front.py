"""The gateway's front door, as the settings want it: who may knock, and over which TLS."""

from urllib.parse import urlsplit

from nexus.gateway.allowlist import ADMIN, METRICS, Allowlist
from nexus.gateway.config import Config
from nexus.gateway.edge.certificates import CertificateError, CertificateFiles
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.pages import Names
from nexus.gateway.log import Log
from nexus.gateway.settings import Settings, SettingsError


def create_guard(settings: Settings, config: Config) -> Guard:
    """The guard of the lane and of the control plane."""
    urls = [url for url in (settings.public_url, settings.advertised_url) if url]
    names = Names([settings.host, *(urlsplit(url).hostname or "" for url in urls)])
    off = settings.auth == "off"
    return Guard(allowlist(settings, config), settings.trusted_proxies, names, keep_pages_off=off)


def allowlist(settings: Settings, config: Config) -> Allowlist:
    """What nexus.yaml says, over what the environment says, over what is closed anyway."""
    base = {ADMIN: settings.admin_allow, METRICS: settings.metrics_allow}
    return Allowlist.over(base, config.ip_allowlist)


def read_certificate(settings: Settings, log: Log) -> CertificateFiles | None:
    """The certificate, None where TLS is not wanted. Raises SettingsError where it cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        return CertificateFiles(settings.tls_cert, settings.tls_key, log)
    except CertificateError as error:
        raise SettingsError(f"NEXUS_TLS_CERT: {error}") from error


def strict_transport(settings: Settings) -> list[tuple[str, str]]:
    """The header that tells browsers to come over TLS only, for every answer; none where that is not wanted."""
    if settings.tls_cert is None or not settings.hsts:
        return []
    return [("strict-transport-security", f"max-age={settings.hsts}")]
