"""Asks servers on this machine and engines elsewhere over HTTP, bounded in time and bytes."""

import json
from dataclasses import dataclass
from typing import Any, Final

import httpx

SECONDS: Final = 2.0
_LARGEST: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the body where it is JSON (else None)."""

    status: int
    body: Any = None


def get(url: str, token: str | None = None, seconds: float = SECONDS) -> Answer | str:
    """The answer to a GET, or in a few words why there is none.

    Certificates are not checked: whether anybody answers is the question, and nothing secret is asked for. Proxies
    of the environment are not used: they may answer for an engine that is not there.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with (
            httpx.Client(timeout=seconds, verify=False, trust_env=False) as client,  # noqa: S501 - see above
            client.stream("GET", url, headers=headers) as response,
        ):
            body = b""
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    break
            return Answer(response.status_code, _json(body))
    except httpx.ConnectTimeout:
        return f"no connection within {seconds:g} s"
    except httpx.TimeoutException:
        return f"it takes the connection, but does not answer within {seconds:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return " ".join(str(error).split()) or type(error).__name__


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
