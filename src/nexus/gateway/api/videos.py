"""/v1/videos in OpenAI's shape: a view of the jobs whose operation is `videos`. It has four statuses and no others."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Query, Request, Response

from nexus.contract.errors import INVALID_REQUEST, NOT_FOUND, ApiError
from nexus.gateway.api.answers import json_answer, page_of
from nexus.gateway.api.jobs import POLL_AFTER_MS, stored_answer
from nexus.gateway.api.middleware import bearer_of, whose
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.video_orders import OPERATION, checked, details_of, fields_of, read_call, remix_body
from nexus.gateway.background.desk import Desk
from nexus.gateway.background.view import percent, seconds
from nexus.gateway.relay.result import Relayed
from nexus.gateway.routes import route_of
from nexus.gateway.routing.router import HEADER
from nexus.gateway.values import Call
from nexus.jobs.values import Job, Result, State
from nexus.jobs.values import Query as JobQuery

_JSON: Final = "application/json"
_PREFIX: Final = "video"
_STATUS: Final = {State.QUEUED: "queued", State.RUNNING: "in_progress", State.COMPLETED: "completed"}
Variant = Literal["video", "thumbnail", "spritesheet"]


def video_routes(parts: ApiParts) -> APIRouter:
    """Make, look at, fetch, list, remix and delete videos."""
    router = APIRouter()
    desk = parts.desk

    @router.post("/v1/videos")
    async def create_video(request: Request) -> Response:
        content_type = request.headers.get("content-type", "")
        call = read_call(request, await request.body(), content_type, bearer_of(request))
        video = checked(fields_of(call.request.body, content_type))
        details = details_of(video, _model(parts, call))
        return await _accepted(parts, call, details)

    @router.get("/v1/videos")
    async def list_videos(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Response:
        query = JobQuery(whose(request), operation=OPERATION, limit=limit, after=after, newest_first=order == "desc")
        jobs, more = await desk.page(query)
        return json_answer(page_of([video_view(job) for job in jobs], more))

    @router.get("/v1/videos/{identity}")
    async def get_video(request: Request, identity: str) -> Response:
        return _answer(await _find(desk, identity, whose(request)))

    @router.get("/v1/videos/{identity}/content")
    async def video_content(request: Request, identity: str, variant: Variant = "video") -> Response:
        job = await _find(desk, identity, whose(request))
        return await stored_answer(parts, request, job, _part(job, variant))

    @router.post("/v1/videos/{identity}/remix")
    async def remix_video(request: Request, identity: str, prompt: Annotated[str, Body(embed=True)]) -> Response:
        source = await _find(desk, identity, whose(request))
        film = _part(source, "video")
        if film is None:
            raise ApiError(
                INVALID_REQUEST, f"The video {source.id} is not there to be remixed: it is {source.state.value}."
            )
        opened = await parts.store.opened()
        asked = fields_of(await opened.blobs.get(source.order.key), source.order.content_type)
        body = remix_body(asked, prompt, film.media_type, await opened.blobs.get(film.key))
        call = read_call(request, body, _JSON, bearer_of(request))
        details = details_of(checked(fields_of(body, _JSON)), _model(parts, call), source.id)
        return await _accepted(parts, call, details)

    @router.delete("/v1/videos/{identity}")
    async def delete_video(request: Request, identity: str) -> Response:
        job = await _find(desk, identity, whose(request))
        if not job.ended:
            await desk.cancel(job)
        await desk.forget(job)
        return json_answer({"id": job.id, "object": "video.deleted", "deleted": True})

    return router


def video_view(job: Job) -> dict[str, Any]:
    """The job as OpenAI's `video`; one that was called off has failed, as its statuses know no other word."""
    details = job.order.details
    error = job.error
    if job.state is State.CANCELLED:
        error = {"code": "cancelled", "message": "The video was called off."}
    return {
        "id": job.id,
        "object": "video",
        "status": _STATUS.get(job.state, "failed"),
        "progress": percent(job),
        "created_at": int(job.created_at),
        "completed_at": seconds(job.finished_at) if job.state is State.COMPLETED else None,
        "expires_at": seconds(job.expires_at) if job.ended else None,
        "model": job.order.model or details.get("model") or "",
        "prompt": details.get("prompt"),
        "seconds": details.get("seconds"),
        "size": details.get("size"),
        "remixed_from_video_id": details.get("remixed_from"),
        "error": None if error is None else {"code": error.get("code"), "message": error.get("message")},
    }


async def _accepted(parts: ApiParts, call: Call, details: Mapping[str, Any]) -> Response:
    """Take the call as a job, where its caller may ask for it, and tell of that."""
    spent = Relayed()
    call, permit, _ = await parts.counting.admit_outside(call, spent)
    try:
        if call.routed is not None:
            details = {**details, "model": _model(parts, call)}
        job = await parts.desk.accept(call, parts.base_url(call.request.head.host), details, _PREFIX)
    finally:
        permit.release(call.request, spent)
    answer = _answer(job)
    if call.routed is not None:
        answer.headers[HEADER] = call.routed.why
    return answer


def _answer(job: Job) -> Response:
    answer = json_answer(video_view(job))
    if not job.ended:
        answer.headers["openai-poll-after-ms"] = POLL_AFTER_MS
    return answer


async def _find(desk: Desk, identity: str, token: str | None) -> Job:
    job = await desk.find(identity, token)
    if job.order.operation != OPERATION:
        raise ApiError(NOT_FOUND, f"There is no video {identity!r}.", param="video_id")
    return job


def _part(job: Job, variant: str) -> Result | None:
    """Where a variant of a finished video lies. Raises ApiError where its service makes none of that kind."""
    if job.state is not State.COMPLETED:
        return None
    found = job.order.details.get("parts", {}).get(variant)
    if found is not None:
        media_type, size, key = found
        return Result(200, media_type, size, key)
    if variant == "video":
        return job.result
    raise ApiError(NOT_FOUND, f"The video {job.id} has no {variant}.", param="variant")


def _model(parts: ApiParts, call: Call) -> str | None:
    """The model that will answer, where the call names none."""
    route = route_of(call, parts.views.of(call.request.head.bearer.policy))
    return next((target.model for target in (*route.ready, *route.waiting) if target.model), call.model)
