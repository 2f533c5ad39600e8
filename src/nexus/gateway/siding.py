"""What leaves the lane for a moment: calls that become jobs, file ids that become bytes, pictures that become URLs.

All of it waits for a database or a disk, which the lane does not; none of it is on the way of a call that wants none.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from nexus.gateway.drive import outside
from nexus.gateway.relay.result import Relayed
from nexus.gateway.storage import refusal
from nexus.gateway.values import Call, Client, Headers
from nexus.jobs.values import Job
from nexus.store.errors import StoreError

WITH_FILES: Final = frozenset(("ocr", "images.edits", "videos"))
"""The operations whose JSON may name an uploaded file."""

_FILE_ID: Final = b'"file_id"'


class Desk(Protocol):
    """Takes calls that are answered later: `background.desk.Desk`."""

    async def accept(self, call: Call, base_url: str) -> Job: ...

    async def settled(self, job: Job, seconds: float) -> Job: ...

    async def answer(self, job: Job) -> tuple[int, Headers, bytes]: ...


class Siding:
    """`base_url` says how a client reaches the gateway, from the Host header that it sent.

    `files` puts uploaded files into a JSON body (body, token → body), `pictures` makes URLs of those in an answer
    (body, token, job, base URL → body).
    """

    def __init__(self, desk: Desk, files: "Files", pictures: "Pictures", base_url: Callable[[bytes], str]) -> None:
        self._desk = desk
        self._files = files
        self._pictures = pictures
        self._base_url = base_url

    def wanted(self, call: Call) -> bool:
        """Whether anything of it is needed before the call is planned."""
        return call.job_after is not None or _names_files(call)

    async def prepare(self, call: Call) -> Call:
        """The call with the bytes of files in the place of their ids. Raises ApiError."""
        if not _names_files(call) or call.job_after is not None:  # a job names them until it runs
            return call
        request = call.request
        body = await outside(asyncio.get_running_loop(), self._files(request.body, request.head.token))
        return msgspec.structs.replace(call, request=msgspec.structs.replace(request, body=body))

    async def put_off(self, call: Call, client: Client, result: Relayed) -> None:
        """Take the call as a job; answer with its result, if that comes soon enough, or with the job."""
        work = self._put_off(call)
        status, headers, body = await outside(asyncio.get_running_loop(), work)
        result.status, result.bytes_out = status, len(body)
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        identity = b"x-request-id: %b\r\n" % call.request.request_id.encode()
        client.send_whole(status, lines + result.limits + identity, body)

    async def publish(self, call: Call, status: int, body: bytes) -> bytes:
        """The body of an answer with URLs for what it holds in base64; one that holds nothing stays as it is."""
        if status != 200:
            return body
        return await outside(asyncio.get_running_loop(), self._publish(call, body))

    async def _publish(self, call: Call, body: bytes) -> bytes:
        request = call.request
        try:
            return await self._pictures(body, request.head.token, request.job, self._base_url(request.head.host))
        except StoreError as error:
            raise refusal(error) from error

    async def _put_off(self, call: Call) -> tuple[int, Headers, bytes]:
        try:
            job = await self._desk.accept(call, self._base_url(call.request.head.host))
            job = await self._desk.settled(job, call.job_after or 0.0)
            return await self._desk.answer(job)
        except StoreError as error:
            raise refusal(error) from error


class Files(Protocol):
    """Puts the bytes of uploaded files into a JSON body. Raises ApiError (404)."""

    async def __call__(self, body: bytes, token: str) -> bytes: ...


class Pictures(Protocol):
    """Makes URLs of what an answer holds in base64."""

    async def __call__(self, body: bytes, token: str, job: str | None, base_url: str) -> bytes: ...


def _names_files(call: Call) -> bool:
    head = call.request.head
    if head.endpoint.operation not in WITH_FILES or _FILE_ID not in call.request.body:
        return False
    return not head.content_type.lstrip().lower().startswith(b"multipart/")  # a file in a form may have these letters
