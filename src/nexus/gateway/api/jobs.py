"""/v1/jobs: the calls that are answered later, as a list, one by one and as they change; and their end."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from nexus.contract import sse
from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer, page_of
from nexus.gateway.api.content import content_answer
from nexus.gateway.api.middleware import is_head, whose
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.background.desk import Desk, no_result
from nexus.gateway.background.view import STATUS
from nexus.gateway.storage import refusal
from nexus.jobs.values import Job, Result, State
from nexus.jobs.values import Query as JobQuery
from nexus.store.errors import StoreError

LONGEST_PAGE: Final = 1000
POLL_AFTER_MS: Final = "500"
_STATES: Final = {word: state for state, word in STATUS.items()} | {state.value: state for state in State}
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE)]


def job_routes(parts: ApiParts) -> APIRouter:
    """All that can be asked about jobs; a job is made by asking for its operation."""
    router = APIRouter()
    _add_tellers(router, parts)
    _add_enders(router, parts.desk)
    return router


def _add_tellers(router: APIRouter, parts: ApiParts) -> None:
    """The routes that tell of jobs and of what has come of them."""
    desk = parts.desk

    @router.get("/v1/jobs")
    async def list_jobs(
        request: Request,
        limit: Limit = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        state: str | None = None,
        status: str | None = None,
        operation: str | None = None,
        model: str | None = None,
    ) -> Response:
        query = JobQuery(
            token=whose(request),
            state=_state(state or status, "state" if state else "status"),
            operation=operation,
            model=model,
            limit=limit,
            after=after,
            newest_first=order == "desc",
        )
        jobs, more = await desk.page(query)
        return json_answer(page_of([await desk.view(job) for job in jobs], more))

    @router.get("/v1/jobs/{identity}")
    async def get_job(request: Request, identity: str) -> Response:
        job = await desk.find(identity, whose(request))
        answer = json_answer(await desk.view(job))
        if not job.ended:
            answer.headers["openai-poll-after-ms"] = POLL_AFTER_MS
        return answer

    @router.get("/v1/jobs/{identity}/events")
    async def job_events(request: Request, identity: str) -> Response:
        job = await desk.find(identity, whose(request))
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        return StreamingResponse(_events(desk, job), media_type="text/event-stream", headers=headers)

    @router.get("/v1/jobs/{identity}/result")
    async def job_result(request: Request, identity: str) -> Response:
        job = await desk.find(identity, whose(request))
        return await stored_answer(parts, request, job, job.result)


def _add_enders(router: APIRouter, desk: Desk) -> None:
    """The routes that call jobs off and delete them."""

    @router.delete("/v1/jobs/{identity}")
    async def delete_job(request: Request, identity: str) -> Response:
        job = await desk.find(identity, whose(request))
        if job.ended:
            await desk.forget(job)
            return json_answer({"id": job.id, "object": "job.deleted", "deleted": True})
        return json_answer(await desk.view(await desk.cancel(job)))

    @router.post("/v1/jobs/{identity}/cancel")
    async def cancel_job(request: Request, identity: str) -> Response:
        job = await desk.find(identity, whose(request))
        if job.ended and job.state is not State.CANCELLED:
            raise ApiError(INVALID_REQUEST, f"The job {job.id} has ended: it is {STATUS[job.state]}.", param="id")
        return json_answer(await desk.view(await desk.cancel(job)))


async def stored_answer(parts: ApiParts, request: Request, job: Job, result: Result | None) -> Response:
    """What a job has stored, whole or the range that is asked for. Raises ApiError where there is nothing."""
    if result is None:
        if job.error is not None:
            raise ApiError(NOT_FOUND, f"The job {job.id} failed: {job.error.get('message')}", code="job_failed")
        raise no_result(job)
    opened = await parts.store.opened()
    return await content_answer(
        opened.blobs,
        result.key,
        result.size,
        result.media_type,
        request.headers,
        etag=f'"{job.id}-{job.attempts}"',
        head=is_head(request),
    )


async def _events(desk: Desk, job: Job) -> AsyncIterator[bytes]:
    """The job whenever it has changed, how it ended, or that it was deleted; the error where that cannot be told."""
    try:
        async for kind, told in _changes(desk, job):
            yield sse.encode(msgspec.json.encode({"type": kind, "job": told}), event=kind)
    except (StoreError, ApiError) as error:  # the answer has begun
        yield sse.encode((error if isinstance(error, ApiError) else refusal(error)).body())


async def _changes(desk: Desk, job: Job) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    told: dict[str, Any] = {}
    now: Job | None = job
    while now is not None:
        view = await desk.view(now)
        seen = {**view, "eta_seconds": None}
        if seen != told:
            told = seen
            yield f"job.{STATUS[now.state]}" if now.ended else "job.progress", view
        if now.ended:
            return
        now = await desk.changed(now)
    yield "job.deleted", {"id": job.id}


def _state(word: str | None, param: str) -> State | None:
    if word is None:
        return None
    if word not in _STATES:
        raise ApiError(INVALID_REQUEST, f"{word!r} is none of {', '.join(STATUS.values())}.", param=param)
    return _STATES[word]
