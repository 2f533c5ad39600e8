"""TLS at the gateway: which protocols and ciphers, and a certificate that is read again when its files change.

The server keeps the one context that it was started with. Every handshake is given the newest pair's context instead
(`sni_callback` is called whether or not the client names a server), so no connection notices that there is a new one.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from nexus.gateway.log import Log

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Those of TLS 1.2: with forward secrecy and authenticated. TLS 1.3 has no others than its own."""

Stamp = tuple[tuple[int, int, int], ...]


class CertificateError(ValueError):
    """Certificate and key cannot be used; the message is one line and shows nothing of the key."""


def load_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context with this pair. Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateError(f"{certificate} and its key {key} cannot be used: {_reason(error)}") from error
    return context


def _no_password() -> str:
    """Without it, OpenSSL would ask on the terminal for the password of a key that has one."""
    raise ValueError("the key is encrypted; it must lie there without a password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is not that of the certificate"
        return "they are not whole PEM files" + (f" ({error.reason})" if error.reason else "")
    return getattr(error, "strerror", None) or str(error)


class CertificateFiles:
    """The pair that two files hold, the newest that could be used. `context` is what the server listens with."""

    def __init__(self, certificate: Path, key: Path, log: Log) -> None:
        """Reads the files. Raises CertificateError."""
        self._files = (certificate, key)
        self._log = log
        self._tried = self._seen = self._look()
        self._newest = self.context = load_context(certificate, key)
        self.context.sni_callback = self._choose

    async def watch(self, interval: float) -> None:
        """Look at the files every `interval` seconds for ever."""
        while True:
            await asyncio.sleep(interval)
            await asyncio.to_thread(self.check)

    def check(self) -> None:
        """Read the files if they have changed, and have stayed since the last look as they were then.

        Whoever renews a pair replaces one file after the other: in between, the two do not belong together.
        """
        before, self._seen = self._seen, self._look()
        if self._seen in (self._tried, None) or self._seen != before:
            return
        self._tried = self._seen
        try:
            self._newest = load_context(*self._files)
        except CertificateError as error:
            self._log("error", "certificate_refused", reason=str(error), kept="the one before stays in use")
        else:
            self._log("info", "certificate_read", path=str(self._files[0]))

    def _choose(self, connection: ssl.SSLObject, _server: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest

    def _look(self) -> Stamp | None:
        try:
            status = [path.stat() for path in self._files]
        except OSError:
            return None
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in status)
