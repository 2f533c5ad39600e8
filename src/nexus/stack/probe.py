"""Asking a child over HTTP whether it is ready."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

_TIMEOUT_SECONDS: Final = 2.0
_LARGEST_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a health endpoint said: the HTTP status, and of a JSON body its `status` and the reason it gives."""

    status: int
    state: str = ""
    reason: str = ""


async def ask(host: str, port: int, path: str) -> Answer | None:
    """One GET to a health endpoint on this machine; None where nobody answers with HTTP in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode())
                return read_answer(await _all(reader))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None


async def _all(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    while len(answer) < _LARGEST_ANSWER and (data := await reader.read(_LARGEST_ANSWER)):
        answer += data
    return answer


def read_answer(data: bytes) -> Answer | None:
    """An HTTP/1.1 answer that ended with its connection; None where it is not one."""
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return None
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return Answer(int(words[1]))
    return Answer(int(words[1]), str(value.get("status", "")), _reason(value))


def _reason(body: dict[str, object]) -> str:
    """The reason in a `/readyz` body: its `reason`, else the checks that are not fulfilled."""
    if body.get("reason"):
        return str(body["reason"])
    checks = body.get("checks")
    if not isinstance(checks, dict):
        return ""
    return ", ".join(f"{name}: {state}" for name, state in checks.items() if state not in ("ok", "ready", True))
