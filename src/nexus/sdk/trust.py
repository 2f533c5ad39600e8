"""Whom this service trusts when it asks the gateway over TLS: the usual authorities, and one of the operator's own."""

import ssl
from pathlib import Path

import httpx

from nexus.sdk.problems import SettingError


def trusting(authority: Path | None) -> ssl.SSLContext:
    """A client's context. Raises SettingError where the authority's certificate cannot be used."""
    context = httpx.create_ssl_context(trust_env=False)
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except OSError as error:  # ssl.SSLError is one
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise SettingError(f"NEXUS_CA_CERT: {str(authority)!r} cannot be used: {reason}") from error
    return context
