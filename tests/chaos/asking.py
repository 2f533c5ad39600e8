"""Asks a gateway by the official client, and tells what came of it: in its words, and in the bytes below them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import httpx
import openai

from tests.chaos.answers import BIG, OTHER_TEXT, PICTURE, PROMPT_TOKENS, SPEECH, TEXT, TOKENS, UPLOAD

HELLO: Final[Any] = [{"role": "user", "content": "Count."}]
PATIENCE: Final = 60.0
_POLL_SECONDS: Final = 0.25

Kind = Literal["whole", "error", "in-band", "broken", "LIE"]
"""`error`: told before the answer; `in-band`: one event, no `[DONE]`; `broken`: the connection ends amid the body, so
that every client raises. `LIE`: what must never be: it looked well and was not, or was told in no agreed way."""


@dataclass(frozen=True, slots=True)
class Came:
    """How one call ended. `served` is the model that the head named, `told` is for people."""

    kind: Kind
    status: int = 200
    code: str = ""
    told: str = ""
    seconds: float = 0.0
    served: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class _Raw:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    broke: Exception | None = None


class Recording(httpx.AsyncBaseTransport):
    """Reads each answer to its end before the client sees it, so that the bytes can be judged besides."""

    def __init__(self) -> None:
        # A connection ends with a stream that was cut, of which who takes it up again at once may hear too late.
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
        self.answers: dict[str, _Raw] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raw = self.answers[request.headers["x-request-id"]] = _Raw()
        response = await self._inner.handle_async_request(request)
        raw.status, raw.headers = response.status_code, dict(response.headers)
        parts = []
        try:
            async for part in response.stream:  # type: ignore[union-attr]
                parts.append(part)
        except httpx.HTTPError as error:
            raw.broke = error
        finally:
            await response.aclose()
        raw.body = b"".join(parts)
        return httpx.Response(response.status_code, headers=response.headers, stream=_Replayed(raw))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Replayed(httpx.AsyncByteStream):
    def __init__(self, raw: _Raw) -> None:
        self._raw = raw

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._raw.body
        if self._raw.broke is not None:
            raise self._raw.broke


class Asker:
    """Callers of one gateway. Use as an asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._transport = Recording()
        self._http = httpx.AsyncClient(transport=self._transport, timeout=PATIENCE, base_url=url)
        self._headers = {"authorization": f"Bearer {token}"}
        self._client = openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=token, max_retries=0, http_client=self._http, timeout=PATIENCE
        )

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, operation: str, model: str, request_id: str) -> Came:
        """One call. Never raises for what the gateway does."""
        asks: dict[str, Callable[[str, str], Awaitable[Came]]] = {
            "stream": self._stream,
            "chat": self._chat,
            "speech": self._speech,
            "image": self._image,
            "transcription": self._transcription,
        }
        began = time.monotonic()
        try:
            came = await asks[operation](model, request_id)
        except openai.APIStatusError as error:
            came = _refused(error)
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            came = Came("broken", 0, told=f"{type(error).__name__}: {error.__cause__ or error}")
        except ValueError as error:  # the official client could not read what it was given as an answer
            came = Came("LIE", told=f"the client chokes: {type(error).__name__}: {error}")
        raw = self._transport.answers.pop(request_id, _Raw())
        served = raw.headers.get("x-nexus-model", "")
        return replace(came, seconds=time.monotonic() - began, served=served, headers=raw.headers)

    async def _stream(self, model: str, request_id: str) -> Came:
        chunks: list[Any] = []
        said: openai.APIError | None = None
        stream = await self._client.chat.completions.create(
            model=model,
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"x-request-id": request_id},
        )
        try:
            async for chunk in stream:
                chunks.append(chunk)
        except openai.APIStatusError:
            raise
        except openai.APIConnectionError:
            raise
        except openai.APIError as error:
            said = error
        return judge_stream(chunks, said, self._transport.answers[request_id].body)

    async def _chat(self, model: str, request_id: str) -> Came:
        answer = await self._client.chat.completions.create(
            model=model, messages=HELLO, extra_headers={"x-request-id": request_id}
        )
        if not getattr(answer, "choices", None):  # the client hands out whatever has another content type as it is
            return Came("LIE", told=f"not a completion: {answer!r:.100}")
        text = answer.choices[0].message.content or ""
        return _whole(text in (TEXT, OTHER_TEXT, BIG), f"{len(text)} characters of text")

    async def _speech(self, model: str, request_id: str) -> Came:
        answer = await self._client.audio.speech.create(
            model=model, input="Count.", voice="alloy", extra_headers={"x-request-id": request_id}
        )
        return _whole(answer.content in (SPEECH, BIG.encode()), f"{len(answer.content)} bytes of sound")

    async def _transcription(self, model: str, request_id: str) -> Came:
        answer = await self._client.audio.transcriptions.create(
            model=model, file=("a.wav", UPLOAD), extra_headers={"x-request-id": request_id}
        )
        text = answer.text if isinstance(getattr(answer, "text", None), str) else ""
        return _whole(text in (TEXT, OTHER_TEXT, BIG), f"{len(text)} characters of text")

    async def _image(self, model: str, request_id: str) -> Came:
        asked = {"model": model, "prompt": "a clock", "background": True}
        headers = {**self._headers, "x-request-id": request_id}
        answer = await self._http.post("/v1/images/generations", json=asked, headers=headers)
        if answer.status_code != 202:
            return Came("error", answer.status_code, _code(answer.json()), answer.text[:200])
        job = answer.json()
        while job["status"] in ("queued", "in_progress"):
            await asyncio.sleep(_POLL_SECONDS)
            job = (await self._http.get(f"/v1/jobs/{job['id']}", headers=headers)).json()
        if job["status"] == "failed":
            return Came("error", 0, job["error"]["code"], job["error"]["message"])
        if job["status"] != "completed":
            return Came("LIE", told=f"a job that is {job['status']}")
        result = await self._http.get(f"/v1/jobs/{job['id']}/result", headers=headers)
        try:
            picture = result.json()["data"][0]["b64_json"]
        except (ValueError, KeyError, TypeError, IndexError):
            return Came("LIE", told=f"a completed job with {result.text[:100]!r}")
        return _whole(picture in (PICTURE, BIG), f"{len(picture)} characters of a picture")


