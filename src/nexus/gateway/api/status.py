"""How the gateway itself is: /health, /readyz and /metrics."""

from fastapi import APIRouter, Response

from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.registry.snapshot import State


def status_routes(parts: ApiParts) -> APIRouter:
    """The routes that probes and Prometheus ask."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> Response:
        return json_answer({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> Response:
        instances = parts.registry.snapshot.instances
        services = {instance.service for instance in instances}
        ready = {instance.service for instance in instances if instance.state is State.READY}
        checks = {
            "first_round": "done" if parts.registry.first_round_done else "running",
            "services": {"ready": len(ready), "total": len(services)},
        }
        if parts.draining():
            return json_answer({"status": "draining", "reason": "it is shutting down", "checks": checks}, 503)
        if parts.registry.first_round_done:
            return json_answer({"status": "ready", "checks": checks})
        reason = "the services are being asked for the first time"
        return json_answer({"status": "starting", "reason": reason, "checks": checks}, 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(await parts.metrics_text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
