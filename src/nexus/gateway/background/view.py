"""A job as clients see it. Times are whole seconds since 1970, `progress` is in percent, as OpenAI's words have it."""

from typing import Any, Final

from nexus.jobs.values import Job, State

STATUS: Final = {
    State.QUEUED: "queued",
    State.RUNNING: "in_progress",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def job_view(job: Job, position: int | None, eta: float | None) -> dict[str, Any]:
    """What `/v1/jobs/{id}` tells. `position`: its place among those that wait, 1 is next; `eta`: seconds until it is
    through; both None where there is nothing to tell."""
    view: dict[str, Any] = {
        "id": job.id,
        "object": "job",
        "operation": job.order.operation,
        "model": job.order.model or job.order.details.get("model") or None,
        "state": STATUS[job.state],
        "status": STATUS[job.state],  # OpenAI's name for the same
        "progress": percent(job),
        "message": job.message,
        "position": position,
        "eta_seconds": None if eta is None else round(eta, 1),
        "attempts": job.attempts,
        "created_at": int(job.created_at),
        "started_at": seconds(job.started_at),
        "completed_at": seconds(job.finished_at),
        "expires_at": seconds(job.expires_at),
        "service": job.service or None,
        "instance": job.instance or None,
        "error": None if job.error is None else dict(job.error),
        "result": None,
    }
    if job.result is not None:
        view["result"] = {
            "url": f"/v1/jobs/{job.id}/result",
            "content_type": job.result.media_type,
            "bytes": job.result.size,
        }
    return view


def percent(job: Job) -> int:
    """How far it is, 0 to 100; 100 only when it is completed."""
    return 100 if job.state is State.COMPLETED else min(99, int(job.progress * 100))


def seconds(moment: float | None) -> int | None:
    """A moment in whole seconds."""
    return None if moment is None else int(moment)
