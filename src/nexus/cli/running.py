"""The running gateway, as commands ask it: where it is, with which token, and what its errors mean to a person.

No proxy of the environment stands between: what is sent is the administrator's token. Certificates are checked; those
of a local authority are trusted where `SSL_CERT_FILE` names it.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

URL: Final = "http://127.0.0.1:8800"
KEY_FILE: Final = Path(".nexus/api_key")
_SECONDS: Final = 30.0
_LARGEST: Final = 64 * 1024 * 1024


class AskingError(Exception):
    """The gateway did not do what was asked; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """One gateway by its base URL (with a path, if it stands behind one)."""

    url: str
    key: str = field(repr=False)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that it answers. Raises AskingError."""
        headers = {"authorization": f"Bearer {self.key}", "accept": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["content-type"] = "application/json"
        try:
            status, answer = self._send(method, path, content, headers)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise AskingError(f"the gateway at {self.url} cannot be reached: {reason}") from error
        told = _json(answer)
        if 200 <= status < 300 and told is not None:
            return told
        raise AskingError(_message(told) or f"{self.url} answered {method} {path} with {status}")

    def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        place = urlsplit(self.url)
        host, port = place.hostname or "", place.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())
            if place.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_SECONDS)
        )
        try:
            connection.request(method, place.path.rstrip("/") + path, content, headers)
            response = connection.getresponse()
            return response.status, response.read(_LARGEST)
        finally:
            connection.close()


def running_gateway(environ: Mapping[str, str], folder: Path) -> RunningGateway:
    """The gateway that the environment names, else the one that `nexus up` runs in this folder. Raises AskingError."""
    url = environ.get("NEXUS_URL") or URL
    try:
        place = urlsplit(url)
        fits = place.scheme in ("http", "https") and place.hostname and (place.port is None or place.port)
    except ValueError:
        fits = None
    if not fits:
        raise AskingError(f"NEXUS_URL: {url!r} is not of the form http://host:port")
    return RunningGateway(url, _key(environ, folder))


def _key(environ: Mapping[str, str], folder: Path) -> str:
    given, file = environ.get("NEXUS_API_KEY"), environ.get("NEXUS_API_KEY_FILE")
    if given and file:
        raise AskingError("NEXUS_API_KEY: it is given twice, also as NEXUS_API_KEY_FILE")
    name, path = ("NEXUS_API_KEY_FILE", Path(file)) if file else ("NEXUS_API_KEY", folder / KEY_FILE)
    try:
        key = given or path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise AskingError(f"{name}: it is needed, and {path} cannot be read: {reason}") from error
    if not key or not key.isascii() or not key.isprintable():
        raise AskingError(f"{name}: it may have only printable ASCII characters, and some")
    return key


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _message(told: Any) -> str:
    error = told.get("error") if isinstance(told, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return " ".join(message.split()) if isinstance(message, str) else ""