def judge_stream(chunks: list[Any], said: openai.APIError | None, body: bytes) -> Came:
    """What a stream that ended came to, by its chunks, the error that the client read in it, and its bytes."""
    done = body.rstrip().endswith(b"data: [DONE]")
    if said is not None:
        code = str(said.code or "")
        if b"[DONE]" in body or body.count(b'data: {"error"') != 1:
            return Came("LIE", told=f"an error event and then more: {body[-200:]!r}", code=code)
        return Came("in-band", 200, code, said.message)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    wrong = []
    if text not in (TEXT, OTHER_TEXT, BIG):
        wrong.append(f"{len(text)} characters that are not the answer, ending with {text[-20:]!r}")
    if not done:
        wrong.append("no [DONE]")
    if len({chunk.id for chunk in chunks}) != 1:
        wrong.append("several ids")
    if sum(choice.delta.role is not None for choice in choices) != 1:
        wrong.append("the role not once")
    if [choice.finish_reason for choice in choices if choice.finish_reason] != ["stop"]:
        wrong.append("not one finish_reason")
    used = [chunk.usage for chunk in chunks if chunk.usage]
    if len(used) != 1 or (text != BIG and not _is_true(used[0])):
        wrong.append(f"usage {[(one.prompt_tokens, one.completion_tokens) for one in used]}")
    return Came("LIE", told="; ".join(wrong)) if wrong else Came("whole")


def _is_true(used: Any) -> bool:
    return bool(used.prompt_tokens == PROMPT_TOKENS and used.completion_tokens == len(TOKENS))


def _whole(known: bool, told: str) -> Came:
    return Came("whole") if known else Came("LIE", told=f"{told} that are not the answer")


def _refused(error: openai.APIStatusError) -> Came:
    try:
        body = error.response.json()
    except ValueError:
        return Came("LIE", error.status_code, told=f"an error outside the envelope: {error.response.text[:100]!r}")
    code = _code(body)
    return Came("error" if code else "LIE", error.status_code, code, json.dumps(body)[:300])


def _code(body: Any) -> str:
    """The code of an error that is in the envelope, empty if it is not in it."""
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code") or "") if isinstance(error, dict) and error.get("message") else ""
