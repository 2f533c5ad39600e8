"""A service that asks the gateway for something itself, on behalf of the caller whose call it answers."""

import asyncio
import concurrent.futures
import json
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from nexus.contract.errors import (
    NO_READY_SERVICE,
    OVERLOADED,
    UPSTREAM_ERROR,
    UPSTREAM_TIMEOUT,
    ApiError,
    ErrorKind,
    kind_of_status,
)
from nexus.contract.operations import BY_NAME
from nexus.sdk.engine import Call
from nexus.sdk.trust import trusting
from nexus.sdk.upstream import FAILURES, AsyncClient, new_client, reason_of

GATEWAY: Final = "x-nexus-gateway"
DELEGATION: Final = "x-nexus-delegation"
LARGEST_ANSWER: Final = 64 * 1024 * 1024
_CONNECT_SECONDS: Final = 5.0
_Answer = tuple[int, str | None, bytes]  # status, retry-after, body


class Asker:
    """Asks the gateway for the operations that the manifest's `uses` names. Make it on the service's event loop.

    A question runs on that loop and its asker waits in a thread, so that it can be broken off at any moment.
    """

    def __init__(self, uses: tuple[str, ...], timeout_seconds: float, authority: Path | None = None) -> None:
        self._uses = uses
        self._timeout_seconds = timeout_seconds
        self._authority = authority
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._client: AsyncClient | None = None

    def ask(self, call: Call, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the gateway answers to `body` at the operation's path. Blocks; for an engine's threads alone.

        Raises ApiError: the gateway's own, or that it cannot be asked, does not answer in time or not with a JSON
        object of at most LARGEST_ANSWER bytes, or that the call was cancelled.
        """
        if operation not in self._uses:
            raise ValueError(f"{operation!r} is not one of the operations under service.uses")
        if threading.get_ident() == self._thread:
            raise RuntimeError("Call.ask blocks: call it in a plain method, or by asyncio.to_thread")
        gateway, token = call.headers.get(GATEWAY, ""), call.headers.get(DELEGATION, "")
        if not token or not gateway.startswith(("http://", "https://")):
            message = f"this service asks the gateway for {operation}, and was not called through one"
            raise ApiError(NO_READY_SERVICE, message)
        url = f"{gateway.rstrip('/')}{BY_NAME[operation].path}"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json", **_trace(call)}
        asked = self._sent(url, headers, json.dumps(body).encode())
        status, retry_after, answer = self._waited(call, asked, operation)
        value = _json_object(answer)
        if status >= 400:
            raise _refusal(status, retry_after, value, operation)
        if value is None:
            raise ApiError(UPSTREAM_ERROR, f"the gateway did not answer {operation} with a JSON object")
        return value

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.aclose()

    def _waited(self, call: Call, asked: Coroutine[Any, Any, _Answer], operation: str) -> _Answer:
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)

        def break_off() -> None:
            future.cancel()

        call.on_cancel(break_off)
        try:
            return future.result()
        except concurrent.futures.CancelledError as error:
            raise ApiError(OVERLOADED, "the call was cancelled before its answer was complete") from error
        except TimeoutError as error:
            message = f"the gateway did not answer {operation} within {self._timeout_seconds:g} seconds"
            raise ApiError(UPSTREAM_TIMEOUT, message) from error
        except FAILURES as error:
            message = f"the gateway could not be asked for {operation}: {reason_of(error)}"
            raise ApiError(UPSTREAM_ERROR, message) from error
        finally:
            call.off_cancel(break_off)

    async def _sent(self, url: str, headers: Mapping[str, str], body: bytes) -> _Answer:
        if self._client is None:
            self._client = new_client(_CONNECT_SECONDS, trust=trusting(self._authority))
        async with (
            asyncio.timeout(self._timeout_seconds),
            self._client.stream("POST", url, content=body, headers=headers) as response,
        ):
            return response.status_code, response.headers.get("retry-after"), await _body(response.aiter_bytes())


async def _body(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise ApiError(UPSTREAM_ERROR, f"the gateway's answer is larger than {LARGEST_ANSWER} bytes")
    return bytes(body)


def _trace(call: Call) -> dict[str, str]:
    """The caller's trace, so that what is asked is seen to belong to it."""
    return {"traceparent": call.headers["traceparent"]} if "traceparent" in call.headers else {}


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refusal(status: int, retry_after: str | None, value: dict[str, Any] | None, operation: str) -> ApiError:
    """The gateway's refusal as it told it; its own words where there is an envelope."""
    told = value.get("error") if value else None
    if not isinstance(told, dict) or not told.get("message"):
        return ApiError(UPSTREAM_ERROR, f"the gateway answered {operation} with status {status}")
    kind = kind_of_status(status)
    kind = ErrorKind(str(told.get("code") or kind.code), status, str(told.get("type") or kind.type))
    param = told.get("param")
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    return ApiError(kind, str(told["message"]), param=str(param) if param else None, retry_after=seconds)
