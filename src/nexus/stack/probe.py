"""Asking the stack's own processes over HTTP: whether a child is ready, and which instances the gateway uses."""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any, Final

_TIMEOUT_SECONDS: Final = 2.0
_READ_BYTES: Final = 64 * 1024
_LARGEST_ANSWER: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a process of this stack listens on this machine."""

    host: str
    port: int
    tls: bool = False

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a health endpoint said: the HTTP status, and of a JSON body its `status` and the reason it gives."""

    status: int
    state: str = ""
    reason: str = ""


async def ask(endpoint: Endpoint, path: str) -> Answer | None:
    """What a health endpoint says; None where nobody answers with HTTP in time."""
    answer = await _get(endpoint, path)
    if answer is None:
        return None
    status, body = answer
    return Answer(status, str(body.get("status", "")), _reason(body)) if isinstance(body, dict) else Answer(status)


async def ready_instances(gateway: Endpoint, token: str | None) -> frozenset[str]:
    """The base URLs of the instances to which the gateway sends requests now."""
    answer = await _get(gateway, "/v1/services", token)
    services = answer[1].get("data", ()) if answer and isinstance(answer[1], dict) else ()
    instances = (instance for service in services for instance in service.get("instances", ()))
    return frozenset(instance["url"] for instance in instances if instance.get("state") == "ready")


async def _get(endpoint: Endpoint, path: str, token: str | None = None) -> tuple[int, Any] | None:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            context = _unverified() if endpoint.tls else None
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
            try:
                authorization = f"Authorization: Bearer {token}\r\n" if token else ""
                head = f"GET {path} HTTP/1.1\r\nHost: {endpoint.authority}\r\n{authorization}Connection: close\r\n\r\n"
                writer.write(head.encode())
                return read_answer(await _all(reader))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


def _unverified() -> ssl.SSLContext:
    """For our own child on this machine: its certificate is made out to the name that clients use."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _all(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) < _LARGEST_ANSWER and (data := await reader.read(_READ_BYTES)):
        answer += data
    return answer


def read_answer(data: bytes) -> tuple[int, Any] | None:
    """The status and the JSON body (None if it is none) of an HTTP/1.1 answer that ended with its connection.

    None where it is not such an answer.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].strip().isdigit():
        return None
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    return int(words[1]), value


def _reason(body: dict[str, object]) -> str:
    """The reason in a `/readyz` body: its `reason`, else the checks that are not fulfilled."""
    if body.get("reason"):
        return str(body["reason"])
    checks = body.get("checks")
    if not isinstance(checks, dict):
        return ""
    return ", ".join(f"{name}: {state}" for name, state in checks.items() if state not in ("ok", "ready", True))
