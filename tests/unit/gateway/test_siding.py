"""The siding, told by a caller of the lane: what is put off, what is filled in, what gets URLs, and who leaves."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from nexus.contract.errors import NOT_FOUND, ApiError
from nexus.contract.operations import BY_NAME
from nexus.gateway.endpoints import standard
from nexus.gateway.relay.result import Relayed
from nexus.gateway.siding import WITH_FILES, Siding
from nexus.gateway.values import Call, Headers
from nexus.jobs.values import Job, Order, State
from nexus.store.errors import BlobsFullError, DatabaseError
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call

JOB = Job(1, Order("job_1", "ocr", "/v1/ocr", "", "k", 2, "ada"), State.QUEUED, 0.0)
FORM = b"Multipart/form-data; boundary=B"


class Parts:
    """Desk, files and pictures in one: each does as `fault` says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.cancelled = False

    async def accept(self, call: Call, base_url: str) -> Job:
        await self._step("accept", call.request.body, base_url)
        return JOB

    async def settled(self, job: Job, seconds: float) -> Job:
        await self._step("settled", job.id, seconds)
        return job

    async def answer(self, job: Job) -> tuple[int, Headers, bytes]:
        await self._step("answer", job.id)
        return 202, [(b"location", b"/v1/jobs/job_1")], b"{}"

    async def files(self, body: bytes, token: str) -> bytes:
        await self._step("files", body, token)
        return b"filled"

    async def pictures(self, body: bytes, token: str, job: str | None, base_url: str) -> bytes:
        await self._step("pictures", body, token, job, base_url)
        return b"with urls"

    async def _step(self, *what: Any) -> None:
        self.asked.append(what)
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.fault:
            raise self.fault


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def siding(parts: Parts) -> Siding:
    return Siding(parts, parts.files, parts.pictures, lambda host: f"http://{host.decode() or 'nowhere'}")


def call(operation: str = "ocr", body: bytes = b"{}", after: float | None = None, **request: Any) -> Call:
    at = standard(BY_NAME[operation])
    made = make_call(None, body, at=at, **request)
    return Call(made.request, None, False, None, after)


@pytest.mark.parametrize("operation", sorted(WITH_FILES))
def test_a_body_that_names_a_file_is_wanted(siding: Siding, operation: str) -> None:
    assert siding.wanted(call(operation, b'{"document":{"file_id":"x"}}'))
    assert not siding.wanted(call(operation, b'{"document":{"image_url":"x"}}'))


def test_other_operations_are_not_looked_into(siding: Siding) -> None:
    assert not siding.wanted(make_call(body=b'{"file_id":"x"}'))
    assert siding.wanted(Call(make_call().request, None, False, None, 0.0))


async def test_a_form_may_have_such_letters_in_its_files(siding: Siding, caller: Caller, parts: Parts) -> None:
    given = call(body=b'--B\r\n... {"file_id": "x"} ...', content_type=FORM)
    assert not siding.wanted(given)
    assert await caller.run(siding.prepare(given)) is given
    assert parts.asked == []


async def test_files_are_filled_in_under_the_callers_name(siding: Siding, caller: Caller, parts: Parts) -> None:
    given = call(body=b'{"file_id":"x"}')
    ready = await caller.run(siding.prepare(given))
    assert ready.request.body == b"filled"
    assert (ready.request.head, ready.request.request_id) == (given.request.head, given.request.request_id)
    assert parts.asked == [("files", b'{"file_id":"x"}', "administrator")]


async def test_a_job_names_its_files_until_it_runs(siding: Siding, caller: Caller, parts: Parts) -> None:
    given = call(body=b'{"file_id":"x"}', after=0.0)
    assert await caller.run(siding.prepare(given)) is given
    assert parts.asked == []


async def test_a_call_is_put_off_and_its_client_told(siding: Siding, caller: Caller, parts: Parts) -> None:
    result = Relayed()
    await caller.run(siding.put_off(call(after=7.0), caller, result))
    assert parts.asked == [("accept", b"{}", "http://nowhere"), ("settled", "job_1", 7.0), ("answer", "job_1")]
    assert (caller.status, caller.body, caller.end) == (202, b"{}", "whole")
    assert caller.lines() == [b"location: /v1/jobs/job_1", b"x-request-id: req-1"]
    assert (result.status, result.bytes_out) == (202, 2)


async def test_urls_are_put_in_where_the_answer_is_one(siding: Siding, caller: Caller, parts: Parts) -> None:
    assert await caller.run(siding.publish(call(), 200, b"body")) == b"with urls"
    assert parts.asked == [("pictures", b"body", "administrator", None, "http://nowhere")]
    assert await Caller().run(siding.publish(call(), 400, b"an error")) == b"an error"
    assert len(parts.asked) == 1


async def test_a_jobs_run_tells_which_job_the_pictures_are_of(siding: Siding, caller: Caller, parts: Parts) -> None:
    at = msgspec.structs.replace(standard(BY_NAME["images.edits"]), job="running")
    await caller.run(siding.publish(make_call(None, b"{}", at=at), 200, b"body"))
    assert parts.asked == [("pictures", b"body", "administrator", "req-1", "http://nowhere")]


def put_off(siding: Siding, caller: Caller) -> Any:
    return siding.put_off(call(after=1.0), caller, Relayed())


def prepare(siding: Siding, caller: Caller) -> Any:
    return siding.prepare(call(body=b'{"file_id":"x"}'))


def publish(siding: Siding, caller: Caller) -> Any:
    return siding.publish(call(), 200, b"body")


@pytest.mark.parametrize("what", [put_off, publish])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (DatabaseError("secret"), 503, "storage_unavailable"),
        (BlobsFullError("secret"), 507, "insufficient_storage"),
        (ApiError(NOT_FOUND, "gone"), 404, "not_found"),
    ],
)
async def test_a_storage_that_fails_is_told_as_what_it_is(
    siding: Siding, caller: Caller, parts: Parts, what: Callable[..., Any], fault: Exception, status: int, code: str
) -> None:
    parts.fault = fault
    with pytest.raises(ApiError) as caught:
        await caller.run(what(siding, caller))
    assert (caught.value.status, caught.value.code) == (status, code)
    assert "secret" not in caught.value.message
    assert not caller.head_sent


@pytest.mark.parametrize("what", [put_off, prepare, publish])
async def test_a_client_that_leaves_ends_what_is_done_for_it(
    siding: Siding, caller: Caller, parts: Parts, what: Callable[..., Any]
) -> None:
    parts.gate = asyncio.Event()
    caller.start(what(siding, caller))
    await asyncio.sleep(0)
    assert len(parts.asked) == 1
    caller.leave()
    async with asyncio.timeout(5):
        while not parts.cancelled:
            await asyncio.sleep(0)


def test_the_operations_with_files_are_standard_ones() -> None:
    for operation in WITH_FILES - {"videos"}:
        assert endpoint(operation).job == "wanted"
